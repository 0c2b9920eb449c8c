"""Marquez's writes, which are answered 405: an archive learns from events and statements alone."""

from __future__ import annotations

from fastapi import Response

from wherefrom.server.errors import RequestError
from wherefrom.server.marquez.routing import make_named_router

router = make_named_router()

_WRITES = (
    ("PUT DELETE", "/api/v1/namespaces/{namespace}"),
    ("PUT DELETE", "/api/v1/namespaces/{namespace}/datasets/{dataset}"),
    ("PUT DELETE", "/api/v1/namespaces/{namespace}/jobs/{job}"),
    ("POST DELETE", "/api/v1/namespaces/{namespace}/datasets/{dataset}/tags/{tag}"),
    ("POST DELETE", "/api/v1/namespaces/{namespace}/datasets/{dataset}/fields/{field}/tags/{tag}"),
    ("POST DELETE", "/api/v1/namespaces/{namespace}/jobs/{job}/tags/{tag}"),
    ("POST", "/api/v1/namespaces/{namespace}/jobs/{job}/runs"),
    ("POST", "/api/v1/jobs/runs/{run_id}/{action}"),
    ("PUT", "/api/v1/sources/{source}"),
    ("PUT", "/api/v1/tags/{tag}"),
)


def _refuse() -> Response:
    raise RequestError(
        405,
        "this is a view of a ledger: nothing is written or deleted through Marquez's API",
        hint="send OpenLineage events to POST /api/v1/lineage; a `tags` facet tags, a deletion is a statement",
        Allow="GET",
    )


for _methods, _path in _WRITES:
    router.add_api_route(_path, _refuse, methods=_methods.split(), include_in_schema=False)
