"""How a table of a database is named, to be fingerprinted like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wherefrom.errors import FormatError


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table of a database, or what a query selects: made by `sql_table`."""

    database: Any
    table: str | None
    schema: str | None
    query: str | None


def sql_table(
    database: object, *, table: str | None = None, schema: str | None = None, query: str | None = None
) -> SqlTable:
    """Name a table or a query of a database; nothing is connected to yet.

    Args:
        database: an SQLAlchemy URL such as `postgresql+psycopg://host/shop`, engine or connection; or an ADBC
            connection. A connection's transaction is left as it is.
        table: a table or view, all columns of which are read. Exactly one of `table` and `query`.
        schema: where the table is, when not where the database looks by itself.
        query: a SELECT statement, written down beside the fingerprint as it stands: no secrets in it.
    """
    if (table is None) == (query is None):
        raise FormatError(f"table is {table!r} and query is {query!r}, expected exactly one of them")
    if schema is not None and table is None:
        raise FormatError(f"schema is {schema!r}, which goes with a table, not with a query")
    return SqlTable(database, table, schema, query)
