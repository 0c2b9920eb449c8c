"""Opening, creating and migrating the database, and what a transaction on it is.

SQLite is the embedded default: write-ahead log, `synchronous=FULL`, so a commit that returned survives a power cut.
What is special to SQLite stands in this file; the rest of the room is SQL that PostgreSQL speaks too.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, StaticPool

from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.store.schema import SCHEMA_VERSION, metadata

BUSY_TIMEOUT_S = 60


class Database:
    """One database. Safe for many threads and processes; writers take turns."""

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self._name = name

    @classmethod
    def create(cls, path: Path) -> Database:
        """Make a new database file with all tables. Raises ConflictError when the file is there already."""
        if path.exists():
            raise ConflictError(f"database {path} is there already")
        database = cls(_sqlite_engine(path, "rwc"), str(path))
        with (
            _translated(str(path)),
            database._engine.connect() as connection,
        ):  # outside any transaction, as SQLite wants it
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        database._migrate()
        return database

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open an existing database file, migrating an older one.

        Raises NotFoundError, UnavailableError (a newer version, or read-only with an older one), FormatError (corrupt).
        """
        if not path.exists():
            raise NotFoundError(f"database {path} is not there")
        database = cls(_sqlite_engine(path, "rw" if _is_writable(path) else "ro"), str(path))
        version = database.version()
        if version > SCHEMA_VERSION:
            raise UnavailableError(
                f"archive {path.parent} has schema {version}, this wherefrom knows up to {SCHEMA_VERSION}",
                hint="install a newer wherefrom",
            )
        if version < SCHEMA_VERSION:
            database._migrate()
        return database

    @classmethod
    def in_memory(cls) -> Database:
        """An empty database that lives as long as the object."""
        engine = sa.create_engine("sqlite://", poolclass=StaticPool, creator=lambda: _connect("file::memory:"))
        metadata.create_all(engine)
        return cls(engine, "in memory")

    def version(self) -> str:
        """The schema version that the database says it has."""
        with self.reading() as connection:
            try:
                version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            except sa.exc.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                raise FormatError(
                    f"database {self._name} is not a wherefrom archive: it has no schema version"
                ) from error
        if not isinstance(version, str):
            raise FormatError(f"database {self._name} is not a wherefrom archive: its schema version is {version!r}")
        return version

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A snapshot: what others commit meanwhile is not seen."""
        with _translated(self._name), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other writer overlaps; committed durably at the end, rolled back on any exception.

        Raises UnavailableError when the database is read-only, or another writer holds it for over a minute.
        """
        with _translated(self._name), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def check(self) -> list[str]:
        """What SQLite itself finds wrong with the file; empty when nothing."""
        with self.reading() as connection:
            found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        self._engine.dispose()

    def _migrate(self) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        with self.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _sqlite_engine(path: Path, mode: str) -> sa.Engine:
    # A folder that can't be written has no place for the log's shared memory; without a log the file is whole.
    immutable = mode == "ro" and not path.with_name(path.name + "-wal").exists()
    uri = f"{path.resolve().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
    return sa.create_engine("sqlite://", poolclass=NullPool, creator=lambda: _connect(uri))


def _connect(uri: str) -> sqlite3.Connection:
    # No isolation level: sqlite3 would start transactions late, and never an immediate one; we say BEGIN ourselves.
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn the driver's errors into ours, saying which database."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except sa.exc.DBAPIError as error:
        cause = str(error.orig)
        if "locked" in cause or "busy" in cause:
            message = f"database {name}: another process has been writing for over {BUSY_TIMEOUT_S} s"
            raise UnavailableError(message, hint="try again") from error
        if "readonly" in cause:
            raise UnavailableError(f"database {name} is read-only", hint="check the folder's permissions") from error
        if "malformed" in cause or "not a database" in cause:
            message = f"database {name} is corrupt: {cause}"
            raise FormatError(message, hint="run `wherefrom doctor`, and restore the archive from a copy") from error
        raise UnavailableError(f"database {name}: {cause}", hint=_hint(cause)) from error


def _hint(cause: str) -> str | None:
    if "full" in cause:
        return "free some room"
    return "check the folder's permissions" if "unable to open" in cause else None
