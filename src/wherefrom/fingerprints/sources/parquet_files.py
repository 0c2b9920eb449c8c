"""Parquet files, and folders of them with values in the folders' names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from wherefrom.errors import FormatError
from wherefrom.fingerprints.formats import table_format
from wherefrom.fingerprints.sources.arrow_objects import empty_batch
from wherefrom.fingerprints.sources.base import Table, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BATCH_ROWS: Final = 2**16
_HIVE_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


def open_parquet(path: Path) -> Table:
    """A file; or a folder, all of whose Parquet files are parts of one table.

    A part below folders named `key=value` has these as columns: numbers if all values of a key are whole numbers, else
    text.
    """
    parts = _find_parts(path) if path.is_dir() else [path]
    keys = _partition_columns(path, parts)
    rows = 0
    for part in parts:
        with unchanged(part), _explained(part):
            rows += pq.read_metadata(part).num_rows
    return Table(lambda: _iter_parts(parts, keys), rows, str(path))


def _find_parts(folder: Path) -> list[Path]:
    """In the order of their paths. Names that begin with "_" or "." are not data, by the habit of Spark and Hive."""
    parts = [
        found
        for found in folder.rglob("*")
        if table_format(found) == "parquet"
        and found.is_file()
        and not any(name.startswith(("_", ".")) for name in found.relative_to(folder).parts)
    ]
    if not parts:
        raise FormatError(f"no Parquet files in the folder '{folder}'")
    return sorted(parts)


def _partition_columns(folder: Path, parts: list[Path]) -> dict[Path, Mapping[str, Any]]:
    texts: dict[Path, dict[str, str | None]] = {}
    for part in parts:
        pairs = [name.partition("=") for name in part.relative_to(folder).parts[:-1] if "=" in name]
        texts[part] = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, _, value in pairs}
    by_key: dict[str, list[str | None]] = {}
    for values in texts.values():
        for key, value in values.items():
            by_key.setdefault(key, []).append(value)
    types = {
        key: pa.int64() if all(value is None or _WHOLE_NUMBER.fullmatch(value) for value in values) else pa.string()
        for key, values in by_key.items()
    }
    return {
        part: {
            key: pa.scalar(int(value) if value is not None and types[key] == pa.int64() else value, types[key])
            for key, value in values.items()
        }
        for part, values in texts.items()
    }


def _iter_parts(parts: list[Path], keys: Mapping[Path, Mapping[str, Any]]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        with unchanged(part), _explained(part), pq.ParquetFile(part) as file:
            yield _add_columns(empty_batch(file.schema_arrow), keys[part])
            for batch in file.iter_batches(_BATCH_ROWS):
                yield _add_columns(batch, keys[part])


def _add_columns(batch: pa.RecordBatch, values: Mapping[str, Any]) -> pa.RecordBatch:
    for name, value in values.items():
        batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
    return batch


class _explained:  # noqa: N801  # used like a function in `with`; a generator would turn GeneratorExit into an error
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, UnicodeDecodeError)):
            raise FormatError(f"'{self._path}' can't be read as Parquet: {error}") from error
