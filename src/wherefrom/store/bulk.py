"""Many rows at once, as fast as the database takes them, inside a transaction that the caller opened."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def bulk_insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, each with a value for every column of the table, in the order in which the table declares them.

    Goes through the driver itself, since SQLAlchemy's own work for each row costs more than the row: a prepared
    statement on SQLite, COPY on PostgreSQL. `Database.writing` translates what the driver raises, and rolls back.
    """
    if not rows:
        return
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        raw.executemany(_insert_statement(table), rows)
        return
    with raw.cursor() as cursor, cursor.copy(_copy_statement(table)) as copy:
        copy.set_types(_copy_types(table))
        for row in rows:
            copy.write_row(row)


@functools.cache
def _insert_statement(table: sa.Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({", ".join("?" * len(table.columns))})'  # noqa: S608 - our names


@functools.cache
def _copy_statement(table: sa.Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)'


@functools.cache
def _copy_types(table: sa.Table) -> list[str]:
    """Binary COPY takes each value in the very type of its column."""
    from sqlalchemy.dialects import postgresql

    names = {"BIGINT": "int8", "BYTEA": "bytea", "TEXT": "text", "INTEGER": "int4", "SMALLINT": "int2"}
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return [names[column.type.compile(dialect).split()[0]] for column in table.columns]
