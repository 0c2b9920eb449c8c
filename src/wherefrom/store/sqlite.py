"""SQLite, the embedded default: write-ahead log, `synchronous=FULL`, so a commit that returned survives a power cut."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool, StaticPool

from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError, WherefromError
from wherefrom.store.backend import WRITER_WAIT_S

# In KiB, which SQLite takes as a negative number of pages. Commits touch pages all over the index of hashes, more than
# SQLite's own 2 MB hold. A longer write-ahead log gave nothing but a longer tail, a mapped file nothing measurable.
CACHE_KIB = 32768
# A tile of 8 KiB and most statements fit in a page; in SQLite's own 4 KiB they go on in others, each a read of its own.
PAGE_BYTES = 16384


class SqliteBackend:
    """One SQLite file. Idle connections are kept: opening one reads the schema, closing the last one copies the log."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        mode = "rw" if _is_writable(path) else "ro"
        # A folder that can't be written has no place for the log's shared memory; without a log the file is whole.
        immutable = mode == "ro" and not path.with_name(path.name + "-wal").exists()
        uri = f"{path.resolve().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
        if immutable:  # SQLite won't look for changes, so each transaction opens it anew
            self.engine = sa.create_engine("sqlite://", poolclass=NullPool, creator=lambda: _connect(uri))
            return
        self.engine = sa.create_engine("sqlite://", poolclass=QueuePool, max_overflow=-1, creator=lambda: _connect(uri))
        sa.event.listen(self.engine, "connect", self._remember_file)
        sa.event.listen(self.engine, "checkout", self._compare_file)

    def require(self) -> None:
        if not self._path.exists():
            raise NotFoundError(f"database {self._path} is not there")

    @contextlib.contextmanager
    def creating(self) -> Iterator[SqliteBackend]:
        if self._path.exists():
            raise ConflictError(f"database {self._path} is there already")
        new = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}.new")
        try:
            with self._own_errors():
                os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                connection = _connect(new.resolve().as_uri() + "?mode=rw")
            try:
                with self._own_errors():
                    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
                    connection.execute("PRAGMA journal_mode=WAL")  # outside any transaction, as SQLite wants it
            finally:
                connection.close()
            yield SqliteBackend(new)
            with self._own_errors():
                _publish(new, self._path)
        finally:
            for suffix in ("", "-wal", "-shm"):
                new.with_name(new.name + suffix).unlink(missing_ok=True)

    def prepare(self, connection: sa.Connection) -> None:
        pass

    def begin_reading(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def end_reading(self, connection: sa.Connection) -> None:
        pass

    def begin_writing(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def begin_outside(self, connection: sa.Connection) -> None:
        pass

    def is_writing(self, connection: sa.Connection) -> bool:
        # A full disk or an I/O error makes SQLite roll back by itself; what came after was committed one by one.
        raw: Any = connection.connection.driver_connection
        return bool(raw.in_transaction)

    def check(self, connection: sa.Connection) -> list[str]:
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
        return [] if found == ["ok"] else found

    def translate(self, error: Exception, *, committing: bool = False) -> WherefromError | None:
        del committing  # a commit that fails in the same process was not done
        if isinstance(error, sa.exc.DBAPIError):
            error = error.orig if isinstance(error.orig, Exception) else error
        if not isinstance(error, sqlite3.Error):
            return None
        name, cause = self.name, str(error)
        if isinstance(error, sqlite3.IntegrityError):
            return ConflictError(f"database {name}: {cause}", hint="run `wherefrom doctor`")
        if "locked" in cause or "busy" in cause:
            message = f"database {name}: another process has been writing for over {WRITER_WAIT_S} s"
            return UnavailableError(message, hint="try again")
        if "readonly" in cause:
            return UnavailableError(f"database {name} is read-only", hint="check the folder's permissions")
        if "malformed" in cause or "not a database" in cause:
            message = f"database {name} is corrupt: {cause}"
            return FormatError(message, hint="run `wherefrom doctor`, and restore the archive from a copy")
        if "no such table" in cause:
            return FormatError(f"database {name} is not a wherefrom archive: it has no schema version")
        return UnavailableError(f"database {name}: {cause}", hint=_hint(cause))

    @contextlib.contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            cause = error.strerror if isinstance(error, OSError) else str(error)
            message = f"database {self._path} can't be made: {cause}"
            raise UnavailableError(message, hint=_hint(str(error))) from error

    def _remember_file(self, _connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        entry.info["file"] = self._file()

    def _compare_file(self, _connection: sqlite3.Connection, entry: ConnectionPoolEntry, _proxy: object) -> None:
        """Don't go on with a file that was replaced, by a copy that somebody restored: reconnect."""
        if entry.info["file"] != self._file():
            raise sa.exc.DisconnectionError

    def _file(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


class MemoryBackend(SqliteBackend):
    """An SQLite database in memory, on one connection."""

    def __init__(self) -> None:
        self.name = "in memory"
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool, creator=lambda: _connect("file::memory:"))


def _connect(uri: str) -> sqlite3.Connection:
    # No isolation level: sqlite3 would start transactions late, and never an immediate one; we say BEGIN ourselves.
    connection = sqlite3.connect(uri, uri=True, timeout=WRITER_WAIT_S, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    return connection


def _publish(new: Path, path: Path) -> None:
    """Give a finished file its name, unless another has it."""
    try:
        os.link(new, path)
    except FileExistsError as error:
        raise ConflictError(f"database {path} is there already") from error
    except OSError:  # a file system without hard links
        if path.exists():
            raise ConflictError(f"database {path} is there already") from None
        new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _hint(cause: str) -> str | None:
    if "full" in cause or "No space" in cause:
        return "free some room"
    return "check the folder's permissions" if "unable to open" in cause else None
