"""Work spread over the cores this process may use, results in order, a bounded number of them in memory."""

from __future__ import annotations

import contextvars
import os
from collections import deque
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def leaves_at_once(total_bytes: int, *, most: int) -> int:
    """How many leaf hashes an item of work may hold so that all threads and their queue keep near a total.

    From 2**14, or fewer if `most` is less, to `most`, which is a multiple of 256 as the result is.
    """
    # A hash in the queue takes 32 bytes, one at work three times as many.
    fitting = total_bytes // (2 * worker_count() * 3 * 32)
    return min(most, max(2**14, fitting // 256 * 256))


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
    """`map` in threads. At most twice as many items as there are workers are taken ahead of the result in turn.

    Threads see the caller's context variables. An error in an item is raised in its turn; what was queued behind it is
    dropped.
    """
    if worker_count() == 1:
        yield from map(function, items)
        return
    with OrderedWork(function) as work:
        for item in items:
            yield from work.put(item)
        yield from work.drain()


class OrderedWork(Generic[Item, Result]):
    """`ordered_map` for items that are pushed. Used by one thread, as a context manager."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._function = function
        self._most = 2 * worker_count()
        self._pending: deque[Future[Result]] = deque()
        self._executor: ThreadPoolExecutor | None = None
        self._context = contextvars.copy_context()

    def put(self, item: Item) -> Iterator[Result]:
        """Queue an item; yields what must be taken before there is room for another."""
        if self._executor is None:
            # Loads logging, which a process that needs no threads starts faster without.
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(worker_count(), thread_name_prefix="wherefrom-fingerprint")
        self._pending.append(self._executor.submit(self._context.copy().run, self._function, item))
        if len(self._pending) >= self._most:
            yield self._pending.popleft().result()

    def drain(self) -> Iterator[Result]:
        """Yields all that is left."""
        while self._pending:
            yield self._pending.popleft().result()

    def close(self) -> None:
        """Drop what has not begun, and wait for what has."""
        self._pending.clear()
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
