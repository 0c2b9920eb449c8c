"""Namespaces, and the sources that Marquez counts beside them: for us, a source is a namespace with data sets in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import Response

from wherefrom.errors import NotFoundError
from wherefrom.server.marquez.naming import format_at
from wherefrom.server.marquez.reading import Opened, Reader
from wherefrom.server.marquez.routing import READ, Limit, Offset, answer, make_named_router

router = make_named_router()


def _describe(reader: Reader, number: int) -> dict[str, Any]:
    began, heard = reader.index.times_of_namespace(number)
    return {
        "name": reader.index.namespaces[number],
        "createdAt": format_at(began),
        "updatedAt": format_at(heard),
        "ownerName": "anonymous",
        "description": None,
        "isHidden": False,
    }


def _source(reader: Reader, number: int) -> dict[str, Any]:
    name = reader.index.namespaces[number]
    began, heard = reader.index.times_of_namespace(number)
    scheme = name.partition("://")[0] if "://" in name else name
    return {
        "type": scheme.upper()[:64],
        "name": name,
        "createdAt": format_at(began),
        "updatedAt": format_at(heard),
        "connectionUrl": name,
        "description": None,
    }


def _by_name(reader: Reader, numbers: list[int], limit: int, offset: int) -> list[int]:
    return sorted(numbers, key=lambda number: reader.index.namespaces[number])[offset : offset + limit]


def source_numbers(reader: Reader) -> list[int]:
    """Numbers of the namespaces with data sets that the caller sees."""
    of_datasets = set(np.unique(reader.index.namespaces_of("dataset")).tolist())
    return [number for number in reader.seen_namespaces() if number in of_datasets]


@router.get("/api/v1/namespaces", openapi_extra=READ)
def list_namespaces(opened: Opened, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The namespaces that the caller sees, by name."""
    with opened() as reader:
        page = _by_name(reader, reader.seen_namespaces(), limit, offset)
        return answer({"namespaces": [_describe(reader, number) for number in page]})


@router.get("/api/v1/namespaces/{namespace}", openapi_extra=READ)
def get_namespace(opened: Opened, namespace: str) -> Response:
    """A namespace."""
    with opened() as reader:
        number = reader.index.namespace_number(namespace)
        if number is None or not reader.sees(namespace):
            raise NotFoundError(f"Namespace '{namespace[:200]}' not found.")
        return answer(_describe(reader, number))


@router.get("/api/v1/sources", openapi_extra=READ)
def list_sources(opened: Opened, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The namespaces with data sets in them, as places where data is kept."""
    with opened() as reader:
        page = _by_name(reader, source_numbers(reader), limit, offset)
        return answer({"sources": [_source(reader, number) for number in page]})


@router.get("/api/v1/sources/{source}", openapi_extra=READ)
def get_source(opened: Opened, source: str) -> Response:
    """A place where data is kept."""
    with opened() as reader:
        number = reader.index.namespace_number(source)
        if number is None or number not in source_numbers(reader):
            raise NotFoundError(f"Source '{source[:200]}' not found.")
        return answer(_source(reader, number))
