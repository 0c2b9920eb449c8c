"""Says on stderr what the captured process waits for, when it has to wait for long."""

from __future__ import annotations

import threading
from collections.abc import Callable

from wherefrom.capture.channel import say

_FIRST_S = 2.0
_AGAIN_S = 30.0


class Patience:
    """Counts who waits. As a context manager: somebody waits inside."""

    def __init__(self, describe: Callable[[], str]) -> None:
        """`describe` says what is being done, "" when that is not known."""
        self._describe = describe
        self._waiting = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self) -> None:
        with self._changed:
            self._waiting += 1
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._waiting -= 1
            self._changed.notify()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *_: object) -> None:
        self.end()

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                timeout = _FIRST_S
                while not self._changed.wait_for(lambda: not self._waiting, timeout):
                    what = self._describe()
                    say(f"waiting for {what}" if what else "waiting until everything is recorded")
                    timeout = _AGAIN_S
