"""`GET /v1/live`: what is recorded, as it is recorded, as server-sent events (WHATWG HTML, section 9.2).

An event's id is the entry's index, so whoever comes again with `Last-Event-ID` goes on exactly there. One task of the
process asks the database for new entries, whichever process recorded them, and all listeners share what it read; each
listener takes at its own pace, and holds nothing of its own but its place.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from wherefrom.archive.archive import Recorded, to_recorded
from wherefrom.errors import ConflictError, WherefromError
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.errors import RequestError, overloaded
from wherefrom.server.logs import log
from wherefrom.server.visibility import Sees, is_visible, namespaces_of_recorded
from wherefrom.statements import event_kind_of, event_of, format_time, name_of

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.server.health import Metrics
    from wherefrom.server.settings import Settings

CHUNK: Final = 200
KEPT: Final = 5000
RETRY_MS: Final = 2000
ALL: Final = "*"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry as listeners are told of it. `namespaces` as `namespaces_of` gives them."""

    index: int
    namespaces: frozenset[str] | None
    is_event: bool
    text: bytes


class LiveEntries:
    """The newest entries, for all who listen. It belongs to one event loop."""

    def __init__(self, archive: Archive, *, settings: Settings, metrics: Metrics) -> None:
        self._archive, self.settings, self._metrics = archive, settings, metrics
        self._kept: deque[Change] = deque(maxlen=KEPT)
        self._listeners = 0
        self._poller: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.size = 0  # entries known here; while nobody listens it stays behind
        self.is_closed = False

    def close(self) -> None:
        """End every listener's answer. From the event loop, or when it is gone."""
        if not self.is_closed:
            self.is_closed = True
            self._changed.set()

    def require_place(self) -> None:
        """Raise RequestError (503) when too many listen already, or the server stops."""
        if self.is_closed:
            raise overloaded("the server is stopping")
        if self._listeners >= self.settings.max_listeners:
            raise overloaded(f"{self._listeners} listen already")

    async def join(self) -> None:
        """One listener more, until `leave`. Raises as `require_place`."""
        self.require_place()
        self._listeners += 1
        self._metrics.listeners.set(self._listeners)
        try:
            size = await run_in_threadpool(self._archive.size)
        except BaseException:
            self.leave()
            raise
        if self._poller is None or self._poller.done():
            self._kept.clear()
            self.size = size
            self._poller = asyncio.create_task(self._poll())

    def leave(self) -> None:
        self._listeners -= 1
        self._metrics.listeners.set(self._listeners)
        if not self._listeners and self._poller:
            self._poller.cancel()
            self._poller = None

    async def _poll(self) -> None:
        while not self.is_closed:
            try:
                changes = await run_in_threadpool(read_changes, self._archive, self.size, CHUNK)
            except WherefromError as error:  # the database is away: it may come back
                log("live entries can't be read", level=30, problem=str(error))
                changes = []
            if changes:
                self._kept.extend(changes)
                self.size = changes[-1].index + 1
                waiting, self._changed = self._changed, asyncio.Event()
                waiting.set()
            if len(changes) < CHUNK:
                await asyncio.sleep(self.settings.live_poll_s)

    async def next_changes(self, start: int, *, timeout_s: float) -> list[Change]:
        """Entries from `start` on, some; waits for them. Empty when none came in time, or no more will."""
        if start >= self.size and not self.is_closed:
            changed = self._changed
            try:
                async with asyncio.timeout(timeout_s):
                    await changed.wait()
            except TimeoutError:
                return []
        if self.is_closed or start >= self.size:
            return []
        first = self._kept[0].index if self._kept else self.size
        if start >= first:
            return [self._kept[i] for i in range(start - first, min(start - first + CHUNK, len(self._kept)))]
        return await run_in_threadpool(read_changes, self._archive, start, min(CHUNK, first - start))


def read_changes(archive: Archive, start: int, most: int) -> list[Change]:
    """Entries from an index on, as listeners are told of them."""
    with archive.reading() as (tables, views):
        stop = min(start + most, tables.size())
        found = []
        for stored in tables.iter_entries(start, stop):
            recorded = to_recorded(stored, tables)
            namespaces = namespaces_of_recorded(recorded, tables, views)
            is_event = event_kind_of(recorded.entry.kind) is not None
            found.append(Change(recorded.index, namespaces, is_event, orjson.dumps(describe_entry(recorded))))
        if found and found[-1].index + 1 < stop:  # the last ones were retired: nothing is said of them
            found.append(Change(stop - 1, None, is_event=False, text=b"{}"))
        return found


def describe_entry(recorded: Recorded) -> dict[str, Any]:
    """What an entry is about, in short."""
    said: dict[str, Any] = {
        "index": recorded.index,
        "statementId": recorded.statement_id,
        "kind": name_of(recorded.entry.kind),
        "received": format_time(recorded.entry.received),
    }
    if recorded.text and event_kind_of(recorded.entry.kind):
        event = event_of(recorded.statement)
        said |= {"eventType": event.event_type, "eventTime": event.time_text, "runId": event.run_id}
        if event.job_name:
            said["job"] = {"namespace": event.job_namespace, "name": event.job_name}
        for what, datasets in (("inputs", event.inputs), ("outputs", event.outputs)):
            said[what] = [{"namespace": d.namespace, "name": d.name} for d in datasets]
    return said


