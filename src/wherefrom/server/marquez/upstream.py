"""The runs that made what a run read, and those that made what they read, and so on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response

from wherefrom.server.marquez.naming import format_at
from wherefrom.server.marquez.reading import Opened, Reader
from wherefrom.server.marquez.routing import READ, answer, make_named_router
from wherefrom.server.marquez.runs import describe_run, group_by_run, seen, written_versions

router = make_named_router()
MAX_RUNS = 500


@router.get("/api/v1/runlineage/upstream", openapi_extra=READ)
def get_upstream_runs(
    opened: Opened,
    run_id: Annotated[str, Query(alias="runId")],
    depth: Annotated[int, Query(ge=0, le=1000)] = 20,
) -> Response:
    """A run and the runs upstream of it, the nearest first; at most 500. Each with the versions that it read."""
    with opened() as reader:
        level = [reader.require_run(run_id)]
        known = set(level)
        found: list[dict[str, Any]] = []
        for step in range(depth + 1):
            further: list[int] = []
            events = group_by_run(reader, reader.index.events_of_runs(level))
            reader.load_run_ids(level)
            for run in level:
                described, writers = _describe(reader, run, events.get(run, []))
                found.append(described)
                further += [writer for writer in writers if writer not in known]
                known.update(writers)
            level = further[: max(0, MAX_RUNS - len(found))]
            if not level or step == depth:
                break
        return answer({"runs": found})


def _describe(reader: Reader, run: int, events: list[int]) -> tuple[dict[str, Any], list[int]]:
    brief = describe_run(reader, run, events, brief=True)
    inputs, writers = [], []
    began = reader.at(events[0]) if events else 0
    for entity in seen(reader, reader.index.ports_of(events).inputs):
        version = written_versions(reader, entity).before(began, run=run)
        namespace, name = reader.name("dataset", entity)
        writer = version.run
        if writer and (job := reader.job_of(version.events)) and not reader.sees_thing("job", job):
            writer = 0
        inputs.append(
            {
                "namespace": namespace,
                "name": name,
                "version": version.id(reader),
                "producedByRunId": reader.run_id(writer) if writer else None,
            }
        )
        writers += [writer] if writer else []
    return {
        "job": brief["jobVersion"],
        "run": {
            "id": brief["id"],
            "start": brief["startedAt"] or format_at(began),
            "end": brief["endedAt"],
            "status": brief["state"],
        },
        "inputs": inputs,
    }, list(dict.fromkeys(writers))
