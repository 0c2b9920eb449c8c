"""OpenLineage over HTTP: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as spec/OpenLineage.yml has them.

Events are kept byte for byte. When a sender is answered, they are in the ledger, durably. The same event again gets
the answer it got before, so a sender may always send again. Who sends needs WRITE on the namespace of the event's job,
or of the data set of a DatasetEvent; what else an event names are references, which give the sender nothing to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from wherefrom.archive.taking import Taken, read_one
from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.admission import Admission
from wherefrom.server.array_items import read_array
from wherefrom.server.errors import RequestError, status_of, too_large
from wherefrom.statements import Statement

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

Read = Statement | Taken  # an event that was read, or why it is refused
What = TypeVar("What")

# Read by hand: the framework takes longer over a parameter that is not there than over all else of a request.
_STRICT: Final[dict[str, Any]] = {
    "name": "strict",
    "in": "query",
    "required": False,
    "description": "Refuse events that break OpenLineage's specification; the server's setting by default.",
    "schema": {"type": "boolean"},
}
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


def _extra(schema: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {_JSON: {"schema": schema}}}
    return {"x-wherefrom-action": "write", "requestBody": body, "parameters": [_STRICT]}


_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A RunEvent, DatasetEvent or JobEvent: https://openlineage.io/spec/2-0-2/OpenLineage.json",
    "properties": {"eventTime": {"type": "string", "format": "date-time"}},
    "required": ["eventTime"],
}


class _PlainRoute(APIRoute):
    """A route whose function takes the request and gives the response, with nothing of the framework between."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


def make_router() -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["OpenLineage"], route_class=_PlainRoute)

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
        body = await request.body()
        read = await door.read(len(body), _read_event, body)
        if isinstance(read, Statement):
            await door.require(principal, namespaces_written(read.predicate))
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
        body = await request.body()
        read = await door.read(len(body), _read_batch, body)
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

    async def read(self, size: int, do: Callable[[bytes, Settings, bool], What], body: bytes) -> What:
        """Read little here, and much in the queue's reading thread, so that other requests don't wait for it."""
        if size <= QUICK_BYTES:
            return do(body, self.settings, self.is_strict())
        return await self._intake.read(do, body, self.settings, self.is_strict())

    async def take(self, read: Sequence[Read]) -> list[Taken]:
        taken = await self._intake.put(read) if read else []
        for outcome, count in Counter(map(_outcome, taken)).items():
            self._metrics.events.labels(outcome).inc(count)
        return taken

    def is_strict(self) -> bool:
        """What the request asks for, else the server's setting. Raises RequestError."""
        asked = self._request.query_params.get("strict")
        if asked is None:
            return self.settings.strict
        if asked.lower() not in _BOOLEANS:
            raise RequestError(422, f"query parameter strict is {asked[:60]!r}, expected true or false")
        return _BOOLEANS[asked.lower()]


def _require(guard: Guard, principal: Principal, namespaces: Sequence[str]) -> None:
    for namespace in namespaces:
        guard.require(principal, Action.WRITE, namespace)


def _list_refused(guard: Guard, principal: Principal, read: Sequence[Read]) -> dict[int, WherefromError]:
    refused: dict[int, WherefromError] = {}
    allowed: set[str] = set()
    for position, one in enumerate(read):
        if isinstance(one, Statement):
            namespaces = namespaces_written(one.predicate)
            try:
                _require(guard, principal, [n for n in namespaces if n not in allowed])
                allowed.update(namespaces)
            except WherefromError as error:
                refused[position] = error
    return refused


def _read_event(body: bytes, settings: Settings, strict: bool) -> Read:
    """Read an event; one that has a name beyond all measure is refused, however lenient."""
    read = read_one(body, strict=strict)
    if isinstance(read, Statement) and len(body) > settings.max_name_bytes:
        try:
            _check_names(read.predicate, settings)
        except FormatError as error:
            return Taken(None, (), error)
    return read


def _read_batch(body: bytes, settings: Settings, strict: bool) -> list[Read]:
    def read(item: bytes) -> Read | FormatError:
        found = _read_event(item, settings, strict)
        if isinstance(found, Taken) and found.error is not None and found.event is None:
            return found.error
        return found

    try:
        items: list[Read | FormatError] = read_array(body, read, what=BATCH, most=settings.max_batch)
    except OverflowError as error:
        raise too_large(f"the batch has over {settings.max_batch} events") from error
    return [Taken(None, (), one) if isinstance(one, FormatError) else one for one in items]


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
