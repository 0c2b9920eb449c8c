"""The queue between HTTP and the ledger: what waits is recorded together, in one transaction, by one thread.

A caller waits on the event loop, not in a thread of its own, so a thousand of them cost little. The queue is bounded:
who comes when it is full is told at once to come again, and what was accepted is always finished.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from wherefrom.archive.taking import Taken, take_events
from wherefrom.errors import UnavailableError, WherefromError
from wherefrom.server.errors import overloaded
from wherefrom.server.logs import log

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.server.health import Metrics
    from wherefrom.server.settings import Settings

MAX_GROUP_EVENTS: Final = 2048
MAX_GROUP_BYTES: Final = 32 << 20


@dataclass(eq=False)
class _Parcel:
    """What one request brought."""

    bodies: Sequence[bytes]
    strict: bool
    size: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Taken]]


class IntakeQueue:
    """Takes events of many requests. `put` belongs to event loops; the recording thread starts with the first."""

    def __init__(self, archive: Archive, *, settings: Settings, metrics: Metrics) -> None:
        self._archive, self._settings, self._metrics = archive, settings, metrics
        self._change = threading.Condition()
        self._parcels: deque[_Parcel] = deque()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self.waiting = 0  # events, those being recorded included
        self._waiting_bytes = 0

    async def put(self, bodies: Sequence[bytes], *, strict: bool) -> list[Taken]:
        """Record events durably; what became of each, in order.

        Raises RequestError (503) when too many wait or the server stops, and what the archive raises when nothing of it
        could be recorded.
        """
        loop = asyncio.get_running_loop()
        parcel = _Parcel(bodies, strict, sum(map(len, bodies)), loop, loop.create_future())
        with self._change:
            if self._is_closed:
                raise overloaded("the server is stopping")
            # Somebody who comes to an empty queue is always taken, however much he brings.
            if self.waiting and (
                self.waiting + len(bodies) > self._settings.max_waiting_events
                or self._waiting_bytes + parcel.size > self._settings.max_waiting_bytes
            ):
                raise overloaded(f"{self.waiting} events wait to be recorded already")
            self._parcels.append(parcel)
            self._count(parcel, 1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wherefrom-intake", daemon=True)
                self._thread.start()
            self._change.notify()
        return await parcel.future

    def close(self) -> None:
        """Take nothing more; return when all that was accepted is recorded."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join()

    def _count(self, parcel: _Parcel, sign: int) -> None:
        self.waiting += sign * len(parcel.bodies)
        self._waiting_bytes += sign * parcel.size

    def _run(self) -> None:
        while group := self._next_group():
            begun = time.perf_counter()
            outcomes = self._record(group)
            with self._change:
                for parcel in group:
                    self._count(parcel, -1)
            self._metrics.group_size.observe(sum(len(parcel.bodies) for parcel in group))
            _resolve(group, outcomes)
            log(
                "recorded",
                level=10,
                events=sum(len(p.bodies) for p in group),
                ms=round((time.perf_counter() - begun) * 1000, 1),
            )

    def _next_group(self) -> list[_Parcel]:
        """Those at the front that go together: equally strict, and not too many. None when the queue is closed."""
        with self._change:
            while not self._parcels and not self._is_closed:
                self._change.wait()
            group: list[_Parcel] = []
            events = size = 0
            while self._parcels:
                parcel = self._parcels[0]
                events, size = events + len(parcel.bodies), size + parcel.size
                if group and (parcel.strict != group[0].strict or events > MAX_GROUP_EVENTS or size > MAX_GROUP_BYTES):
                    break
                group.append(self._parcels.popleft())
            return group

    def _record(self, group: Sequence[_Parcel]) -> list[list[Taken] | WherefromError]:
        bodies = [body for parcel in group for body in parcel.bodies]
        try:
            taken = iter(_new_once(take_events(self._archive, bodies, strict=group[0].strict)))
            return [[next(taken) for _ in parcel.bodies] for parcel in group]
        except WherefromError as error:
            log("events could not be recorded", level=40, events=len(bodies), problem=str(error))
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001 - whoever waits is answered, and the thread goes on
            log("recording failed", level=40, error=error, events=len(bodies))
            return [UnavailableError("the events could not be recorded")] * len(group)


def _new_once(taken: Sequence[Taken]) -> list[Taken]:
    """Of several that are the same event, only the first is new."""
    seen: set[int] = set()
    found = []
    for one in taken:
        receipt = one.receipt
        if receipt is not None and receipt.is_new and receipt.index in seen:
            one = replace(one, receipt=replace(receipt, is_new=False))  # noqa: PLW2901
        if receipt is not None:
            seen.add(receipt.index)
        found.append(one)
    return found


def _resolve(group: Sequence[_Parcel], outcomes: Sequence[list[Taken] | WherefromError]) -> None:
    """Answer all who wait on a loop by one call to it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Parcel, Any]]] = {}
    for parcel, outcome in zip(group, outcomes, strict=True):
        by_loop.setdefault(parcel.loop, []).append((parcel, outcome))
    for loop, pairs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_answerer(pairs))


def _answerer(pairs: Sequence[tuple[_Parcel, Any]]) -> Callable[[], None]:
    def answer() -> None:
        for parcel, outcome in pairs:
            if parcel.future.done():  # the client went away; its events are recorded nevertheless
                continue
            if isinstance(outcome, WherefromError):
                parcel.future.set_exception(outcome)
            else:
                parcel.future.set_result(outcome)

    return answer
