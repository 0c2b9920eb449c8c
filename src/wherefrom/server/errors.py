"""What becomes of an error over HTTP: its status, and a body that says what is wrong and what to do.

    {"error": {"type": "FormatError", "message": "…", "hint": "…", "path": "$.job", "requestId": "…"}}

False (409), malformed (400, 422), not there (404) and "could not be done now" (503, with Retry-After) stay apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

from wherefrom.errors import (
    ConflictError,
    FormatError,
    NotFoundError,
    UnavailableError,
    VerificationError,
    WherefromError,
)

if TYPE_CHECKING:
    from starlette.responses import Response

RETRY_AFTER_S: Final = 2
MAX_MESSAGE_CHARACTERS: Final = 2000
_PATH = re.compile(r": (\$[^\s:]{0,500}):? ")
_STATUSES: Final = (
    (FormatError, 400),
    (NotFoundError, 404),
    (ConflictError, 409),
    (VerificationError, 409),
    (UnavailableError, 503),
)


class RequestError(WherefromError):
    """What is wrong with a request as such, and the status that says so."""

    def __init__(self, status: int, message: str, *, hint: str | None = None, **headers: str) -> None:
        """`headers` go with the answer, `_` standing for `-`."""
        super().__init__(message, hint=hint)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __reduce__(self) -> tuple[type[RequestError], tuple[int, str], dict[str, Any]]:
        return type(self), (self.status, str(self)), self.__dict__  # it may be raised in another process


def too_large(message: str) -> RequestError:
    """413; the connection is closed, since nobody reads the rest of the body."""
    return RequestError(413, message, Connection="close")


def overloaded(message: str) -> RequestError:
    return RequestError(503, message, hint="try again", Retry_After=str(RETRY_AFTER_S))


def status_of(error: WherefromError) -> int:
    """The status that an error is answered with."""
    status = getattr(error, "status", None)  # of RequestError, and of who asks and may not
    if isinstance(status, int):
        return status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def headers_of(error: WherefromError) -> dict[str, str]:
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, UnavailableError):
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return headers


def describe(error: WherefromError, request_id: str) -> dict[str, Any]:
    """The body of an answer. What only the server's owner may know (files, databases) is not in it, but in the log."""
    message = _printable(str(error))
    body: dict[str, Any] = {"type": type(error).__name__, "message": message, "requestId": request_id}
    if isinstance(error, UnavailableError) and _is_of_the_inside(message):
        return {"error": body | {"message": "the archive can't be read or written now", "hint": "try again"}}
    if error.hint:
        body["hint"] = error.hint
    if found := _PATH.search(message):
        body["path"] = found[1]
    return {"error": body}


def answer_error(error: WherefromError, request_id: str, extra: Mapping[str, str] | None = None) -> Response:
    from starlette.responses import Response

    headers = headers_of(error) | dict(extra or {})
    body = orjson.dumps(describe(error, request_id))
    return Response(body, status_of(error), headers, media_type="application/json")


def from_status(status: int, detail: object, headers: Mapping[str, str] | None = None) -> RequestError:
    """The error for what the framework refuses: an unknown path, a wrong method, a parameter of another type."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "error"
    error = RequestError(status, str(detail or phrase))
    error.headers = dict(headers or {})
    return error


def _is_of_the_inside(message: str) -> bool:
    return message.startswith(("database ", "secret key ", "trust file ", "last signed checkpoint ")) or "/" in message


def _printable(text: str) -> str:
    """At most so many characters, and none that a terminal or a page would obey, or that no UTF-8 has."""
    shown = text if len(text) <= MAX_MESSAGE_CHARACTERS else f"{text[:MAX_MESSAGE_CHARACTERS]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
