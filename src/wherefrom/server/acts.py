"""What people do over HTTP beside sending events: keys, corrections, deletions, evidence; each is a statement."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from wherefrom.archive import Archive
from wherefrom.archive.issuing import issue_evidence
from wherefrom.archive.keeping_keys import allow_key, read_book
from wherefrom.errors import ConflictError, FormatError, NotFoundError, VerificationError
from wherefrom.ledger import Receipt
from wherefrom.lineage import Answer
from wherefrom.notes import format_verifier_key, parse_verifier_key
from wherefrom.server.access.depends import Caller, TheGuard
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.live import ALL
from wherefrom.server.logs import log
from wherefrom.server.statements import READ, giving, namespaces_corrected, to_json
from wherefrom.statements import (
    Statement,
    format_time,
    make_correction_statement,
    make_deletion_statement,
    parse_time,
)

EVIDENCE_FILE: Final = "application/vnd.wherefrom.evidence"
MAX_TEXT: Final = 4096
MAX_NAME: Final = 65536
_Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
_Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
_Id = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class KeyBody(_Body):
    """A producer's public key, as `wherefrom keys` prints it; `alsoKey` is its second one, ML-DSA-44."""

    verifier_key: _Text = Field(alias="verifierKey")
    also_key: _Text | None = Field(None, alias="alsoKey")


class CorrectionBody(_Body):
    """Takes back what a statement said; with `replacedBy`, another statement says it right."""

    corrects: _Id
    reason: _Text
    replaced_by: _Id | None = Field(None, alias="replacedBy")


class DeletionBody(_Body):
    """Says that a data set or a job is no more since `at`, now by default; its history stays."""

    type: Literal["dataset", "job"]
    namespace: _Name
    name: _Name
    reason: _Text
    at: _Text | None = None


class EvidenceBody(_Body):
    """`of`: a name, or a digest as `sha256:…`; `asOf`: an entry's index or a time."""

    of: _Name
    as_of: _Text | None = Field(None, alias="asOf")


def _doing(action: str) -> dict[str, Any]:
    return {"x-wherefrom-action": action}


def make_router() -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["acts"])

    @router.get("/keys", openapi_extra=READ, summary="Whose signatures count, and since when")
    def list_keys(
        request: Request,
        guard: TheGuard,
        caller: Caller,
        status: Annotated[str | None, Query(pattern="^(active|retired|compromised)$")] = None,
    ) -> dict[str, Any]:
        guard.require_any(caller, Action.READ)
        records = [r for r in read_book(request.app.state.archive).records if status in {None, r.status}]
        return {
            "keys": [
                {"label": r.key.label, "role": r.role, "status": r.status, "since": r.since, "until": r.until}
                for r in records
            ]
        }

    @router.post("/keys", status_code=201, openapi_extra=_doing("write"), summary="Have statements by a key count")
    def register_key(request: Request, guard: TheGuard, caller: Caller, body: KeyBody) -> JSONResponse:
        guard.require_any(caller, Action.WRITE)
        receipt, label = _register(request.app.state.archive, body)
        log("key registered", key=label, principal=caller.id, new=receipt is not None and receipt.is_new)
        said = {"label": label, **(to_json(receipt) if receipt else {"isNew": False})}
        return JSONResponse(said, 201 if receipt and receipt.is_new else 200)

    @router.post("/corrections", status_code=201, openapi_extra=_doing("steward"), summary="Take back what was said")
    def correct(request: Request, guard: TheGuard, caller: Caller, body: CorrectionBody) -> JSONResponse:
        archive: Archive = request.app.state.archive
        guard.require_any(caller, Action.STEWARD)
        namespaces = namespaces_corrected(archive, body.corrects)
        if not all(guard.may(caller, Action.READ, namespace) for namespace in namespaces):
            raise NotFoundError(f"no statement {body.corrects} that you may see")
        for namespace in namespaces:
            guard.require(caller, Action.STEWARD, namespace)
        archive.read_recorded(body.corrects)  # raises NotFoundError for who sees all, and means what isn't there
        statement = make_correction_statement(body.corrects, reason=body.reason, replaced_by=body.replaced_by)
        [receipt] = archive.record(statement)
        return _receipt(receipt)

    @router.post(
        "/deletions", status_code=201, openapi_extra=_doing("steward"), summary="Say that a data set or job is no more"
    )
    def delete(request: Request, guard: TheGuard, caller: Caller, body: DeletionBody) -> JSONResponse:
        guard.require(caller, Action.STEWARD, body.namespace)
        [receipt] = request.app.state.archive.record(_deletion(body, by=caller.id))
        return _receipt(receipt)

    @router.post(
        "/evidence",
        openapi_extra=_doing("audit"),
        summary="A file that proves what a version was made from",
        description="For `wherefrom verify`. That it was issued is recorded. The caller must be an auditor of every"
        " namespace in the answer.",
        **giving(EVIDENCE_FILE),
    )
    def issue(request: Request, guard: TheGuard, caller: Caller, body: EvidenceBody) -> Response:
        archive: Archive = request.app.state.archive
        guard.require_any(caller, Action.AUDIT)
        as_of = _trace_visible(archive, guard, caller, body)
        data, _ = issue_evidence(archive, body.of, as_of=as_of)
        log("evidence issued", of=body.of[:200], principal=caller.id)
        return Response(data, media_type=EVIDENCE_FILE)

    return router


