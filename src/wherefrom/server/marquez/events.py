"""The events themselves, byte for byte as they were taken."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import Query, Response

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.server.marquez.columns import Mask, Numbers
from wherefrom.server.marquez.naming import to_microseconds
from wherefrom.server.marquez.reading import Opened, Reader
from wherefrom.server.marquez.routing import READ, Limit, Offset, make_named_router
from wherefrom.server.visibility import list_namespaces
from wherefrom.statements import parse_time

router = make_named_router()
MAX_READ = 5000
_TOGETHER = 500
_KEPT = 200_000
EventKind = Literal["RunEvent", "JobEvent", "DatasetEvent", "all"]


def _bound(text: str, otherwise: int) -> int:
    """Microseconds since 1970 of a time, or a day, in a query; a space stands for the "+" of a zone."""
    if not text:
        return otherwise
    text = text.strip().replace(" ", "+")
    if len(text) == 10:
        text += "T00:00:00Z"
    try:
        return to_microseconds(parse_time(text, what="time"))
    except FormatError as error:
        raise FormatError(f"before or after is {text[:60]!r}, expected a time such as 2026-11-21T08:15:00Z") from error


def _is_kind(kind: EventKind, runs: Numbers, jobs: Numbers, datasets: Numbers) -> Mask:
    mask = np.ones(len(runs), np.bool_)
    if kind == "RunEvent":
        mask = (runs > 0) & (jobs > 0)
    elif kind == "JobEvent":
        mask = (runs == 0) & (jobs > 0)
    elif kind == "DatasetEvent":
        mask = (jobs == 0) & (datasets > 0)
    return mask


def splice_events(reader: Reader, chosen: Numbers, limit: int, offset: int) -> Response:
    """A page of events as an array of their own bytes, and how many there are."""
    page, count = chosen[offset : offset + limit].tolist(), len(chosen)
    if not reader.sees_all():
        page, count = _visible_page(reader, chosen.tolist(), limit, offset)
    found = reader.read_statements(page)
    body = b",".join(found[event].predicate_bytes for event in page if event in found)
    return Response(b'{"events":[%b],"totalCount":%d}' % (body, count), media_type="application/json")


def _visible_page(reader: Reader, chosen: list[int], limit: int, offset: int) -> tuple[list[int], int]:
    """The page of those that name only what the caller sees, and how many of these there are as far as was looked.

    Facets may name namespaces too, which only the events themselves tell; at most 5000 are read for one request. Where
    there may be more the count is one too many, so that a page asks for the next one.
    """
    visible: list[int] = []
    known, read = reader.index.named, 0
    for low in range(0, len(chosen), _TOGETHER):
        part = chosen[low : low + _TOGETHER]
        new = [event for event in part if event not in known]
        if len(visible) > offset + limit or read + len(new) > MAX_READ:
            return visible[offset : offset + limit], len(visible) + 1
        read += len(new)
        if len(known) > _KEPT:
            known.clear()
        statements = reader.read_statements(new)
        for event in new:
            known[event] = frozenset(list_namespaces(statements[event].predicate)) if event in statements else None
        visible += [event for event in part if (named := known.get(event)) is not None and all(map(reader.sees, named))]
    return visible[offset : offset + limit], len(visible)


def choose_events(reader: Reader, kind: EventKind, low: int, high: int, *, descending: bool) -> Numbers:
    """Events of a kind and time that the caller sees, by time."""
    chosen = reader.index.listed_events(low, high, lambda *columns: _is_kind(kind, *columns))
    if not reader.sees_all():
        chosen = chosen[reader.index.visible_events([reader.sees(name) for name in reader.index.namespaces])[chosen]]
    return chosen[::-1] if descending else chosen


@router.get("/api/v1/events/lineage", openapi_extra=READ)
def list_lineage_events(
    opened: Opened,
    before: str = "",
    after: str = "",
    sort_direction: Annotated[Literal["asc", "desc", "ASC", "DESC"], Query(alias="sortDirection")] = "desc",
    limit: Limit = 100,
    offset: Offset = 0,
    kind: EventKind = "RunEvent",
) -> Response:
    """Events with after <= eventTime < before, each byte for byte as it was sent.

    Those of runs, as Marquez does, whose pages know no others; `kind=all` gives the others too. An event that names a
    namespace which the caller does not see is left out.
    """
    low, high = _bound(after, -(2**62)), _bound(before, 2**62)
    with opened() as reader:
        chosen = choose_events(reader, kind, low, high, descending=sort_direction.lower() == "desc")
        return splice_events(reader, chosen, limit, offset)


@router.get("/api/v1/events", openapi_extra=READ)
def list_events(opened: Opened, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The newest events of runs first, where older clients of Marquez ask for them."""
    with opened() as reader:
        return splice_events(reader, choose_events(reader, "RunEvent", -(2**62), 2**62, descending=True), limit, offset)


@router.get("/api/v1/events/{namespace}", openapi_extra=READ)
def list_namespace_events(opened: Opened, namespace: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The same for the jobs of a namespace."""
    with opened() as reader:
        number = reader.index.namespace_number(namespace)
        if number is None or not reader.sees(namespace):
            raise NotFoundError(f"Namespace '{namespace[:200]}' not found.")
        chosen = choose_events(reader, "RunEvent", -(2**62), 2**62, descending=True)
        of_jobs = reader.index.namespaces_of("job")[reader.index.column("job", chosen)]
        return splice_events(reader, chosen[of_jobs == number], limit, offset)
