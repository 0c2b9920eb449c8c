"""Who may do what, over HTTP: grants, tokens, who could see what when, and who is asking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from wherefrom.archive import granting
from wherefrom.archive.archive import to_recorded
from wherefrom.errors import Denied, FormatError, NotFoundError, Unauthenticated
from wherefrom.server.access.depends import Caller, TheGuard
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.access.who import who_could
from wherefrom.server.statements import to_json
from wherefrom.statements import (
    ROLES,
    Grant,
    Reach,
    Token,
    audited_in,
    check_pattern,
    check_principal,
    format_time,
    name_of,
)

MAX_TOKEN_DAYS = 366
ADMINISTER: dict[str, Any] = {"x-wherefrom-action": "administer"}
AUDIT: dict[str, Any] = {"x-wherefrom-action": "audit"}
SELF: dict[str, Any] = {"x-wherefrom-action": "self"}

router = APIRouter(tags=["access"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewGrant(_Body):
    """A role for a principal, in the namespaces that a pattern covers."""

    principal: str = Field(examples=["user:ada@example.com", "group:data-platform", "service:etl", "anonymous"])
    role: str = Field(examples=list(ROLES))
    namespaces: str = Field(examples=["*", "s3://lake", "postgres://*"])
    reason: str | None = None


class NewToken(_Body):
    """A token for oneself: how far it reaches, and for how long."""

    roles: list[str] | None = Field(None, min_length=1)
    namespaces: list[str] | None = Field(None, min_length=1)
    days: int = Field(granting.TOKEN_DAYS, ge=1, le=MAX_TOKEN_DAYS)
    reason: str | None = None


class NewTokenFor(NewToken):
    """A token for somebody else."""

    principal: str


# --- oneself ---------------------------------------------------------------------------------------------------------


@router.get("/v1/me", openapi_extra={"x-wherefrom-action": "public"})
def read_me(request: Request, guard: TheGuard) -> dict[str, Any]:
    """Who is asking, and what was granted to them; without a token or a login, `anonymous`."""
    me = guard.identify(request)
    grants = [
        {"role": grant.role, "namespaces": grant.namespaces, "through": grant.principal}
        for grant in guard.grants_of(me)
        if me.scope.roles is None or grant.role in me.scope.roles
    ]
    found: dict[str, Any] = {"principal": me.id, "groups": list(me.groups), "grants": grants}
    known = guard.access.now()
    if me.token_id and (token := known.book.find_token(me.token_id, as_of=known.size)):
        found["token"] = token.to_json()
    if me.session_id and (session := known.book.find_session(me.session_id, as_of=known.size)):
        found["session"] = {"sessionId": session.session_id, "expires": format_time(session.expires)}
    return found


@router.get("/v1/me/tokens", openapi_extra=SELF)
def list_my_tokens(guard: TheGuard, me: Caller) -> dict[str, Any]:
    """Your own tokens that hold, without their text, which nobody has but you."""
    _require_known(me)
    known = guard.access.now()
    return {"tokens": [one.to_json() for one in known.book.tokens(as_of=known.size) if one.principal == me.id]}


@router.post("/v1/me/tokens", status_code=201, openapi_extra=SELF)
def issue_my_token(guard: TheGuard, me: Caller, body: NewToken) -> dict[str, Any]:
    """A token that acts as you, within what is granted to you by your own name. Its text is shown this once.

    Only for who has logged in: with a token one can't make others, so that a lost one ends when it is revoked.
    """
    _require_known(me)
    if me.token_id is not None:
        raise Denied("with a token one can't make tokens", hint="log in, or ask an admin")
    return _issue(guard, me, me.id, body)


@router.delete("/v1/me/tokens/{token_id}", openapi_extra=SELF)
def revoke_my_token(guard: TheGuard, me: Caller, token_id: str) -> dict[str, Any]:
    """End one of your tokens."""
    _require_known(me)
    token = _find_token(guard, token_id)
    if token.principal != me.id:
        raise NotFoundError(f"no token {token_id!r:.40}")
    return _end(guard, me, token, None)


# --- for admins ------------------------------------------------------------------------------------------------------


@router.get("/v1/grants", openapi_extra=ADMINISTER)
def list_grants(guard: TheGuard, me: Caller, principal: str | None = None) -> dict[str, Any]:
    """The grants that hold, in the namespaces that you administer."""
    guard.require_any(me, Action.ADMINISTER)
    known = guard.access.now()
    found = sorted(known.book.grants(as_of=known.size), key=lambda grant: grant.index)
    shown = [
        grant.to_json()
        for grant in found
        if (principal is None or grant.principal == principal) and guard.may(me, Action.ADMINISTER, grant.namespaces)
    ]
    return {"grants": shown, "size": known.size}


@router.post("/v1/grants", status_code=201, openapi_extra=ADMINISTER)
def add_grant(guard: TheGuard, me: Caller, body: NewGrant) -> dict[str, Any]:
    """Give somebody a role in namespaces that you administer: all of those that the pattern covers."""
    check_pattern(body.namespaces)
    guard.require(me, Action.ADMINISTER, body.namespaces)
    receipt = granting.grant(
        guard.archive, body.principal, body.role, body.namespaces, by=_by(me), reason=body.reason or None
    )
    guard.access.refresh()
    return to_json(receipt)


@router.delete("/v1/grants/{statement_id}", openapi_extra=ADMINISTER)
def revoke_grant(guard: TheGuard, me: Caller, statement_id: str, reason: str | None = None) -> dict[str, Any]:
    """End a grant, by its statement's id."""
    guard.require_any(me, Action.ADMINISTER)
    known = guard.access.now()
    grant = known.book.find_grant(statement_id)
    if grant is None or not known.book.holds(grant, known.size):
        raise NotFoundError(f"no grant {statement_id!r:.80}")
    if not guard.may(me, Action.ADMINISTER, grant.namespaces):
        raise NotFoundError(f"no grant {statement_id!r:.80}")
    return _end(guard, me, grant, reason)


