"""Many rows by key, as fast as the database gives them, inside a transaction that the caller opened."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa

from wherefrom.store.arrays import type_of
from wherefrom.store.bulk import pack_columns

Keys = Collection[tuple[Any, ...]]
# SQLite reads a statement anew when its text is another one: so keys are asked for in chunks of a few sizes.
_CHUNKS = (64, 8, 1)


def find_rows(
    connection: sa.Connection, table: sa.Table, names: tuple[str, ...], keys: Keys
) -> Iterator[tuple[Any, ...]]:
    """Rows with every column of the table, as declared, whose columns `names` have one of these values.

    Goes through the driver itself. What it raises is translated by `Database`.
    """
    [rows] = find_rows_of_many(connection, [(table, names, keys)])
    return iter(rows)


def find_rows_of_many(
    connection: sa.Connection, wanted: Sequence[tuple[sa.Table, tuple[str, ...], Keys]]
) -> list[list[tuple[Any, ...]]]:
    """What `find_rows` gives for each of these; PostgreSQL is waited for but once."""
    if not any(keys for _, _, keys in wanted):
        return [[] for _ in wanted]
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return [_find_in_sqlite(raw, *one) for one in wanted]
    with contextlib.ExitStack() as stack:
        cursors = [stack.enter_context(raw.cursor()) for _ in wanted]
        with raw.pipeline() if len(wanted) > 1 else contextlib.nullcontext():
            for cursor, (table, names, keys) in zip(cursors, wanted, strict=True):
                if keys:
                    cursor.execute(_select_joined(table, names), pack_columns([table.c[n] for n in names], keys))
        return [cursor.fetchall() if keys else [] for cursor, (_, _, keys) in zip(cursors, wanted, strict=True)]


def greatest_ids(connection: sa.Connection, tables: Sequence[sa.Table]) -> dict[sa.Table, int]:
    """The greatest `id` in each table, 0 in an empty one, asked for at once."""
    [found] = connection.connection.driver_connection.execute(_select_greatest(tuple(tables)))  # type: ignore[union-attr]
    return dict(zip(tables, found, strict=True))


@functools.cache
def _select_greatest(tables: tuple[sa.Table, ...]) -> str:
    return "SELECT " + ", ".join(f'coalesce((SELECT max(id) FROM "{table.name}"), 0)' for table in tables)  # noqa: S608 - our names


def _find_in_sqlite(raw: Any, table: sa.Table, names: tuple[str, ...], keys: Keys) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    rest, done = list(keys), 0
    for size in _CHUNKS:
        query = _select_chunk(table, names, size)
        while len(rest) - done >= size:
            found += raw.execute(query, list(chain.from_iterable(rest[done : done + size])))
            done += size
    return found


@functools.cache
def _select_chunk(table: sa.Table, names: tuple[str, ...], size: int) -> str:
    if size == 1:
        found = " AND ".join(f'"{name}" = ?' for name in names)
        return f'SELECT {_columns(table)} FROM "{table.name}" AS t WHERE {found}'  # noqa: S608 - our names
    found = " AND ".join(f't."{name}" = w.column{number}' for number, name in enumerate(names, start=1))
    keys = ", ".join([f"({', '.join('?' * len(names))})"] * size)
    # CROSS JOIN, to SQLite, says which side to go through: the keys.
    return f'SELECT {_columns(table)} FROM (VALUES {keys}) AS w CROSS JOIN "{table.name}" AS t ON {found}'  # noqa: S608 - our names


@functools.cache
def _select_joined(table: sa.Table, names: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%b::{type_of(table.c[name])}[]" for name in names)
    found = " AND ".join(f't."{name}" = w."{name}"' for name in names)
    wanted = ", ".join(f'"{name}"' for name in names)
    return f'SELECT {_columns(table)} FROM unnest({arrays}) AS w({wanted}) JOIN "{table.name}" AS t ON {found}'  # noqa: S608 - our names


def _columns(table: sa.Table) -> str:
    return ", ".join(f't."{column.name}"' for column in table.columns)
