"""The way from the captured process to its recorder: a pipe, and a file when there is no recorder at its other end.

Nothing here may stop the user's program: a recorder that dies, hangs or never starts turns the channel over to the
spool file `.wherefrom/outbox/<id>.messages`, which `drain_outbox` records later; when that can't be written either,
what would have been recorded is dropped, and said so once.
"""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH103, PTH118, PTH119, PTH120

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from wherefrom.capture.frames import MIN_FRAME_BYTES, format_frames
from wherefrom.capture.locate import OUTBOX

RECORDER_FLAG = "WHEREFROM_RECORDER"
"""Set in a recorder's environment, so that it doesn't capture itself."""

REPLIES = 4
"""The recorder's descriptor for replies. Not its stdout: whatever prints there must not print into them."""

_STALL_S = 10.0
_PIPE_BYTES = 1 << 20
# The pipe may hold this much that a dead recorder never read; twice the pipe covers frames written while it was full.
_KEEP_BYTES = 2 * _PIPE_BYTES
_F_SETPIPE_SZ = 1031  # Linux; other systems refuse it, and keep their size
# Above the descriptors that a shell can redirect (3 to 9), and out of the way of programs that number their own.
_FIRST_DESCRIPTOR = 100


def say(text: str) -> None:
    """Tell the user something, on stderr; never raises."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"wherefrom: {text}\n")
        sys.stderr.flush()


class Channel:
    """One per captured process; safe for threads, for signal handlers and for forked children.

    Attributes:
        is_shared: this process is a forked child: replies belong to its parent, so it never waits for any.
    """

    def __init__(self, root: str, spool_name: str) -> None:
        self.is_shared = False
        self._spool_path = os.path.join(root, OUTBOX, f"{spool_name}.messages")
        self._pipe: int | None = None
        self._replies: int | None = None
        self._identities: dict[int, tuple[int, int]] = {}
        self._reply_text = b""
        self._spool: int | None = None
        self._is_dead = False
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._frame_bytes = MIN_FRAME_BYTES
        self._questions = 0
        self._answered: set[int] = set()
        self._done: dict[str, Any] = {}
        self._start_sender()

    def _start_sender(self) -> None:
        self._lock = threading.RLock()
        self._reply_lock = threading.RLock()
        self._sender = f"{os.getpid():x}-{time.monotonic_ns():x}"
        self._sequence = 0

    def adopt_fork(self) -> None:
        """Called in a forked child, where the other threads and whatever they held are gone."""
        self._start_sender()
        self.is_shared = True
        self._kept.clear()
        self._kept_bytes = 0

    # The recorder

    def start_recorder(self, root: str) -> None:
        """Start a recorder; when that fails, messages go to the spool file."""
        try:
            ends = spawn_recorder(root, os.path.basename(self._spool_path))
        except OSError as error:
            self._lose(f"can't start the recorder: {error.strerror or error}")
        else:
            self.attach(*ends)

    @property
    def pipe(self) -> int | None:
        """The end that is written to, None when there is no recorder."""
        return self._pipe

    def attach(self, pipe: int, replies: int | None) -> None:
        """Use a recorder that is running: the ends to write to and to read from, None when replies are another's."""
        os.set_blocking(pipe, False)
        self._pipe, self._replies = pipe, replies
        self._identities = {end: _identity(end) for end in (pipe, replies) if end is not None}
        with suppress(OSError, ValueError):
            self._frame_bytes = max(MIN_FRAME_BYTES, os.fpathconf(pipe, "PC_PIPE_BUF"))

    # Saying

    def send(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._sequence += 1
            frames = format_frames(message, sender=self._sender, sequence=self._sequence, frame_bytes=self._frame_bytes)
            self._send_frames(frames)

    def _send_frames(self, frames: Iterable[bytes]) -> None:
        remaining = iter(frames)
        if self._pipe is not None:
            try:
                self._check(self._pipe)
                with _no_sigpipe() if signal.getsignal(signal.SIGPIPE) is not signal.SIG_IGN else nullcontext():
                    for frame in remaining:
                        self._keep(frame)
                        self._write_pipe(self._pipe, frame)
            except OSError as error:
                self._lose(f"the recorder is gone: {error.strerror or error}")
        for frame in remaining:
            self._write_spool(frame)

    def _keep(self, frame: bytes) -> None:
        self._kept.append(frame)
        self._kept_bytes += len(frame)
        while self._kept_bytes > _KEEP_BYTES:
            self._kept_bytes -= len(self._kept.popleft())

    def _check(self, end: int) -> None:
        if _identity(end) != self._identities.get(end):  # the program closed all its files, and opened others
            raise OSError(errno.EBADF, "its pipe was closed")

    def _close_pipe(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            with suppress(OSError):
                self._check(pipe)
                os.close(pipe)

    def _write_pipe(self, pipe: int, frame: bytes) -> None:
        while True:
            try:
                os.write(pipe, frame)
                return
            except BlockingIOError:
                poll = select.poll()
                poll.register(pipe, select.POLLOUT)
                if not poll.poll(_STALL_S * 1000):
                    raise OSError(errno.ETIMEDOUT, f"it read nothing for {_STALL_S:.0f} s") from None

    def _lose(self, why: str) -> None:
        """Turn over to the spool file, with what the recorder may not have read."""
        self._replies = None
        self._close_pipe()
        kept, self._kept = list(self._kept), deque()
        try:
            os.makedirs(os.path.dirname(self._spool_path), exist_ok=True)
            self._spool = os.open(self._spool_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._is_dead = True
            say(f"warning: this run is not recorded: {why}; and can't write '{self._spool_path}': {error.strerror}")
            return
        if not self.is_shared:
            say(f"warning: {why}; what happens is kept in '{self._spool_path}' (`wherefrom status` shows what waits)")
        for frame in kept:
            self._write_spool(frame)

    def _write_spool(self, frame: bytes) -> None:
        if self._spool is None or self._is_dead:
            return
        try:
            os.write(self._spool, frame)
        except OSError as error:
            self._is_dead = True
            say(f"warning: this run is not recorded: can't write '{self._spool_path}': {error.strerror}")

    # Asking

    def ask(self, message: dict[str, Any]) -> None:
        """Send, and wait until the recorder has done what must come first, such as hashing what will be lost."""
        if self.is_shared:
            self.send(message)
            return
        with self._lock:
            self._questions += 1
            number = self._questions
            self.send({**message, "ask": number})
        while number not in self._answered and self._replies is not None:
            with self._reply_lock:
                if number not in self._answered:
                    self._read_reply()
        self._answered.discard(number)

    def finish(self) -> dict[str, Any]:
        """Say that this process ends, and wait until all is recorded: what the recorder says, {} when it can't."""
        self.send({"do": "bye"})
        while self._pipe is not None and not self._done and self._replies is not None:
            with self._reply_lock:
                self._read_reply()
        with self._lock:
            if self._spool is not None:
                with suppress(OSError):
                    os.fsync(self._spool)
                    os.close(self._spool)
            self._close_pipe()
            self._spool = None
            self._is_dead = True
        return self._done

    def _read_reply(self) -> None:
        """Take one reply; without a recorder that replies, turn over to the spool file."""
        line, newline, rest = self._reply_text.partition(b"\n")
        if newline:
            self._reply_text = rest
            reply = json.loads(line)
            if "answer" in reply:
                self._answered.add(reply["answer"])
            else:
                self._done = reply
            return
        if self._replies is None:
            return
        why = "it ended before it was done"
        try:
            self._check(self._replies)
            more = os.read(self._replies, 4096)
        except OSError as error:
            more, why = b"", error.strerror or why
        self._reply_text += more
        if not more:
            self._replies = None
            with self._lock:
                self._lose(f"the recorder is gone: {why}")


def _identity(end: int) -> tuple[int, int]:
    state = os.fstat(end)
    return state.st_dev, state.st_ino


@contextmanager
def _no_sigpipe() -> Iterator[None]:
    """Keep a dead recorder from killing a program that set SIGPIPE to its default."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before:
            if signal.SIGPIPE in signal.sigpending():
                signal.sigwait({signal.SIGPIPE})
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def spawn_recorder(root: str, spool_name: str) -> tuple[int, int]:
    """Start a recorder that is nobody's child: (pipe to it, its replies). Raises OSError.

    A shell starts it in the background and ends, so that a program which waits for all of its children doesn't
    wait for ours, and ^C at the terminal doesn't reach it.
    """
    # -P: a json.py in the user's folder must not become ours.
    command = [sys.executable, "-P", "-m", "wherefrom.capture.recorder", root, spool_name]
    if not sys.executable:
        raise OSError(errno.ENOENT, "this Python doesn't know its own executable")
    stdin, pipe = _high_pipe()
    replies, ours = _high_pipe()
    try:
        with suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
        environment = {**os.environ, RECORDER_FLAG: "1"}
        # The shell gives a background command /dev/null as stdin unless it is told otherwise: hence descriptor 3.
        actions = [(os.POSIX_SPAWN_DUP2, stdin, 3), (os.POSIX_SPAWN_DUP2, ours, REPLIES)]
        shell = ["sh", "-c", '"$@" <&3 3<&- >/dev/null &', "sh", *command]
        process = os.posix_spawn("/bin/sh", shell, environment, file_actions=actions)
        with suppress(ChildProcessError):
            os.waitpid(process, 0)
    except OSError:
        os.close(pipe)
        os.close(replies)
        raise
    finally:
        os.close(stdin)
        os.close(ours)
    return pipe, replies


def _high_pipe() -> tuple[int, int]:
    ends = os.pipe()
    try:
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_DESCRIPTOR) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return read, write
