"""What a witness must never forget: the newest checkpoint that it cosigned of each log. One SQLite file.

A write is on disk before it is said to be: `synchronous=EXTRA` also syncs the folder, without which a power cut after
a commit could bring the checkpoint before back, and the witness would sign another tree of a size it has signed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.notes import parse_checkpoint, parse_note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_TIMEOUT_S: Final = 30.0

NO_COPY: Final = "restore no copy: an older state would sign forks; make a new witness with a new key"
_APPLICATION_ID: Final = 0x77666974
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE heads (
    origin_hash TEXT PRIMARY KEY,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    time_s INTEGER NOT NULL CHECK (time_s > 0),
    note BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest cosigned checkpoint of a log. `time_s`, seconds since 1970 UTC, and `note` are as returned then."""

    size: int
    root: bytes
    time_s: int
    note: bytes


class WitnessState:
    """The file, open. Safe for many threads and processes: writers take turns."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `create` or `open`."""
        self._path = path
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new file. Raises ConflictError where there is one: an emptied state would let logs fork."""
        try:
            path.touch(exist_ok=False, mode=0o600)
        except FileExistsError as error:
            raise ConflictError(f"there is a witness's state at {path} already") from error
        except OSError as error:
            raise UnavailableError(f"cannot make the witness's state {path}: {error.strerror}") from error
        with _translated(path):
            connection = _connect(path)
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        return cls(path, connection)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file that is whole, or don't open it at all.

        Raises NotFoundError: no such file; a new one is made on purpose only. UnavailableError: not a witness's state,
        damaged, or a head that is not what its note says.
        """
        if not path.exists():
            raise NotFoundError(
                f"no witness's state at {path}; without it this witness would not know what it has cosigned",
                hint="`wherefrom witness init` makes one, together with a new key",
            )
        with _translated(path):
            connection = _connect(path)
        try:
            with _translated(path):
                _check(connection)
        except FormatError as error:
            connection.close()
            raise UnavailableError(f"the witness's state {path} is damaged: {error}", hint=NO_COPY) from error
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def list_heads(self) -> list[Head]:
        """The newest checkpoint of each log, by origin."""
        with self._lock, _translated(self._path):
            rows = self._connection.execute("SELECT size, root, time_s, note FROM heads ORDER BY origin")
            return [Head(*row) for row in rows]

    def read_head(self, origin: str) -> Head | None:
        """The newest checkpoint cosigned of this log; None before the first."""
        with self._lock, _translated(self._path):
            return _read(self._connection, hash_origin(origin))

    def read_note(self, origin_hash: str) -> bytes:
        """The newest cosigned checkpoint of the log whose origin has this SHA-256 in lower-case hex, as it was signed.

        Raises NotFoundError.
        """
        with self._lock, _translated(self._path):
            head = _read(self._connection, origin_hash)
        if head is None:
            raise NotFoundError("no checkpoint of this log was cosigned here yet")
        return head.note

    @contextlib.contextmanager
    def updating(self, origin: str) -> Iterator[tuple[Head | None, list[Head]]]:
        """Gives the head, and a list to put the next one in: checked and stored as one, with nobody in between.

        When the block ends the new head is on disk. If the block raises, or nothing was put in, nothing has changed.
        Raises UnavailableError: it can't be stored, or others kept the file for 30 s.
        """
        key = hash_origin(origin)
        with self._lock, _translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                following: list[Head] = []
                yield _read(self._connection, key), following
                for head in following:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?, ?)",
                        (key, origin, head.size, head.root, head.time_s, head.note),
                    )
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


def hash_origin(origin: str) -> str:
    """SHA-256 of the log's origin, lower-case hex: what the log is called in the witness's URLs."""
    return sha256(origin.encode()).hexdigest()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Raise unless the file is ours and whole, and each head is the one that its note has."""
    for pragma, expected in (("application_id", _APPLICATION_ID), ("user_version", _VERSION)):
        [found] = connection.execute(f"PRAGMA {pragma}").fetchone()
        if found != expected:
            raise FormatError(f"its {pragma} is {found}, expected {expected}")
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise FormatError("; ".join(found))
    for origin_hash, origin, *columns in connection.execute("SELECT * FROM heads ORDER BY origin"):
        head = Head(*columns)
        checkpoint = parse_checkpoint(parse_note(head.note).text)
        if (checkpoint.origin, checkpoint.size, checkpoint.root) != (origin, head.size, head.root):
            raise FormatError(f"its note of {origin!r} is not of the size and root beside it")
        if origin_hash != hash_origin(origin):
            raise FormatError(f"its row of {origin!r} is under another log's hash")


def _read(connection: sqlite3.Connection, origin_hash: str) -> Head | None:
    query = "SELECT size, root, time_s, note FROM heads WHERE origin_hash = ?"
    row = connection.execute(query, (origin_hash,)).fetchone()
    return Head(*row) if row else None


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:  # busy, full, read-only: says nothing of what is stored
        raise UnavailableError(f"the witness's state {path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise UnavailableError(f"the witness's state {path} is damaged: {error}", hint=NO_COPY) from error
