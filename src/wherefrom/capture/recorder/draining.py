"""Recording what waits in the outbox, once the archive takes records again, or by way of the outbox for the server."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wherefrom.capture.frames import FrameReader
from wherefrom.capture.locate import OUTBOX
from wherefrom.capture.process import is_running
from wherefrom.capture.recorder.outbox import list_waiting, read_statements, try_lock
from wherefrom.errors import FormatError

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.capture.recorder.sink import Sink

_OLD_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Drained:
    """`recorded`: files whose statements are in the archive now, or signed; they are gone. `left`: others, with why."""

    recorded: tuple[Path, ...]
    left: tuple[tuple[Path, str], ...]


def drain_outbox(archive: Archive) -> Drained:
    """`drain_into` the archive whose project it is."""
    return drain_into(archive, archive.root)


def drain_into(sink: Sink, root: str | Path, *, until: float = math.inf) -> Drained:
    """Record what waits in a project's outbox, the oldest first; not what a live recorder writes, or a live process.

    Files are hashed now, and only if they have not changed since the run saw them; others become gaps. Nothing is
    begun after `until` on the monotonic clock.
    """
    recorded, left = [], []
    for waiting in list_waiting(root):
        if time.monotonic() > until:
            break
        try:
            if _drain(waiting.path, sink, root):
                recorded.append(waiting.path)
        except Exception as error:  # noqa: BLE001 - one bad file must not hold up the others
            left.append((waiting.path, str(error) or type(error).__name__))
    _forget_old_notes(Path(root))
    return Drained(tuple(recorded), tuple(left))


def _drain(path: Path, sink: Sink, root: str | Path) -> bool:
    with path.open("rb") as file:
        if not try_lock(file):
            return False
        if path.suffix == ".statements":
            sink.record(*read_statements(path, namespace=sink.namespace))
        else:
            from wherefrom.capture.recorder.service import replay

            if _is_speaker_alive(file):
                return False
            replay(file, str(root), sink)
        path.unlink(missing_ok=True)
    return True


def _is_speaker_alive(frames: IO[bytes]) -> bool:
    """Whether the process that said this still runs: it may not have noticed yet that its recorder is gone."""
    reader = FrameReader()
    for frame in frames:
        try:
            message = reader.feed(frame.removesuffix(b"\n")) or {}
        except FormatError:
            continue
        if message.get("do") == "begin" and "process" in message:
            frames.seek(0)
            return is_running(str(message["process"].get("id", "")))
    frames.seek(0)
    return False


def _forget_old_notes(root: Path) -> None:
    """Children notes of runs that never ended, and so never took them; parcels whose writer was killed over them."""
    for path in [*(root / OUTBOX).glob("*.children"), *(root / OUTBOX).glob(".*.envelopes.*")]:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD_S:
                path.unlink()
