"""Columns of values as PostgreSQL takes arrays in binary, packed some times faster than the driver does it.

Source: PostgreSQL's array_recv: dimensions, whether there are nulls, the type of the elements; size and lower bound of
each dimension; then each element behind its length, -1 for null.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa

_HEAD = struct.Struct("!iiIii").pack
_LENGTH = struct.Struct("!i").pack
_NUMBERS = {"int8": "iq", "int4": "ii", "int2": "ih"}  # a length, and the number
_SIZES = {"int8": 8, "int4": 4, "int2": 2}
_NULL = _LENGTH(-1)
# Numbers of the types, the same on every server. Source: PostgreSQL, pg_type.dat.
_TYPE_IDS = {"bytea": 17, "int8": 20, "int2": 21, "int4": 23, "text": 25}


class Array(bytes):
    """An array, packed."""


def pack_array(type_name: str, values: Sequence[Any]) -> Array:
    """Pack a column of values, None for null; raises `struct.error` for a number that the type doesn't hold."""
    has_null = None in values
    head = _HEAD(1, has_null, _TYPE_IDS[type_name], len(values), 1)
    form = _NUMBERS.get(type_name)
    if form and not has_null:  # all at once: one by one takes ten times as long
        numbers = [_SIZES[type_name]] * (2 * len(values))
        numbers[1::2] = values
        return Array(head + struct.pack("!" + form * len(values), *numbers))
    if form:
        pack, size = struct.Struct(f"!{form}").pack, _SIZES[type_name]
        return Array(head + b"".join([_NULL if value is None else pack(size, value) for value in values]))
    texts = [value.encode() if isinstance(value, str) else value for value in values]
    if has_null:
        return Array(head + b"".join([_NULL if text is None else _LENGTH(len(text)) + text for text in texts]))
    lengths = map(_LENGTH, map(len, texts))
    return Array(head + b"".join(chain.from_iterable(zip(lengths, texts, strict=True))))


def adapt_arrays(connection: Any) -> None:
    """Make a connection of psycopg take `Array`; which type it is, the statement says by a cast."""
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class ArrayDumper(Dumper):
        format = Format.BINARY

        def dump(self, obj: Array) -> bytes:
            return obj

    connection.adapters.register_dumper(Array, ArrayDumper)


@functools.cache
def type_of(column: sa.Column[Any]) -> str:
    """PostgreSQL's short name of a column's type."""
    from sqlalchemy.dialects import postgresql

    names = {"BIGINT": "int8", "BYTEA": "bytea", "TEXT": "text", "INTEGER": "int4", "SMALLINT": "int2"}
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return names[column.type.compile(dialect).split()[0]]
