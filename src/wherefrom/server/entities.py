"""Data sets, jobs and runs: found by name, listed, and each with what is known of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from wherefrom.archive.archive import Recorded, to_recorded
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.lineage.graph import Way, time_text, walk
from wherefrom.lineage.graph.search import RANKS
from wherefrom.server.asking import MAX_NAME, Asked, Proof, Question, add_question, answer_value
from wherefrom.server.parameters import PlainRoute
from wherefrom.server.visibility import is_visible, namespaces_of_recorded
from wherefrom.statements import event_kind_of

MAX_PAGE: Final = 500
MAX_NODES_AROUND: Final = 5000
MAX_SCANNED: Final = 200_000
MAX_RUNS_SCANNED: Final = 5000
MAX_VERSIONS: Final = 100
MAX_RUN_EVENTS: Final = 1000
_MANY_JOBS: Final = 1000
_EVENTS_FOR_SCHEMA: Final = 10

Limit = Annotated[int, Field(ge=1, le=MAX_PAGE)]
Kind = Annotated[str | None, Field(pattern="^(dataset|job)$")]
Space = Annotated[str | None, Field(max_length=MAX_NAME)]


class SearchAsked(Asked):
    q: Annotated[str, Field(max_length=1000)]
    type: Kind = None
    namespace: Space = None
    limit: Limit = 20


class EntitiesAsked(Asked):
    type: Kind = None
    namespace: Space = None
    prefix: Annotated[str, Field(max_length=1000, description="How their names begin.")] = ""
    cursor: Annotated[int, Field(ge=0, lt=2**53, description="Where the page before ended: its `next`.")] = 0
    limit: Limit = 100


class EntityAsked(Asked):
    in_path = frozenset({"node"})
    node: Annotated[str, Field(max_length=MAX_NAME, description="`dataset:NAMESPACE:NAME` or `job:NAMESPACE:NAME`.")]


class RunsAsked(Asked):
    job: Annotated[str | None, Field(max_length=MAX_NAME, description="`job:NAMESPACE:NAME`.")] = None
    limit: Limit = 50


class RunAsked(Asked):
    in_path = frozenset({"run_id"})
    run_id: Annotated[str, Field(alias="run_id", max_length=100)]
    proof: Proof = False


def make_router() -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["entities"], route_class=PlainRoute)
    add = functools.partial(add_question, router)
    add("/search", SearchAsked, search, "Data sets and jobs by name, the best first")
    add("/entities", EntitiesAsked, list_entities, "Data sets and jobs, page by page, the oldest first")
    add("/entities/{node:path}", EntityAsked, read_entity, "A data set or a job, and what is known of it")
    add("/runs", RunsAsked, list_runs, "Runs, the newest first")
    add("/runs/{run_id}", RunAsked, read_run, "A run: its events, what it used and generated")
    return router


def search(question: Question, asked: SearchAsked) -> Response:
    return answer_value(question.head() | _search(question, asked))


def list_entities(question: Question, asked: EntitiesAsked) -> Response:
    return answer_value(question.head() | _list(question, asked))


def read_entity(question: Question, asked: EntityAsked) -> Response:
    if not asked.node.startswith(("dataset:", "job:")):
        raise FormatError(f"entity {asked.node[:100]!r}: expected dataset:NAMESPACE:NAME or job:NAMESPACE:NAME")
    found = question.find_node(asked.node)
    return answer_value(question.head() | (_read_job if found % 2 else _read_dataset)(question, found))


def list_runs(question: Question, asked: RunsAsked) -> Response:
    return answer_value(question.head() | _list_runs(question, asked.job, asked.limit))


def read_run(question: Question, asked: RunAsked) -> Response:
    return answer_value(question.head() | _read_run(question, asked.run_id, proof=asked.proof))


def _search(question: Question, asked: SearchAsked) -> dict[str, Any]:
    names, namespace = question.graph.names, asked.namespace
    spaces, entries = names.namespace.values, names.entry.values
    wanted = None if namespace is None else names.find_namespace(namespace)
    parity = None if asked.type is None else int(asked.type == "job")

    def accept(node: int) -> bool:
        return (
            entries[node] < question.size
            and (parity is None or node % 2 == parity)
            and (namespace is None or spaces[node] == wanted)
            and question.is_seen(node)
        )

    hits = question.sight.follower.search.find(asked.q, accept=accept, limit=asked.limit)
    found = [{**_node(question, hit.node), "match": RANKS[hit.rank], "score": round(hit.score, 1)} for hit in hits]
    return {"results": found}


def _list(question: Question, asked: EntitiesAsked) -> dict[str, Any]:
    names = question.graph.names
    spaces = names.namespace.view()
    takes = (spaces >= 0) & (names.entry.view() < question.size)
    takes[: asked.cursor] = False
    if asked.type is not None:
        takes[int(asked.type != "job") :: 2] = False
    if asked.namespace is not None:
        takes &= spaces == names.find_namespace(asked.namespace)
    if question.scope.seen is not None:
        takes &= question.scope.seen[spaces]
    found: list[dict[str, Any]] = []
    after = None
    nodes = np.flatnonzero(takes)
    for node in nodes[:MAX_SCANNED].tolist():
        if not asked.prefix or names[node].name.startswith(asked.prefix):
            if len(found) == asked.limit:
                after = node
                break
            found.append(_node(question, node))
    else:
        after = int(nodes[MAX_SCANNED]) if len(nodes) > MAX_SCANNED else None
    return {"entities": found, "next": after}


def _node(question: Question, node: int) -> dict[str, Any]:
    name = question.graph.names[node]
    return {
        "id": f"{name.type}:{name.namespace}:{name.name}",
        "type": name.type,
        "namespace": name.namespace,
        "name": name.name,
        "entry": name.entry,
    }


def _around(question: Question, node: int) -> tuple[list[int], list[int]]:
    """What is one step up of a node, and one step down: jobs of a data set, data sets of a job."""
    views = question.sight.views()
    found = walk(question.graph, views, question.scope, [node], ("up", "down"), depth=1, most=MAX_NODES_AROUND)
    ways: tuple[Way, Way] = ("up", "down")
    sides = []
    for way in ways:
        parts = [*found[way].owners, *found[way].nodes[1:]]
        near = {int(one) for part in parts for one in part if one % 2 != node % 2}
        sides.append(sorted(near)[:_MANY_JOBS])
    return sides[0], sides[1]


def _read_job(question: Question, node: int) -> dict[str, Any]:
    inputs, outputs = _around(question, node)
    return {
        **_node(question, node),
        "inputs": [_node(question, one) for one in inputs],
        "outputs": [_node(question, one) for one in outputs],
        "runs": _list_runs_of(question, node, 10),
    }


def _read_dataset(question: Question, node: int) -> dict[str, Any]:
    makers, users = _around(question, node)
    deleted = question.graph.deleted_at(node, as_of=question.size)
    views, entity = question.sight.lineage, node // 2
    rows = views.versions_of(entity, as_of=question.size)[:MAX_VERSIONS]
    digests: dict[int, dict[str, str]] = {}
    for row in views.read_digests([row.id for row in rows], as_of=question.size):
        digests.setdefault(row.version, {})[row.algorithm] = row.hex
    return {
        **_node(question, node),
        "aliases": question.sight.renderer.aliases(node, question.scope),
        "deletedAt": None if deleted is None else time_text(deleted),
        "madeBy": [_node(question, one) for one in makers],
        "usedBy": [_node(question, one) for one in users],
        "schema": _find_schema(question, node, makers + users),
        "versions": [
            {"digests": digests.get(row.id, {}), "totalBytes": row.total_bytes, "rows": row.rows, "entry": row.entry}
            for row in rows
            if row.digest
        ],
        "namedVersions": [
            {"version": version, "entry": entry}
            for version, entry in question.sight.tables.read_named_versions(entity, as_of=question.size)
        ],
    }


def _find_schema(question: Question, node: int, jobs: list[int]) -> dict[str, Any] | None:
    """The fields that the newest of its jobs' events says it has, and by which entry."""
    name = question.graph.names[node]
    entries = [e for job in jobs[:_MANY_JOBS] for e in question.graph.eras.entries_of(job, most=2)]
    newest = sorted((e for e in entries if e < question.size), reverse=True)[:_EVENTS_FOR_SCHEMA]
    for recorded in _read_visible(question, newest):
        predicate = recorded.statement.predicate
        for dataset in (*predicate.get("inputs", ()), *predicate.get("outputs", ())):
            if not isinstance(dataset, dict) or (dataset.get("namespace"), dataset.get("name")) != name[1:3]:
                continue
            facets = dataset.get("facets")
            schema = facets.get("schema") if isinstance(facets, dict) else None
            if isinstance(schema, dict) and isinstance(schema.get("fields"), list):
                return {"fields": schema["fields"], "entry": recorded.index}
    return None


