"""Statements over HTTP: `/v1/statements`, read one by one or page by page, and taken signed, each by itself.

    POST /v1/statements   {"statements": [DSSE envelope, …]}
    200                   {"status": "success" | "partial_success", "summary": {…},
                           "receipts": [{"index", "statementId", "isNew"} | {"error": {…}}, …]}

Envelopes are signed by keys that the archive knows (`POST /v1/keys`). What may be said over HTTP, and by whom: see
`_require_kind`. A statement that names anything that the caller may not see is answered as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from wherefrom.archive.archive import Recorded, to_recorded
from wherefrom.errors import Denied, FormatError, NotFoundError, UnavailableError, WherefromError
from wherefrom.ledger import Receipt
from wherefrom.server.access.depends import Caller, TheGuard
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.array_items import split_array
from wherefrom.server.errors import RequestError, describe, too_large
from wherefrom.server.live import ALL
from wherefrom.server.reading import namespaces_written
from wherefrom.server.visibility import (
    find_run_namespaces,
    is_visible,
    list_namespaces,
    namespaces_of_recorded,
)
from wherefrom.statements import (
    CORRECTION,
    DELETION,
    EVIDENCE,
    GAP,
    SOURCE,
    Envelope,
    Statement,
    dsse,
    event_kind_of,
    format_envelope,
    format_time,
    name_of,
    parse_entry,
    parse_json,
    parse_statement,
)

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.store import LedgerTables, LineageTables

WHAT: Final = "statements"
READ: Final[dict[str, Any]] = {"x-wherefrom-action": "read"}
MAX_PAGE: Final = 500
# Entries that are looked at for one page: who may see little gets short pages, not slow ones.
MAX_SCANNED: Final = 2000
ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
_HEAD, _TAIL = b'{"statements":', b"}"

_ENVELOPES: Final[dict[str, Any]] = {
    "x-wherefrom-action": "write",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["statements"],
                    "additionalProperties": False,
                    "properties": {"statements": {"type": "array", "items": {"type": "object"}}},
                }
            }
        },
    },
}


def _find_asked(
    request: Request,
    guard: TheGuard,
    caller: Caller,
    which: Annotated[
        str, Path(description="An entry's index, or at least six digits of a statement's id.", max_length=64)
    ],
) -> Recorded:
    guard.require_any(caller, Action.READ)
    return read_visible(request.app.state.archive, Eyes(guard, caller), which)


Asked = Annotated[Recorded, Depends(_find_asked)]
"""The statement that the path names, if the caller may see it."""


def giving(media_type: str) -> dict[str, Any]:
    """What a route says of itself that answers with bytes of this type, and not with JSON made for it."""
    return {"response_class": Response, "responses": {200: {"content": {media_type: {}}}}}


def make_router() -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["statements"])

    @router.get("/statements", openapi_extra=READ, summary="Statements in ledger order, page by page")
    def list_statements(
        request: Request,
        guard: TheGuard,
        caller: Caller,
        kind: Annotated[str | None, Query(description="A short name, as `RunEvent`.", max_length=200)] = None,
        start: Annotated[int, Query(alias="from", ge=0, lt=2**53, description="Index to begin at.")] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> dict[str, Any]:
        guard.require_any(caller, Action.READ)
        return _list_page(request.app.state.archive, Eyes(guard, caller), kind=kind, start=start, limit=limit)

    @router.get("/statements/{which}", openapi_extra=READ, summary="One statement")
    def read_statement(recorded: Asked) -> dict[str, Any]:
        return _to_json(recorded, whole=True)

    @router.get(
        "/statements/{which}/event",
        openapi_extra=READ,
        summary="The OpenLineage event that a statement carries, byte for byte as it came",
        **giving("application/json"),
    )
    def read_event(recorded: Asked) -> Response:
        _require_text(recorded)
        if not event_kind_of(recorded.entry.kind):
            raise NotFoundError(f"statement {recorded.index} is of kind {name_of(recorded.entry.kind)}, no event")
        return Response(recorded.statement.predicate_bytes, media_type="application/json")

    @router.get(
        "/statements/{which}/envelope",
        openapi_extra=READ,
        summary="The DSSE envelope beside the entry, byte for byte",
        **giving(ENVELOPE),
    )
    def read_envelope(recorded: Asked) -> Response:
        _require_text(recorded)
        return Response(format_envelope(recorded.envelope), media_type=ENVELOPE)

    @router.post("/statements", openapi_extra=_ENVELOPES, summary="Record signed statements, each by itself")
    async def record_statements(request: Request, guard: TheGuard, caller: Caller) -> Response:
        await run_in_threadpool(guard.require_any, caller, Action.WRITE)
        body = await request.body()
        answer = await run_in_threadpool(_take, request, guard, caller, body)
        return Response(orjson.dumps(answer), media_type="application/json")

    return router


# --- reading ---------------------------------------------------------------------------------------------------------


class Eyes:
    """What one caller may see."""

    def __init__(self, guard: Guard, caller: Principal) -> None:
        self._sees, self._audits = guard.sees(caller), guard.may(caller, Action.AUDIT, ALL)

    def may_see(self, recorded: Recorded, tables: LedgerTables, views: LineageTables) -> bool:
        return is_visible(namespaces_of_recorded(recorded, tables, views), self._sees, audits=self._audits)


def read_visible(archive: Archive, eyes: Eyes, which: str) -> Recorded:
    """The statement that a caller means. Raises NotFoundError also for one that he may not see."""
    nothing = NotFoundError(f"no statement {which!r} that you may see")
    try:
        recorded = archive.read_recorded(which)
    except NotFoundError as error:
        raise nothing from error
    with archive.reading() as (tables, views):
        if not eyes.may_see(recorded, tables, views):
            raise nothing
    return recorded


def _require_text(recorded: Recorded) -> None:
    """Raise RequestError (410) for a statement whose text is no more."""
    if recorded.text is None:
        order = recorded.redaction
        why = f"was redacted by {order.by} because {order.reason}" if order else "has lost its text"
        raise RequestError(410, f"statement {recorded.index} {why}")


def _list_page(archive: Archive, eyes: Eyes, *, kind: str | None, start: int, limit: int) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    with archive.reading() as (tables, views):
        size = tables.size()
        stop, after = min(size, start + MAX_SCANNED), min(size, start)
        for stored in tables.iter_entries(start, stop):
            after = stored.index + 1
            if kind is not None and name_of(parse_entry(stored.entry).kind) != kind:
                continue
            recorded = to_recorded(stored, tables)
            if eyes.may_see(recorded, tables, views):
                found.append(_to_json(recorded, whole=False))
                if len(found) == limit:
                    break
        else:
            after = max(after, stop)
    return {"statements": found, "size": size, "next": after if after < size else None}


def _to_json(recorded: Recorded, *, whole: bool) -> dict[str, Any]:
    entry = recorded.entry
    said: dict[str, Any] = {
        "index": recorded.index,
        "statementId": recorded.statement_id,
        "kind": name_of(entry.kind),
        "predicateType": entry.kind,
        "received": format_time(entry.received),
        "keys": list(entry.key_ids),
        "subjects": list(entry.subjects),
        "subjectCount": entry.subject_count,
    }
    if recorded.text is None:
        order = recorded.redaction
        gone = {"by": order.by, "reason": order.reason, "index": order.index} if order else {}
        return said | {"erased": gone}
    return said | ({"predicate": dict(recorded.statement.predicate)} if whole else {})


# --- taking ----------------------------------------------------------------------------------------------------------


def _take(request: Request, guard: Guard, caller: Principal, body: bytes) -> dict[str, Any]:
    state = request.app.state
    items = _split(body, most=state.settings.max_batch)
    outcomes: list[Receipt | WherefromError | Envelope] = [_admit(state.archive, guard, caller, item) for item in items]
    sound = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Envelope)]
    envelopes = [outcome for outcome in outcomes if isinstance(outcome, Envelope)]
    for position, receipt in zip(sound, record_each(state.archive.record_envelopes, envelopes), strict=True):
        outcomes[position] = receipt
    request_id = str(request.scope.get("state", {}).get("request_id", ""))
    receipts = []
    for outcome in outcomes:
        if isinstance(outcome, Receipt):
            receipts.append(to_json(outcome))
            state.metrics.statements.labels("taken" if outcome.is_new else "duplicate").inc()
        elif isinstance(outcome, WherefromError):
            receipts.append(describe(outcome, request_id))
            state.metrics.statements.labels("refused").inc()
    failed = sum("error" in receipt for receipt in receipts)
    summary = {"received": len(receipts), "successful": len(receipts) - failed, "failed": failed}
    return {"status": "partial_success" if failed else "success", "summary": summary, "receipts": receipts}


def to_json(receipt: Receipt) -> dict[str, Any]:
    return {"index": receipt.index, "statementId": receipt.statement_id, "isNew": receipt.is_new}


def _split(body: bytes, *, most: int) -> list[bytes]:
    """The envelopes' bytes."""
    compact = body.strip(b" \t\r\n")
    if compact.startswith(_HEAD) and compact.endswith(_TAIL):  # as our client writes it
        inner = compact[len(_HEAD) : -len(_TAIL)]
    else:
        value = parse_json(body, what=WHAT)
        if not isinstance(value, dict) or set(value) != {"statements"} or not isinstance(value["statements"], list):
            raise FormatError(f"{WHAT}: $: expected an object with one member, an array `statements`")
        inner = orjson.dumps(value["statements"])
    try:
        return split_array(inner, what=WHAT, most=most)
    except OverflowError as error:
        raise too_large(f"the request has over {most} statements") from error


