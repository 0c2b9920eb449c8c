"""Rows of a record batch to leaf hashes: the kernel that every road to a fingerprint shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from wherefrom.commitments import LogicalType, merge_types, name_bytes
from wherefrom.errors import FormatError
from wherefrom.fingerprints.cells import bytes_in_cells, cells_of
from wherefrom.fingerprints.packing import Cells, pack
from wherefrom.fingerprints.sha256 import hash_slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray

_LEAF_PREFIX: Final = b"\x00"
# Rows are taken so many at a time that their bytes stay near a core's cache, yet a native call is worth its cost.
_CHUNK_BYTES: Final = 4 * 2**20
_MAX_CHUNK_ROWS: Final = 2**16


@dataclass(frozen=True, slots=True)
class HashedRows:
    """What the rows of one chunk come to."""

    leaf_hashes: npt.NDArray[np.uint8]
    """(rows, 32), in the order of the rows."""
    types: Mapping[str, LogicalType]
    """Logical type of each column as far as these rows show it."""
    key_hashes: tuple[npt.NDArray[np.uint8], ...]
    """For each tuple of key columns, leaf hashes of the rows that have a key; not distinct."""
    keyless: tuple[int, ...]
    """For each tuple of key columns, how many rows have none."""


def hash_rows_of(batch: pa.RecordBatch, *, keys: Sequence[Sequence[str]] = ()) -> HashedRows:
    """Hash every row of a batch that `validate_batch` let pass.

    Raises FormatError naming the column that has no canonical form.
    """
    names = sorted(batch.schema.names, key=name_bytes)
    columns = {name: _column_cells(name, batch.column(name)) for name in names}
    packed = pack(list(columns.values()), count=batch.num_rows, prefix=_LEAF_PREFIX)
    key_hashes, keyless = [], []
    for key in keys:
        hashes, without = _hash_keys([columns[name] for name in sorted(key, key=name_bytes)], batch.num_rows)
        key_hashes.append(hashes)
        keyless.append(without)
    return HashedRows(
        leaf_hashes=hash_slices(packed.data, packed.offsets),
        types={name: cells.type for name, cells in columns.items()},
        key_hashes=tuple(key_hashes),
        keyless=tuple(keyless),
    )


def validate_batch(batch: pa.RecordBatch) -> None:
    """Check offsets, indices and UTF-8, which readers of foreign files and of C interfaces take on trust.

    Raises FormatError naming the column whose memory is not what its type says: to read it could end the process.
    """
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        try:
            array.validate(full=True)
        except pa.ArrowException as error:
            raise FormatError(f"column {name!r}: {error}") from error


def iter_chunks(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch into slices of bounded size; an empty batch is one slice."""
    row_bytes = max(1, sum(map(bytes_in_cells, batch.columns)) // max(1, batch.num_rows))
    rows = min(_MAX_CHUNK_ROWS, max(1, _CHUNK_BYTES // row_bytes))
    for start in range(0, max(1, batch.num_rows), rows):
        yield batch.slice(start, rows)


def merge_columns(known: dict[str, LogicalType], types: Mapping[str, LogicalType]) -> None:
    """Bring what one chunk shows of the columns into `known`; FormatError naming the column that holds two types."""
    for name, logical_type in types.items():
        try:
            known[name] = merge_types(known.get(name, logical_type), logical_type)
        except FormatError as error:
            raise FormatError(f"column {name!r}: {error}") from error


def _column_cells(name: str, array: AnyArray) -> Cells:
    try:
        return cells_of(array)
    except (FormatError, pa.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"column {name!r}: {error}") from error


def _hash_keys(columns: list[Cells], count: int) -> tuple[npt.NDArray[np.uint8], int]:
    packed = pack(columns, count=count, prefix=_LEAF_PREFIX)
    # A row without a key is the prefix and nothing but the tags of nulls.
    has_key = np.diff(packed.offsets) > len(_LEAF_PREFIX) + len(columns)
    hashes = hash_slices(packed.data, packed.offsets)
    return (hashes, 0) if has_key.all() else (hashes[has_key], count - int(has_key.sum()))
