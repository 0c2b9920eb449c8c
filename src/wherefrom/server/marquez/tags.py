"""Tags: those that `tags` facets of events give to data sets, columns, jobs and runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Response

from wherefrom.server.marquez.facets import tags_in
from wherefrom.server.marquez.reading import Opened, Reader, get, get_list, get_text
from wherefrom.server.marquez.routing import READ, Limit, Offset, answer, make_named_router

router = make_named_router()
READ_AT_ONCE = 500


def _tags_of(event: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Tag and namespace of what has it."""
    found: set[tuple[str, str]] = set()
    job = event.get("job")
    things = [job, event.get("dataset"), *get_list(event, "inputs"), *get_list(event, "outputs")]
    places = [(get_text(one, "namespace"), get(one, "facets")) for one in things]
    places.append((get_text(job, "namespace"), get(event, "run", "facets")))
    for namespace, facets in places:
        if namespace is None or not isinstance(facets, Mapping):
            continue
        fields = {get_text(tag, "field") or None for tag in get_list(facets, "tags", "tags")}
        found.update((name, namespace) for field in fields for name in tags_in(facets, field))
    return found


def known_tags(reader: Reader) -> list[str]:
    """The tags that the caller may know of: of the events that came since the first request, and the 500 before it.

    What was read is remembered, and each request reads on, so that the list is not the work of one request.
    """
    index = reader.index
    if (erased := reader.tables.last_erasure()) != index.tags_erased:  # what was erased is not remembered either
        index.tags, index.tags_read, index.tags_erased = set(), 0, erased
    events = len(index.column("entry"))
    start = max(index.tags_read, events - READ_AT_ONCE)
    for statement in reader.read_statements(range(start, events)).values():
        index.tags.update(_tags_of(statement.predicate))
    index.tags_read = events
    return sorted({name for name, namespace in index.tags if reader.sees(namespace)})


@router.get("/api/v1/tags", openapi_extra=READ)
def list_tags(opened: Opened, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Tags that recent events have given."""
    with opened() as reader:
        names = known_tags(reader)[offset : offset + limit]
        return answer({"tags": [{"name": name, "description": None} for name in names]})
