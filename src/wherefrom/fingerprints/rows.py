"""Rows of a record batch to leaf hashes: the kernel that every road to a fingerprint shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from wherefrom.commitments import LogicalType, Secret, merge_types, name_bytes
from wherefrom.commitments.secret import KEY, ROW
from wherefrom.errors import FormatError
from wherefrom.fingerprints.cells import bytes_in_cells, cells_of
from wherefrom.fingerprints.gather import unreadable_type
from wherefrom.fingerprints.key_cells import key_cells_of, once
from wherefrom.fingerprints.packing import Cells, pack
from wherefrom.fingerprints.pool import worker_count
from wherefrom.fingerprints.salting import hash_salted
from wherefrom.fingerprints.sha256 import hash_slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray
    from wherefrom.fingerprints.keys import Key

_LEAF_PREFIX: Final = b"\x00"
# Rows are taken so many at a time that a native call is worth its cost. Three times as many bytes as 4 MiB made it 8 %
# cheaper; beyond, caches lose what calls gain.
_CHUNK_BYTES: Final = 12 * 2**20
# What the chunks of all threads and of their queue may take together.
_CHUNKS_BYTES: Final = 2**28
_MAX_CHUNK_ROWS: Final = 2**16


@dataclass(frozen=True, slots=True)
class HashedRows:
    """What the rows of one chunk come to."""

    leaf_hashes: npt.NDArray[np.uint8]
    """(rows, 32), in the order of the rows."""
    types: Mapping[str, LogicalType]
    """Logical type of each column as far as these rows show it."""
    key_hashes: tuple[npt.NDArray[np.uint8], ...]
    """For each key, leaf hashes of the rows that have one; not distinct."""
    keyless: tuple[int, ...]
    """For each key, how many rows have none."""


def hash_rows_of(batch: pa.RecordBatch, *, keys: Sequence[Key] = (), secret: Secret | None = None) -> HashedRows:
    """Hash every row of a batch that `validate_batch` let pass; salted if there is a secret.

    Raises FormatError naming the column that has no canonical form, or not the one that a key asks for.
    """
    count = batch.num_rows
    columns = {name: _column_cells(name, batch.column(name)) for name in sorted(batch.schema.names, key=name_bytes)}
    for name in {name for key in keys if key.form == "exact" for name in key.columns}:
        columns[name] = once(columns[name], count)
    key_hashes, keyless = [], []
    for key in keys:
        hashes, has_key = _hash(_key_columns(batch, columns, key), count, secret, KEY)
        key_hashes.append(hashes if has_key.all() else hashes[has_key])
        keyless.append(count - int(has_key.sum()))
    return HashedRows(
        leaf_hashes=_hash(list(columns.values()), count, secret, ROW)[0],
        types={name: cells.type for name, cells in columns.items()},
        key_hashes=tuple(key_hashes),
        keyless=tuple(keyless),
    )


def validate_batch(batch: pa.RecordBatch) -> None:
    """Check offsets, indices and UTF-8, which readers of foreign files and of C interfaces take on trust.

    Raises FormatError naming the column whose memory is not what its type says: to read it could end the process.
    """
    for field in batch.schema:
        if unreadable := unreadable_type(field.type):
            raise FormatError(f"column {field.name!r}: type {unreadable} can't be read by this version of Arrow")
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        try:
            array.validate(full=True)
        except pa.ArrowException as error:
            raise FormatError(f"column {name!r}: {error}") from error


def iter_chunks(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch into slices of bounded size; an empty batch is one slice."""
    row_bytes = max(1, sum(map(bytes_in_cells, batch.columns)) // max(1, batch.num_rows))
    chunk_bytes = min(_CHUNK_BYTES, _CHUNKS_BYTES // (2 * worker_count()))
    rows = min(_MAX_CHUNK_ROWS, max(1, chunk_bytes // row_bytes))
    for start in range(0, max(1, batch.num_rows), rows):
        yield batch.slice(start, rows)


def merge_columns(known: dict[str, LogicalType], types: Mapping[str, LogicalType]) -> None:
    """Bring what one chunk shows of the columns into `known`; FormatError naming the column that holds two types."""
    for name, logical_type in types.items():
        try:
            known[name] = merge_types(known.get(name, logical_type), logical_type)
        except FormatError as error:
            raise FormatError(f"column {name!r}: {error}") from error


def _column_cells(name: str, array: AnyArray, form: str = "exact") -> Cells:
    try:
        return cells_of(array) if form == "exact" else key_cells_of(array, form=form)
    except (FormatError, pa.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"column {name!r}: {error}") from error


def _key_columns(batch: pa.RecordBatch, columns: Mapping[str, Cells], key: Key) -> list[Cells]:
    if key.form == "exact":
        return [columns[name] for name in sorted(key.columns, key=name_bytes)]
    return [_column_cells(name, batch.column(name), key.form) for name in key.columns]


def _hash(
    columns: list[Cells], count: int, secret: Secret | None, domain: bytes
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Leaf hashes of rows of these cells, and which rows have a cell that is not null."""
    prefix = _LEAF_PREFIX if secret is None else b""
    packed = pack(columns, count=count, prefix=prefix)
    # A row of nulls is nothing but their tags.
    has_values = np.diff(packed.offsets) > len(prefix) + len(columns)
    if secret is None:
        return hash_slices(packed.data, packed.offsets), has_values
    return hash_salted(packed, secret=secret, domain=domain), has_values
