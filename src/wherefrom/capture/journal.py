"""What one run does, as its own process sees it: said to the recorder, each thing once.

Reading the same file again costs one look into a set; a file that is new costs one more append. A path is sent at once,
those that follow it closely in batches, at most `_BATCH_S` later, by a thread that lives only as long as there is
something to send.
"""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH100, PTH116

from __future__ import annotations

import _thread
import os
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wherefrom.capture.limits import limits
from wherefrom.capture.process import working_directory

if TYPE_CHECKING:
    from wherefrom.capture.channel import Channel

_BATCH_S = 0.05
_BATCH_NS = 50_000_000
_NOISE_SUFFIXES = (".py", ".pyc", ".so", ".pth", ".lock")
_NOISE_FOLDERS = ("/dev/", "/proc/", "/sys/")
_MAX_FAILURES = 5
_WAIT_BYTES = 64 * 1024**2


class Journal:
    """Safe for threads. Paths are as the program gave them: text, bytes, path-like or descriptors.

    Attributes:
        run_id: UUID.
        is_script: the run is the whole process, not a block of it.
        seen: paths read, as they were given; the audit hook looks in here.
    """

    def __init__(self, channel: Channel, run_id: str, *, is_script: bool = False) -> None:
        self.run_id = run_id
        self.is_script = is_script
        self.seen: set[Any] = set()
        self._channel = channel
        self._written: set[str] = set()
        self._declared: set[str] = set()
        self._pending: deque[str] = deque()
        self._pending_ns = 0
        self._is_scheduled = False
        self._nap = _thread.allocate_lock()
        self._nap.acquire()
        self._naps = 0
        self._failures: dict[str, int] = {}
        self._log_count = 0

    @property
    def written(self) -> frozenset[str]:
        """Absolute paths that were opened for writing, and not removed since."""
        return frozenset(self._written)

    # Files

    def read(self, path: Any) -> None:
        """A file that is not in `seen` is about to be opened for reading. As cheap as can be."""
        self.seen.add(path)
        if type(path) is not str:
            if type(path) is int:
                return
            path = os.fsdecode(path)
        if path.endswith(_NOISE_SUFFIXES):
            return
        self._pending.append(path)
        if not self._is_scheduled:
            self._is_scheduled = True
            before, self._pending_ns = self._pending_ns, time.time_ns()
            if self._pending_ns - before > _BATCH_NS:
                self.flush()
            else:
                self._schedule()

    def read_data(self, paths: list[str], *, via: str, known: str = "observed") -> None:
        """Data sets are about to be read, as a wrapper sees it: files, and folders that are meant as a whole."""
        new = [path for path in paths if (path, via) not in self.seen]
        if new:
            self.seen.update((path, via) for path in new)
            self.flush()
            where = {"paths": new, "cwd": working_directory(), "folders": True}
            self.say("read", **where, via=via, known=known)

    def write(self, path: Any, *, via: str, known: str = "observed", is_folder: bool = False) -> None:
        """A file is about to be written. Returns once what is overwritten, and was read before, is hashed."""
        absolute = _resolve(path)
        if absolute is None or (absolute in self._written and absolute not in self._declared):
            return
        self._written.add(absolute)
        if known == "declared":
            self._declared.add(absolute)
        else:
            self._declared.discard(absolute)
            self.seen.add(path)
        self.flush()
        self._say_or_ask(os.path.lexists(absolute), "write", path=absolute, via=via, known=known, folder=is_folder)

    def update(self, path: Any, *, via: str) -> None:
        """A file is about to be opened for reading and writing: what it holds now is an input.

        Waits until that is hashed, unless the file is large: then a write that comes too soon makes a gap.
        """
        absolute = _resolve(path)
        if absolute is None or absolute in self._written:
            return
        self._written.add(absolute)
        self.flush()
        try:
            size = os.stat(absolute).st_size
        except OSError:
            is_waiting = False
        else:
            self.say("read", paths=[absolute], cwd="/", via=via)
            is_waiting = size <= _WAIT_BYTES
        self._say_or_ask(is_waiting, "write", path=absolute, via=via, known="observed", folder=False)

    def rename(self, source: Any, target: Any) -> None:
        before, after = _resolve(source), _resolve(target)
        if before is None or after is None or before == after:
            return
        self.flush()
        is_ours = before in self._written and (after in self._written or not os.path.lexists(after))
        self._say_or_ask(not is_ours, "rename", path=before, to=after)
        self._written.discard(before)
        self._written.add(after)
        self.seen.discard(source)

    def remove(self, path: Any) -> None:
        absolute = _resolve(path)
        if absolute is None or not os.path.lexists(absolute):
            return
        self.flush()
        self._say_or_ask(absolute not in self._written, "remove", path=absolute)
        self._written = {p for p in self._written if p != absolute and not p.startswith(f"{absolute}/")}
        self.seen.discard(path)

    # Everything else

    def say(self, do: str, **members: Any) -> None:
        self._channel.send({"do": do, "run": self.run_id, "at": time.time_ns(), **members})

    def gap(self, what: str, detail: str, path: str = "") -> None:
        """Something was not seen."""
        self.say("gap", what=what, detail=detail, path=path)

    def child(self, argv: Any) -> None:
        """Another program is about to be started."""
        self.flush()
        self.say("child", argv=[os.fsdecode(part) if isinstance(part, bytes) else str(part) for part in argv])

    def log(self, **record: Any) -> None:
        """Keep a log record, up to so many."""
        self._log_count += 1
        if self._log_count <= limits.log_max_records:
            self.say("log", **record)

    def failed(self, hook: str, error: BaseException) -> None:
        """A hook of ours failed: a gap, never the program's problem."""
        self._failures[hook] = self._failures.get(hook, 0) + 1
        with suppress(Exception):
            self.gap("hook failed", f"{hook}: {type(error).__name__}: {error}")

    def is_off(self, hook: str) -> bool:
        """Whether a hook failed so often that it is not called any more."""
        return self._failures.get(hook, 0) >= _MAX_FAILURES

    def end(self, **members: Any) -> None:
        self.flush()
        if self._log_count > limits.log_max_records:
            self.say("log", dropped=self._log_count - limits.log_max_records)
        self.say("end", **members)

    # Sending

    def flush(self) -> None:
        """Send what waits. Whoever appends meanwhile is either taken along or schedules the next flush."""
        self._is_scheduled = False
        batch = []
        with suppress(IndexError):
            while True:
                batch.append(self._pending.popleft())
        if batch:
            where = {"joined": "\0".join(batch), "cwd": working_directory(), "via": "open"}
            self._channel.send({"do": "read", "run": self.run_id, "at": self._pending_ns, **where})

    def _schedule(self) -> None:
        if self._channel.is_shared:  # a forked child may end at any time, without a word
            self.flush()
            return
        try:
            self._naps += 1
            _thread.start_new_thread(self._flush_later, ())
        except RuntimeError:  # no threads any more: the interpreter is ending
            self._naps -= 1
            self.flush()

    def _flush_later(self) -> None:
        with suppress(Exception):
            self._nap.acquire(True, _BATCH_S)
            self.flush()
        self._naps -= 1

    def before_fork(self) -> None:
        """Send what waits, and let our thread end: Python 3.12 warns who forks while threads run."""
        self.flush()
        if self._naps:
            self._nap.release()
            deadline = time.monotonic() + _BATCH_S
            while self._naps and time.monotonic() < deadline:
                time.sleep(0.0005)
            self._nap.acquire(False)

    def after_fork(self) -> None:
        """In the child: what waited was the parent's to send."""
        self._pending.clear()
        self._is_scheduled, self._naps = False, 0
        self._nap = _thread.allocate_lock()
        self._nap.acquire()

    def _say_or_ask(self, is_asking: bool, do: str, **members: Any) -> None:
        message = {"do": do, "run": self.run_id, "at": time.time_ns(), **members}
        (self._channel.ask if is_asking else self._channel.send)(message)


def _resolve(path: Any) -> str | None:
    """The absolute path, None for descriptors and for what is certainly no data."""
    if isinstance(path, int):
        return None
    absolute = os.path.abspath(os.fsdecode(path))
    if absolute.endswith(_NOISE_SUFFIXES) or absolute.startswith(_NOISE_FOLDERS):
        return None
    return absolute
