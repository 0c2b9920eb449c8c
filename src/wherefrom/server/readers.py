"""Those that read what senders bring: processes of their own, or one thread of the server.

Who comes while all are busy is read together with the others who came, by the next that is free. A process gets its
work by its standard input, and ends with that, so that none outlives its server; standard output takes its answers.
"""

from __future__ import annotations

import contextlib
import fcntl
import pickle  # nosec B403
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from wherefrom.archive.folder import ArchiveFolder
from wherefrom.archive.keyring import Keyring
from wherefrom.errors import UnavailableError, WherefromError
from wherefrom.server.errors import overloaded
from wherefrom.server.logs import log
from wherefrom.server.promises import Promise, keep
from wherefrom.server.reading import Brought, Read, Reader
from wherefrom.server.running import keep_collector_calm
from wherefrom.server.settings import Settings

# What one is given at once, so that it is never without work while its answer is taken.
MOST_UNDER_WAY: Final = 2
MAX_TOGETHER_BYTES: Final = 262_144
# Of a pipe: the answer to a batch fits in, so that nobody waits for somebody to empty it. Linux lets anybody have that.
_PIPE_BYTES: Final = 1 << 20
_COMMAND: Final = "from wherefrom.server.readers import serve_standard_input; serve_standard_input()"
_LENGTH: Final = struct.Struct("!Q")

Answers = list[list[Read] | WherefromError]


@dataclass(eq=False)
class _Work:
    brought: list[Brought]
    promises: list[Promise[list[Read]]]


class _Worker(Protocol):
    """Answers each work that it is given, in order, by `Readers.answer`; or says once that it can't: `Readers.lose`."""

    under_way: int

    def give(self, work: _Work) -> None: ...

    def take_back(self) -> list[_Work]:
        """What it was given and has not done, once it is lost and nothing more is given to it."""

    def close(self) -> None:
        """Finish what was given, and end."""