def _receipt(receipt: Receipt) -> JSONResponse:
    return JSONResponse(to_json(receipt), 201 if receipt.is_new else 200)


def _register(archive: Archive, body: KeyBody) -> tuple[Receipt | None, str]:
    """State a key unless it counts already. Raises ConflictError for one that was retired or revoked."""
    key = parse_verifier_key(body.verifier_key)
    also = parse_verifier_key(body.also_key) if body.also_key else None
    if key.name == archive.origin:
        raise FormatError(f"verifierKey: {key.label} has the ledger's own name, which no producer may have")
    known = read_book(archive).find(key.label)
    if known is None:
        return allow_key(archive, key, also=also), key.label
    if known.until is not None:
        raise ConflictError(f"{key.label} is {known.status} since entry {known.until}, and does not come back")
    if known.key != key or known.also != also:
        raise ConflictError(f"{key.label} is known with another key than {format_verifier_key(key)}, or another second")
    return None, key.label


def _deletion(body: DeletionBody, *, by: str) -> Statement:
    at = parse_time(body.at, what="deletion", path="$.at") if body.at else datetime.now(UTC)
    return make_deletion_statement(body.type, body.namespace, body.name, at=format_time(at), reason=body.reason, by=by)


def _trace_visible(archive: Archive, guard: Guard, caller: Principal, body: EvidenceBody) -> int:
    """The size as of which the caller may be given evidence. Raises NotFoundError also for what he may not audit."""
    nothing = NotFoundError(f"nothing is called {body.of!r:.200} that you may audit")
    try:
        as_of = archive.parse_as_of(body.as_of) if body.as_of else archive.size()
        answer = archive.trace(body.of, as_of=as_of)
    except (NotFoundError, ConflictError, VerificationError) as error:
        if guard.may(caller, Action.AUDIT, ALL):
            raise
        raise nothing from error  # which names there are is not for everybody
    if not all(guard.may(caller, Action.AUDIT, namespace) for namespace in _namespaces(answer)):
        raise nothing
    if not next(version for version in answer.versions if version.key == answer.subject).digests:
        raise NotFoundError(f"the content of {body.of!r:.200} was never seen, so there is nothing to give evidence of")
    return as_of


def _namespaces(answer: Answer) -> set[str]:
    return {version.namespace for version in answer.versions} | {run.job_namespace for run in answer.runs}
