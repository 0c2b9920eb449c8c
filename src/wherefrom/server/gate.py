"""What each request passes on its way in and out: limits, an id, security headers, a line in the log, a count.

One plain ASGI middleware: a request that is small and in order costs some tens of microseconds here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from wherefrom.server.errors import RequestError, answer_error, overloaded
from wherefrom.server.limits import BoundedBody
from wherefrom.server.logs import log, request_id_of

if TYPE_CHECKING:
    from wherefrom.server.health import Metrics
    from wherefrom.server.settings import Settings

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Asked by machines that must get an answer when everybody else gets 503; and an answer that has no end.
UNCOUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics", "/v1/live"})
SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_TLS_ONLY: Final = (b"strict-transport-security", b"max-age=31536000")


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: Any, *, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        passage = _Passage(scope, send, headers, self._settings)
        counted = scope["path"] not in UNCOUNTED
        self._under_way += counted
        self._metrics.under_way.set(self._under_way)
        body = BoundedBody(receive, headers, self._settings, asyncio.get_running_loop().time())
        passage.body = body
        try:
            refusal = self._refusal(scope, counted=counted) or body.refused
            if refusal:
                await passage.refuse(refusal)
            else:
                await self._app(scope, body, passage.send)
        except RequestError as error:  # raised where the framework reads a body
            await passage.refuse(error)
        except Exception as error:
            # The framework's own place for this lies outside of all middleware: its answers would lack the headers.
            if passage.is_stalled:
                log("a client does not take what it is sent", level=logging.WARNING, requestId=passage.request_id)
                passage.status = 499
            else:
                log("failed", level=logging.ERROR, error=error, requestId=passage.request_id, path=scope["path"][:500])
            if passage.is_started:
                raise  # which cuts the connection: half an answer must not look like a whole one
            message = "something went wrong; the server's log has it under this request's id"
            await passage.refuse(RequestError(500, message))
        finally:
            self._under_way -= counted
            self._metrics.under_way.set(self._under_way)
            self._note(scope, passage)

    def _refusal(self, scope: Scope, *, counted: bool) -> RequestError | None:
        """What is wrong with a request, as far as its head says."""
        settings = self._settings
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > settings.max_url_bytes:
            return RequestError(414, f"the request's target has over {settings.max_url_bytes} bytes")
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > settings.max_header_bytes:
            return RequestError(431, f"the request's header fields have over {settings.max_header_bytes} bytes")
        if counted and self._under_way > settings.max_requests:
            return overloaded(f"{settings.max_requests} requests are being answered already")
        return None

    def _note(self, scope: Scope, passage: _Passage) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"
        seconds = time.perf_counter() - passage.begun
        self._metrics.note_request(scope["method"], route, passage.status, seconds)
        principal = scope.get("state", {}).get("principal")
        log(
            "request",
            level=logging.ERROR if passage.status >= 500 and passage.status != 503 else logging.INFO,
            requestId=passage.request_id,
            method=scope["method"],
            path=scope["path"][:500],
            status=passage.status,
            ms=round(seconds * 1000, 2),
            principal=getattr(principal, "id", None),
        )


class _Passage:
    """One request's way out."""

    def __init__(self, scope: Scope, send: Send, headers: dict[bytes, bytes], settings: Settings) -> None:
        self._scope, self._send, self._settings = scope, send, settings
        self.request_id = request_id_of(headers.get(b"x-request-id", b"").decode("latin-1"))
        scope.setdefault("state", {})["request_id"] = self.request_id
        self.begun = time.perf_counter()
        self.status = 500
        self.is_stalled = False
        self.body: BoundedBody | None = None
        self.is_started = False
        self._is_replaced = False

    async def refuse(self, error: RequestError) -> None:
        """Answer with an error, unless the answer has begun."""
        if self.is_started:
            return
        self._is_replaced = False
        if self.body:
            self.body.refused = None
            if error.status == 413:
                await self.body.drain()
        await answer_error(error, self.request_id)(self._scope, _no_more, self.send)
        self._is_replaced = True  # what the application says after that is not sent

    async def send(self, message: Message) -> None:
        if self._is_replaced:
            return
        if message["type"] == "http.response.start":
            if self.body and self.body.refused:  # the framework made something else of it
                await self.refuse(self.body.refused)
                return
            self.is_started = True
            self.status = message["status"]
            message["headers"] = self._with_ours(message.get("headers") or [])
        try:
            async with asyncio.timeout(self._settings.send_deadline_s):
                await self._send(message)
        except TimeoutError:
            self.is_stalled = True
            raise

    def _with_ours(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in given}
        ours = [(name, value) for name, value in SECURITY_HEADERS if name not in names]
        if self._scope.get("scheme") == "https":
            ours.append(_TLS_ONLY)
        return [*given, *ours, (b"x-request-id", self.request_id.encode())]


async def _no_more() -> Message:
    return {"type": "http.disconnect"}
