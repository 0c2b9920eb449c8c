"""A witness over HTTP: C2SP tlog-witness as an ASGI app.

POST /add-checkpoint                     cosign a checkpoint
GET  /<SHA-256 of origin>/checkpoint     the newest cosigned checkpoint of a log, for monitors
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.server.running import require_extra
from wherefrom.tlog.add_checkpoint import MAX_REQUEST_BYTES
from wherefrom.tlog.witness import TEXT_TYPE, Answer, Witness

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response


def make_app(witness: Witness) -> Starlette:
    """Raises UnavailableError without the extra `server`."""
    require_extra()
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.responses import Response
    from starlette.routing import Route

    def respond(answer: Answer, **headers: str) -> Response:
        # Set by hand: given as a media type, `text/…` would get a charset added, which the size type must not have.
        named = {"Content-Type": answer.content_type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(answer.body, answer.status, named | headers)

    async def add_checkpoint(request: Request) -> Response:
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > MAX_REQUEST_BYTES:
                    too_long = f"a request has at most {MAX_REQUEST_BYTES} bytes\n".encode()
                    return respond(Answer(413, too_long), Connection="close")
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody; half a request is none
        return respond(await run_in_threadpool(witness.add_checkpoint, bytes(body)))

    async def read_checkpoint(request: Request) -> Response:
        try:
            note = await run_in_threadpool(witness.read_checkpoint, request.path_params["origin_hash"])
        except NotFoundError as error:
            return respond(Answer(404, f"{error}\n".encode()))
        except UnavailableError as error:
            return respond(Answer(503, f"{error}\n".encode()))
        return respond(Answer(200, note, TEXT_TYPE))

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", read_checkpoint, methods=["GET"]),
        ]
    )