class Readers:
    """Safe for many threads and event loops."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder, self._settings = folder, settings
        self._waiting: deque[tuple[Brought, Promise[list[Read]]]] = deque()
        self._waiting_bytes = 0
        self._change = threading.Condition()
        self._workers: list[_Worker] = []
        self._is_closed = False

    def start(self) -> None:
        """Start the processes, which takes them a second; else the first who comes waits for them.

        Where none can be started now, that is logged, and tried again for who comes.
        """
        with self._change:
            try:
                self._find_free()
            except OSError as error:
                self._refuse_all(error)

    async def read(self, brought: Brought) -> list[Read]:
        """What becomes of each event, in order.

        Raises what `Reader.read` gives; RequestError (503): too much waits, or the server stops; UnavailableError: the
        process that read was ended by somebody else.
        """
        promise: Promise[list[Read]] = Promise.make()
        with self._change:
            if self._is_closed:
                raise overloaded("the server is stopping")
            # Somebody who comes when nobody waits is always taken, however much he brings.
            if self._waiting and self._waiting_bytes + len(brought.body) > self._settings.max_waiting_bytes:
                raise overloaded(f"{len(self._waiting)} requests wait to be read already")
            self._waiting.append((brought, promise))
            self._waiting_bytes += len(brought.body)
            self._hand_out()
        return await promise.future

    def close(self) -> None:
        """Finish what is being read, and end the processes."""
        with self._change:
            self._is_closed = True
            self._change.wait_for(lambda: not self._waiting and not any(worker.under_way for worker in self._workers))
            workers = list(self._workers)
        for worker in workers:
            worker.close()

    def answer(self, worker: _Worker, work: _Work, answers: Answers) -> None:
        """A worker has done its oldest work."""
        with self._change:
            worker.under_way -= 1
            self._hand_out()
            self._change.notify_all()
        keep(zip(work.promises, answers, strict=True))

    def lose(self, worker: _Worker) -> None:
        """A worker is no more: another takes its place, and who waits for it is told."""
        with self._change:
            self._workers.remove(worker)
        promises = [promise for work in worker.take_back() for promise in work.promises]
        log("a process that reads events was lost", level=40, requests=len(promises))
        _refuse(promises, "the events could not be read")
        with self._change:
            self._hand_out()
            self._change.notify_all()

    def _hand_out(self) -> None:
        try:
            self._give_all()
        except OSError as error:
            self._refuse_all(error)

    def _refuse_all(self, error: OSError) -> None:
        """Tell all who wait that no process could be started."""
        log("no process to read events can be started", level=40, error=error)
        _refuse([promise for _, promise in self._waiting], f"no process can be started: {error.strerror}")
        self._waiting.clear()
        self._waiting_bytes = 0

    def _give_all(self) -> None:
        while self._waiting and (worker := self._find_free()):
            work, size = _Work([], []), 0
            while self._waiting and (not work.brought or size < MAX_TOGETHER_BYTES):
                brought, promise = self._waiting.popleft()
                work.brought.append(brought)
                work.promises.append(promise)
                size += len(brought.body)
            self._waiting_bytes -= size
            worker.under_way += 1
            worker.give(work)

    def _find_free(self) -> _Worker | None:
        count = self._settings.readers or 0
        while len(self._workers) < max(1, count):
            made = _ProcessWorker if count else _ThreadWorker
            self._workers.append(made(self, self._folder, self._settings))
        least = min(self._workers, key=lambda worker: worker.under_way, default=None)
        return least if least and least.under_way < MOST_UNDER_WAY else None


def _refuse(promises: Sequence[Promise[list[Read]]], why: str) -> None:
    keep([(promise, UnavailableError(why)) for promise in promises])


class _ThreadWorker:
    def __init__(self, readers: Readers, folder: Path, settings: Settings) -> None:
        self.under_way = 0
        self._readers, self._reader = readers, Reader(Keyring(ArchiveFolder(folder)), settings)
        self._given: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="wherefrom-reading", daemon=True)
        self._thread.start()

    def give(self, work: _Work) -> None:
        self._given.put(work)

    def take_back(self) -> list[_Work]:
        return []  # it is never lost

    def close(self) -> None:
        self._given.put(None)
        self._thread.join()

    def _run(self) -> None:
        while work := self._given.get():
            self._readers.answer(self, work, _read_all(self._reader, work.brought))


class _ProcessWorker:
    """A process, and two threads of ours: one writes to it, one reads from it, so that neither side waits for both."""

    def __init__(self, readers: Readers, folder: Path, settings: Settings) -> None:
        self.under_way = 0
        self._is_closed = False
        self._readers, self._settings = readers, (folder, settings)
        self._given: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._sent: deque[_Work] = deque()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # what a terminal says to the server, it does not say to this
        )
        self._input, self._output = _pipe(self.process.stdin), _pipe(self.process.stdout)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def give(self, work: _Work) -> None:
        self._given.put(work)

    def take_back(self) -> list[_Work]:
        self._given.put(None)
        self._threads[0].join()
        left = list(self._sent)
        with contextlib.suppress(queue.Empty):
            while True:
                if work := self._given.get_nowait():
                    left.append(work)
        return left

    def close(self) -> None:
        self._is_closed = True
        self._given.put(None)
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        with contextlib.suppress(OSError), self._input:  # it is lost: who reads from it says so
            _send(self._input, self._settings)
            while work := self._given.get():
                self._sent.append(work)
                _send(self._input, work.brought)

    def _read(self) -> None:
        with self._output:
            while (answers := _receive(self._output)) is not None:
                self._readers.answer(self, self._sent.popleft(), answers)
        self.process.wait()
        if self._sent or not self._is_closed:
            self._readers.lose(self)


def serve_standard_input() -> None:
    """What such a process does: reads what comes, until nothing more can come."""
    # Whoever stops the server may signal all processes that belong to it; it still needs those that read for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    given, answers = _pipe(sys.stdin.buffer), _pipe(sys.stdout.buffer)
    sys.stdout = sys.stderr  # what anything prints is no answer
    if (settings := _receive(given)) is None:
        return
    folder, limits = settings
    reader = Reader(Keyring(ArchiveFolder(folder)), limits)
    keep_collector_calm()
    while (brought := _receive(given)) is not None:
        try:
            _send(answers, _read_all(reader, brought))
        except BrokenPipeError:  # the server is no more
            return


def _read_all(reader: Reader, many: Sequence[Brought]) -> Answers:
    return [_read(reader, brought) for brought in many]


def _read(reader: Reader, brought: Brought) -> list[Read] | WherefromError:
    try:
        return reader.read(brought)
    except Exception as error:  # noqa: BLE001 - whoever waits is answered, and the others are read
        log("reading failed", level=40, error=error, bytes=len(brought.body))
        return UnavailableError("the events could not be read")


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("no pipe")
    with contextlib.suppress(OSError, AttributeError):  # it has the size that the system gave it
        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return stream


def _send(stream: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    """What was sent; None when the other end is closed."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    [size] = _LENGTH.unpack(head)
    data = stream.read(size)
    return pickle.loads(data) if len(data) == size else None  # noqa: S301 - from a process of ours  # nosec B301