def _admit(archive: Archive, guard: Guard, caller: Principal, item: bytes) -> Envelope | WherefromError:
    try:
        envelope = dsse.from_json(parse_json(item, what="envelope"), what="envelope")
        _require_kind(archive, guard, caller, parse_statement(envelope.payload))
    except WherefromError as error:
        return error
    return envelope


def _require_kind(archive: Archive, guard: Guard, caller: Principal, statement: Statement) -> None:
    """Raise Denied unless the caller may have this recorded, whoever signed it.

    What was seen (events, gaps, sources): who may write in its namespace. What takes back (corrections, deletions): its
    stewards. What is about the archive itself: who administers all of it; most of that counts only if the ledger's own
    key signed it.
    """
    kind = statement.predicate_type
    if event_kind_of(kind):
        action, namespaces = Action.WRITE, namespaces_written(statement.predicate)
    elif kind in {SOURCE, DELETION, EVIDENCE}:
        action = {SOURCE: Action.WRITE, DELETION: Action.STEWARD, EVIDENCE: Action.AUDIT}[kind]
        namespaces = sorted(list_namespaces(statement.predicate)) or [ALL]
    elif kind == GAP:
        action, namespaces = Action.WRITE, _of_run(archive, statement)
    elif kind == CORRECTION:
        action, namespaces = Action.STEWARD, namespaces_corrected(archive, statement.predicate.get("corrects"))
    else:
        action, namespaces = Action.ADMINISTER, [ALL]
    for namespace in namespaces:
        guard.require(caller, action, namespace)
    if not namespaces:
        guard.require_any(caller, action)


