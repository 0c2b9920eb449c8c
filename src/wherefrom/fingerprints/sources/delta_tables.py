"""Delta tables, in the version that is named, or the newest one when they are opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from wherefrom.errors import FormatError, NotFoundError, UnavailableError, WherefromError
from wherefrom.fingerprints.sources.arrow_objects import empty_batch
from wherefrom.fingerprints.sources.base import Table
from wherefrom.fingerprints.sources.libraries import require
from wherefrom.fingerprints.sources.messages import first_line
from wherefrom.fingerprints.sources.remote_files import is_url, public_url

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_FOLDER: Final = "_delta_log"
"""What makes a folder a Delta table."""


def open_delta(location: str) -> Table:
    """The newest version of the table in this folder, or at this URL, whose store deltalake knows by itself."""
    deltalake = require("deltalake", extra="delta", what="reading a Delta table")
    errors = require("deltalake.exceptions", extra="delta", what="reading a Delta table")
    name = _name_of(location)
    try:
        table = deltalake.DeltaTable(location)
    except errors.TableNotFoundError as error:
        raise NotFoundError(f"no Delta table at '{name}'") from error
    except (errors.DeltaError, OSError) as error:
        raise FormatError(f"'{name}' can't be read as a Delta table: {first_line(error)}") from error
    return open_delta_table(table)


def open_delta_table(table: Any) -> Table:
    """Rows of a `deltalake.DeltaTable` in its version; what deletion vectors delete is not among them.

    The version's files never change, so a newer version that is written meanwhile does not matter.
    """
    name = f"{_name_of(table.table_uri)} version {table.version()}"
    actions = _read_actions(table, name)
    options = {"format": "delta", "url": _name_of(table.table_uri), "version": table.version()}
    return Table(
        lambda: _iter_batches(table, actions, name), _count_rows(table, actions), name, options, has_order=False
    )


def _read_actions(table: Any, name: str) -> Any:
    try:
        return pa.table(table.get_add_actions(flatten=True))
    except Exception as error:
        raise FormatError(f"'{name}': the log can't be read: {first_line(error)}") from error


def _count_rows(table: Any, actions: Any) -> int | None:
    """From the log's statistics, which a writer may leave out, and which count deleted rows."""
    if "num_records" not in actions.column_names or "deletionVectors" in (table.protocol().reader_features or ()):
        return None
    counts = actions["num_records"]
    return None if counts.null_count else sum(counts.to_pylist())


def _iter_batches(table: Any, actions: Any, name: str) -> Iterator[pa.RecordBatch]:
    _check_files(table, actions, name)
    try:
        with pa.RecordBatchReader.from_stream(table.scan()) as reader:
            yield empty_batch(reader.schema)
            yield from reader
    except WherefromError:
        raise
    except (pa.ArrowException, OSError) as error:
        # Somebody may have vacuumed the table since its files were looked at.
        _check_files(table, actions, name)
        raise FormatError(f"'{name}' can't be read: {first_line(error)}") from error


def _check_files(table: Any, actions: Any, name: str) -> None:
    """Name a local data file that the log has and the folder has not, or not in that size.

    The engine's own messages do so in the middle of a long line. Of other stores the engine says what it finds.
    """
    for path, size in zip(_local_paths(table, actions), actions["size_bytes"].to_pylist(), strict=False):
        try:
            actual = path.stat().st_size
        except FileNotFoundError as error:
            raise NotFoundError(f"'{name}': no data file at '{path}', which the log names") from error
        except OSError as error:
            raise UnavailableError(f"can't read '{path}': {error.strerror}") from error
        if actual != size:
            raise FormatError(f"'{name}': data file '{path}' has {actual} bytes, {size} in the log")


def _local_paths(table: Any, actions: Any) -> Iterator[Path]:
    root = _name_of(table.table_uri)
    if not is_url(root):
        # The log percent-encodes paths.
        yield from (Path(root, unquote(path)) for path in actions["path"].to_pylist())


def _name_of(location: str) -> str:
    """A local table by its path, however it was named."""
    if location.startswith("file://"):
        return os.path.normpath(unquote(urlsplit(location).path))
    return public_url(location) if is_url(location) else os.path.normpath(location)
