"""Polars frames, lazy frames and series. Only imported when the caller has Polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints.sources.arrow_objects import batch_without_columns
from wherefrom.fingerprints.sources.base import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wherefrom.fingerprints.arrow import AnyArray

_SLICE_ROWS: Final = 2**18


def open_polars(source: pl.DataFrame | pl.LazyFrame | pl.Series) -> Table:
    """Values are taken as they are: a NaN is a value, only null is missing. A lazy frame is run, in batches."""
    if isinstance(source, pl.LazyFrame):
        return Table(lambda: _iter_lazy(source), None)
    frame = source.to_frame() if isinstance(source, pl.Series) else source
    return Table(lambda: _iter_frame(frame), frame.height)


def _iter_frame(frame: pl.DataFrame) -> Iterator[pa.RecordBatch]:
    yield _to_batch(frame.clear())
    for part in frame.iter_slices(_SLICE_ROWS):
        yield _to_batch(part)


def _iter_lazy(lazy: pl.LazyFrame) -> Iterator[pa.RecordBatch]:
    try:
        yield _to_batch(pl.DataFrame(schema=lazy.collect_schema()))
        for frame in lazy.collect_batches(chunk_size=_SLICE_ROWS):
            yield _to_batch(frame)
    except pl.exceptions.PolarsError as error:
        raise UnavailableError(f"the lazy frame could not be run: {error}") from error


def _to_batch(frame: pl.DataFrame) -> pa.RecordBatch:
    if not frame.columns:
        return batch_without_columns(frame.height)
    return pa.RecordBatch.from_arrays([_to_arrow(series) for series in frame], names=frame.columns)


def _to_arrow(series: pl.Series) -> AnyArray:
    if series.dtype == pl.Object:
        # Polars would hand over the objects' addresses.
        raise FormatError(
            f"column {series.name!r} of type {series.dtype} holds Python objects, which have no canonical form"
        )
    if series.dtype in {pl.Int128, pl.UInt128}:
        series = _narrow(series)
    try:
        return series.to_arrow(compat_level=pl.CompatLevel.newest())
    except pa.ArrowException as error:
        raise FormatError(f"column {series.name!r} of type {series.dtype}: {error}") from error


def _narrow(series: pl.Series) -> pl.Series:
    for dtype in (pl.Int64, pl.UInt64):
        try:
            return series.cast(dtype)
        except pl.exceptions.InvalidOperationError:
            continue
    raise FormatError(f"column {series.name!r} of type {series.dtype} holds integers that don't fit 64 bits")
