"""Who asks, and what they may do: what every route of the server calls."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wherefrom.archive import Archive
from wherefrom.archive.granting import Access, LiveAccess, begin_session, record_policy
from wherefrom.errors import Denied, FormatError, Unauthenticated
from wherefrom.server.access.deciding import Policies
from wherefrom.server.access.denials import Denials
from wherefrom.server.access.sessions import COOKIE, Sessions
from wherefrom.statements import ANONYMOUS, Grant, Reach, is_covered, parse_token

if TYPE_CHECKING:
    from starlette.requests import Request

    from wherefrom.server.access.oidc import Login, Provider

MAX_DECISIONS: Final = 1 << 17
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


EVERYTHING: Final = Reach()


class Action(StrEnum):
    """What one may be allowed to do in a namespace."""

    READ = "read"
    WRITE = "write"
    STEWARD = "steward"
    AUDIT = "audit"
    ADMINISTER = "administer"


@dataclass(frozen=True)
class Principal:
    """Who asks, as the token, session or login says.

    Attributes:
        id: `user:…`, `service:…` or `anonymous`.
        token_id, session_id: of what said so: a token, of the login provider's too, or a cookie.
        scope: how far the token reaches; all that the principal may do, without a token.
        groups: of a person who logged in, as `group:…`.
        route: that is asked, for the record of denials; no part of who asks.
    """

    id: str
    token_id: str | None = None
    scope: Reach = EVERYTHING
    groups: tuple[str, ...] = ()
    session_id: str | None = None
    route: str = field(default="", compare=False)

    @property
    def is_anonymous(self) -> bool:
        return self.id == ANONYMOUS

    @property
    def names(self) -> tuple[str, ...]:
        """All whose grants are theirs: what anybody may do, they may."""
        return (self.id, *self.groups) if self.is_anonymous else (self.id, *self.groups, ANONYMOUS)


@dataclass(frozen=True)
class _Decided:
    """What was decided by the book of one size, and which role is held in which pattern by all who go by some names."""

    size: int
    decisions: dict[tuple[Principal, Action, str], bool] = field(default_factory=dict)
    held: dict[tuple[str, ...], frozenset[tuple[str, str]]] = field(default_factory=dict)


class Guard:
    """Says who asks and what they may. Safe for many threads; one for each process.

    What another process records is heeded within a second, what this one records at once.
    """

    def __init__(self, archive: Archive, *, policies: Path | None = None, provider: Provider | None = None) -> None:
        """Read the policies, and record them if they are others than those recorded last.

        Args:
            policies: a folder with the organisation's own `*.cedar` files, which add to ours.
            provider: where people log in.

        Raises FormatError naming file and line of a policy that can't be read, UnavailableError without the extra.
        """
        self.archive = archive
        self.provider = provider
        self.policies = Policies.read(policies)
        self.access = LiveAccess(archive)
        self.sessions = Sessions(archive)
        self.denials = Denials(archive)
        self._decided = _Decided(0)
        record_policy(archive, self.access.now(), files=self.policies.files, schema=self.policies.schema)

    def close(self) -> None:
        """Record the denials that were counted and not recorded yet."""
        self.denials.close()

    # --- who -------------------------------------------------------------------------------------------------------

    def principal_of(self, request: Request) -> Principal:
        """As `identify`. Raises Unauthenticated for `anonymous` too, where nothing is granted to anybody."""
        found = self.identify(request)
        if found.is_anonymous and not self.grants_of(found):
            self.denials.count(None, "authenticate", None, found.route)
            raise Unauthenticated("this needs a token or a login", hint=self._how_to_log_in())
        return found

    def identify(self, request: Request) -> Principal:
        """Who sent a request: by its token, else by its session's cookie, else `anonymous`.

        Raises Unauthenticated: a wrong, expired or revoked token or session, or a request that changes something, with
        a cookie, which another site's page may have sent.
        """
        route = _route_of(request)
        try:
            found = self._principal_of(request) or Principal(ANONYMOUS)
        except Unauthenticated as error:
            self.denials.count(None, "authenticate", None, route)
            error.headers = {"WWW-Authenticate": 'Bearer realm="wherefrom", error="invalid_token"'}
            raise
        return dataclasses.replace(found, route=route)

    def _principal_of(self, request: Request) -> Principal | None:
        given = request.headers.getlist("authorization")
        if len(given) > 1:
            raise Unauthenticated("the request has more than one Authorization header")
        if given:
            scheme, _, text = given[0].partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated(f"Authorization of the kind {scheme[:20]!r}, expected Bearer")
            return self.principal_of_token(text.strip())
        cookie = request.cookies.get(COOKIE)
        if cookie is None:
            return None
        if request.method not in _SAFE_METHODS and not _is_own_page(request):
            raise Unauthenticated(
                "a request that changes something, with a session's cookie, needs the header X-Wherefrom",
                hint="so that no other site's page can send it",
            )
        return self._principal_of_cookie(cookie)

    def principal_of_token(self, text: str) -> Principal:
        """Whose token this is: one of ours, or the login provider's where that is set up. Raises Unauthenticated."""
        if not text.startswith("wft_") and self.provider is not None and self.provider.settings.audience:
            return self._principal_of_login(self.provider.login_of_bearer(text), text)
        try:
            token_id = parse_token(text)
        except FormatError as error:
            raise Unauthenticated(str(error)) from error
        known = self.access.now()
        token = known.book.find_token(token_id, as_of=known.size)
        digest = hashlib.sha256(text.encode()).digest()
        if token is None or not hmac.compare_digest(digest, token.sha256):
            raise Unauthenticated("no such token here: it is another archive's, or was revoked")
        if token.expires <= datetime.now(UTC):
            raise Unauthenticated(f"token {token_id} has expired", hint="ask for a new one")
        return Principal(token.principal, token_id, token.reach)

    def _principal_of_cookie(self, cookie: str) -> Principal:
        session_id = self.sessions.open(cookie)
        known = self.access.now()
        session = known.book.find_session(session_id, as_of=known.size)
        if session is None:
            raise Unauthenticated("this session has ended", hint=self._how_to_log_in())
        if session.expires <= datetime.now(UTC):
            raise Unauthenticated("this session has expired", hint=self._how_to_log_in())
        groups = tuple(f"group:{group}" for group in session.groups)
        return Principal(session.principal, groups=groups, session_id=session_id)

    def _principal_of_login(self, login: Login, text: str) -> Principal:
        """Of a token that the provider signed for us: it is recorded as a session when it is first seen."""
        session_id = f"bearer-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        known = self.access.now()
        if known.book.find_session(session_id, as_of=known.size) is None:
            if known.book.has_session(session_id):
                raise Unauthenticated("what this token began was ended here", hint="get a new one")
            self.begin_session(login, session_id)
        groups = tuple(f"group:{group}" for group in login.groups)
        return Principal(login.principal, session_id, groups=groups)

    def begin_session(self, login: Login, session_id: str) -> None:
        """Record that somebody logged in."""
        begin_session(
            self.archive,
            login.principal,
            groups=login.groups,
            issuer=login.issuer,
            expires=login.expires,
            session_id=session_id,
        )
        self.access.refresh()

    def _how_to_log_in(self) -> str:
        return "log in at /login" if self.provider else "send the header Authorization: Bearer wft_…"

    # --- what ------------------------------------------------------------------------------------------------------

    def may(self, principal: Principal, action: Action, namespace: str) -> bool:
        """Whether they may do this in a namespace, or in all of a pattern of namespaces. What nothing permits: no."""
        known, decided = self.access.now(), self._decided
        if decided.size != known.size or len(decided.decisions) >= MAX_DECISIONS:
            self._decided = decided = _Decided(known.size)
        key = (principal, action, namespace)
        if key not in decided.decisions:
            decided.decisions[key] = self._decide(known, decided, *key)
        return decided.decisions[key]

    def _decide(self, known: Access, decided: _Decided, principal: Principal, action: Action, namespace: str) -> bool:
        if principal.names not in decided.held:
            held = {(grant.role, grant.namespaces) for grant in _grants_of(known, principal)}
            decided.held[principal.names] = frozenset(held)
        roles = frozenset(
            role
            for role, pattern in decided.held[principal.names]
            if is_covered(namespace, pattern) and principal.scope.has(role, namespace)
        )
        return self.policies.permits(
            principal.id, groups=principal.groups, roles=roles, action=action, namespace=namespace
        )

    def grants_of(self, principal: Principal) -> Sequence[Grant]:
        """All that hold now for them, their groups and anybody; their token may reach less far."""
        return _grants_of(self.access.now(), principal)

    def require(self, principal: Principal, action: Action, namespace: str) -> None:
        """Raise Denied unless they may, Unauthenticated if nobody knows who they are. Either is recorded."""
        if not self.may(principal, action, namespace):
            self._deny(principal, action, namespace)

    def require_any(self, principal: Principal, action: Action) -> None:
        """Raise as `require` does unless they may do this in some namespace."""
        if not self.may_any(principal, action):
            self._deny(principal, action, None)

    def may_any(self, principal: Principal, action: Action) -> bool:
        """Whether they may do this in some namespace, or pattern of namespaces, that was granted to them."""
        reached = principal.scope.namespaces
        for pattern in {grant.namespaces for grant in self.grants_of(principal)}:
            inner = [pattern] if reached is None else [n for n in reached if is_covered(n, pattern)]
            if reached and not inner and any(is_covered(pattern, name) for name in reached):
                inner = [pattern]
            if any(self.may(principal, action, name) for name in inner):
                return True
        return False

    def sees(self, principal: Principal) -> Callable[[str], bool]:
        """Whether they may read a namespace, as a function for asking about many; it heeds what changes meanwhile."""
        seen: dict[str, tuple[int, bool]] = {}  # and the size of the book by which it was decided

        def is_seen(namespace: str) -> bool:
            size, found = self.access.now().size, seen.get(namespace)
            if found is None or found[0] != size:
                if len(seen) >= MAX_DECISIONS:
                    seen.clear()
                found = seen[namespace] = (size, self.may(principal, Action.READ, namespace))
            return found[1]

        return is_seen

    def _deny(self, principal: Principal, action: Action, namespace: str | None) -> None:
        where = "any namespace" if namespace is None else f"namespace {namespace!r:.200}"
        if principal.is_anonymous:
            self.denials.count(None, action, namespace, principal.route)
            raise Unauthenticated(f"to {action} {where} needs a token or a login", hint=self._how_to_log_in())
        self.denials.count(principal.id, action, namespace, principal.route)
        limits = ", with this token" if principal.token_id else ""
        raise Denied(f"{principal.id} may not {action} in {where}{limits}", hint="an admin of it can grant a role")


def _grants_of(known: Access, principal: Principal) -> list[Grant]:
    return [grant for name in principal.names for grant in known.book.grants_of(name, as_of=known.size)]


def _route_of(request: Request) -> str:
    """The route's template: what a stranger may choose freely is not in it."""
    route = request.scope.get("route")
    return f"{request.method} {getattr(route, 'path', '')}".strip()


def _is_own_page(request: Request) -> bool:
    """Whether no other site's page can have sent this: such a page can set no header of its own, nor our origin."""
    if "x-wherefrom" in request.headers:
        return True
    origin = request.headers.get("origin", "")
    host = request.headers.get("host", "")
    return bool(host) and origin.partition("://")[2] == host
