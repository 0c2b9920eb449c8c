"""Opening, creating and migrating the database, and what a transaction on it is.

A location is a `Path`, of an SQLite file, or a URL `postgresql://…?schema=NAME`. What is special to either system
stands in `sqlite.py` and `postgresql.py`; the rest of the room is SQL that both speak.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.store.backend import Backend
from wherefrom.store.schema import SCHEMA_VERSION, metadata
from wherefrom.store.sqlite import MemoryBackend, SqliteBackend

Location = Path | str


class Database:
    """One database. Safe for many threads and processes, forked ones too; writers take turns."""

    def __init__(self, backend: Backend) -> None:
        """Use `create`, `open` or `in_memory`."""
        self._backend = backend
        self._engine = backend.engine
        if not isinstance(backend, MemoryBackend):  # whose connection is the database
            _open_engines.add(self._engine)
        weakref.finalize(self, self._engine.dispose)  # for who forgets `close`

    @classmethod
    def create(cls, location: Location, start: Callable[[sa.Connection], None] | None = None) -> Database:
        """Make a new database with all tables.

        Args:
            start: fills it, in the same transaction: nobody ever sees a database that is there by half.

        Raises ConflictError when there is one already; of two who make one at once, one gets it.
        """
        with (
            _backend_of(location).creating() as backend,
            contextlib.closing(cls(backend)) as database,
            database.writing() as connection,
        ):
            backend.prepare(connection)
            _migrate(connection)
            if start:
                start(connection)
        return cls.open(location)

    @classmethod
    def open(cls, location: Location) -> Database:
        """Open an existing database, migrating an older one.

        Raises NotFoundError, UnavailableError (a newer version, or read-only with an older one), FormatError (corrupt).
        """
        backend = _backend_of(location)
        backend.require()
        database = cls(backend)
        try:
            version = database.version()
            if version > SCHEMA_VERSION:
                raise UnavailableError(
                    f"database {backend.name} has schema {version}, this wherefrom knows up to {SCHEMA_VERSION}",
                    hint="install a newer wherefrom",
                )
            if version < SCHEMA_VERSION:
                with database.writing() as connection:
                    _migrate(connection)
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def in_memory(cls) -> Database:
        """An empty database that lives as long as the object."""
        database = cls(MemoryBackend())
        metadata.create_all(database._engine)
        return database

    def version(self) -> str:
        """The schema version that the database says it has."""
        with self.reading() as connection:
            version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        if not isinstance(version, str):
            name = self._backend.name
            raise FormatError(f"database {name} is not a wherefrom archive: its schema version is {version!r}")
        return version

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A snapshot: what others commit meanwhile is not seen."""
        with self._translated(), self._engine.connect() as connection:
            _begin(connection, self._backend.begin_reading)
            try:
                yield connection
                self._backend.end_reading(connection)
            finally:
                _roll_back(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other writer overlaps; committed durably at the end, rolled back on any exception.

        Raises UnavailableError when the database is read-only, can't be reached, or another writer holds it for over a
        minute, and ConflictError for a row that is there already. When the connection breaks during the commit itself,
        nobody can know whether it was done, and the message says so; recording the same statements again is safe.
        """
        with self._translated(), self._engine.connect() as connection:
            _begin(connection, self._backend.begin_writing)
            try:
                yield connection
                if connection.in_transaction() and not self._backend.is_writing(connection):
                    # An error that the caller caught: a commit now would be a rollback that looks like a success.
                    message = f"database {self._backend.name}: the transaction was given up after an error in it"
                    raise UnavailableError(message, hint="run `wherefrom doctor`, then try again")
            except BaseException as error:
                _roll_back(connection)
                if not isinstance(error, WherefromError):
                    # What the driver failed on is not used again: SQLite opens a file that can't be written just then
                    # only to be read, and the connection would stay so.
                    connection.invalidate()
                raise
            with self._translated(committing=True):
                try:
                    connection.commit()
                except BaseException:
                    _roll_back(connection)
                    raise

    @contextlib.contextmanager
    def outside_transactions(self) -> Iterator[sa.Connection]:
        """A connection on which each statement stands alone: for what a transaction can't do, as VACUUM."""
        with self._translated(), self._engine.connect() as connection:
            try:
                self._backend.begin_outside(connection)
                yield connection
            finally:
                connection.invalidate()  # what was set for this session goes with it

    def check(self) -> list[str]:
        """What the database system itself finds wrong; empty when nothing."""
        with self.reading() as connection:
            return self._backend.check(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def _translated(self, *, committing: bool = False) -> Iterator[None]:
        """Turn the driver's errors into ours, saying which database."""
        try:
            yield
        except Exception as error:
            ours = self._backend.translate(error, committing=committing)
            if ours is None:
                raise
            raise ours from error


def _backend_of(location: Location) -> Backend:
    if isinstance(location, Path):
        return SqliteBackend(location)
    from wherefrom.store.postgresql import PostgresqlBackend

    return PostgresqlBackend(location)


def _begin(connection: sa.Connection, begin: Callable[[sa.Connection], None]) -> None:
    """Begin; on a new connection when the one from the pool was cut while it lay there, as a restarted server does."""
    try:
        begin(connection)
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        connection.rollback()
        begin(connection)


def _roll_back(connection: sa.Connection) -> None:
    """Undo; a connection that can't even do that is thrown away, which undoes too."""
    try:
        connection.rollback()
    except sa.exc.DBAPIError:
        connection.invalidate()


# Alembic keeps the connection that a migration runs on in a global variable.
_MIGRATING = threading.Lock()


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    with _MIGRATING:
        command.upgrade(config, "head")


# A connection must not be used, nor closed, in a process that was forked from the one that opened it: SQLite's locks
# and a server's protocol both break. So the idle ones are closed before a fork, and the child starts with none; one
# that another thread is using just then stays with the parent.
_open_engines: weakref.WeakSet[sa.Engine] = weakref.WeakSet()


def _close_idle() -> None:
    for engine in list(_open_engines):
        engine.dispose()


def _forget_all() -> None:
    for engine in list(_open_engines):
        engine.dispose(close=False)


os.register_at_fork(before=_close_idle, after_in_child=_forget_all)
