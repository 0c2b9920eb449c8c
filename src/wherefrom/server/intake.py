"""OpenLineage over HTTP: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as spec/OpenLineage.yml has them.

Events are kept byte for byte. When a sender is answered, they are in the ledger, durably. The same event again gets
the answer it got before, so a sender may always send again. Who sends needs WRITE on the namespace of the event's job,
or of the data set of a DatasetEvent; what else an event names are references, which give the sender nothing to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from wherefrom.archive.taking import Taken
from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.admission import Admission
from wherefrom.server.array_items import split_array
from wherefrom.server.errors import RequestError, status_of, too_large
from wherefrom.strict import parse_json

if TYPE_CHECKING:
    from wherefrom.server.health import Metrics
    from wherefrom.server.intake_queue import IntakeQueue
    from wherefrom.server.settings import Settings
    from wherefrom.statements import Problem

WHAT: Final = "OpenLineage event"
BATCH: Final = "batch"
# Larger bodies are read in a thread, so that other requests don't wait for it.
QUICK_BYTES: Final = 65536
MAX_LISTED_MARKS: Final = 100
_JSON: Final = "application/json"
_NAMES: Final = ("namespace", "name")

Item = tuple[bytes, Any]  # the bytes of an item of a batch, and what they say

Strict = Annotated[
    bool | None,
    Query(description="Refuse events that break OpenLineage's specification; the server's setting by default."),
]


def _extra(schema: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {_JSON: {"schema": schema}}}
    return {"x-wherefrom-action": "write", "requestBody": body}


_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A RunEvent, DatasetEvent or JobEvent: https://openlineage.io/spec/2-0-2/OpenLineage.json",
    "properties": {"eventTime": {"type": "string", "format": "date-time"}},
    "required": ["eventTime"],
}


def make_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["OpenLineage"])

    @router.post(
        "/lineage",
        status_code=201,
        response_class=Response,
        openapi_extra=_extra(_EVENT),
        summary="Record an event",
        responses={200: {"description": "It had been recorded before"}, 422: {"description": "Refused: strict"}},
    )
    async def post_event(request: Request, strict: Strict = None) -> Response:
        door = _Door(request)
        principal = await door.admit()
        body = await request.body()
        namespaces = await _aside(len(body), _read_namespaces, body, door.settings)
        await door.require(principal, namespaces)
        [taken] = await door.take([body], strict=strict)
        return _answer_one(taken)

    @router.post(
        "/lineage/batch",
        response_class=Response,
        openapi_extra=_extra({"type": "array", "items": _EVENT}),
        summary="Record events, each by itself",
    )
    async def post_batch(request: Request, strict: Strict = None) -> Response:
        door = _Door(request)
        principal = await door.admit(anywhere=True)
        body = await request.body()
        items = await _aside(len(body), _split, body, door.settings)
        refused = await door.list_refused(principal, items)
        sound = [i for i in range(len(items)) if i not in refused]
        outcomes = await door.take([items[i][0] for i in sound], strict=strict) if sound else []
        taken: list[Taken | WherefromError] = [refused.get(i) or Taken(None) for i in range(len(items))]
        for position, outcome in zip(sound, outcomes, strict=True):
            taken[position] = outcome
        return _answer_batch(taken)

    return router


class _Door:
    """What intake needs of the application, for one request."""

    def __init__(self, request: Request) -> None:
        state = request.app.state
        self._request = request
        self.settings: Settings = state.settings
        self._guard: Guard = state.guard
        self._admission: Admission = state.admission
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

    async def list_refused(self, principal: Principal, items: Sequence[Item]) -> dict[int, WherefromError]:
        """The items of a batch that the sender may not write, or that have a name beyond all measure."""
        return await self._admission.ask(lambda: _list_refused(self._guard, principal, items, self.settings))

    async def take(self, bodies: Sequence[bytes], *, strict: bool | None) -> list[Taken]:
        taken = await self._intake.put(bodies, strict=self.settings.strict if strict is None else strict)
        for outcome in taken:
            self._metrics.events.labels(_outcome(outcome)).inc()
        return taken


async def _aside(size: int, do: Any, *arguments: Any) -> Any:
    """Small work here, large work in a thread."""
    return do(*arguments) if size <= QUICK_BYTES else await run_in_threadpool(do, *arguments)


def _require(guard: Guard, principal: Principal, namespaces: Sequence[str]) -> None:
    for namespace in namespaces:
        guard.require(principal, Action.WRITE, namespace)


def _list_refused(
    guard: Guard, principal: Principal, items: Sequence[Item], settings: Settings
) -> dict[int, WherefromError]:
    refused: dict[int, WherefromError] = {}
    allowed: set[str] = set()
    for position, (item, value) in enumerate(items):
        try:
            namespaces = namespaces_written(value)
            _require(guard, principal, [n for n in namespaces if n not in allowed])
            allowed.update(namespaces)
            if len(item) > settings.max_name_bytes:
                _check_names(value, settings)
        except WherefromError as error:
            refused[position] = error
    return refused


def _split(body: bytes, settings: Settings) -> list[Item]:
    try:
        return split_array(body, what=BATCH, most=settings.max_batch)
    except OverflowError as error:
        raise too_large(f"the batch has over {settings.max_batch} events") from error


def _read_namespaces(body: bytes, settings: Settings) -> list[str]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = parse_json(body, what=WHAT)  # which says what is wrong; or takes what orjson doesn't
    if len(body) > settings.max_name_bytes:
        _check_names(value, settings)
    return namespaces_written(value)


def namespaces_written(event: Any) -> list[str]:
    """Where an event is written: the namespaces of its job, and of the data set that it is about.

    An event that says neither is written in the namespace "", which only who may write in all of them may.
    """
    owners = [event[key] for key in ("job", "dataset") if key in event] if isinstance(event, dict) else []
    found = [owner.get("namespace") if isinstance(owner, dict) else None for owner in owners]
    return [name if isinstance(name, str) else "" for name in found] or [""]


def _check_names(event: Any, settings: Settings) -> None:
    """Raise FormatError, with the path, for a name or namespace beyond all measure."""
    most = settings.max_name_bytes
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
