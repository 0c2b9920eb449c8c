"""The queue between HTTP and the ledger: what waits is recorded together, in one transaction, by one thread.

A caller waits on the event loop, not in a thread of its own, so a thousand of them cost little. The queue is bounded:
who comes when it is full is told at once to come again, and what was accepted is always finished.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wherefrom.archive.taking import Taken, record_read
from wherefrom.errors import UnavailableError, WherefromError
from wherefrom.ledger import Signed
from wherefrom.server.errors import overloaded
from wherefrom.server.logs import log
from wherefrom.server.promises import Promise, keep

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.server.health import Metrics
    from wherefrom.server.settings import Settings

# Few enough that who waits for them does not wait long.
MAX_GROUP_EVENTS: Final = 1024
MAX_GROUP_BYTES: Final = 32 << 20
# Where several came together, as many are waited for next time, unless there are events enough to fill a transaction.
MAX_LINGER_S: Final = 0.01
ENOUGH_EVENTS: Final = 64


@dataclass(eq=False)
class _Parcel:
    """What one request brought."""

    read: Sequence[Signed | Taken]
    size: int
    promise: Promise[list[Taken]]


class IntakeQueue:
    """Takes events of many requests. `put` belongs to event loops; the recording thread starts with the first."""

    def __init__(self, archive: Archive, *, settings: Settings, metrics: Metrics) -> None:
        self._archive, self._settings, self._metrics = archive, settings, metrics
        self._change = threading.Condition()
        self._parcels: deque[_Parcel] = deque()
        self._thread: threading.Thread | None = None
        self._expected = 1  # requests: as many as were recorded together last
        self._is_closed = False
        self.waiting = 0  # events, those being recorded included
        self._waiting_bytes = 0

    async def put(self, read: Sequence[Signed | Taken]) -> list[Taken]:
        """Record events that were read and signed, durably; what became of each, in order.

        Raises RequestError (503) when too many wait or the server stops, and what the archive raises when nothing of it
        could be recorded.
        """
        size = sum(len(one.envelope) for one in read if isinstance(one, Signed))
        parcel = _Parcel(read, size, Promise.make())
        with self._change:
            if self._is_closed:
                raise overloaded("the server is stopping")
            # Somebody who comes to an empty queue is always taken, however much he brings.
            if self.waiting and (
                self.waiting + len(read) > self._settings.max_waiting_events
                or self._waiting_bytes + parcel.size > self._settings.max_waiting_bytes
            ):
                raise overloaded(f"{self.waiting} events wait to be recorded already")
            self._parcels.append(parcel)
            self._count(parcel, 1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wherefrom-intake", daemon=True)
                self._thread.start()
            if len(self._parcels) in {1, self._expected} or self._has_enough():
                self._change.notify()
        return await parcel.promise.future

    def close(self) -> None:
        """Take nothing more; return when all that was accepted is recorded."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join()

    def _count(self, parcel: _Parcel, sign: int) -> None:
        self.waiting += sign * len(parcel.read)
        self._waiting_bytes += sign * parcel.size

    def _run(self) -> None:
        while group := self._next_group():
            begun = time.perf_counter()
            outcomes = self._record(group)
            with self._change:
                for parcel in group:
                    self._count(parcel, -1)
            self._metrics.group_size.observe(sum(len(parcel.read) for parcel in group))
            keep((parcel.promise, outcome) for parcel, outcome in zip(group, outcomes, strict=True))
            log(
                "recorded",
                level=10,
                events=sum(len(p.read) for p in group),
                ms=round((time.perf_counter() - begun) * 1000, 1),
            )

    def _next_group(self) -> list[_Parcel]:
        """Those at the front that go together: not too many. None when the queue is closed."""
        with self._change:
            while not self._parcels and not self._is_closed:
                self._change.wait()
            deadline = time.monotonic() + MAX_LINGER_S
            while len(self._parcels) < self._expected and not self._has_enough():
                if not self._change.wait(deadline - time.monotonic()):
                    break
            group: list[_Parcel] = []
            events = size = 0
            while self._parcels:
                parcel = self._parcels[0]
                events, size = events + len(parcel.read), size + parcel.size
                if group and (events > MAX_GROUP_EVENTS or size > MAX_GROUP_BYTES):
                    break
                group.append(self._parcels.popleft())
            self._expected = max(1, len(group))
            return group

    def _has_enough(self) -> bool:
        return self._is_closed or sum(len(parcel.read) for parcel in self._parcels) >= ENOUGH_EVENTS

    def _record(self, group: Sequence[_Parcel]) -> list[list[Taken] | WherefromError]:
        read = [one for parcel in group for one in parcel.read]
        try:
            taken = iter(record_read(self._archive, read))
            return [[next(taken) for _ in parcel.read] for parcel in group]
        except WherefromError as error:
            log("events could not be recorded", level=40, events=len(read), problem=str(error))
            return [error] * len(group)
        except Exception as error:  # noqa: BLE001 - whoever waits is answered, and the thread goes on
            log("recording failed", level=40, error=error, events=len(read))
            return [UnavailableError("the events could not be recorded")] * len(group)
