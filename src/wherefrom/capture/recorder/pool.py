"""Threads that work through jobs in order, but for one that somebody waits for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Unlike the executors of the standard library, it lets a job be moved to the front."""

    def __init__(self, workers: int) -> None:
        self._waiting: deque[tuple[Future[T], Callable[[], T]]] = deque()
        self._changed = threading.Condition()
        for _ in range(workers):
            threading.Thread(target=self._work, daemon=True).start()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            self._waiting.append((future, job))
            self._changed.notify()
        return future

    def hurry(self, future: Future[T]) -> None:
        """Do this next, unless it is under way or done."""
        with self._changed:
            for item in self._waiting:
                if item[0] is future:
                    self._waiting.remove(item)
                    self._waiting.appendleft(item)
                    return

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                future, job = self._waiting.popleft()
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
                future.set_exception(error)