def _read_visible(question: Question, entries: list[int]) -> Iterator[Recorded]:
    """Events that are still there, and name nothing that the caller may not see."""
    ledger, views = question.sight.ledger, question.sight.lineage
    for index in entries:
        [stored] = ledger.read_entries([index])
        recorded = to_recorded(stored, ledger)
        if recorded.text is None or not event_kind_of(recorded.entry.kind):
            continue
        if is_visible(namespaces_of_recorded(recorded, ledger, views), question.may_see, audits=False):
            yield recorded


def _list_runs(question: Question, job: str | None, limit: int) -> dict[str, Any]:
    if job is not None:
        if not job.startswith("job:"):
            raise FormatError(f"job {job[:100]!r}: expected job:NAMESPACE:NAME")
        return {"runs": _list_runs_of(question, question.find_node(job), limit)}
    found: list[dict[str, Any]] = []
    for row in islice(question.sight.lineage.iter_runs(as_of=question.size), MAX_RUNS_SCANNED):
        if len(found) == limit:
            break
        if question.may_see(row.job_namespace):
            found.append(_run(row))
    return {"runs": found}


def _list_runs_of(question: Question, job: int, limit: int) -> list[dict[str, Any]]:
    """Runs of a job that said something of its lineage, or ended, the newest first."""
    ids = question.graph.eras.runs_of(job, as_of=question.size, most=limit)
    rows = {row.id: row for row in question.sight.lineage.read_runs(ids)}
    return [_run(rows[number]) for number in ids if number in rows]


