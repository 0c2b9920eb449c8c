"""HTTP as a client: one request, bounded in time and size, with failures told apart.

A reply is never trusted for being a reply: whoever asks verifies what came.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
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

    Raises FormatError for what is no http(s) URL, and UnavailableError: no connection, no reply within `timeout_s`, or
    a body beyond `max_bytes`.
    """
    import urllib3

    if not url.startswith(("http://", "https://")):
        raise FormatError(f"URL {url!r} does not begin with http:// or https://")
    timeout = urllib3.Timeout(total=timeout_s)
    try:
        reply = _pool().request(
            method,
            url,
            body=body,
            headers={"User-Agent": "wherefrom", "Accept-Encoding": "identity", **(headers or {})},
            timeout=timeout,
            redirect=method == "GET",
            retries=urllib3.Retry(connect=0, read=0, other=0, status=0, redirect=5, raise_on_redirect=True),
            preload_content=False,
        )
        try:
            content = reply.read(max_bytes + 1)
            if len(content) <= max_bytes:
                content += reply.read(1)  # an empty read ends the reply, and gives the connection back
        finally:
            reply.close() if reply.length_remaining else reply.release_conn()
    except urllib3.exceptions.LocationParseError as error:
        raise FormatError(f"URL {url!r} cannot be read: {error}") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnavailableError(f"{method} {url}: {error}", hint="try again later") from error
    if len(content) > max_bytes:
        raise UnavailableError(f"{method} {url}: the reply has over {max_bytes} bytes")
    return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, content)


@functools.cache
def _pool() -> urllib3.PoolManager:
    import urllib3

    return urllib3.PoolManager(maxsize=16)
