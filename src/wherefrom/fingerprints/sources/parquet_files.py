"""Parquet files, and folders of them that are one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from wherefrom.commitments import LogicalType, merge_types
from wherefrom.errors import FormatError
from wherefrom.fingerprints.arrow import read_nulls
from wherefrom.fingerprints.cells import cells_of
from wherefrom.fingerprints.formats import UNNAMED_INDEX
from wherefrom.fingerprints.sources.arrow_objects import empty_batch
from wherefrom.fingerprints.sources.base import Portion, Table
from wherefrom.fingerprints.sources.places import LocalFile, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wherefrom.fingerprints.arrow import AnyArray, AnyScalar
    from wherefrom.fingerprints.sources.places import Place

_BATCH_ROWS: Final = 2**16
_BUFFER_BYTES: Final = 2**20
# Bytes for each value of a column chunk, dictionary included, up to which its values repeat enough.
_MOST_BYTES_OF_FEW: Final = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a table."""

    place: Place
    keys: Mapping[str, AnyScalar] = field(default_factory=dict)
    """Columns that the names of its folders give it."""
    name: str | None = None
    """Its path below the table's folder."""


def open_parquet(place: Place) -> Table:
    return open_parts([Part(place)], name=place.name, read_options=place.read_options)


def open_parts(
    parts: Sequence[Part], *, name: str, columns: Sequence[str] | None = None, read_options: Mapping[str, object]
) -> Table:
    """Files that are one table; FormatError naming two of them, and a column that only one has.

    `columns` as in `open_table`: the others may differ, and so may those that pandas writes for an unnamed index.
    """
    rows = 0
    portions: list[Portion] = []
    first: tuple[Part, frozenset[str]] | None = None
    for part in parts:
        with unchanged(part.place), _explained(part.place), part.place.open_arrow() as file:
            metadata = pq.read_metadata(file)
            names = frozenset(metadata.schema.to_arrow_schema().names) | part.keys.keys()
        used = frozenset(column for column in names if _is_used(column, columns))
        rows += metadata.num_rows
        portions += _portions(part, metadata.num_rows)
        first = first or (part, used)
        _check_same_columns(first, (part, used))
    return Table(
        lambda: _iter_parts(parts, columns),
        rows,
        name,
        {"format": "parquet", **read_options},
        portions=portions if len(portions) == len(parts) else (),
        read_portions=lambda names: _iter_parts([part for part in parts if part.name in names], columns),
    )


def _portions(part: Part, rows: int) -> list[Portion]:
    """The part as one that can be told from its later versions; none if it can't."""
    if part.name is None or not isinstance(part.place, LocalFile):
        return []
    device, inode, size, mtime_ns, ctime_ns = part.place.version
    state = {
        "ctime_ns": ctime_ns,
        "device": device,
        "inode": inode,
        "keys": {name: f"{scalar.type}: {scalar}" for name, scalar in part.keys.items()},
        "mtime_ns": mtime_ns,
        "size": size,
    }
    return [Portion(part.name, state, max(mtime_ns, ctime_ns), rows)]


def _is_used(column: str, columns: Sequence[str] | None) -> bool:
    return not UNNAMED_INDEX.fullmatch(column) if columns is None else column in columns


def _check_same_columns(one: tuple[Part, frozenset[str]], other: tuple[Part, frozenset[str]]) -> None:
    if different := one[1] ^ other[1]:
        column = min(different)
        having, lacking = (one, other) if column in one[1] else (other, one)
        raise FormatError(
            f"'{lacking[0].place.name}' has no column {column!r}, and '{having[0].place.name}' has; "
            "the parts of one table have the same columns"
        )


def _iter_parts(parts: Sequence[Part], columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    types = _PartTypes(columns)
    for part in parts:
        with (
            unchanged(part.place),
            _explained(part.place),
            part.place.open_arrow() as source,
            pq.ParquetFile(
                source,
                pre_buffer=False,
                buffer_size=_buffer_bytes(part.place),
                read_dictionary=_repetitive_texts(source),
            ) as file,
        ):
            yield _add_columns(empty_batch(file.schema_arrow), part.keys)
            for batch in file.iter_batches(_BATCH_ROWS):
                whole = _add_columns(batch, part.keys)
                types.check(whole, part.place.name)
                yield whole


def _repetitive_texts(source: pa.NativeFile) -> list[str]:
    """Columns of few different texts, which are faster read, and then hashed, each text once."""
    metadata = pq.read_metadata(source)
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    return [
        metadata.schema.column(index).path
        for index in range(metadata.num_columns)
        if str(metadata.schema.column(index).logical_type) == "String"
        and "." not in metadata.schema.column(index).path
        and all(_is_repetitive(group.column(index)) for group in groups)
    ]


def _is_repetitive(chunk: pq.ColumnChunkMetaData) -> bool:
    return chunk.has_dictionary_page and chunk.total_uncompressed_size <= _MOST_BYTES_OF_FEW * chunk.num_values


def _buffer_bytes(place: Place) -> int:
    """How much of a column to read ahead; 0 is all that a row group has of it.

    Row groups may be larger than memory. But a store answers few large requests sooner than many small ones.
    """
    return _BUFFER_BYTES if isinstance(place, LocalFile) else 0


def _add_columns(batch: pa.RecordBatch, values: Mapping[str, AnyScalar]) -> pa.RecordBatch:
    for name, value in values.items():
        batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
    return batch


@dataclass
class _PartTypes:
    """Which types each column has had, and in which file first: a message about two of them can then name both files.

    A column without values has any type, so only reading tells. Whoever hashes the rows checks each value; here one
    value is enough for each machine type that a column has in some file.
    """

    columns: Sequence[str] | None
    seen: dict[str, dict[pa.DataType, tuple[LogicalType, str]]] = field(default_factory=dict)

    def check(self, batch: pa.RecordBatch, file: str) -> None:
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            known = self.seen.setdefault(name, {})
            if array.type in known or array.null_count == len(array) or not _is_used(name, self.columns):
                continue
            logical_type = _type_of_one(name, array, file)
            for other_type, other_file in known.values():
                try:
                    merge_types(logical_type, other_type)
                except FormatError as error:
                    raise FormatError(
                        f"column {name!r} holds {logical_type} in '{file}', and {other_type} in '{other_file}'"
                    ) from error
            known[array.type] = logical_type, file


def _type_of_one(name: str, array: AnyArray, file: str) -> LogicalType:
    try:
        nulls = read_nulls(array)
        value = array.slice(0 if nulls is None else int(nulls.argmin()), 1)
        value.validate(full=True)
        return cells_of(value).type
    except (FormatError, pa.ArrowException) as error:
        raise FormatError(f"'{file}': column {name!r}: {error}") from error


class _explained:  # noqa: N801  # used like a function in `with`; a generator would turn GeneratorExit into an error
    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, UnicodeDecodeError)):
            raise FormatError(f"'{self._place.name}' can't be read as Parquet: {error}") from error
