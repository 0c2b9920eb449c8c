"""How the server is: `/healthz`, `/readyz` and `/metrics`, for machines that watch it; nobody's names are in them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from wherefrom.archive.folder import ArchiveFolder
from wherefrom.errors import WherefromError
from wherefrom.ledger.log import MAX_STEP_BACK
from wherefrom.server.logs import log
from wherefrom.statements import parse_time

if TYPE_CHECKING:
    from wherefrom.archive import Archive

PUBLIC: Final[dict[str, Any]] = {"x-wherefrom-action": "public"}
# Asked for more often, the answer of before is given again: whoever asks can't load the database with it.
READY_FOR_S: Final = 2.0
LATENCIES_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


class Metrics:
    """The figures of one server process. Labels come from the routes there are, never from what clients send."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"wherefrom_{name}", what, labels, registry=self.registry)

        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"wherefrom_{name}", what, registry=self.registry)

        self.requests = counter("requests", "Requests answered", "method", "route", "status")
        self.seconds = Histogram(
            "wherefrom_request_seconds", "Time to answer", ("route",), buckets=LATENCIES_S, registry=self.registry
        )
        self.under_way = gauge("requests_under_way", "Requests being answered now")
        self.events = counter("events", "OpenLineage events by what became of them", "outcome")
        for outcome in ("taken", "marked", "duplicate", "refused"):
            self.events.labels(outcome)
        self.statements = counter("statements", "Signed statements by what became of them", "outcome")
        self.waiting = gauge("intake_waiting_events", "Events that wait to be recorded")
        self.group_size = Histogram(
            "wherefrom_intake_group_events",
            "Events recorded in one transaction",
            buckets=(1, 4, 16, 64, 256, 1024, 4096),
            registry=self.registry,
        )
        self.ledger_size = gauge("ledger_entries", "Entries in the ledger")
        self.graph_lag = gauge("graph_lag_entries", "Entries that the lineage graph has not seen yet")
        self.listeners = gauge("live_listeners", "Listeners of /v1/live")

    def note_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        if route != "/v1/live":  # which is never done
            self.seconds.labels(route).observe(seconds)


class Readiness:
    """Whether the archive can be read and written now; asked of the database at most every `READY_FOR_S` seconds."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = asyncio.Lock()
        self._found: tuple[float, dict[str, str]] = (-READY_FOR_S, {})
        self.is_stopping = False

    async def check(self) -> dict[str, str]:
        """What was checked, and "ok" or what is wrong with it."""
        async with self._lock:
            at, found = self._found
            if time.monotonic() - at >= READY_FOR_S:
                found = await run_in_threadpool(self._check)
                self._found = (time.monotonic(), found)
        return found | ({"server": "is stopping"} if self.is_stopping else {})

    def _check(self) -> dict[str, str]:
        found = {}
        for what, check in (("database", self._write), ("key", self._read_key), ("clock", self._read_clock)):
            try:
                check()
                found[what] = "ok"
            except WherefromError as error:
                log("not ready", what=what, problem=str(error), level=30)
                found[what] = "the clock is behind the last entry" if what == "clock" else "can't be used now"
        return found

    def _write(self) -> None:
        with self._archive.writing():
            pass

    def _read_key(self) -> None:
        ArchiveFolder(self._archive.folder).read_key("log")

    def _read_clock(self) -> None:
        with self._archive.reading() as (tables, _):
            last = tables.last_received()
        if last and datetime.now(UTC) < parse_time(last, what="ledger entry") - MAX_STEP_BACK:
            raise WherefromError("the clock is behind the last entry")


def make_router() -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", openapi_extra=PUBLIC, summary="Whether the process runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz",
        openapi_extra=PUBLIC,
        summary="Whether the archive can be read and written now",
        responses={503: {"description": "Not now: which of database, key and clock is the cause"}},
    )
    async def readyz(request: Request) -> JSONResponse:
        found = await request.app.state.readiness.check()
        is_ready = set(found.values()) == {"ok"}
        headers = {} if is_ready else {"Retry-After": "2"}
        return JSONResponse({"ready": is_ready, **found}, 200 if is_ready else 503, headers)

    @router.get(
        "/metrics",
        openapi_extra=PUBLIC,
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
    )
    async def metrics(request: Request) -> Response:
        state = request.app.state
        size = await run_in_threadpool(state.archive.size)
        state.metrics.ledger_size.set(size)
        state.metrics.waiting.set(state.intake.waiting)
        graph = getattr(state, "graph", None)
        if graph is not None:
            state.metrics.graph_lag.set(max(0, size - graph.size))
        return Response(generate_latest(state.metrics.registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
