"""The ledger over HTTP: C2SP tlog-tiles, read straight from the archive; every file can be cached, and most for ever.

GET and HEAD of
    /checkpoint                  the newest signed tree
    /tile/<level>/<index>        hashes, 256 of them, or fewer as /tile/<level>/<index>.p/<width>
    /tile/entries/<index>        entries, likewise
    /statements/<index>          what lies beside them, where the archive's owner publishes it, with
    /lineage.json                digests of what it gives
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wherefrom.archive import Archive
from wherefrom.archive.publishing import read_lineage_digests, require_none_pending, stored_log
from wherefrom.errors import NotFoundError, WherefromError
from wherefrom.server.running import require_extra
from wherefrom.tlog.entries import MAX_BUNDLE_BYTES
from wherefrom.tlog.source import CHECKPOINT
from wherefrom.tlog.statements import LINEAGE, MAX_STATEMENTS_BYTES, format_lineage
from wherefrom.tlog.target import cache_control, content_type

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response


@dataclass
class LogFiles:
    """The files that are served, by path."""

    archive: Archive
    statements: bool = False
    only_cosigned: bool = False
    _lineage: tuple[int, bytes] = (-1, b"")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, path: str) -> bytes:
        """Raises NotFoundError: no such file of a log, or beyond its size now."""
        if self.statements and path == LINEAGE:
            return self._read_lineage()
        log = stored_log(self.archive, only_cosigned=self.only_cosigned)
        if path == CHECKPOINT or path.startswith("tile/"):
            return log.read(path, max_bytes=MAX_BUNDLE_BYTES)
        if self.statements and path.startswith("statements/"):
            with self.archive.reading() as (tables, _):
                require_none_pending(tables)
            return log.read(path, max_bytes=MAX_STATEMENTS_BYTES)
        raise NotFoundError(f"no file {path}")

    def _read_lineage(self) -> bytes:
        """Made once for each size, by one thread: it takes a walk through all views."""
        with self._lock, self.archive.reading() as (tables, views):
            require_none_pending(tables)
            size = tables.size()
            if self._lineage[0] != size:
                self._lineage = (size, format_lineage(read_lineage_digests(views, size)))
            return self._lineage[1]


def make_app(archive: Archive, *, statements: bool = False, only_cosigned: bool = False) -> Starlette:
    """The ASGI application. It reads the archive in threads; it writes nothing and needs no secret key.

    Raises UnavailableError without the extra `server`.
    """
    require_extra()
    from starlette.applications import Starlette
    from starlette.routing import Route

    files = LogFiles(archive, statements, only_cosigned)

    def answer(request: Request) -> Response:  # not async: starlette runs it in a thread
        return _answer(files, request)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "HEAD"])])


def _answer(files: LogFiles, request: Request) -> Response:
    from starlette.responses import Response

    # A path has one spelling; %30 for 0 would be another.
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    path = raw.split(b"?")[0].decode("latin-1").removeprefix("/")
    # Anybody's page may check the log; what it gets is public, and depends on nothing that a browser sends along.
    headers = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
    try:
        data = files.read(path)
    except NotFoundError as error:
        return Response(f"{error}\n", 404, headers | {"Cache-Control": "no-cache"}, media_type="text/plain")
    except WherefromError:  # what is wrong is for the log's owner to know; the caller can only come again
        return Response("the log cannot be read now\n", 503, headers | {"Retry-After": "5"}, media_type="text/plain")
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers |= {"ETag": tag, "Cache-Control": cache_control(path)}
    if tag in (given.strip() for given in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers | {"Content-Type": content_type(path)})
