"""The outbox: what could not be recorded yet, as files in `.wherefrom/outbox/`.

<id>.messages     what a captured process said, as frames (frames.py); while a recorder lives, it holds a lock on it
<id>.statements   finished statements that the archive refused, one JSON text a line
<…>.envelopes     signed statements for the server: see parcels.py
<run>.children    commands that began a run of their own, so that the run which started them need not call it a gap
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from wherefrom.capture.locate import OUTBOX
from wherefrom.statements import Statement, format_statement, parse_statement

PROJECT = "@project"
"""Stands for the namespace of an archive that could not be opened; no real namespace begins with '@'."""


@dataclass(frozen=True)
class Waiting:
    """A file in the outbox. `is_live`: a recorder is writing it now."""

    path: Path
    total_bytes: int
    is_live: bool


def list_waiting(root: str | Path) -> list[Waiting]:
    """What waits to be recorded, the oldest first."""
    found = []
    for path in (Path(root) / OUTBOX).glob("*"):
        if path.suffix in {".messages", ".statements"}:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                state = path.stat()
                if state.st_size:  # an empty one has just been made, by a recorder that is about to lock it
                    found.append((state.st_mtime_ns, Waiting(path, state.st_size, not try_lock(file))))
    return [waiting for _, waiting in sorted(found, key=lambda pair: pair[0])]


def try_lock(file: IO[bytes]) -> bool:
    """Take the lock that a live writer holds; released when the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Spool:
    """Keeps a copy of each frame until what it says is recorded. Says nothing when it can't: the pipe still works."""

    def __init__(self, root: str, name: str) -> None:
        self.path = Path(root) / OUTBOX / name
        self._file: IO[bytes] | None = None
        self._early: list[bytes] | None = []
        self._lock = threading.Lock()

    def open(self) -> None:
        """Begin to write: once the archive is there, whose folder this must not make first."""
        with self._lock, contextlib.suppress(OSError):
            early, self._early = self._early or [], None
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._file.write(b"".join(early))

    def write(self, frame: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._early is not None:
                self._early.append(frame)
            elif self._file is not None:
                self._file.write(frame)

    def remove(self) -> None:
        """All of it is recorded."""
        if self._file is not None:
            self._file.close()
            self.path.unlink(missing_ok=True)
            self._file = None


class OutboxSink:
    """Keeps statements in a file, durably, for an archive that can't take them now."""

    def __init__(self, root: str, name: str, *, namespace: str = PROJECT) -> None:
        self.namespace = namespace
        self.path = Path(root) / OUTBOX / f"{name}.statements"

    def record(self, *statements: Statement) -> None:
        """Raises OSError when the outbox can't be written either."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            for statement in statements:
                file.write(format_statement(statement) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_statements(path: Path, *, namespace: str) -> list[Statement]:
    """The statements of an outbox file, for an archive with this namespace. Raises FormatError."""
    return [_settle(parse_statement(line), namespace) for line in path.read_bytes().splitlines() if line]


def _settle(statement: Statement, namespace: str) -> Statement:
    def settled(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: settled(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [settled(item) for item in value]
        return namespace if key == "namespace" and value == PROJECT else value

    predicate = settled(dict(statement.predicate))
    subjects = [type(s)(s.name.replace(f"{PROJECT}/", f"{namespace}/", 1), s.digests) for s in statement.subjects]
    return Statement.of(statement.predicate_type, predicate, *subjects)


def note_child(root: str, parent_run: str, argv: list[str]) -> None:
    """Leave word that a command which that run started is captured by a recorder of its own."""
    path = Path(root) / OUTBOX / f"{parent_run}.children"
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(argv) + "\n")


def take_children(root: str, run_id: str) -> list[list[str]]:
    """The commands that were captured on their own, and forget them."""
    path = Path(root) / OUTBOX / f"{run_id}.children"
    try:
        lines = path.read_text().splitlines()
        path.unlink()
    except OSError:
        return []
    return [json.loads(line) for line in lines]
