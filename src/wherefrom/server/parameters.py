"""What a request asks for in its path and query, read at once by one model.

The framework reads one parameter after the other, those too that are not there: over a question with a dozen of them it
takes as long as over its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final, Self, cast

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import Response

REFUSED: Final[dict[int | str, dict[str, Any]]] = {422: {"description": "A parameter is not as described"}}


class PlainRoute(APIRoute):
    """A route whose function takes the request and gives the response, with nothing of the framework between."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


class Parameters(BaseModel):
    """The parameters of a route, in camelCase; those `in_path` are part of its path. Others are passed over."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)
    in_path: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def of(cls, request: Request) -> Self:
        """As the request has them, the last of each. Raises RequestValidationError (422)."""
        try:
            return cls.model_validate({**request.query_params, **request.path_params})
        except ValidationError as error:
            problems = [{**one, "loc": (cls._where(str(one["loc"][0])), *one["loc"])} for one in error.errors()]
            raise RequestValidationError(problems) from error

    @classmethod
    def describe(cls) -> list[dict[str, Any]]:
        """Each as a Parameter Object of OpenAPI 3.1."""
        schema = cls.model_json_schema()
        return [
            {
                "name": name,
                "in": cls._where(name),
                "required": name in schema.get("required", ()),
                **({"description": one["description"]} if "description" in one else {}),
                "schema": one,
            }
            for name, one in schema["properties"].items()
        ]

    @classmethod
    def _where(cls, name: str) -> str:
        return "path" if name in cls.in_path else "query"
