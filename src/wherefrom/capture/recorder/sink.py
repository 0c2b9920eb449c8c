"""Where statements go: the archive, or the outbox while the archive can't take them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wherefrom.capture.locate import ARCHIVES, FOLDER

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.statements import Statement


class Sink(Protocol):
    """What a recorder needs of `wherefrom.archive.Archive`."""

    namespace: str

    def record(self, *statements: Statement) -> object:
        """Record statements durably, all of them or none."""


def open_archive(root: str, *, namespace: str | None) -> tuple[Archive, bool]:
    """The archive of a project folder, made when there is none: (archive, whether it was made).

    Raises what `Archive.open` and `Archive.init` raise.
    """
    from wherefrom.archive import Archive

    # Several recorders may find that there is none: one makes it, and nobody opens it half made.
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if any((Path(root) / name).exists() for name in ARCHIVES):
            return Archive.open(Path(root) / FOLDER), False
        return Archive.init(Path(root), namespace=namespace), True
    finally:
        os.close(folder)
