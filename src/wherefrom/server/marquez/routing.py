"""How Marquez's paths and errors differ from ours: names in a path have their slashes encoded; errors have a `code`."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Annotated, Any
from urllib.parse import unquote

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match

from wherefrom.errors import WherefromError
from wherefrom.server.errors import describe, headers_of, status_of

MAX_LIMIT = 5000
READ = {"x-wherefrom-action": "read"}

Limit = Annotated[int, Query(ge=0, le=MAX_LIMIT)]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]


class NamedRoute(APIRoute):
    """A route that is matched by the path as it was sent.

    `s3%3A%2F%2Fbucket` is one part of a path, and so is `a%2Fb`; decoded before, as elsewhere, they would be several.
    """

    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, MutableMapping[str, Any]]:
        raw = scope.get("raw_path")
        if not raw:
            return super().matches(scope)
        match, child = super().matches({**scope, "path": raw.partition(b"?")[0].decode("latin-1")})
        if "path_params" in child:
            child["path_params"] = {
                key: unquote(value) if isinstance(value, str) else value for key, value in child["path_params"].items()
            }
        return match, child

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_as_marquez(request: Request) -> Response:
            try:
                return await handle(request)
            except WherefromError as error:
                status = status_of(error)
                if status >= 500:
                    raise
                body = describe(error, str(request.scope.get("state", {}).get("request_id", "")))
                body |= {"code": status, "message": body["error"]["message"]}
                return Response(orjson.dumps(body), status, headers_of(error), media_type="application/json")

        return handle_as_marquez


def make_named_router() -> APIRouter:
    """A router whose routes are `NamedRoute`s."""
    return APIRouter(route_class=NamedRoute, tags=["marquez"])


def answer(value: Any) -> Response:
    """As JSON. What came out of an event goes as it is, very long whole numbers too."""
    try:
        body = orjson.dumps(value)
    except TypeError:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, media_type="application/json")
