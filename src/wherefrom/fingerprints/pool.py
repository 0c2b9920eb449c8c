"""Work spread over the cores this process may use, results in order, a bounded number of them in memory."""

from __future__ import annotations

import contextvars
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map` in threads. At most twice as many items as there are workers are taken ahead of the result in turn.

    Threads see the caller's context variables. An error in an item is raised in its turn; what was queued behind it is
    dropped.
    """
    workers = worker_count()
    if workers == 1:
        yield from map(function, items)
        return
    context = contextvars.copy_context()
    pending: deque[Future[Result]] = deque()
    executor = ThreadPoolExecutor(workers, thread_name_prefix="wherefrom-fingerprint")
    try:
        for item in items:
            pending.append(executor.submit(context.copy().run, function, item))
            if len(pending) >= 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
