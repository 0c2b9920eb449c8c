"""One server, asked over kept connections: tried again where that helps, and its errors told apart.

What the server says went wrong becomes the error that says it here: 400, 413, 422 FormatError; 401 `Unauthenticated`;
403 `Denied`; 404 NotFoundError; 409 ConflictError or VerificationError; everything else UnavailableError.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from wherefrom import errors, fetch
from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.strict import parse_json

MAX_ANSWER_BYTES: Final = 256 << 20
_RETRIED: Final = frozenset({502, 503, 504})
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 8.0

Params = Mapping[str, object]


class ServerBusyError(UnavailableError):
    """The server is not there, or takes nothing now. `retry_after_s`: how long it asked for, None if it did not."""

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Connection:
    """Requests to one server. Safe for many threads.

    Each request here may be repeated: the server records the same statement or event once.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        timeout_s: float,
        attempts: int,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`timeout_s` is for one attempt; a request is tried `attempts` times before ServerBusyError is raised."""
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._sleep = sleep

    def get(self, path: str, params: Params | None = None) -> Any:
        """What the server answers, parsed."""
        return _parse(self.request("GET", path, params).body, path)

    def get_bytes(self, path: str, params: Params | None = None) -> bytes:
        return self.request("GET", path, params).body

    def post(self, path: str, body: bytes) -> Any:
        return _parse(self.request("POST", path, body=body).body, path)

    def request(
        self, method: str, path: str, params: Params | None = None, *, body: bytes | None = None
    ) -> fetch.Reply:
        """A reply that says all went well; raises what the server says went wrong, or ServerBusyError."""
        for left in reversed(range(self._attempts)):
            try:
                return self._try(method, path, params, body)
            except ServerBusyError as error:
                pause = self._pause(self._attempts - 1 - left, error)
                if not left or pause > self._timeout_s:
                    raise
                self._sleep(pause)
        raise AssertionError("at least one attempt")

    def locate(self, path: str, params: Params | None = None) -> str:
        """The URL of a path, each value of `params` quoted; those that are None left out, True as `true`."""
        pairs = [(name, _text(value)) for name, value in (params or {}).items() if value is not None]
        return f"{self.url}{path}" + (f"?{urlencode(pairs)}" if pairs else "")

    @property
    def headers(self) -> dict[str, str]:
        """What every request brings along."""
        return dict(self._headers)

    def _try(self, method: str, path: str, params: Params | None, body: bytes | None) -> fetch.Reply:
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            reply = fetch.request(
                method,
                self.locate(path, params),
                body=body,
                headers=headers,
                max_bytes=MAX_ANSWER_BYTES,
                timeout_s=self._timeout_s,
            )
        except UnavailableError as error:
            raise ServerBusyError(str(error), hint=error.hint) from error
        if 200 <= reply.status < 300:
            return reply
        raise error_of(reply, where=f"{method} {self.url}{path}")

    def _pause(self, tried: int, error: ServerBusyError) -> float:
        """Seconds until the next attempt: what the server asked for, or else longer each time, by chance."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        return random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**tried))  # noqa: S311 - spreads load, hides nothing


def quote_segment(text: str) -> str:
    """A name as one segment of a path."""
    return quote(text, safe="")


def error_of(reply: fetch.Reply, *, where: str) -> WherefromError:
    """What a reply that is no success says went wrong."""
    said = _said(reply.body)
    status = reply.status
    message, hint = str(said.get("message") or f"{where}: the server answered {status}"), said.get("hint")
    hint = str(hint) if hint else None
    if status in _RETRIED or status in {408, 425, 429}:
        return ServerBusyError(message, hint=hint, retry_after_s=_retry_after(reply))
    kind = type_of(str(said.get("type", "")))
    match status:
        case 400 | 422 if said:
            return (kind or FormatError)(message, hint=hint)
        case 413:
            return FormatError(message, hint=hint or "the server takes no request so large")
        case 409 if said:
            return (kind or errors.ConflictError)(message, hint=hint)
        case 401:
            return errors.Unauthenticated(message, hint=hint or "set WHEREFROM_TOKEN to a token that is valid")
        case 403:
            return errors.Denied(message, hint=hint or "an administrator of the server can grant it")
        case 404 if said:
            return errors.NotFoundError(message, hint=hint)
    return UnavailableError(f"{where}: the server answered {status}", hint="is this the URL of a Wherefrom server?")


def type_of(name: str) -> type[WherefromError] | None:
    """The error class that a server names, None for one we don't know."""
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, WherefromError) else None


def _said(body: bytes) -> dict[str, Any]:
    """The member `error` of our servers' answers; {} for what is not one."""
    try:
        said = parse_json(body, what="answer")
    except FormatError:
        return {}
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, dict) else {}


def _parse(body: bytes, path: str) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        message = f"{path}: the answer is no JSON: {error}"
        raise UnavailableError(message, hint="is this the URL of a Wherefrom server?") from error


def _retry_after(reply: fetch.Reply) -> float | None:
    """Seconds, RFC 9110 section 10.2.3."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)
