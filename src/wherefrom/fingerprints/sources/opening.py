"""One door for every source: which module reads this object?"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints.formats import FORMATS, table_format
from wherefrom.fingerprints.sources import arrow_files, arrow_objects, csv_files, json_lines, parquet_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from wherefrom.fingerprints.sources.base import Table

_READERS: Final[dict[str, Callable[[Path], Table]]] = {
    "csv": csv_files.open_csv,
    "tsv": csv_files.open_tsv,
    "jsonl": json_lines.open_json_lines,
    "parquet": parquet_files.open_parquet,
    "arrow": arrow_files.open_arrow,
}


def open_table(source: object, *, format: str | None = None) -> Table:  # noqa: A002
    """The table that a path or an object in memory holds; FormatError when it holds none that we know."""
    if isinstance(source, (str, os.PathLike)):
        return _open_path(Path(os.fsdecode(source)), format)
    if format is not None:
        raise FormatError(f"format is {format!r}, but the source is a {_type_name(source)}, not a file")
    if isinstance(source, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)):
        return arrow_objects.open_arrow_object(source)
    # Whoever hands us such an object has imported its library; isinstance, so that subclasses count too.
    pandas, polars, numpy = (sys.modules.get(name) for name in ("pandas", "polars", "numpy"))
    if pandas is not None and isinstance(source, (pandas.DataFrame, pandas.Series)):
        from wherefrom.fingerprints.sources.pandas_frames import open_pandas

        return open_pandas(source)
    if polars is not None and isinstance(source, (polars.DataFrame, polars.LazyFrame, polars.Series)):
        from wherefrom.fingerprints.sources.polars_frames import open_polars

        return open_polars(source)
    if numpy is not None and isinstance(source, numpy.ndarray):
        from wherefrom.fingerprints.sources.numpy_arrays import open_numpy

        return open_numpy(source)
    if hasattr(source, "__arrow_c_stream__"):
        return arrow_objects.open_stream(source)
    raise FormatError(
        f"no table in a {_type_name(source)}; expected a path, an Arrow, pandas or Polars table, or a numpy array"
    )


def _open_path(path: Path, format: str | None) -> Table:  # noqa: A002
    if not path.exists():
        raise NotFoundError(f"no file or folder at '{path}'")
    if format is None:
        format = table_format(path)  # noqa: A001
        if format is None and path.is_dir():
            format = "parquet"  # noqa: A001
    if format is None:
        raise FormatError(f"'{path}': its name doesn't tell a table format; give one of {', '.join(FORMATS)}")
    if format not in _READERS:
        raise FormatError(f"unknown table format {format!r}; known: {', '.join(FORMATS)}")
    if path.is_dir() and format != "parquet":
        raise FormatError(f"'{path}' is a folder; a folder is read as Parquet files, not as {format}")
    return _READERS[format](path)


def _type_name(source: object) -> str:
    kind = type(source)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
