"""Search by name, as Marquez's pages ask: any part of a name, whatever its case."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response

from wherefrom.errors import FormatError
from wherefrom.server.marquez.datasets import current_events, describe_dataset
from wherefrom.server.marquez.facets import facets_of_job, facets_of_run
from wherefrom.server.marquez.index import Thing
from wherefrom.server.marquez.jobs import jobs_events
from wherefrom.server.marquez.naming import format_at, format_node_id, to_microseconds
from wherefrom.server.marquez.reading import Opened, Reader
from wherefrom.server.marquez.routing import READ, Limit, answer, make_named_router

router = make_named_router()
Words = Annotated[str, Query(min_length=1, max_length=1000)]
_HITS = 10
_SORTED_AT_MOST = 1000


def find_things(
    reader: Reader, thing: Thing, words: str, *, namespace: str | None = None, limit: int
) -> list[tuple[int, str, str]]:
    """Number, namespace and name of those whose name holds these characters and that the caller sees, by name."""
    if "\0" in words or (namespace is not None and not reader.sees(namespace)):
        return []
    among = [namespace] if namespace is not None else None
    if among is None and not reader.sees_all():
        among = [reader.index.namespaces[number] for number in reader.seen_namespaces()]
    rows = reader.tables.search(words, "jobs" if thing == "job" else "entities", among, limit)
    return [
        (row.id, row.namespace, row.name)
        for row in rows
        if not reader.index.is_deleted(thing, row.id) and not (thing == "dataset" and row.id in reader.index.canonical)
    ]


def _day(text: str | None) -> int | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise FormatError(f"before or after is {text[:40]!r}, expected a day such as 2026-11-21") from error
    return to_microseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _updated(reader: Reader, thing: Thing, numbers: list[int]) -> dict[int, int]:
    """When each was last spoken of, in microseconds since 1970."""
    if thing == "job":
        times = reader.index.last_times()
        return {number: max(int(times[number]), reader.index.first_time("job", number)) for number in numbers}
    return reader.index.last_times_of(numbers)


@router.get("/api/v1/search", openapi_extra=READ)
def search(
    opened: Opened,
    q: Words,
    kind: Annotated[Literal["JOB", "DATASET", "job", "dataset"] | None, Query(alias="filter")] = None,
    sort: Literal["NAME", "UPDATE_AT", "name", "updated_at"] = "NAME",
    limit: Limit = 10,
    namespace: str | None = None,
    before: str | None = None,
    after: str | None = None,
) -> Response:
    """Jobs and data sets whose name has these characters in it, by name, or those first that were heard of last.

    Of very many, a thousand of each kind are looked at, the first by name.
    """
    low, high = _day(after), _day(before)
    things: list[Thing] = [thing for thing in ("dataset", "job") if kind is None or kind.lower() == thing]
    with opened() as reader:
        found: list[tuple[str, int, dict[str, Any]]] = []
        is_plain = sort.upper() == "NAME" and low is None and high is None
        for thing in things:
            most = min(limit, _SORTED_AT_MOST) if is_plain else _SORTED_AT_MOST
            rows = find_things(reader, thing, q, namespace=namespace, limit=most)
            updated = _updated(reader, thing, [number for number, _, _ in rows])
            for number, of, name in rows:
                at = updated[number]
                if (low is None or at > low) and (high is None or at < high):
                    result = {
                        "type": thing.upper(),
                        "name": name,
                        "updatedAt": format_at(at),
                        "namespace": of,
                        "nodeId": format_node_id(thing, of, name),
                    }
                    found.append((name, at, result))
        found.sort(key=lambda one: one[0] if sort.upper() == "NAME" else -one[1])
        results = [result for _, _, result in found[:limit]]
        return answer({"totalCount": len(results), "results": results})


@router.get("/api/v2beta/search/jobs", openapi_extra=READ)
def search_jobs(opened: Opened, q: Words) -> Response:
    """Ten jobs whose name has these characters in it, with facets of their latest run."""
    with opened() as reader:
        rows = find_things(reader, "job", q, limit=_HITS)
        found = jobs_events(reader, [number for number, _, _ in rows])
        hits = []
        for number, namespace, name in rows:
            latest = found[number].newest_first[:1]
            events = found[number].described_by()
            hits.append(
                {
                    "run_id": reader.run_id(latest[0]) if latest else None,
                    "name": name,
                    "namespace": namespace,
                    "eventType": reader.event_type(events[-1]) if events else "",
                    "type": "BATCH",
                    "facets": facets_of_job(reader, events),
                    "runFacets": facets_of_run(reader, events),
                }
            )
        return answer({"hits": hits, "highlights": [{"name": [_mark(name, q)]} for _, _, name in rows]})


@router.get("/api/v2beta/search/datasets", openapi_extra=READ)
def search_datasets(opened: Opened, q: Words) -> Response:
    """Ten data sets whose name has these characters in it, with their facets."""
    with opened() as reader:
        rows = find_things(reader, "dataset", q, limit=_HITS)
        hits = []
        for number, namespace, name in rows:
            found = current_events(reader, number)
            run, events = found[0].run, found[1]
            is_seen = run and reader.sees_thing("job", reader.index.job_of_run(run))
            hits.append(
                {
                    "run_id": reader.run_id(run) if is_seen else None,
                    "name": name,
                    "namespace": namespace,
                    "eventType": reader.event_type(events[-1]) if events and is_seen else "",
                    "facets": describe_dataset(reader, number, found)["facets"],
                }
            )
        return answer({"hits": hits, "highlights": [{"name": [_mark(name, q)]} for _, _, name in rows]})


def _mark(name: str, words: str) -> str:
    """The name with what was found in it marked as Marquez's pages expect."""
    at = name.lower().find(words.lower())
    return name if at < 0 else f"{name[:at]}<em>{name[at : at + len(words)]}</em>{name[at + len(words) :]}"
