"""PostgreSQL, for many producers at once: one archive is one schema, one writer at a time is an advisory lock.

What keeps the ledger safe doesn't rest on the lock alone: the primary keys of `entries` and `checkpoints` refuse a
second tree of one size, whoever writes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError, WherefromError
from wherefrom.store.arrays import adapt_arrays
from wherefrom.store.backend import WRITER_WAIT_S

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
DEFAULT_SCHEMA = "wherefrom"
# A server that stopped answering, without even closing the connection, is given up after so long.
CONNECT_TIMEOUT_S = 10
UNACKNOWLEDGED_TIMEOUT_MS = 60_000
# A writer that does nothing for so long, on a machine that sleeps perhaps, is cut off, so that others can write.
IDLE_WRITER_TIMEOUT_S = 300

# Never weaker than "on": the commit returns when the server has it on disk. What is stronger (`remote_apply`) stays.
_DURABLE = (
    "SELECT set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')"
    " THEN 'on' ELSE current_setting('synchronous_commit') END, true)"
)
# SQLSTATE, or the first two letters of it (a class), to what it means for a user. Source: PostgreSQL, appendix A.
_MEANINGS = {
    "25006": ("is read-only (a standby?)", "give the URL of the primary server"),
    "25P03": ("cut off a writer that did nothing for too long", "try again"),
    "28": ("refused the user or the password", "see the password file, PGPASSFILE"),
    "42501": ("does not let this user do that", "see docs/postgresql.md, roles"),
    "40": ("gave the transaction up for another one's sake", "try again"),
    "53100": ("has no room left on its disk", "free some room"),
    "53": ("has no resources left", "try again"),
    "57014": ("stopped a statement that took too long", "raise statement_timeout for this user"),
    "57": ("is shutting down or starting up", "try again"),
    "58": ("had an error of its operating system", "see the server's log"),
}


class PostgresqlBackend:
    """One schema of a PostgreSQL database. Works behind a pooler too: a transaction leaves nothing on its session."""

    def __init__(self, url: str) -> None:
        """Read a URL `postgresql://USER@HOST/DATABASE?schema=NAME`; every other parameter is libpq's. FormatError."""
        try:
            parsed = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            # What is wrong could be the password; nothing of the URL is shown.
            raise FormatError("the database URL is not a URL postgresql://USER@HOST/DATABASE?schema=NAME") from None
        if parsed.drivername not in SCHEMES:
            raise FormatError(
                f"database URL: unknown scheme {parsed.drivername!r}; known: postgresql, or a file's path"
            )
        query = dict(parsed.query)
        schema = query.pop("schema", DEFAULT_SCHEMA)
        if not isinstance(schema, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise FormatError(f"database URL: schema {schema!r}: expected lower-case letters, digits and '_', up to 63")
        host = parsed.host or query.get("host") or (f"service {query['service']}" if "service" in query else "local")
        self.name = (
            f"{parsed.database or 'default'!r} at {host}{f':{parsed.port}' if parsed.port else ''}, schema {schema}"
        )
        self._schema = schema
        # Of all locks on this database, ours: from the schema's name, as a signed 64-bit number.
        digest = hashlib.sha256(f"wherefrom writer of {schema}".encode()).digest()
        self._lock = int.from_bytes(digest[:8], "big", signed=True)
        defaults = {
            "connect_timeout": str(CONNECT_TIMEOUT_S),
            "tcp_user_timeout": str(UNACKNOWLEDGED_TIMEOUT_MS),
            "application_name": "wherefrom",
        }
        try:
            self.engine = sa.create_engine(
                parsed.set(drivername="postgresql+psycopg", query={**defaults, **query, "client_encoding": "utf8"}),
                poolclass=QueuePool,
                max_overflow=-1,
                isolation_level="AUTOCOMMIT",  # of the driver: we say BEGIN ourselves
                use_native_hstore=False,
            )
        except ImportError as error:
            hint = "pip install 'wherefrom[postgresql]'"
            raise UnavailableError(f"an archive on PostgreSQL needs an extra: {hint}", hint=hint) from error
        sa.event.listen(self.engine, "connect", lambda connection, _: adapt_arrays(connection))

    def require(self) -> None:
        pass

    @contextlib.contextmanager
    def creating(self) -> Iterator[PostgresqlBackend]:
        yield self

    def prepare(self, connection: sa.Connection) -> None:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            hint = "createdb --encoding UTF8 --template template0"
            raise UnavailableError(f"database {self.name} keeps text as {encoding}, expected UTF8", hint=hint)
        query = sa.text("SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = :schema")
        if connection.scalar(query, {"schema": self._schema}):
            raise ConflictError(f"database {self.name}: there is an archive, or something else, already")
        # Who may not make schemas can be given an empty one.
        there = sa.text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema")
        if connection.scalar(there, {"schema": self._schema}) is None:
            connection.exec_driver_sql(f'CREATE SCHEMA "{self._schema}"')

    def begin_reading(self, connection: sa.Connection) -> None:
        self._begin(connection, "REPEATABLE READ READ ONLY")

    def end_reading(self, connection: sa.Connection) -> None:
        # The driver forgets its prepared statements when it rolls back, and there is nothing to roll back.
        connection.commit()

    def begin_writing(self, connection: sa.Connection) -> None:
        # READ COMMITTED: a snapshot taken before the lock was ours would not have what its last holder committed.
        wait = f"SET LOCAL lock_timeout = '{WRITER_WAIT_S}s'"
        idle = f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_WRITER_TIMEOUT_S}s'"
        self._begin(connection, "READ COMMITTED", _DURABLE, wait, idle)
        settings = "current_setting('transaction_read_only'), current_setting('synchronous_commit')"
        lock = f"SELECT {settings} FROM pg_advisory_xact_lock({self._lock})"  # noqa: S608 - no text of others
        read_only, durable = connection.exec_driver_sql(lock).one()
        if read_only == "on":
            says, hint = _MEANINGS["25006"]
            raise UnavailableError(f"database {self.name} {says}", hint=hint)
        if durable == "off":
            raise UnavailableError(f"database {self.name}: synchronous_commit stays off, so no commit is durable")

    def _begin(self, connection: sa.Connection, mode: str, *more: str) -> None:
        path = f'SET LOCAL search_path = "{self._schema}"'
        connection.exec_driver_sql("; ".join((f"BEGIN ISOLATION LEVEL {mode}", path, *more)))

    def begin_outside(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql(f'SET search_path = "{self._schema}"')

    def is_writing(self, connection: sa.Connection) -> bool:
        # After an error, COMMIT rolls back and reports no error.
        raw: Any = connection.connection.driver_connection
        return bool(raw.info.transaction_status.name == "INTRANS")

    def check(self, connection: sa.Connection) -> list[str]:
        """Settings that make commits less than durable, and indexes that the server itself holds for broken."""
        found = []
        for setting in ("fsync", "full_page_writes"):
            value = connection.exec_driver_sql(f"SHOW {setting}").scalar()
            if value != "on":
                found.append(f"the server has {setting} = {value}: a power cut may lose or break what was recorded")
        broken = sa.text(
            "SELECT c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = :schema AND NOT (i.indisvalid AND i.indisready) ORDER BY c.relname"
        )
        names = connection.scalars(broken, {"schema": self._schema})
        return found + [f"index {name} is not valid: REINDEX it" for name in names]

    def translate(self, error: Exception, *, committing: bool = False) -> WherefromError | None:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        if not isinstance(cause, Exception) or not type(cause).__module__.startswith("psycopg"):
            return None
        state = getattr(cause, "sqlstate", None) or ""
        message = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        start = f"database {self.name}"
        if committing and _is_broken(cause, state):
            return UnavailableError(
                f"{start}: the connection broke during the commit ({message}): it may or may not be recorded",
                hint="try again: recording the same again is safe",
            )
        if state.startswith("23"):
            return ConflictError(f"{start}: {message}", hint="run `wherefrom doctor`")
        if state == "55P03":
            waited = f"another process has been writing for over {WRITER_WAIT_S} s"
            return UnavailableError(f"{start}: {waited}", hint="try again")
        if state in {"42P01", "3F000"}:
            return NotFoundError(f"{start}: no archive there", hint="`wherefrom init --database` makes one")
        if state.startswith("XX"):
            hint = "run `wherefrom doctor`, and restore the archive from a copy"
            return FormatError(f"{start} is corrupt: {message}", hint=hint)
        if state.startswith(("22", "54")) or type(cause).__name__ == "DataError":
            return FormatError(f"{start} does not take a value: {message}")
        says, hint = _MEANINGS.get(state) or _MEANINGS.get(state[:2]) or ("", "")
        if says:
            return UnavailableError(f"{start} {says}: {message}", hint=hint)
        if _is_broken(cause, state):
            if "password" in message:
                return UnavailableError(f"{start} refused the user or the password", hint="see PGPASSFILE")
            return UnavailableError(f"{start} can't be reached: {message}", hint="try again")
        return UnavailableError(f"{start}: {message}")


def _is_broken(cause: Exception, state: str) -> bool:
    """Whether there is no connection any more, so that nobody can say what the server did last."""
    return state.startswith(("08", "57P")) or (type(cause).__name__ == "OperationalError" and not state)
