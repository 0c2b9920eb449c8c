"""OpenLineage over HTTP: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as spec/OpenLineage.yml has them.

Events are kept byte for byte. When a sender is answered, they are in the ledger, durably. The same event again gets
the answer it got before, so a sender may always send again. Who sends needs WRITE on the namespace of the event's job,
or of the data set of a DatasetEvent; what else an event names are references, which give the sender nothing to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from wherefrom.archive.taking import Taken
from wherefrom.errors import UnavailableError, WherefromError
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.admission import Admission
from wherefrom.server.errors import RequestError, status_of
from wherefrom.server.parameters import Parameters, PlainRoute
from wherefrom.server.readers import Readers
from wherefrom.server.reading import Brought, Read, Written

if TYPE_CHECKING:
    from wherefrom.server.health import Metrics
    from wherefrom.server.intake_queue import IntakeQueue
    from wherefrom.server.settings import Settings
    from wherefrom.statements import Problem

MAX_LISTED_MARKS: Final = 100
_JSON: Final = "application/json"


class Sent(Parameters):
    """How a sender wants his events taken."""

    strict: Annotated[
        bool | None,
        Field(description="Refuse events that break OpenLineage's specification; the server's setting by default."),
    ] = None


def _extra(schema: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {_JSON: {"schema": schema}}}
    return {"x-wherefrom-action": "write", "requestBody": body, "parameters": Sent.describe()}


_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A RunEvent, DatasetEvent or JobEvent: https://openlineage.io/spec/2-0-2/OpenLineage.json",
    "properties": {"eventTime": {"type": "string", "format": "date-time"}},
    "required": ["eventTime"],
}


def make_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["OpenLineage"], route_class=PlainRoute)

    @router.post(
        "/lineage",
        status_code=201,
        response_class=Response,
        openapi_extra=_extra(_EVENT),
        summary="Record an event",
        responses={200: {"description": "It had been recorded before"}, 422: {"description": "Refused: strict"}},
    )
    async def post_event(request: Request) -> Response:
        door = _Door(request)
        principal = await door.admit()
        [read] = await door.read(is_batch=False)
        if isinstance(read, Written):
            await door.require(principal, read.namespaces)
            [read] = await door.take([read])
        return _answer_one(read)

    @router.post(
        "/lineage/batch",
        response_class=Response,
        openapi_extra=_extra({"type": "array", "items": _EVENT}),
        summary="Record events, each by itself",
    )
    async def post_batch(request: Request) -> Response:
        door = _Door(request)
        principal = await door.admit(anywhere=True)
        read = await door.read(is_batch=True)
        refused = await door.list_refused(principal, read)
        allowed = iter(await door.take([one for i, one in enumerate(read) if i not in refused]))
        return _answer_batch([refused.get(i) or next(allowed) for i in range(len(read))])

    return router


class _Door:
    """What intake needs of the application, for one request."""

    def __init__(self, request: Request) -> None:
        state = request.app.state
        self._request = request
        self.settings: Settings = state.settings
        self._guard: Guard = state.guard
        self._admission: Admission = state.admission
        self._readers: Readers = state.readers
        self._intake: IntakeQueue = state.intake
        self._metrics: Metrics = state.metrics

    async def admit(self, *, anywhere: bool = False) -> Principal:
        """Who sends, before anything of the body is read; `anywhere`, only who may write in some namespace.

        Raises Unauthenticated, Denied.
        """
        principal = await self._admission.principal_of(self._request)
        if anywhere:
            await self._admission.ask(lambda: self._guard.require_any(principal, Action.WRITE))
        return principal

    async def require(self, principal: Principal, namespaces: Sequence[str]) -> None:
        """Raise Denied unless the sender may write in each."""
        await self._admission.require(principal, Action.WRITE, namespaces)

    async def list_refused(self, principal: Principal, read: Sequence[Read]) -> dict[int, WherefromError]:
        """The events of a batch that the sender may not write."""
        return await self._admission.ask(lambda: _list_refused(self._guard, principal, read))

    async def read(self, *, is_batch: bool) -> list[Read]:
        strict = Sent.of(self._request).strict
        body = await self._request.body()
        return await self._readers.read(Brought(body, is_batch, self.settings.strict if strict is None else strict))

    async def take(self, read: Sequence[Read]) -> list[Taken]:
        found = [one.signed if isinstance(one, Written) else one for one in read]
        taken = await self._intake.put(found) if found else []
        for outcome, count in Counter(map(_outcome, taken)).items():
            self._metrics.events.labels(outcome).inc(count)
        return taken


def _require(guard: Guard, principal: Principal, namespaces: Sequence[str]) -> None:
    for namespace in namespaces:
        guard.require(principal, Action.WRITE, namespace)


def _list_refused(guard: Guard, principal: Principal, read: Sequence[Read]) -> dict[int, WherefromError]:
    refused: dict[int, WherefromError] = {}
    allowed: set[str] = set()
    for position, one in enumerate(read):
        if isinstance(one, Written):
            try:
                _require(guard, principal, [n for n in one.namespaces if n not in allowed])
                allowed.update(one.namespaces)
            except WherefromError as error:
                refused[position] = error
    return refused


def _outcome(taken: Taken) -> str:
    if taken.receipt is None:
        return "refused"
    if not taken.receipt.is_new:
        return "duplicate"
    return "marked" if taken.problems else "taken"


# --- answers ---------------------------------------------------------------------------------------------------------


def _answer_one(taken: Taken) -> Response:
    if taken.error is not None:
        if taken.problems:
            error = RequestError(422, str(taken.error), hint="send it without strict=true, and it is kept and marked")
            raise error from taken.error
        raise taken.error
    receipt = taken.receipt
    if receipt is None:
        raise UnavailableError("the event was not recorded")
    body = {
        "index": receipt.index,
        "statementId": receipt.statement_id,
        "isNew": receipt.is_new,
        "marks": _marks(taken),
    }
    headers = {"X-Wherefrom-Statement": receipt.statement_id}
    if taken.problems:
        first = taken.problems[0]
        said = f"{first.path} {first.message}".encode("ascii", "backslashreplace").decode()[:200]
        headers["X-Wherefrom-Marks"] = f"{len(taken.problems)}; {''.join(c for c in said if c.isprintable())}"
    return Response(orjson.dumps(body), 201 if receipt.is_new else 200, headers, media_type=_JSON)


def _answer_batch(outcomes: Sequence[Taken | WherefromError]) -> Response:
    """The spec's body, and `marked_events`, `duplicates` beside it."""
    failed: list[dict[str, Any]] = []
    marked: list[dict[str, Any]] = []
    duplicates = 0
    for index, outcome in enumerate(outcomes):
        error = outcome if isinstance(outcome, WherefromError) else outcome.error
        if error is not None:
            failed.append({"index": index, "reason": str(error)[:2000], "retriable": status_of(error) == 503})
        elif isinstance(outcome, Taken):
            duplicates += outcome.receipt is not None and not outcome.receipt.is_new
            if outcome.problems and len(marked) < MAX_LISTED_MARKS:
                marked.append({"index": index, "marks": _marks(outcome)})
    retriable = sum(bool(one["retriable"]) for one in failed)
    summary = {
        "received": len(outcomes),
        "successful": len(outcomes) - len(failed),
        "failed": len(failed),
        "retriable": retriable,
        "non_retriable": len(failed) - retriable,
        "duplicates": duplicates,
    }
    status = "partial_success" if failed else "success"
    body = {"status": status, "summary": summary, "failed_events": failed, "marked_events": marked}
    return Response(orjson.dumps(body), media_type=_JSON)


def _marks(taken: Taken) -> list[dict[str, str]]:
    def one(problem: Problem) -> dict[str, str]:
        return {"path": problem.path[:1000], "message": problem.message[:1000]}

    return [one(problem) for problem in taken.problems[:MAX_LISTED_MARKS]]