# --- one listener ----------------------------------------------------------------------------------------------------


class _Listener:
    """One client: who it is, what it may see now, and where it is."""

    def __init__(self, live: LiveEntries, guard: Guard, request: Request, principal: Principal, start: int) -> None:
        self._live, self._guard, self._request = live, guard, request
        self._principal, self._next = principal, start
        self._sees: Sees = guard.sees(principal)
        self._audits = False
        self._checked = 0.0
        self._was_near = False  # has been at most a chunk behind

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self._live.join()
        try:
            await self._check()
            size = max(self._live.size, self._next)
            self._was_near = size - self._next <= CHUNK
            yield b"retry: %d\n" % RETRY_MS + _format("hello", orjson.dumps({"size": size}), self._next - 1)
            while not self._live.is_closed:
                changes = await self._live.next_changes(self._next, timeout_s=self._live.settings.live_heartbeat_s)
                if not changes and not self._live.is_closed:
                    await self._check()
                    yield _format("", b"", self._next - 1)  # nothing for the client, but its place, which it keeps
                elif changes:
                    if not all(change.is_event for change in changes) or self._is_check_due():
                        await self._check()  # what was recorded may have changed who sees what
                    yield self._tell(changes)
                if self._has_fallen_behind():
                    yield self._say_goodbye("you fell too far behind; come again with Last-Event-ID")
                    return
            yield self._say_goodbye("the server is stopping; come again with Last-Event-ID")
        except WherefromError as error:  # the token has expired, say
            yield _format("denied", orjson.dumps({"reason": str(error)}), None)
        finally:
            self._live.leave()

    def _tell(self, changes: Sequence[Change]) -> bytes:
        told = [
            _format("entry", change.text, change.index)
            for change in changes
            if is_visible(change.namespaces, self._sees, audits=self._audits) and change.text != b"{}"
        ]
        self._next = changes[-1].index + 1
        return b"".join(told) or _format("", b"", self._next - 1)

    def _has_fallen_behind(self) -> bool:
        """Only who was there once falls behind; who comes back after long is given all, however much it is."""
        lag = self._live.size - self._next
        self._was_near = self._was_near or lag <= CHUNK
        return self._was_near and lag > self._live.settings.live_backlog

    def _say_goodbye(self, reason: str) -> bytes:
        return _format("goodbye", orjson.dumps({"reason": reason, "lastEventId": self._next - 1}), self._next - 1)

    def _is_check_due(self) -> bool:
        return time.monotonic() - self._checked > self._live.settings.live_heartbeat_s

    async def _check(self) -> None:
        """Ask again who this is, and what he may see. Raises Unauthenticated, Denied."""
        self._principal, self._sees, self._audits = await run_in_threadpool(_authorise, self._guard, self._request)
        self._checked = time.monotonic()


def _authorise(guard: Guard, request: Request) -> tuple[Principal, Sees, bool]:
    principal = guard.principal_of(request)
    guard.require_any(principal, Action.READ)
    return principal, guard.sees(principal), guard.may(principal, Action.AUDIT, ALL)


def _format(event: str, data: bytes, index: int | None) -> bytes:
    lines = [b"event: %b" % event.encode()] if event else []
    if index is not None and index >= 0:
        lines.append(b"id: %d" % index)
    if data:
        lines.append(b"data: %b" % data)  # JSON on one line
    return b"\n".join(lines) + b"\n\n" if lines else b":\n\n"


def make_router() -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["live"])

    @router.get(
        "/live",
        summary="What is recorded, as it is recorded",
        description="Server-sent events: `entry` for each entry that the caller may see, its id the entry's index;"
        " `hello` at the start, `goodbye` at the end, `denied` when the token counts no more.",
        openapi_extra={"x-wherefrom-action": "read"},
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def follow(
        request: Request,
        start: Annotated[
            int | None, Query(alias="from", ge=0, lt=2**53, description="Index of the first entry.")
        ] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        state = request.app.state
        live: LiveEntries = state.live
        principal, _, _ = await run_in_threadpool(_authorise, state.guard, request)
        if last_event_id:
            if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 16):
                raise RequestError(400, f"Last-Event-ID is {last_event_id[:60]!r}, expected an entry's index")
            start = int(last_event_id) + 1
        live.require_place()
        size = await run_in_threadpool(state.archive.size)
        if start is not None and start > size:
            hint = "it may have been put back to an older copy: compare checkpoints"
            raise ConflictError(f"you have seen up to entry {start - 1}, the ledger has {size} entries", hint=hint)
        first = size if start is None else start
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        listener = _Listener(live, state.guard, request, principal, first)
        return StreamingResponse(aiter(listener), headers=headers, media_type="text/event-stream")

    return router
