"""Tables and queries of databases, through SQLAlchemy or ADBC; values are what the driver gives."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import sqlalchemy as sa

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints.sources.arrow_objects import batch_without_columns, empty_batch
from wherefrom.fingerprints.sources.base import Table
from wherefrom.fingerprints.sources.messages import first_line
from wherefrom.fingerprints.sources.python_objects import columns_to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wherefrom.fingerprints.sql import SqlTable

_BATCH_ROWS: Final = 2**14


def open_sql(source: SqlTable) -> Table:
    """One statement, and so one state of the database, whatever isolation it runs in."""
    database = source.database
    if hasattr(database, "adbc_get_info"):
        return _open_adbc(source)
    if isinstance(database, (str, sa.URL)):
        database = _make_engine(database)
    if not isinstance(database, (sa.Engine, sa.Connection)):
        raise FormatError(
            f"the database is a {type(database).__name__}, expected an SQLAlchemy URL, engine or connection, "
            "or an ADBC connection"
        )
    name = database.engine.url.render_as_string(hide_password=True)
    options = _read_options(source, database.dialect.name)
    has_order = source.query is not None  # whoever asks for a sequence has to write ORDER BY
    return Table(lambda: _iter_results(source, database, name), None, name, options, has_order)


def _read_options(source: SqlTable, dialect: str) -> dict[str, object]:
    what = {"query": source.query, "schema": source.schema, "table": source.table}
    return {"format": "sql", "dialect": dialect, **{key: value for key, value in what.items() if value is not None}}


def _make_engine(url: str | sa.URL) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        engine = sa.create_engine(parsed, poolclass=sa.NullPool)
    except (sa.exc.ArgumentError, ValueError) as error:  # the message may hold the URL, and so its password
        raise FormatError(f"the database URL can't be parsed: {type(error).__name__}") from None
    except ModuleNotFoundError as error:
        raise UnavailableError(f"the database needs a driver that is not installed: {error.name}") from error
    file = parsed.database or ""
    is_plain_file = engine.dialect.name == "sqlite" and file not in {"", ":memory:"} and not file.startswith("file:")
    if is_plain_file and not Path(file).exists():  # SQLite would make it
        raise NotFoundError(f"no database at '{file}'")
    return engine


def _iter_results(source: SqlTable, database: sa.Engine | sa.Connection, name: str) -> Iterator[pa.RecordBatch]:
    with _translated(name), _connected(database) as connection:
        # Rows stay with the server until they are asked for, where the driver can do so.
        options = {"stream_results": True, "max_row_buffer": _BATCH_ROWS, "yield_per": _BATCH_ROWS}
        with connection.execute(_statement(source, connection, name), execution_options=options) as result:
            names = list(result.keys())
            yield pa.RecordBatch.from_arrays([pa.nulls(0)] * len(names), names=names)
            for rows in result.partitions(_BATCH_ROWS):
                yield _to_batch(names, rows, name)


@contextmanager
def _connected(database: sa.Engine | sa.Connection) -> Iterator[sa.Connection]:
    if isinstance(database, sa.Connection):
        yield database
        return
    with database.connect() as connection:
        yield connection


def _statement(source: SqlTable, connection: sa.Connection, name: str) -> sa.Executable:
    if source.query is not None:
        # As the driver takes it: a colon or percent sign in it is no parameter of ours.
        return sa.text(source.query.replace(":", r"\:"))
    inspector = sa.inspect(connection)
    table = source.table or ""
    if not inspector.has_table(table, schema=source.schema):
        known = sorted([*inspector.get_table_names(source.schema), *inspector.get_view_names(source.schema)])
        listed = ", ".join(map(repr, known[:20])) + (", …" if known[20:] else "")
        raise NotFoundError(f"no table {table!r} in '{name}'; there are {listed or 'none'}")
    return sa.select(sa.text("*")).select_from(sa.table(table, schema=source.schema))


def _to_batch(names: list[str], rows: Sequence[Any], name: str) -> pa.RecordBatch:
    if not names:
        return batch_without_columns(len(rows))
    columns = [list(map(_plain, values)) for values in zip(*rows, strict=True)]
    try:
        return columns_to_batch(names, columns)
    except FormatError as error:
        raise FormatError(f"'{name}': {error}") from error


def _plain(value: Any) -> Any:
    """What some drivers wrap: bytes they don't copy, and UUIDs, which most hand over as text."""
    if isinstance(value, memoryview):
        return bytes(value)
    return str(value) if isinstance(value, uuid.UUID) else value


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise UnavailableError(f"'{name}' could not be read: {first_line(error.orig or error)}") from error
    except sa.exc.SQLAlchemyError as error:
        raise UnavailableError(f"'{name}' could not be read: {first_line(error)}") from error


def _open_adbc(source: SqlTable) -> Table:
    dialect = str(source.database.adbc_get_info().get("vendor_name", "unknown")).lower()
    query = source.query
    if query is None:
        parts = [part for part in (source.schema, source.table) if part is not None]
        names = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
        query = f"SELECT * FROM {names}"  # noqa: S608  # quoted above
    options = _read_options(source, dialect)
    return Table(lambda: _iter_adbc(source.database, query, dialect), None, dialect, options, source.query is not None)


def _iter_adbc(connection: Any, query: str, name: str) -> Iterator[pa.RecordBatch]:
    import adbc_driver_manager

    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            with cursor.fetch_record_batch() as reader:
                yield empty_batch(reader.schema)
                yield from reader
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
        raise UnavailableError(f"'{name}' could not be read: {first_line(error)}") from error
