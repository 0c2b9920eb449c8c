"""Tables that are Arrow already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from wherefrom.commitments import name_bytes
from wherefrom.errors import FormatError
from wherefrom.fingerprints.sources.base import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wherefrom.fingerprints.arrow import AnyArray


def open_arrow_object(source: pa.Table | pa.RecordBatch | pa.RecordBatchReader) -> Table:
    """Values are taken as they are: a NaN is a value, only null is missing. A reader can be read once."""
    if isinstance(source, pa.RecordBatchReader):
        return Table(lambda: _iter_reader(source), None)
    if isinstance(source, pa.RecordBatch):
        return Table(lambda: iter((source,)), source.num_rows)
    return Table(lambda: _iter_table(source), source.num_rows)


def open_stream(source: object) -> Table:
    """Whatever offers the Arrow C stream interface."""
    try:
        reader = pa.RecordBatchReader.from_stream(cast("Any", source))
    except (pa.ArrowException, NotImplementedError) as error:
        raise FormatError(f"a {type(source).__name__} can't be read as Arrow: {error}") from error
    return Table(lambda: _iter_reader(reader), None)


def open_columns(columns: Sequence[tuple[str, AnyArray]], *, rows: int) -> Table:
    """A table of columns that were converted one by one; `rows` counts when there are no columns."""
    for name, _ in columns:
        name_bytes(name)
    if not columns:
        return Table(lambda: iter((batch_without_columns(rows),)), rows)
    names, arrays = zip(*columns, strict=True)
    return open_arrow_object(pa.Table.from_arrays(list(arrays), names=list(names)))


def _iter_table(table: pa.Table) -> Iterator[pa.RecordBatch]:
    yield empty_batch(table.schema)
    if not table.schema.names:
        # Batches of a table without columns would have no rows either.
        yield batch_without_columns(table.num_rows)
        return
    yield from table.to_batches()


def _iter_reader(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    yield empty_batch(reader.schema)
    yield from reader


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    # Of type null: Arrow can't make empty arrays of every type that it can have.
    empty = pa.schema([field.with_type(pa.null()).with_nullable(True) for field in schema])
    return pa.RecordBatch.from_arrays([pa.nulls(0)] * len(empty), schema=empty)


def batch_without_columns(rows: int) -> pa.RecordBatch:
    """Rows that hold nothing, but can be counted."""
    nothing: AnyArray = pa.Array.from_buffers(pa.struct([]), rows, [None])
    return pa.RecordBatch.from_struct_array(nothing)
