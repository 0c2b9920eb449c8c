"""One recorder at work: from frames to recorded runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from wherefrom.capture import config as configuration
from wherefrom.capture.channel import say
from wherefrom.capture.frames import FrameReader
from wherefrom.capture.recorder.book import Book
from wherefrom.capture.recorder.contents import Reader
from wherefrom.capture.recorder.draining import drain_into
from wherefrom.capture.recorder.known import KnownRecords
from wherefrom.capture.recorder.notary import Notary
from wherefrom.capture.recorder.patience import Patience
from wherefrom.capture.recorder.sink import RemoteSink, Sink
from wherefrom.capture.remote import find_remote
from wherefrom.errors import FormatError, WherefromError

if TYPE_CHECKING:
    from wherefrom.capture.recorder.sender import Courier

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
        """`sink`: where to record; by default the server or the archive of the project folder `root`, when needed."""
        config, problem = read_choices(root)
        self._root = root
        self._config = config
        self._remote = find_remote(root, config) if sink is None else None
        self._courier: Courier | None = None
        self._frames = FrameReader()
        self._reader = Reader(KnownRecords(root), records_max_bytes=config.records_max_bytes)
        opener = self._open_remote if self._remote else None
        self._notary = Notary(root, config, sink=sink, on_open=on_open, open_sink=opener)
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

    def send_rest(self) -> None:
        """Go on sending to the server for as long as the project says; what is left then, a later recorder sends."""
        if self._courier is None or self._remote is None:
            return
        deadline = time.monotonic() + self._remote.send_for_s
        drain_into(self._open_remote(), self._root, until=deadline)
        self._courier.finish(max(0.0, deadline - time.monotonic()))

    def _open_remote(self) -> RemoteSink:
        sink = RemoteSink.open(self._root, namespace=self._config.namespace, on_kept=self._notify)
        if self._courier is None and self._remote is not None:
            from wherefrom.capture.recorder.delivering import start_courier

            self._courier = start_courier(self._root, self._remote)
        return sink

    def _notify(self) -> None:
        if self._courier is not None:
            self._courier.notify()

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


def read_choices(root: str) -> tuple[configuration.Config, str]:
    """The user's choices; when they can't be read, none, and why."""
    try:
        return configuration.read_config(root), ""
    except WherefromError as error:
        say(f"warning: {error}; no data is looked at until that is mended")
        return configuration.nothing(), f"{error}; no data was looked at"
