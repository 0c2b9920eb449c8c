"""One recorder at work: from frames to recorded runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from wherefrom.capture import config as configuration
from wherefrom.capture.channel import say
from wherefrom.capture.frames import FrameReader
from wherefrom.capture.recorder.book import Book
from wherefrom.capture.recorder.contents import Reader
from wherefrom.capture.recorder.known import KnownRecords
from wherefrom.capture.recorder.notary import Notary
from wherefrom.capture.recorder.patience import Patience
from wherefrom.capture.recorder.sink import Sink
from wherefrom.errors import FormatError, WherefromError

_WORKERS = 2


class Service:
    """Takes the frames of one pipe, or of one spool file, and records what they say.

    Attributes:
        last_ns: Unix time of the last message, 0 before the first.
    """

    def __init__(
        self,
        root: str,
        *,
        sink: Sink | None = None,
        answer: Callable[[int], None] = lambda _: None,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        """`sink`: an archive that is open already; by default that of the project folder `root`, opened when needed."""
        config, problem = _read_config(root)
        self._frames = FrameReader()
        self._reader = Reader(KnownRecords(root), records_max_bytes=config.records_max_bytes)
        self._notary = Notary(root, config, sink=sink, on_open=on_open)
        self._patience = Patience(self._reader.describe)
        self._answer = answer
        self.last_ns = 0
        self._book = Book(
            root,
            config,
            reader=self._reader,
            notary=self._notary,
            answer=self._answered,
            problem=problem,
            workers=_WORKERS,
        )

    def take(self, frame: bytes) -> bool:
        """Take one frame. False when it says that nothing more comes. What can't be understood becomes a gap."""
        message: dict[str, Any] = {}
        try:
            message = self._frames.feed(frame.removesuffix(b"\n")) or {}
            if message.get("do") == "bye":
                return False
            if "ask" in message:
                self._patience.begin()
            if message:
                self.last_ns = message.get("at", self.last_ns)
                self._book.handle(message)
        except FormatError as error:
            self._book.note_problem(str(error), message)
        except Exception as error:  # noqa: BLE001 - one message that we can't handle must not cost the others
            self._book.note_problem(f"message {message.get('do')!r}: {type(error).__name__}: {error}", message)
            if "ask" in message:
                self._answered(message["ask"])
        return True

    def finish(self, *, at_ns: int) -> dict[str, Any]:
        """End what is open, and wait until everything is recorded: what it cost, in seconds. Raises what went wrong.

        `at_ns`: Unix time when the process was gone.
        """
        with self._patience:
            self._book.close(at_ns=at_ns)
        return {
            "done": True,
            "hashing_s": sum(future.result().seconds for future in self._book.hashed),
            "waited_s": self._notary.waited_s,
            "recording_s": self._notary.recorded_s,
        }

    def note_late_changes(self) -> None:
        """To be called once the captured process is gone."""
        self._book.note_late_changes()

    def _answered(self, number: int) -> None:
        self._patience.end()
        self._answer(number)


def replay(frames: Iterable[bytes], root: str, sink: Sink) -> None:
    """Record what a spool file says, into an archive that is open. Raises what went wrong."""
    service = Service(root, sink=sink)
    for frame in frames:
        if not service.take(frame):
            break
    service.finish(at_ns=service.last_ns or time.time_ns())


def _read_config(root: str) -> tuple[configuration.Config, str]:
    """The user's choices; when they can't be read, none, and why."""
    try:
        return configuration.read_config(root), ""
    except WherefromError as error:
        say(f"warning: {error}; no data is looked at until that is mended")
        return configuration.nothing(), f"{error}; no data was looked at"
