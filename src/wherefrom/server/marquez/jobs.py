"""Jobs, their versions and their runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Query, Response

from wherefrom.errors import NotFoundError
from wherefrom.server.marquez.columns import Numbers
from wherefrom.server.marquez.facets import facets_of_job, facets_of_run, link_in, tags_in
from wherefrom.server.marquez.index import EVENT_TYPES, Ports
from wherefrom.server.marquez.naming import STATES, format_at, stable_id
from wherefrom.server.marquez.reading import Opened, Reader, get, get_text
from wherefrom.server.marquez.routing import READ, Limit, Offset, answer, make_named_router
from wherefrom.server.marquez.runs import (
    describe_run,
    job_version_id,
    name_datasets,
)

router = make_named_router()
RunState = Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]
LATEST_RUNS = 10


class JobEvents:
    """The events of one job, by time, and by run the one that began last first."""

    def __init__(self, reader: Reader, job: int, events: Sequence[int]) -> None:
        self.job = job
        self.all = reader.in_time(events)
        self.runs: dict[int, list[int]] = {}
        self.of_no_run: list[int] = []
        runs = reader.index.column("run")
        for event in self.all:
            run = int(runs[event])
            self.runs.setdefault(run, []).append(event) if run else self.of_no_run.append(event)
        self.newest_first = sorted(self.runs, key=lambda run: (reader.at(self.runs[run][0]), run), reverse=True)

    def described_by(self) -> list[int]:
        """The events that say what the job is now: those of its latest run, and the last that was of no run."""
        latest = self.runs[self.newest_first[0]] if self.newest_first else []
        return [*self.of_no_run[-1:], *latest]


def current_ports(reader: Reader, found: JobEvents) -> Ports:
    """What the job reads and writes now: what its last completed run said, with all that was said since."""
    runs = reader.index.column("run")
    for position in range(len(found.all) - 1, -1, -1):
        event = found.all[position]
        run = int(runs[event])
        if not run or reader.event_type(event) == "COMPLETE":
            since = found.all[position:]
            return reader.index.ports_of({*since, *(found.runs[run] if run else ())})
    return reader.index.ports_of(found.all)


def jobs_events(reader: Reader, jobs: Sequence[int], runs: int = LATEST_RUNS) -> dict[int, JobEvents]:
    """The events of the latest runs of each of these jobs."""
    of_job: dict[int, list[int]] = {job: [] for job in jobs}
    events = reader.index.latest_events(jobs, runs) if len(jobs) else np.zeros(0, np.int64)
    for event, job in zip(events.tolist(), reader.index.column("job", events).tolist(), strict=True):
        of_job[job].append(event)
    return {job: JobEvents(reader, job, events) for job, events in of_job.items()}


def describe_job(
    reader: Reader, found: JobEvents, *, brief: bool = False, ports: Ports | None = None
) -> dict[str, Any]:
    """A job as it is now.

    Args:
        brief: without facets and versions in its runs, as in a list of many jobs.
        ports: what it reads and writes, where that is known already.
    """
    namespace, name = reader.name("job", found.job)
    events = found.described_by()
    facets = facets_of_job(reader, events)
    parent = get(facets_of_run(reader, events), "parent")
    parent_name, parent_namespace = get_text(parent, "job", "name"), get_text(parent, "job", "namespace")
    ports = ports or current_ports(reader, found)
    created = reader.index.first_time("job", found.job)
    runs = [
        describe_run(reader, run, found.runs[run], brief=brief or bool(position))
        for position, run in enumerate(found.newest_first[:LATEST_RUNS])
    ]
    is_stream = get_text(facets, "jobType", "processingType") == "STREAMING"
    return {
        "id": {"namespace": namespace, "name": name},
        "type": "STREAM" if is_stream else "BATCH",
        "name": name,
        "simpleName": name.removeprefix(f"{parent_name}.") if parent_name else name,
        "parentJobName": parent_name,
        "parentJobUuid": stable_id("job", parent_namespace or "", parent_name) if parent_name else None,
        "createdAt": format_at(created),
        "updatedAt": format_at(reader.at(found.all[-1]) if found.all else created),
        "namespace": namespace,
        "inputs": name_datasets(reader, ports.inputs),
        "outputs": name_datasets(reader, ports.outputs),
        "location": link_in(facets),
        "description": get_text(facets, "documentation", "description"),
        "latestRun": runs[0] if runs else None,
        "latestRuns": runs,
        "facets": facets,
        "currentVersion": job_version_id(reader, found.job, ports)["version"],
        "labels": [],
        "tags": tags_in(facets),
    }


def _describe_page(reader: Reader, page: Sequence[int]) -> list[dict[str, Any]]:
    reader.load_names("job", page)
    found = jobs_events(reader, page)
    reader.load_events({event for job in page for event in found[job].described_by()})
    reader.load_run_ids(run for job in page for run in found[job].newest_first[:LATEST_RUNS])
    return [describe_job(reader, found[job], brief=True) for job in page]


def _newest_first(reader: Reader, jobs: Numbers, states: Sequence[str]) -> Numbers:
    if states:
        wanted = [code for code, text in enumerate(EVENT_TYPES) if STATES.get(text, "NEW") in states]
        known = reader.index.last_states()
        jobs = jobs[np.isin(known[jobs], wanted)]
    times = reader.index.last_times()
    return jobs[np.lexsort((jobs, times[jobs]))[::-1]]


def _list(reader: Reader, namespaces: Sequence[int] | None, states: Sequence[str], limit: int, offset: int) -> Response:
    there = reader.index.things_in("job", namespaces)
    page = _newest_first(reader, there, states)[offset : offset + limit].tolist()
    return answer({"jobs": _describe_page(reader, page), "totalCount": len(there)})


@router.get("/api/v1/jobs", openapi_extra=READ)
def list_all_jobs(
    opened: Opened,
    last_run_states: Annotated[list[RunState] | None, Query(alias="lastRunStates")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Jobs of every namespace, those that were heard of last first. `totalCount` counts those of every state."""
    with opened() as reader:
        namespaces = None if reader.sees_all() else reader.seen_namespaces()
        return _list(reader, namespaces, last_run_states or (), limit, offset)