def _of_run(archive: Archive, gap: Statement) -> list[str]:
    run_id = gap.predicate.get("runId")
    with archive.reading() as (tables, views):
        return sorted(find_run_namespaces(run_id if isinstance(run_id, str) else "", views, tables.size()) or ())


def namespaces_corrected(archive: Archive, statement_id: Any) -> list[str]:
    """The namespaces that a statement names which is to be corrected; `*` for one about the archive itself.

    Raises NotFoundError as `read_visible` does: whether it is there is not for everybody to know.
    """
    try:
        if not isinstance(statement_id, str) or len(statement_id) != 64:
            raise NotFoundError("no such statement")
        recorded = archive.read_recorded(statement_id)
    except NotFoundError:
        return [ALL]
    with archive.reading() as (tables, views):
        found = namespaces_of_recorded(recorded, tables, views)
    return sorted(found) if found else [ALL]


def record_each(
    record: Callable[[Sequence[Envelope]], list[Receipt]], envelopes: Sequence[Envelope]
) -> list[Receipt | WherefromError]:
    """Record all at once; where something is wrong, find out what, and record the rest.

    Raises UnavailableError when nothing can be recorded now.
    """
    if not envelopes:
        return []
    try:
        return list(record(envelopes))
    except (UnavailableError, Denied):
        raise
    except WherefromError as error:
        if len(envelopes) == 1:
            return [error]
    half = len(envelopes) // 2
    return [*record_each(record, envelopes[:half]), *record_each(record, envelopes[half:])]