@router.get("/v1/tokens", openapi_extra=ADMINISTER)
def list_tokens(guard: TheGuard, me: Caller, principal: str | None = None) -> dict[str, Any]:
    """The tokens that hold and reach no further than you administer, without their text, which is kept nowhere."""
    guard.require_any(me, Action.ADMINISTER)
    known = guard.access.now()
    shown = [
        token.to_json()
        for token in known.book.tokens(as_of=known.size)
        if (principal is None or token.principal == principal) and _administers(guard, me, token.reach)
    ]
    return {"tokens": shown, "size": known.size}


@router.post("/v1/tokens", status_code=201, openapi_extra=ADMINISTER)
def issue_token(guard: TheGuard, me: Caller, body: NewTokenFor) -> dict[str, Any]:
    """A token for somebody else, a service mostly; it may reach no further than you administer. Shown this once."""
    for namespace in body.namespaces or ("*",):
        guard.require(me, Action.ADMINISTER, check_pattern(namespace))
    return _issue(guard, me, check_principal(body.principal), body)


@router.delete("/v1/tokens/{token_id}", openapi_extra=ADMINISTER)
def revoke_token(guard: TheGuard, me: Caller, token_id: str, reason: str | None = None) -> dict[str, Any]:
    """End a token that reaches no further than you administer."""
    guard.require_any(me, Action.ADMINISTER)
    token = _find_token(guard, token_id)
    if not _administers(guard, me, token.reach):
        raise NotFoundError(f"no token {token_id!r:.40}")
    return _end(guard, me, token, reason)


# --- for auditors ----------------------------------------------------------------------------------------------------


@router.get("/v1/access", openapi_extra=AUDIT)
def read_access(
    guard: TheGuard,
    me: Caller,
    namespace: str,
    at: Annotated[
        str | None, Query(description="An entry's index, a time (RFC 3339) or a day; now by default.")
    ] = None,
    action: Action = Action.READ,
) -> dict[str, Any]:
    """Who could see (or change) a namespace at a time, and by which statement."""
    guard.require(me, Action.AUDIT, namespace)
    found = who_could(guard.archive, action, namespace, at=at)
    holders = [
        one.grant.to_json() | {"members": list(one.members), "tokens": list(one.tokens)} for one in found.holders
    ]
    return {"namespace": namespace, "action": action, "at": format_time(found.at), "size": found.size, "who": holders}


@router.get("/v1/access/history", openapi_extra=AUDIT)
def read_history(
    guard: TheGuard,
    me: Caller,
    after: Annotated[int, Query(ge=-1, lt=2**53, description="Index of the last entry seen.")] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Grants, tokens, logins, policies and denials, as they were recorded, of the namespaces that you audit."""
    guard.require_any(me, Action.AUDIT)
    shown: list[dict[str, Any]] = []
    read_to = after
    with guard.archive.reading() as (tables, views):
        size = tables.size()
        indexes = views.list_access_statements(after + 1, limit=limit)
        for index in indexes:
            read_to = index
            recorded = to_recorded(tables.read_entries([index])[0], tables)
            where = audited_in(recorded.statement) if recorded.text else "*"
            if guard.may(me, Action.AUDIT, where):
                head = {"index": index, "statementId": recorded.statement_id, "kind": name_of(recorded.entry.kind)}
                predicate = dict(recorded.statement.predicate) if recorded.text else None
                if predicate:
                    predicate.pop("sha256", None)
                shown.append(head | {"received": format_time(recorded.entry.received), "predicate": predicate})
    return {"statements": shown, "after": read_to, "isComplete": len(indexes) < limit, "size": size}


def _require_known(me: Principal) -> None:
    if me.is_anonymous:
        raise Unauthenticated("this needs a token or a login")


def _administers(guard: Guard, me: Principal, reach: Reach) -> bool:
    return all(guard.may(me, Action.ADMINISTER, namespace) for namespace in reach.namespaces or ("*",))


def _find_token(guard: Guard, token_id: str) -> Token:
    known = guard.access.now()
    token = known.book.find_token(token_id, as_of=known.size)
    if token is None:
        raise NotFoundError(f"no token {token_id!r:.40}")
    return token


def _issue(guard: Guard, me: Principal, principal: str, body: NewToken) -> dict[str, Any]:
    for role in body.roles or ():
        if role not in ROLES:
            raise FormatError(f"role {role!r:.60}: expected one of {', '.join(ROLES)}")
    roles = frozenset(body.roles) if body.roles else None
    reach = Reach(roles, tuple(body.namespaces) if body.namespaces else None)
    expires = datetime.now(UTC) + timedelta(days=body.days)
    text, token_id, expires = granting.issue_token(
        guard.archive, principal, by=_by(me), expires=expires, reach=reach, reason=body.reason or None
    )
    guard.access.refresh()
    return {"token": text, "tokenId": token_id, "principal": principal, "expires": format_time(expires)}


def _end(guard: Guard, me: Principal, said: Grant | Token, reason: str | None) -> dict[str, Any]:
    receipt = granting.end(guard.archive, said, by=_by(me), reason=reason or None)
    guard.access.refresh()
    return to_json(receipt)


def _by(me: Principal) -> str:
    return f"{me.id} with token {me.token_id}" if me.token_id else me.id