def _run(row: Any) -> dict[str, Any]:
    job = f"job:{row.job_namespace}:{row.job_name}"
    return {"id": f"run:{row.run_id}", "runId": row.run_id, "job": job, "entry": row.entry}


def _read_run(question: Question, run_id: str, *, proof: bool) -> dict[str, Any]:
    views, names = question.sight.lineage, question.graph.names
    row = question.find_run(run_id)
    if row is None or not question.may_see(row.job_namespace):
        raise NotFoundError(f"no run {run_id!r}")
    events = views.read_run_events([row.id], as_of=question.size)
    shown = list(_read_visible(question, [event.entry for event in events[:MAX_RUN_EVENTS]]))
    facets: dict[str, Any] = {}
    for recorded in shown:
        run = recorded.statement.predicate.get("run")
        if isinstance(run, dict) and isinstance(run.get("facets"), dict):
            facets.update(run["facets"])
    entries = {recorded.index for recorded in shown}
    said = [
        {"entry": event.entry, "eventType": event.event_type, "eventTime": event.event_time}
        for event in events
        if event.entry in entries
    ]
    found: dict[str, Any] = {
        **_run(row),
        "state": next((e.event_type for e in reversed(events) if e.event_type), "OTHER"),
        "events": said,
        "facets": facets,
        "inputs": _data_of(question, row.id, "used"),
        "outputs": _data_of(question, row.id, "was_generated_by"),
        "parent": _find_parent(question, row.parent_run_id),
        "children": [
            _run(child)
            for child in views.read_runs(question.sight.tables.find_children(row.run_id, as_of=question.size))
            if question.may_see(child.job_namespace)
        ],
    }
    job = names.find(row.job_namespace, row.job_name, jobs=True)
    found["job"] = None if job is None else _node(question, job)
    if proof:
        found["evidence"] = question.prove((), sorted(entries))
    return found


def _data_of(question: Question, run: int, relation: str) -> list[dict[str, Any]]:
    """The versions of data sets that a run used or generated, as far as the caller may see them."""
    views = question.sight.lineage
    rows = views.read_edges(relation, runs_in=[run], as_of=question.size)
    versions = {row.id: row for row in views.read_versions([row.version for row in rows])}
    digests: dict[int, dict[str, str]] = {}
    for digest in views.read_digests(list(versions), as_of=question.size):
        digests.setdefault(digest.version, {})[digest.algorithm] = digest.hex
    named = question.sight.tables.read_named_edges(run, relation, as_of=question.size)
    found = [
        {
            "id": f"dataset:{version.namespace}:{version.name}",
            "how": row.how,
            "entry": row.entry,
            "digests": digests.get(version.id, {}),
            "versions": [text for namespace, name, text in named if (namespace, name) == version[:2]],
        }
        for row in rows
        if question.may_see((version := versions[row.version]).namespace)
    ]
    there = {one["id"] for one in found}
    for namespace, name, text in named:
        if (known := f"dataset:{namespace}:{name}") not in there and question.may_see(namespace):
            found.append({"id": known, "how": "declared", "entry": None, "digests": {}, "versions": [text]})
    return found


def _find_parent(question: Question, run_id: str | None) -> dict[str, Any] | None:
    """The parent, where it is known and may be seen."""
    if run_id is None:
        return None
    row = question.find_run(run_id)
    return _run(row) if row is not None and question.may_see(row.job_namespace) else None
