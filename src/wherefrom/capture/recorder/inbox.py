"""The recorder's end of the pipe, read by a thread of its own so that whoever writes never waits for hashing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import IO


class Inbox:
    """Frames as they come."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe: IO[bytes]) -> None:
        for frame in pipe:
            self._frames.put(frame)
        self._frames.put(None)

    def __iter__(self) -> Iterator[bytes]:
        """Until every process that could write has gone, or ended its part with `close`."""
        while (frame := self._frames.get()) is not None:
            yield frame

    def await_end(self, timeout_s: float) -> bool:
        """Wait until every process that could write has gone, passing over what they still say. Whether they have."""
        try:
            while self._frames.get(timeout=timeout_s) is not None:
                pass
        except queue.Empty:
            return False
        return True
