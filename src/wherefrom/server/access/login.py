"""Logging in with a browser: authorization code flow with PKCE, state and nonce. Source: OpenID Connect Core 1.0, 3.1.

What must come back unchanged waits in a signed cookie of the browser that began, so any process of the server can
finish a login, and no other browser can.
"""

from __future__ import annotations

import hmac
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from wherefrom.archive import granting
from wherefrom.errors import NotFoundError, Unauthenticated
from wherefrom.server.access.depends import TheGuard
from wherefrom.server.access.guard import Guard
from wherefrom.server.access.oidc import Provider
from wherefrom.server.access.sessions import COOKIE, LOGIN_COOKIE

LOGIN_S: Final = 600
"""How long somebody may take to log in."""
CALLBACK: Final = "/login/callback"
PUBLIC: dict[str, Any] = {"x-wherefrom-action": "public"}

router = APIRouter(tags=["access"])


@router.get("/login", status_code=303, response_class=RedirectResponse, openapi_extra=PUBLIC)
def begin_login(
    request: Request,
    guard: TheGuard,
    next_path: Annotated[str, Query(alias="next", max_length=2048, description="A path of this server.")] = "/v1/me",
) -> Response:
    """Send the browser to the login provider; it comes back to `/login/callback`, and then to `next`."""
    provider = _provider(guard)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    url = provider.login_url(redirect_uri=_callback(request, provider), state=state, nonce=nonce, verifier=verifier)
    waiting = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "next": next_path if _is_own_path(next_path) else "/v1/me",
        "until": int(time.time()) + LOGIN_S,
    }
    answer = RedirectResponse(url, 303, headers={"Cache-Control": "no-store"})
    sealed = guard.sessions.seal("login", waiting)
    _set_cookie(answer, request, provider, LOGIN_COOKIE, sealed, max_age=LOGIN_S, path="/login")
    return answer


@router.get(CALLBACK, status_code=303, response_class=RedirectResponse, openapi_extra=PUBLIC)
def finish_login(
    request: Request,
    guard: TheGuard,
    code: str | None = None,
    state: str | None = None,
    iss: str | None = None,
    error: str | None = None,
) -> Response:
    """Where the login provider sends the browser back to: begins a session, which is recorded."""
    provider = _provider(guard)
    try:
        waiting = guard.sessions.unseal("login", request.cookies.get(LOGIN_COOKIE, ""))
        if state is None or not hmac.compare_digest(state.encode(), str(waiting.get("state")).encode()):
            raise Unauthenticated("this login was not begun in this browser", hint="log in again")
        if int(waiting["until"]) < time.time():
            raise Unauthenticated("this login took too long", hint="log in again")
        if iss is not None and iss != provider.settings.issuer:
            raise Unauthenticated("the answer comes from another login provider")
        if error is not None or not code:
            raise Unauthenticated(f"the login provider says {error or 'nothing'!r:.80}", hint="log in again")
        login = provider.finish_login(
            code, redirect_uri=_callback(request, provider), nonce=waiting["nonce"], verifier=waiting["verifier"]
        )
    except Unauthenticated:
        guard.denials.count(None, "authenticate", None, f"GET {CALLBACK}")
        raise
    session_id = secrets.token_hex(16)
    guard.begin_session(login, session_id)
    answer = RedirectResponse(waiting["next"], 303, headers={"Cache-Control": "no-store"})
    lasts = int((login.expires - datetime.now(UTC)).total_seconds())
    sealed = guard.sessions.seal("session", {"session": session_id})
    _set_cookie(answer, request, provider, COOKIE, sealed, max_age=lasts)
    answer.delete_cookie(LOGIN_COOKIE, path="/login")
    return answer


@router.post("/logout", status_code=204, openapi_extra=PUBLIC)
def log_out(request: Request, guard: TheGuard) -> Response:
    """End the session of this browser, here and wherever its cookie may have been copied to."""
    me = guard.identify(request)
    known = guard.access.now()
    if me.session_id and (session := known.book.find_session(me.session_id, as_of=known.size)):
        granting.end(guard.archive, session, by=me.id)
        guard.access.refresh()
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE)
    return answer


def _provider(guard: Guard) -> Provider:
    if guard.provider is None:
        raise NotFoundError("nobody can log in here: no login provider is set up")
    return guard.provider


def _callback(request: Request, provider: Provider) -> str:
    return f"{(provider.settings.public_url or str(request.base_url)).rstrip('/')}{CALLBACK}"


def _is_own_path(text: str) -> bool:
    """Whether it leads nowhere but here: browsers take two slashes, either way round, for another one's address."""
    return text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text


def _set_cookie(
    answer: Response, request: Request, provider: Provider, name: str, value: str, *, max_age: int, path: str = "/"
) -> None:
    secure = (provider.settings.public_url or str(request.base_url)).startswith("https:")
    answer.set_cookie(name, value, max_age=max_age, path=path, secure=secure, httponly=True, samesite="lax")
