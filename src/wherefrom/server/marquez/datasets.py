"""Data sets and their versions."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from wherefrom.errors import NotFoundError
from wherefrom.server.marquez.facets import (
    Facets,
    column_lineage_in,
    facets_of_dataset,
    fields_in,
    tags_in,
)
from wherefrom.server.marquez.naming import format_at, stable_id
from wherefrom.server.marquez.reading import Opened, Reader, get_text
from wherefrom.server.marquez.routing import READ, Limit, Offset, answer, make_named_router
from wherefrom.server.marquez.runs import Written, describe_run, unwritten, written_versions

router = make_named_router()


def current_events(reader: Reader, entity: int) -> tuple[Written, list[int], list[int]]:
    """The newest version; the events that wrote it; those of the run that read the data set last."""
    newest = written_versions(reader, entity).page(1)[0]
    reads = reader.in_time(reader.index.events_of_dataset(entity, "input"))
    last = int(reader.index.column("run")[reads[-1]]) if reads else 0
    runs = reader.index.column("run")
    return newest, list(newest.events), [event for event in reads if int(runs[event]) == last][-5:]


def describe_dataset(
    reader: Reader, entity: int, found: tuple[Written, list[int], list[int]] | None = None
) -> dict[str, Any]:
    """A data set as it is now; `found` is what `current_events` gives, where it is known already."""
    newest, written, read = found or current_events(reader, entity)
    namespace, name = reader.name("dataset", entity)
    facets = facets_of_dataset(reader, entity, written, read)
    created = reader.index.first_time("dataset", entity)
    updated = max([created, *(reader.at(event) for event in (*written, *read))])
    return {
        "id": {"namespace": namespace, "name": name},
        "type": "DB_TABLE",
        "name": name,
        "physicalName": name,
        "createdAt": format_at(created),
        "updatedAt": format_at(updated),
        "namespace": namespace,
        "sourceName": namespace,
        "fields": fields_in(facets),
        "tags": tags_in(facets),
        "lastModifiedAt": format_at(newest.at) if newest.events else None,
        "lastLifecycleState": get_text(facets, "lifecycleStateChange", "lifecycleStateChange"),
        "description": get_text(facets, "documentation", "description"),
        "currentVersion": newest.id(reader),
        "columnLineage": column_lineage_in(facets),
        "facets": facets,
        "deleted": False,
    }


def describe_version(reader: Reader, written: Written) -> dict[str, Any]:
    """One version of a data set, with the facets that were said of it when it was written."""
    namespace, name = reader.name("dataset", written.entity)
    facets: Facets = facets_of_dataset(reader, written.entity, written.events)
    if not written.events:
        read = reader.in_time(reader.index.events_of_dataset(written.entity, "input"))[:5]
        facets = facets_of_dataset(reader, written.entity, (), read)
    run = None
    if written.run and (not (job := reader.job_of(written.events)) or reader.sees_thing("job", job)):
        events = reader.in_time(reader.index.events_of_runs([written.run]))
        run = describe_run(reader, written.run, events)
    fields = fields_in(facets)
    schema = [part for field in fields for part in (field["name"], field["type"] or "")]
    return {
        "id": {"namespace": namespace, "name": name, "version": written.id(reader)},
        "type": "DB_TABLE",
        "name": name,
        "physicalName": name,
        "createdAt": format_at(written.at),
        "version": written.id(reader),
        "namespace": namespace,
        "sourceName": namespace,
        "fields": fields,
        "tags": tags_in(facets),
        "lifecycleState": get_text(facets, "lifecycleStateChange", "lifecycleStateChange"),
        "description": get_text(facets, "documentation", "description"),
        "currentSchemaVersion": stable_id("schema", namespace, name, schema) if fields else None,
        "createdByRun": run,
        "facets": facets,
    }


@router.get("/api/v1/namespaces/{namespace}/datasets", openapi_extra=READ)
def list_datasets(opened: Opened, namespace: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The data sets of a namespace, by name."""
    with opened() as reader:
        there = set(datasets_in(reader, namespace))
        page: list[int] = []
        if offset < len(there):
            page = [one for one in reader.tables.entities_by_name(namespace) if one in there][offset : offset + limit]
        found = {entity: current_events(reader, entity) for entity in page}
        reader.load_names("dataset", page)
        reader.load_events({event for _, written, read in found.values() for event in (*written, *read)})
        described = [describe_dataset(reader, entity, found[entity]) for entity in page]
        return answer({"datasets": described, "totalCount": len(there)})


def datasets_in(reader: Reader, namespace: str) -> list[int]:
    """Numbers of the data sets there. Raises NotFoundError when there is no such namespace to be seen."""
    number = reader.index.namespace_number(namespace)
    if number is None or not reader.sees(namespace):
        raise NotFoundError(f"Namespace '{namespace[:200]}' not found.")
    numbers: list[int] = reader.index.things_in("dataset", [number]).tolist()
    return numbers


@router.get("/api/v1/namespaces/{namespace}/datasets/{dataset}", openapi_extra=READ)
def get_dataset(opened: Opened, namespace: str, dataset: str) -> Response:
    """A data set as it is now: its columns, tags and facets are what was said of it last."""
    with opened() as reader:
        return answer(describe_dataset(reader, reader.require("dataset", namespace, dataset)))


@router.get("/api/v1/namespaces/{namespace}/datasets/{dataset}/versions", openapi_extra=READ)
def list_versions(opened: Opened, namespace: str, dataset: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """What each run wrote of a data set, the newest first."""
    with opened() as reader:
        found = written_versions(reader, reader.require("dataset", namespace, dataset))
        page = found.page(limit, offset)
        reader.load_run_ids(one.run for one in page if one.run)
        reader.load_events({event for one in page for event in one.events})
        return answer({"versions": [describe_version(reader, one) for one in page], "totalCount": len(found)})


@router.get("/api/v1/namespaces/{namespace}/datasets/{dataset}/versions/{version}", openapi_extra=READ)
def get_version(opened: Opened, namespace: str, dataset: str, version: str) -> Response:
    """What one run wrote of a data set."""
    with opened() as reader:
        entity = reader.require("dataset", namespace, dataset)
        return answer(describe_version(reader, find_version(reader, entity, version)))


def find_version(reader: Reader, entity: int, version: str) -> Written:
    """Raises NotFoundError."""
    found = written_versions(reader, entity)
    reader.load_run_ids(found.runs())
    for one in (*found.page(), unwritten(reader, entity)):
        if one.id(reader) == version.lower():
            return one
    raise NotFoundError(f"Dataset version '{version[:100]}' not found.")
