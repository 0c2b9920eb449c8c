"""Parcels: what waits in the outbox for a server, signed, one file for what was recorded together.

<time in ns>-<process>-<n>.envelopes   DSSE envelopes, one canonical JSON text a line
<the same>.refused                     those of it that the server refused: {"envelope": …, "reason": …}, one a line

A parcel comes whole, by its name, and never changes: whoever sends it needs no word of whoever wrote it, and it
is removed when the server has acknowledged it. By name, they stand in the order in which they were written.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from wherefrom.capture.locate import OUTBOX
from wherefrom.strict import format_plain

SUFFIX = ".envelopes"
REFUSED = ".refused"

_NAMING = threading.Lock()
_numbers = itertools.count()
_last_ns = 0


def write_parcel(root: str | Path, envelopes: Sequence[bytes]) -> Path:
    """Keep canonical envelopes durably, all or none of them. Raises OSError."""
    folder = Path(root) / OUTBOX
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{_next_name()}{SUFFIX}"
    _write_durably(path, b"".join(line + b"\n" for line in envelopes))
    return path


def list_parcels(root: str | Path) -> list[Path]:
    """The oldest first."""
    return sorted((Path(root) / OUTBOX).glob(f"*{SUFFIX}"))


def list_refused(root: str | Path) -> list[Path]:
    """The oldest first."""
    return sorted((Path(root) / OUTBOX).glob(f"*{REFUSED}"))


def read_parcel(path: Path) -> list[bytes]:
    """The envelopes of a parcel; none when somebody has removed it."""
    try:
        return [line for line in path.read_bytes().split(b"\n") if line]
    except FileNotFoundError:
        return []


def set_aside(parcel: Path, refused: Sequence[tuple[bytes, str]]) -> Path:
    """Keep what the server refused of a parcel, each envelope with the reason, where it is in nobody's way."""
    path = parcel.with_suffix(REFUSED)
    lines = [b'{"envelope":' + line + b',"reason":' + format_plain(reason) + b"}\n" for line, reason in refused]
    _write_durably(path, b"".join(lines))
    return path


def read_refused(path: Path) -> list[tuple[bytes, str]]:
    """Each envelope that was set aside, and why."""
    found = []
    for line in path.read_bytes().splitlines():
        envelope, _, reason = line.removeprefix(b'{"envelope":').rpartition(b',"reason":')
        found.append((envelope, str(json.loads(reason.removesuffix(b"}")))))
    return found


def try_again(root: str | Path) -> int:
    """Put what was refused back among what waits; how many statements. For whoever has mended the reason."""
    count = 0
    for path in list_refused(root):
        envelopes = [envelope for envelope, _ in read_refused(path)]
        _write_durably(path.with_suffix(SUFFIX), b"".join(line + b"\n" for line in envelopes))
        path.unlink(missing_ok=True)
        count += len(envelopes)
    return count


@contextlib.contextmanager
def sending(root: str | Path) -> Iterator[bool]:
    """Whether this process is the one that sends: two at once would bring the order into disorder."""
    folder = Path(root) / OUTBOX
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".sending").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _next_name() -> str:
    """Later than all that this process has named, also when the clock is set back."""
    global _last_ns  # noqa: PLW0603 - one order for all threads of the process
    with _NAMING:
        _last_ns = max(time.time_ns(), _last_ns + 1)
        return f"{_last_ns:020d}-{os.getpid():x}-{next(_numbers)}"


def _write_durably(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid():x}")
    try:
        with new.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
