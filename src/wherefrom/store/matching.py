"""Many rows by key, as fast as the database gives them, inside a transaction that the caller opened."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa


def find_rows(
    connection: sa.Connection, table: sa.Table, names: tuple[str, ...], keys: Collection[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """Rows with every column of the table, as declared, whose columns `names` have one of these values.

    Goes through the driver itself. Asking SQLite is a function call, so each key is asked for alone; PostgreSQL is
    asked once. What the driver raises is translated by `Database`.
    """
    if not keys:
        return
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        query = _select_one(table, names)
        for key in keys:
            yield from raw.execute(query, key)
        return
    with raw.cursor() as cursor:
        yield from cursor.execute(_select_joined(table, names), [list(column) for column in zip(*keys, strict=True)])


@functools.cache
def _select_one(table: sa.Table, names: tuple[str, ...]) -> str:
    found = " AND ".join(f'"{name}" = ?' for name in names)
    return f'SELECT {_columns(table)} FROM "{table.name}" AS t WHERE {found}'  # noqa: S608 - our names


@functools.cache
def _select_joined(table: sa.Table, names: tuple[str, ...]) -> str:
    from sqlalchemy.dialects import postgresql

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays = ", ".join(f"%s::{table.c[name].type.compile(dialect).split()[0]}[]" for name in names)
    found = " AND ".join(f't."{name}" = w."{name}"' for name in names)
    wanted = ", ".join(f'"{name}"' for name in names)
    return f'SELECT {_columns(table)} FROM unnest({arrays}) AS w({wanted}) JOIN "{table.name}" AS t ON {found}'  # noqa: S608 - our names


def _columns(table: sa.Table) -> str:
    return ", ".join(f't."{column.name}"' for column in table.columns)
