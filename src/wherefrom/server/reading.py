"""Reading what senders bring: events are parsed, checked and signed, in processes of their own or in one thread.

That is most of the work on an event, and needs neither the database nor the order of the ledger. Who comes while all
are busy is read together with the others who came, by the next that is free.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Final, NamedTuple

from wherefrom.archive.folder import ArchiveFolder
from wherefrom.archive.keyring import Keyring
from wherefrom.archive.taking import Taken, read_one
from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.ledger import Signed, sign_statement
from wherefrom.server.array_items import read_array
from wherefrom.server.errors import too_large
from wherefrom.server.logs import log
from wherefrom.server.promises import Promise, keep
from wherefrom.server.settings import Settings
from wherefrom.statements import Statement

WHAT: Final = "OpenLineage event"
BATCH: Final = "batch"
# What one process is given at once, so that it is never without work while its answer is taken.
UNDER_WAY_EACH: Final = 2
MAX_TOGETHER_BYTES: Final = 262_144
_NAMES: Final = ("namespace", "name")


class Written(NamedTuple):
    """An event that was read and signed, and the namespaces that it writes to, which the sender must be let into."""

    namespaces: list[str]
    signed: Signed


Read = Written | Taken  # an event, or why it is refused


class Brought(NamedTuple):
    """What a request brought: an event, or an array of them."""

    body: bytes
    is_batch: bool
    strict: bool


class Readers:
    """Safe for many threads and event loops."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._make_pool = functools.partial(_make_pool, folder, settings)
        self._pool = self._make_pool()
        self._most_under_way = UNDER_WAY_EACH * (settings.readers or 1)
        self._under_way = 0
        self._waiting: deque[tuple[Brought, Promise[list[Read]]]] = deque()
        self._lock = threading.RLock()
        self._is_closed = False

    def start(self) -> None:
        """Start the processes, which takes them a second; else the first who comes waits for them."""
        self._pool.submit(os.getpid)

    async def read(self, brought: Brought) -> list[Read]:
        """What becomes of each event, in order.

        Raises FormatError, RequestError: no array of events, too many. Raises UnavailableError when the key that signs
        can't be used, or the process that read was ended by somebody else.
        """
        promise: Promise[list[Read]] = Promise.make()
        with self._lock:
            self._waiting.append((brought, promise))
            self._send()
        return await promise.future

    def close(self) -> None:
        """Finish what is being read, and end the processes."""
        with self._lock:
            self._is_closed = True
            pool = self._pool
        pool.shutdown()

    def _send(self) -> None:
        while self._waiting and self._under_way < self._most_under_way:
            some, size = [self._waiting.popleft()], 0
            while self._waiting and (size := size + len(some[-1][0].body)) < MAX_TOGETHER_BYTES:
                some.append(self._waiting.popleft())
            self._under_way += 1
            try:
                work = self._pool.submit(_read_all, [brought for brought, _ in some])
            except (BrokenProcessPool, RuntimeError) as error:  # the latter: it is closed
                work = Future()
                work.set_exception(error)
            work.add_done_callback(functools.partial(self._finish, [promise for _, promise in some]))

    def _finish(self, promises: Sequence[Promise[list[Read]]], work: Future[list[list[Read] | WherefromError]]) -> None:
        with self._lock:
            self._under_way -= 1
            if (error := work.exception()) is None:
                keep(zip(promises, work.result(), strict=True))
            else:
                log("events could not be read", level=40, error=error, requests=len(promises))
                if isinstance(error, BrokenProcessPool) and not self._is_closed:
                    self._pool.shutdown(wait=False)
                    self._pool = self._make_pool()
                keep([(promise, UnavailableError("the events could not be read")) for promise in promises])
            self._send()


def _make_pool(folder: Path, settings: Settings) -> Executor:
    if not settings.readers:
        return ThreadPoolExecutor(1, "wherefrom-reading", _begin, (folder, settings))
    # Started anew and not forked: the server has threads, which a fork would leave behind in the middle of something.
    return ProcessPoolExecutor(
        settings.readers, multiprocessing.get_context("spawn"), _begin_process, (folder, settings)
    )


_own = threading.local()  # the reader of a reading thread, or of a reading process, which has one


def _begin(folder: Path, settings: Settings) -> None:
    _own.reader = _Reader(Keyring(ArchiveFolder(folder)), settings)


def _begin_process(folder: Path, settings: Settings) -> None:
    # Whoever stops the server may signal all processes of its group; it still needs those that read for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _begin(folder, settings)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read_all(many: Sequence[Brought]) -> list[list[Read] | WherefromError]:
    return [_own.reader.read(brought) for brought in many]


class _Reader:
    def __init__(self, keys: Keyring, settings: Settings) -> None:
        self._keys, self._settings = keys, settings

    def read(self, brought: Brought) -> list[Read] | WherefromError:
        try:
            keys = self._keys.read_keys("producer")
            found = self._read_batch(brought) if brought.is_batch else [self._read_event(brought.body, brought.strict)]
            return [
                one if isinstance(one, Taken) else Written(namespaces_written(one.predicate), sign_statement(one, keys))
                for one in found
            ]
        except WherefromError as error:
            return error

    def _read_event(self, body: bytes, strict: bool) -> Statement | Taken:
        """Read an event; one that has a name beyond all measure is refused, however lenient."""
        read = read_one(body, strict=strict)
        if isinstance(read, Statement) and len(body) > self._settings.max_name_bytes:
            try:
                _check_names(read.predicate, self._settings.max_name_bytes)
            except FormatError as error:
                return Taken(None, (), error)
        return read

    def _read_batch(self, brought: Brought) -> list[Statement | Taken]:
        def read(item: bytes) -> Statement | Taken | FormatError:
            found = self._read_event(item, brought.strict)
            if isinstance(found, Taken) and found.error is not None and found.event is None:
                return found.error
            return found

        most = self._settings.max_batch
        try:
            items: list[Statement | Taken | FormatError] = read_array(brought.body, read, what=BATCH, most=most)
        except OverflowError as error:
            raise too_large(f"the batch has over {most} events") from error
        return [Taken(None, (), one) if isinstance(one, FormatError) else one for one in items]


def namespaces_written(event: Any) -> list[str]:
    """Where an event is written: the namespaces of its job, and of the data set that it is about.

    An event that says neither is written in the namespace "", which only who may write in all of them may.
    """
    owners = [event[key] for key in ("job", "dataset") if key in event] if isinstance(event, dict) else []
    found = [owner.get("namespace") if isinstance(owner, dict) else None for owner in owners]
    return [name if isinstance(name, str) else "" for name in found] or [""]


def _check_names(event: Any, most: int) -> None:
    """Raise FormatError, with the path, for a name or namespace of more than so many bytes."""
    for path, name in _iter_names(event):
        if len(name) > most // 4 and (size := len(name.encode("utf-8", "surrogatepass"))) > most:
            raise FormatError(f"{WHAT}: {path}: has {size} bytes, expected at most {most}")


def _iter_names(event: Any) -> Iterator[tuple[str, str]]:
    rest: list[tuple[str, Any]] = [("$", event)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, str):
                    if key in _NAMES:
                        yield f"{path}.{key}", inner
                elif isinstance(inner, dict | list):
                    rest.append((f"{path}.{key[:100]}", inner))
        elif isinstance(value, list):
            rest += [(f"{path}[{i}]", inner) for i, inner in enumerate(value) if isinstance(inner, dict | list)]
