"""Iceberg tables, in the snapshot that is named, or the current one when they are opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints.sources.arrow_objects import empty_batch
from wherefrom.fingerprints.sources.base import Table
from wherefrom.fingerprints.sources.libraries import require
from wherefrom.fingerprints.sources.messages import first_line
from wherefrom.fingerprints.sources.remote_files import is_url, public_url

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "iceberg:"
"""Before the path or URL of a metadata file, as in `iceberg:warehouse/trips/metadata/00003-….metadata.json`."""


def open_iceberg(location: str) -> Table:
    """The current snapshot of the table with this metadata file."""
    table_module = require("pyiceberg.table", extra="iceberg", what="reading an Iceberg table")
    name = public_url(location) if is_url(location) else location
    try:
        table = table_module.StaticTable.from_metadata(location)
    except FileNotFoundError as error:
        raise NotFoundError(f"no Iceberg metadata file at '{name}'") from error
    except OSError as error:
        raise UnavailableError(f"can't read '{name}': {error}") from error
    except Exception as error:
        raise FormatError(f"'{name}' is no Iceberg metadata file: {first_line(error)}") from error
    return open_iceberg_table(table, name=name)


def open_iceberg_table(table: Any, *, name: str | None = None) -> Table:
    """Rows of a `pyiceberg.table.Table` in its current snapshot."""
    snapshot = table.current_snapshot()
    scan = table.scan(snapshot_id=snapshot.snapshot_id if snapshot else None)
    return open_iceberg_scan(scan, name=name or ".".join(table.name()))


def open_iceberg_scan(scan: Any, *, name: str | None = None) -> Table:
    """Rows of a `pyiceberg.table.DataScan`, with its filter, columns and limit."""
    snapshot = scan.snapshot()
    options: dict[str, object] = {
        "format": "iceberg",
        "table": str(scan.table_metadata.table_uuid),
        # As text: these numbers are beyond 2^53, which JSON doesn't keep.
        "snapshot": str(snapshot.snapshot_id) if snapshot else None,
    }
    is_whole = str(scan.row_filter) == "AlwaysTrue()" and scan.limit is None
    if not is_whole:
        options |= {"filter": str(scan.row_filter), "limit": scan.limit}
    if tuple(scan.selected_fields) != ("*",):
        options["columns"] = list(scan.selected_fields)
    name = f"{name or scan.table_metadata.location} snapshot {options['snapshot']}"
    rows = _count_rows(snapshot) if is_whole else None
    return Table(lambda: _iter_batches(scan, name), rows, name, options, has_order=False)


def _count_rows(snapshot: Any) -> int | None:
    """From the snapshot's summary, which a writer may leave out, and which counts deleted rows."""
    if snapshot is None:
        return 0
    summary = snapshot.summary.additional_properties if snapshot.summary else {}
    rows, deletes = summary.get("total-records"), summary.get("total-delete-files", "0")
    return int(rows) if rows is not None and deletes == "0" else None


def _iter_batches(scan: Any, name: str) -> Iterator[pa.RecordBatch]:
    try:
        with scan.to_arrow_batch_reader() as reader:
            _check_types(reader.schema, name)
            yield empty_batch(reader.schema)
            yield from reader
    except FileNotFoundError as error:
        raise NotFoundError(f"'{name}': a file that the snapshot names is not there: {first_line(error)}") from error
    except OSError as error:
        raise UnavailableError(f"'{name}' can't be read: {first_line(error)}") from error
    except (pa.ArrowException, ValueError, NotImplementedError) as error:
        raise FormatError(f"'{name}' can't be read: {first_line(error)}") from error


def _check_types(schema: pa.Schema, name: str) -> None:
    """Refuse lists and maps of structs, in which pyiceberg turns a null list into an empty one.

    Nothing in what it reads tells the two apart: https://github.com/apache/iceberg-python/issues/3833.
    """
    for field in schema:
        if _loses_nulls(field.type):
            raise FormatError(
                f"'{name}': column {field.name!r} of type {field.type}: pyiceberg reads a null list as an empty one",
                hint="read the table with another library, such as Polars or DuckDB, and fingerprint what that gives",
            )


def _loses_nulls(kind: Any, *, is_inside: bool = False) -> bool:
    """Whether there is a struct inside a list or map."""
    if pa.types.is_struct(kind):
        return is_inside or any(_loses_nulls(kind.field(index).type) for index in range(kind.num_fields))
    if pa.types.is_map(kind):
        return any(_loses_nulls(inner, is_inside=True) for inner in (kind.key_type, kind.item_type))
    lists: Any = kind
    return pa.types.is_nested(kind) and _loses_nulls(lists.value_type, is_inside=True)