@router.get("/api/v1/namespaces/{namespace}/jobs", openapi_extra=READ)
def list_jobs(
    opened: Opened,
    namespace: str,
    last_run_states: Annotated[list[RunState] | None, Query(alias="lastRunStates")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Jobs of a namespace, those that were heard of last first. `totalCount` counts those of every state."""
    with opened() as reader:
        number = reader.index.namespace_number(namespace)
        if number is None or not reader.sees(namespace):
            raise NotFoundError(f"Namespace '{namespace[:200]}' not found.")
        return _list(reader, [number], last_run_states or (), limit, offset)


@router.get("/api/v1/namespaces/{namespace}/jobs/{job}", openapi_extra=READ)
def get_job(opened: Opened, namespace: str, job: str) -> Response:
    """A job as it is now: what it reads and writes, and its latest runs."""
    with opened() as reader:
        number = reader.require("job", namespace, job)
        return answer(describe_job(reader, jobs_events(reader, [number])[number]))


def _versions(reader: Reader, job: int) -> list[dict[str, Any]]:
    """The versions of a job, the newest first: one for each set of inputs and outputs that a finished run had."""
    found = JobEvents(reader, job, reader.index.events_of_job(job).tolist())
    groups = [(reader.index.ports_of([event]), event, 0) for event in found.of_no_run]
    groups += [(reader.index.ports_of(events), events[-1], run) for run, events in found.runs.items()]
    groups.sort(key=lambda group: (reader.at(group[1]), group[1]))
    versions: dict[str, dict[str, Any]] = {}
    identities: dict[Ports, dict[str, str]] = {}
    for ports, event, run in groups:
        if ports == Ports() and len(groups) > 1:
            continue  # a run that has said nothing yet is no version
        if ports not in identities:
            identities[ports] = job_version_id(reader, job, ports)
        identity = identities[ports]
        if identity["version"] not in versions:
            versions[identity["version"]] = {
                "id": identity,
                "name": identity["name"],
                "createdAt": format_at(reader.at(event)),
                "version": identity["version"],
                "namespace": identity["namespace"],
                "location": None,
                "inputs": name_datasets(reader, ports.inputs),
                "outputs": name_datasets(reader, ports.outputs),
                "latestRun": None,
            }
        versions[identity["version"]]["latestRun"] = (run, event)
    return list(versions.values())[::-1]


def _complete(reader: Reader, version: dict[str, Any]) -> dict[str, Any]:
    """The version with its latest run and what that run's events say."""
    run, event = version["latestRun"]
    events = reader.in_time(reader.index.events_of_runs([run])) if run else [event]
    location = link_in(facets_of_job(reader, events))
    return version | {"location": location, "latestRun": describe_run(reader, run, events) if run else None}


@router.get("/api/v1/namespaces/{namespace}/jobs/{job}/versions", openapi_extra=READ)
def list_versions(opened: Opened, namespace: str, job: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The versions of a job, the newest first."""
    with opened() as reader:
        found = _versions(reader, reader.require("job", namespace, job))
        versions = [_complete(reader, version) for version in found[offset : offset + limit]]
        return answer({"versions": versions, "totalCount": len(found)})


def find_job_version(reader: Reader, job: int, version: str) -> int:
    """When a version of a job was last seen, in microseconds since 1970. Raises NotFoundError."""
    return reader.at(_find_version(reader, job, version)["latestRun"][1])


def _find_version(reader: Reader, job: int, version: str) -> dict[str, Any]:
    for one in _versions(reader, job):
        if one["version"] == version.lower():
            return one
    raise NotFoundError(f"Job version '{version[:100]}' not found.")


@router.get("/api/v1/namespaces/{namespace}/jobs/{job}/versions/{version}", openapi_extra=READ)
def get_version(opened: Opened, namespace: str, job: str, version: str) -> Response:
    """One version of a job."""
    with opened() as reader:
        found = _find_version(reader, reader.require("job", namespace, job), version)
        return answer(_complete(reader, found))


@router.get("/api/v1/namespaces/{namespace}/jobs/{job}/runs", openapi_extra=READ)
def list_runs(opened: Opened, namespace: str, job: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The runs of a job, the one that began last first."""
    with opened() as reader:
        number = reader.require("job", namespace, job)
        found = reader.index.runs_of_job(number)
        page = found[offset : offset + limit]
        events = JobEvents(reader, number, reader.index.events_of_runs(page).tolist()).runs
        reader.load_run_ids(page)
        reader.load_events({event for run in page for event in events[run]})
        runs = [describe_run(reader, run, events[run]) for run in page]
        return answer({"runs": runs, "totalCount": len(found)})


@router.get("/api/v1/jobs/runs/{run_id}", openapi_extra=READ)
def get_run(opened: Opened, run_id: str) -> Response:
    """A run."""
    with opened() as reader:
        run = reader.require_run(run_id)
        return answer(describe_run(reader, run, reader.in_time(reader.index.events_of_runs([run]))))


@router.get("/api/v1/jobs/runs/{run_id}/facets", openapi_extra=READ)
def get_run_facets(
    opened: Opened, run_id: str, kind: Annotated[Literal["job", "run", "JOB", "RUN"], Query(alias="type")]
) -> Response:
    """What the events of a run say of the run, or of its job."""
    with opened() as reader:
        run = reader.require_run(run_id)
        events = reader.in_time(reader.index.events_of_runs([run]))
        facets = facets_of_run(reader, events) if kind.lower() == "run" else facets_of_job(reader, events)
        return answer({"runId": reader.run_id(run), "facets": facets})
