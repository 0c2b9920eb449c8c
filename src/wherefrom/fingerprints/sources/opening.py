"""One door for every source: which module reads this object?"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints.formats import FORMATS, table_format
from wherefrom.fingerprints.sources import delta_tables, iceberg_tables, remote_files
from wherefrom.fingerprints.sources.arrow_objects import open_arrow_object, open_stream
from wherefrom.fingerprints.sources.places import LocalFile
from wherefrom.fingerprints.sql import SqlTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wherefrom.fingerprints.sources.base import Table

# Reader by format: module and function, so that only what is used is imported.
_FILES: Final = {
    "csv": ("csv_files", "open_csv"),
    "tsv": ("csv_files", "open_tsv"),
    "jsonl": ("json_lines", "open_json_lines"),
    "parquet": ("parquet_files", "open_parquet"),
    "arrow": ("arrow_files", "open_arrow"),
    "orc": ("orc_files", "open_orc"),
}


class _Kind(NamedTuple):
    library: str
    classes: tuple[str, ...]
    module: str
    function: str


_OBJECTS: Final = (
    _Kind("pandas", ("DataFrame", "Series"), "pandas_frames", "open_pandas"),
    _Kind("polars", ("DataFrame", "LazyFrame", "Series"), "polars_frames", "open_polars"),
    _Kind("numpy", ("ndarray",), "numpy_arrays", "open_numpy"),
    _Kind("duckdb", ("DuckDBPyRelation",), "duckdb_relations", "open_duckdb"),
    _Kind("deltalake", ("DeltaTable",), "delta_tables", "open_delta_table"),
    _Kind("pyiceberg.table", ("Table",), "iceberg_tables", "open_iceberg_table"),
    _Kind("pyiceberg.table", ("DataScan",), "iceberg_tables", "open_iceberg_scan"),
    _Kind("datasets", ("Dataset", "IterableDataset"), "hf_datasets", "open_dataset"),
    _Kind("datasets", ("DatasetDict", "IterableDatasetDict"), "hf_datasets", "open_dataset_dict"),
)


def open_table(
    source: object,
    *,
    format: str | None = None,  # noqa: A002
    columns: Sequence[str] | None = None,
) -> Table:
    """The table that a path, a URL or an object holds; FormatError when it holds none that we know.

    `columns` are those that the caller is going to use, all by default: a folder's files may differ in others. A table
    yields its other columns nevertheless.
    """
    if isinstance(source, (str, os.PathLike)):
        return _open_location(os.fsdecode(source), format, columns)
    if format is not None:
        raise FormatError(f"format is {format!r}, but the source is a {_type_name(source)}, not a file")
    if isinstance(source, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)):
        return open_arrow_object(source)
    if isinstance(source, SqlTable):
        return _reader("sql_tables", "open_sql")(source)
    for kind in _OBJECTS:
        # Whoever hands us such an object has imported its library; isinstance, so that subclasses count too.
        library = sys.modules.get(kind.library)
        classes = tuple(getattr(library, name) for name in kind.classes if hasattr(library, name))
        if isinstance(source, classes):
            return _reader(kind.module, kind.function)(source)
    if hasattr(source, "__arrow_c_stream__"):
        return open_stream(source)
    raise FormatError(
        f"no table in a {_type_name(source)}; expected a path, a URL, sql_table(…), or a table of Arrow, pandas, "
        "Polars, DuckDB, Delta, Iceberg, Hugging Face datasets or numpy"
    )


def _open_location(location: str, format: str | None, columns: Sequence[str] | None) -> Table:  # noqa: A002
    if format is not None and format not in FORMATS:
        raise FormatError(f"unknown table format {format!r}; known: {', '.join(FORMATS)}")
    if location.startswith(iceberg_tables.PREFIX):
        return iceberg_tables.open_iceberg(location.removeprefix(iceberg_tables.PREFIX))
    if location.startswith("file://"):
        return _open_path(Path(unquote(urlsplit(location).path)), format, columns)
    if remote_files.is_url(location):
        return delta_tables.open_delta(location) if format == "delta" else _open_url(location, format, columns)
    return _open_path(Path(location), format, columns)


def _open_path(path: Path, format: str | None, columns: Sequence[str] | None) -> Table:  # noqa: A002
    if not path.exists():
        raise NotFoundError(f"no file or folder at '{path}'")
    if not path.is_dir():
        return _open_file(LocalFile.at(path), format)
    format = _folder_format(str(path), format, lambda name: _list_names(path / name))  # noqa: A001
    if format == "delta":
        return delta_tables.open_delta(str(path))
    from wherefrom.fingerprints.sources.parquet_folders import open_folder

    return open_folder(path, columns=columns)


def _open_url(url: str, format: str | None, columns: Sequence[str] | None) -> Table:  # noqa: A002
    found = remote_files.find(url)
    if isinstance(found, remote_files.RemoteFile):
        return _open_file(found, format)
    if _folder_format(found.name, format, found.list_names) == "delta":
        return delta_tables.open_delta(url)
    from wherefrom.fingerprints.sources.parquet_folders import choose_parts, open_named_parts

    parts = {name: found.file(name) for name in choose_parts(found.list_files(), folder=found.name)}
    options = {"url": found.name, "files": len(parts), "versions": remote_files.versions_digest(parts)}
    return open_named_parts(parts, folder=found.name, columns=columns, read_options=options)


def _open_file(place: Any, format: str | None) -> Table:  # noqa: A002
    if format == "delta":
        raise FormatError(f"'{place.name}' is a file; a Delta table is a folder with a {delta_tables.LOG_FOLDER}")
    format = format or table_format(place.name)  # noqa: A001
    if format is None:
        raise FormatError(f"'{place.name}': its name doesn't tell a table format; give one of {', '.join(FORMATS)}")
    return _reader(*_FILES[format])(place)


def _folder_format(name: str, format: str | None, list_names: Callable[[str], list[str]]) -> str:  # noqa: A002
    """What a folder is read as. Delta and Iceberg keep files of older versions beside those that count."""
    if format not in {None, "parquet", "delta"}:
        raise FormatError(f"'{name}' is a folder; a folder is read as Parquet files or a Delta table, not as {format}")
    if format is None and list_names(delta_tables.LOG_FOLDER):
        return "delta"
    if format is None and any(file.endswith(".metadata.json") for file in list_names("metadata")):
        raise FormatError(
            f"'{name}' is an Iceberg table's folder, which does not tell its files of now from those of before",
            hint=f"name its newest metadata file: {iceberg_tables.PREFIX}{name}/metadata/….metadata.json",
        )
    return format or "parquet"


def _list_names(folder: Path) -> list[str]:
    return [found.name for found in folder.iterdir()] if folder.is_dir() else []


def _reader(module: str, function: str) -> Callable[[Any], Table]:
    reader: Callable[[Any], Table] = getattr(import_module(f"wherefrom.fingerprints.sources.{module}"), function)
    return reader


def _type_name(source: object) -> str:
    kind = type(source)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
