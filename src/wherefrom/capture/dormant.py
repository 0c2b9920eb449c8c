"""What stands in for a run that begins only if there is something to record.

Under `wherefrom run`, every Python process that the command starts loads our hooks, helpers that touch no data too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from wherefrom.capture.journal import Journal

_NOISE = (".py", ".pyc", ".so", ".pth", ".lock", ".cfg", ".toml", ".dist-info")
_AWAKENING = {"fit", "dump", "name", "object", "read", "write"}


class Dormant:
    """Takes what a `Journal` takes; the first file that may be data begins the run."""

    def __init__(self, awaken: Callable[[], Journal | None]) -> None:
        """`awaken` begins the run, and gives its journal; None when that can't be done."""
        self.seen: set[Any] = set()
        self.is_script = True
        self._awaken = awaken
        self._said: list[tuple[str, dict[str, Any]]] = []
        self._installed = (sys.prefix, sys.base_prefix, "/proc/", "/sys/", "/dev/", "/etc/", "/usr/")

    def read(self, path: Any) -> None:
        self.seen.add(path)
        text = os.fsdecode(path) if isinstance(path, str | bytes) else ""
        if text and not text.endswith(_NOISE) and not text.startswith(self._installed):
            self._wake("read")(path)

    def say(self, do: str, **members: Any) -> None:
        if do in _AWAKENING:
            self._wake("say")(do, **members)
        else:
            self._said.append((do, members))

    def gap(self, what: str, detail: str, path: str = "") -> None:
        self.say("gap", what=what, detail=detail, path=path)

    def is_off(self, _: str) -> bool:
        return False

    def ignore(self, *_: Any, **__: Any) -> None:
        """Nothing to note before there is a run."""

    child = log = failed = flush = before_fork = after_fork = ignore

    def __getattr__(self, name: str) -> Any:
        return self._wake(name)

    def _wake(self, name: str) -> Any:
        journal = self._awaken()
        if journal is None:
            return self.ignore
        for do, members in self._said:
            journal.say(do, **members)
        self._said.clear()
        return getattr(journal, name)
