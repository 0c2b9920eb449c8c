"""HTTP as a client: one request, bounded in time and size, with failures told apart.

A reply is never trusted for being a reply: whoever asks verifies what came.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wherefrom.errors import FormatError, UnavailableError

if TYPE_CHECKING:
    import urllib3

TIMEOUT_S: Final = 30.0
MAX_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Reply:
    """Any status is a reply. `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(url: str, *, max_bytes: int = MAX_BYTES, timeout_s: float = TIMEOUT_S) -> Reply:
    """GET, following redirects. Raises as `request` does."""
    return request("GET", url, max_bytes=max_bytes, timeout_s=timeout_s)


def post(
    url: str, body: bytes, *, content_type: str, max_bytes: int = MAX_BYTES, timeout_s: float = TIMEOUT_S
) -> Reply:
    """POST; a redirect is a reply like another. Raises as `request` does."""
    headers = {"Content-Type": content_type}
    return request("POST", url, body=body, headers=headers, max_bytes=max_bytes, timeout_s=timeout_s)


def request(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = TIMEOUT_S,
) -> Reply:
    """One request over a kept connection; safe for many threads.

    Raises FormatError for what is no http(s) URL, and UnavailableError: no connection, no reply within `timeout_s`, a
    body that is not there by then, or one beyond `max_bytes`.
    """
    import urllib3

    if not url.startswith(("http://", "https://")):
        raise FormatError(f"URL {url!r} does not begin with http:// or https://")
    deadline = time.monotonic() + timeout_s
    try:
        reply = _pool().request(
            method,
            url,
            body=body,
            headers={"User-Agent": "wherefrom", "Accept-Encoding": "identity", **(headers or {})},
            timeout=urllib3.Timeout(total=timeout_s),
            redirect=method == "GET",
            # A 503 that says when to come again is a reply like another, too.
            retries=urllib3.Retry(
                connect=0,
                read=0,
                other=0,
                status=0,
                redirect=5,
                raise_on_redirect=True,
                respect_retry_after_header=False,
            ),
            preload_content=False,
        )
        try:
            content = _read(reply, max_bytes, deadline)
        except BaseException:
            reply.close()  # half read, the connection is of no more use
            raise
        reply.release_conn()
    except urllib3.exceptions.LocationParseError as error:
        raise FormatError(f"URL {url!r} cannot be read: {error}") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnavailableError(f"{method} {url}: {_reason(error)}", hint="try again later") from error
    return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, content)


@contextlib.contextmanager
def stream(
    url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> Iterator[tuple[Reply, Iterator[bytes]]]:
    """GET a body that has no end: (reply, what comes as it comes); the reply's own body is what an error says.

    Raises as `request` does, the iterator too: UnavailableError when nothing came for `timeout_s`, or the connection
    broke. It ends when the server ends it.
    """
    import urllib3

    if not url.startswith(("http://", "https://")):
        raise FormatError(f"URL {url!r} does not begin with http:// or https://")
    try:
        reply = _pool().request(
            "GET",
            url,
            headers={"User-Agent": "wherefrom", "Accept-Encoding": "identity", **(headers or {})},
            timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s),
            retries=False,
            preload_content=False,
        )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnavailableError(f"GET {url}: {_reason(error)}", hint="try again later") from error

    def parts() -> Iterator[bytes]:
        try:
            while part := reply.read1(1 << 16):
                yield part
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"GET {url}: {_reason(error)}", hint="try again later") from error

    try:
        is_error = reply.status != 200
        named = {name.lower(): value for name, value in reply.headers.items()}
        yield Reply(reply.status, named, next(parts(), b"") if is_error else b""), parts()
    finally:
        reply.close()  # half read, the connection is of no more use


def _reason(error: Exception) -> str:
    """What the library says at the bottom, without which of its objects says it: the URL stands before it."""
    while isinstance(deeper := getattr(error, "reason", None), Exception):
        error = deeper
    return re.sub(r"^HTTPS?Connection(Pool)?\(.*?\): ", "", str(error))


def _read(reply: urllib3.BaseHTTPResponse, max_bytes: int, deadline: float) -> bytes:
    """The body. The library's own limit is on each wait for more, so a server that drips could hold us for ever."""
    import urllib3

    parts, size = [], 0
    while part := reply.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise urllib3.exceptions.HTTPError(f"the reply has over {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise urllib3.exceptions.HTTPError("the reply did not come to its end in time")
    return b"".join(parts)


@functools.cache
def _pool() -> urllib3.PoolManager:
    import urllib3

    return urllib3.PoolManager(maxsize=16)


# Two processes that read answers from one connection would get each other's.
os.register_at_fork(after_in_child=_pool.cache_clear)
