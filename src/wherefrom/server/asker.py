"""Answering questions, one after the other, in a thread of its own: the graph takes one at a time, whoever holds it.

Those that wait together are answered from one snapshot of the database, begun after all of them were asked. A caller
waits on the event loop: many threads that wait for one graph, and for Python's own lock, would cost twice an answer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wherefrom.errors import WherefromError
from wherefrom.server.errors import overloaded
from wherefrom.server.promises import Promise, keep

if TYPE_CHECKING:
    from starlette.responses import Response

    from wherefrom.archive.live import LiveGraph, Sight

Answer = Callable[["Sight"], "Response"]

# Others want the graph too, and the snapshot holds back the database's housekeeping.
MAX_TOGETHER: Final = 64


@dataclass(frozen=True, eq=False)
class _Asked:
    answer: Answer
    promise: Promise[Response]


class Asker:
    """One for each application. `ask` belongs to event loops; the thread starts with the first question."""

    def __init__(self, live: LiveGraph) -> None:
        self._live = live
        self._change = threading.Condition()
        self._asked: deque[_Asked] = deque()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    async def ask(self, answer: Answer) -> Response:
        """What `answer` makes of the graph as it is with all that was acknowledged before. Raises what it raises.

        Raises RequestError (503) when the server stops, UnavailableError when the database can't be read.
        """
        asked = _Asked(answer, Promise.make())
        with self._change:
            if self._is_closed:
                raise overloaded("the server is stopping")
            self._asked.append(asked)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wherefrom-answers", daemon=True)
                self._thread.start()
            self._change.notify()
        return await asked.promise.future

    def close(self) -> None:
        """Take no more questions; return when those asked are answered."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            while group:
                self._answer(group)

    def _next_group(self) -> deque[_Asked]:
        """Those that wait; none when the asker is closed."""
        with self._change:
            while not self._asked and not self._is_closed:
                self._change.wait()
            return deque(self._asked.popleft() for _ in range(min(len(self._asked), MAX_TOGETHER)))

    def _answer(self, group: deque[_Asked]) -> None:
        """Answer these from one snapshot; or as far as the database lets us, and the rest need a new one."""
        under_way: list[_Asked] | None = None
        try:
            with self._live.asking() as sight:
                while group:
                    under_way = [group.popleft()]
                    keep([(under_way[0].promise, _outcome(under_way[0].answer, sight))])
        except Exception as error:  # noqa: BLE001 - whoever waits is told, and the thread goes on
            if under_way is None:  # there is no snapshot for anybody
                under_way = list(group)
                group.clear()
            keep([(asked.promise, error) for asked in under_way])


def _outcome(answer: Answer, sight: Sight) -> Response | WherefromError:
    try:
        return answer(sight)
    except WherefromError as error:  # of this question alone
        return error
