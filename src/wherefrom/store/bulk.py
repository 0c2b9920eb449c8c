"""Many rows at once, as fast as the database takes them, inside a transaction that the caller opened."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from wherefrom.store.arrays import Array, pack_array, type_of

Rows = Sequence[Sequence[Any]]
# From so many rows on, COPY takes them faster than arrays do, and in less memory; but each COPY is waited for three
# times, and statements with arrays can be sent one after the other without waiting.
COPIED_ROWS = 5000


def bulk_insert(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    """Insert rows, each with a value for every column of the table, in the order in which the table declares them.

    Goes through the driver itself, since SQLAlchemy's own work for each row costs more than the row: a prepared
    statement on SQLite, arrays or COPY on PostgreSQL. `Database.writing` translates what the driver raises, and rolls
    back.
    """
    bulk_insert_all(connection, {table: rows})


def bulk_insert_all(
    connection: sa.Connection, rows_of: Mapping[sa.Table, Rows], *, grow: tuple[sa.Table, Rows] | None = None
) -> int:
    """Insert rows into several tables, in this order, and wait for the database but once.

    Args:
        grow: rows whose last value is bytes, to insert too, or to put in the place of the one that the same key has.

    Returns how many of those were written: fewer than there are, where the value that is there is no start of the new.
    """
    filled = {table: rows for table, rows in rows_of.items() if rows}
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        for table, rows in filled.items():
            raw.executemany(_insert_statement(table), rows)
        return int(raw.executemany(_insert_statement(grow[0]) + _growing(grow[0]), grow[1]).rowcount) if grow else 0
    many = {table: rows for table, rows in filled.items() if len(rows) >= COPIED_ROWS}
    some = {table: rows for table, rows in filled.items() if table not in many}
    with raw.cursor() as cursor, raw.cursor() as growing:
        with raw.pipeline() if len(some) + bool(grow) > 1 else contextlib.nullcontext():
            for table, rows in some.items():
                cursor.execute(_insert_arrays(table), pack_columns(table.columns, rows))
            if grow:
                growing.execute(_insert_arrays(grow[0]) + _growing(grow[0]), pack_columns(grow[0].columns, grow[1]))
        for table, rows in many.items():
            with cursor.copy(_copy_statement(table)) as copy:
                copy.set_types(_types(table))  # binary COPY takes each value in the very type of its column
                for row in rows:
                    copy.write_row(row)
        return int(growing.rowcount) if grow else 0


@functools.cache
def _growing(table: sa.Table) -> str:
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
    value = list(table.columns)[-1].name
    old, new = f'"{table.name}"."{value}"', f'excluded."{value}"'
    return f' ON CONFLICT ({keys}) DO UPDATE SET "{value}" = {new} WHERE substr({new}, 1, length({old})) = {old}'


def pack_columns(columns: Iterable[sa.Column[Any]], rows: Iterable[Sequence[Any]]) -> list[Array]:
    """An array for each column, from rows that have a value for each."""
    return [pack_array(type_of(c), values) for c, values in zip(columns, zip(*rows, strict=True), strict=True)]


@functools.cache
def _insert_statement(table: sa.Table) -> str:
    return f'INSERT INTO "{table.name}" ({_names(table)}) VALUES ({", ".join("?" * len(table.columns))})'  # noqa: S608 - our names


@functools.cache
def _insert_arrays(table: sa.Table) -> str:
    arrays = ", ".join(f"%b::{name}[]" for name in _types(table))
    return f'INSERT INTO "{table.name}" ({_names(table)}) SELECT * FROM unnest({arrays})'  # noqa: S608 - our names


@functools.cache
def _copy_statement(table: sa.Table) -> str:
    return f'COPY "{table.name}" ({_names(table)}) FROM STDIN (FORMAT BINARY)'


def _names(table: sa.Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


@functools.cache
def _types(table: sa.Table) -> list[str]:
    return [type_of(column) for column in table.columns]
