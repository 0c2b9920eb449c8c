"""Recording what waits in the outbox, once the archive takes records again."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wherefrom.capture.recorder.outbox import list_waiting, read_statements, try_lock

if TYPE_CHECKING:
    from wherefrom.archive import Archive

_OLD_S = 7 * 24 * 3600


@dataclass(frozen=True)
class Drained:
    """`recorded`: files that are in the archive now, and gone from the outbox; `left`: the others, with why."""

    recorded: tuple[Path, ...]
    left: tuple[tuple[Path, str], ...]


def drain_outbox(archive: Archive) -> Drained:
    """Record what waits in the outbox of an archive, the oldest first; what live recorders write is left to them.

    Files are hashed now, and only if they have not changed since the run saw them; others become gaps.
    """
    recorded, left = [], []
    for waiting in list_waiting(archive.root):
        try:
            if _drain(waiting.path, archive):
                recorded.append(waiting.path)
        except Exception as error:  # noqa: BLE001 - one bad file must not hold up the others
            left.append((waiting.path, str(error) or type(error).__name__))
    _forget_old_notes(archive.root)
    return Drained(tuple(recorded), tuple(left))


def _drain(path: Path, archive: Archive) -> bool:
    with path.open("rb") as file:
        if not try_lock(file):
            return False
        if path.suffix == ".statements":
            archive.record(*read_statements(path, namespace=archive.namespace))
        else:
            from wherefrom.capture.recorder.service import replay

            replay(file, str(archive.root), archive)
        path.unlink(missing_ok=True)
    return True


def _forget_old_notes(root: Path) -> None:
    """Children notes of runs that never ended, and so never took them."""
    for path in (root / ".wherefrom" / "outbox").glob("*.children"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD_S:
                path.unlink()
