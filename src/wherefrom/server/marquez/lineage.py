"""The graph around a job or data set: every job that shares a data set with it, and with those, so many steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from fastapi import Query, Response

from wherefrom.archive.live import Sight, live_graph
from wherefrom.errors import NotFoundError
from wherefrom.lineage.graph import NEVER, dataset_node, job_node
from wherefrom.lineage.graph.arrays import Longs, ranges
from wherefrom.lineage.graph.graph import holds
from wherefrom.server.marquez.datasets import describe_dataset
from wherefrom.server.marquez.index import Ports
from wherefrom.server.marquez.jobs import describe_job, jobs_events
from wherefrom.server.marquez.naming import NodeId, format_at, format_node_id, parse_node_id
from wherefrom.server.marquez.reading import Opened, Opener, Reader
from wherefrom.server.marquez.routing import READ, answer, make_named_router
from wherefrom.server.marquez.runs import Written, unwritten

router = make_named_router()
Depth = Annotated[int, Query(ge=0, le=1000)]
MAX_JOBS = 2000
_NONE: Longs = np.empty(0, np.int64)


@dataclass
class Around:
    """What lies around a node, by the graph's numbers.

    Attributes:
        start: what was asked about; a data set under its canonical name.
        edges: pairs of nodes, from what feeds to what is fed.
        hidden: nodes among them that the caller may not see.
        is_cut: there were more than `MAX_JOBS` jobs.
    """

    start: int
    edges: set[tuple[int, int]] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    is_cut: bool = False


class _Walk:
    """One walk over the graph, which is locked meanwhile."""

    def __init__(self, sight: Sight, opened: Opener) -> None:
        self._graph, self._views, self._size = sight.graph, sight.views(), sight.size
        self.seen = np.array([opened.sees(name) for name in sight.graph.names.namespaces], np.bool_)
        self._same: dict[int, int] = {}

    def may_see(self, node: int) -> bool:
        return bool(self.seen[self._views.namespace[node]])

    def around(self, start: int, depth: int) -> Around:
        """Go from jobs to their data sets, and on to the jobs that share them."""
        found = Around(start)
        owners = _of([start])
        if start % 2 == 0:
            owners = self._owners_at(found, self._with_aliases(_of([start]), start))
        known = set(owners.tolist())
        for step in range(depth + 1):
            nodes = self._with_aliases(self._take_edges(found, owners))
            further = self._owners_at(found, nodes)
            owners = _of(sorted(set(further.tolist()) - known))
            found.is_cut |= step < depth and len(known) + len(owners) > MAX_JOBS
            owners = owners[: max(0, MAX_JOBS - len(known))]
            known.update(owners.tolist())
            if not len(owners):
                break
        return found

    def _take_edges(self, found: Around, owners: Longs) -> Longs:
        """Note what these jobs read and write; the data sets that may be seen."""
        edges, views = self._graph.edges, self._views
        ports = edges.owned.gather(owners)
        ports = ports[self._holds(ports)]
        ends = []
        for bounds, node_of, is_into in (
            (views.source_from, views.source_node, True),
            (views.target_from, views.target_node, False),
        ):
            counts = bounds[ports + 1] - bounds[ports]
            nodes = node_of[ranges(bounds[ports], counts)].astype(np.int64)
            self._with_aliases(nodes)
            for node, owner in zip(nodes.tolist(), np.repeat(views.port_owner[ports], counts).tolist(), strict=True):
                node = self._same.get(node, node)  # noqa: PLW2901
                if not self.may_see(node):
                    found.hidden.add(node)
                if node != owner:
                    found.edges.add((node, owner) if is_into else (owner, node))
            ends.append(nodes[self.seen[views.namespace[nodes]]])
        return np.unique(np.concatenate(ends))

    def _owners_at(self, found: Around, nodes: Longs) -> Longs:
        """The jobs that read or write these data sets, and jobs among them; those that may not be seen are noted."""
        edges, views = self._graph.edges, self._views
        owners = [nodes[nodes % 2 == 1], views.port_owner[edges.owned.gather(nodes)].astype(np.int64)]
        for index, port_of, node_of, is_into in (
            (edges.readers, views.source_port, views.source_node, True),
            (edges.writers, views.target_port, views.target_node, False),
        ):
            those = index.gather(nodes)
            those = those[self._holds(port_of[those])]
            ends = views.port_owner[port_of[those]].astype(np.int64)
            seen = self.seen[views.namespace[ends]]
            owners.append(ends[seen])
            for node, owner in zip(node_of[those[~seen]].tolist(), ends[~seen].tolist(), strict=True):
                node = self._same.get(node, node)  # noqa: PLW2901
                found.hidden.add(owner)
                found.edges.add((node, owner) if is_into else (owner, node))
        return np.unique(np.concatenate(owners))

    def _holds(self, ports: Any) -> Any:
        return holds(self._views, self._views.port_era[ports], valid_at=NEVER - 1, as_of=self._size)

    def _with_aliases(self, nodes: Longs, name: int | None = None) -> Longs:
        """These nodes and all that are the same data sets, which are shown as one: as `name`, or the first met."""
        aliases = self._graph.aliases
        if not aliases:
            return nodes
        more = []
        for node in nodes.tolist():
            if node in self._same or node not in aliases:
                continue
            waiting, shown = [node], node if name is None else name
            self._same[node] = shown
            while waiting:
                one = waiting.pop()
                for alias in aliases.get(one, ()):
                    other = alias.one + alias.other - one
                    is_live = alias.entry < self._size <= alias.retracted
                    if is_live and other not in self._same and self.may_see(other):
                        self._same[other] = shown
                        more.append(other)
                        waiting.append(other)
        return np.unique(np.concatenate((nodes, _of(more)))) if more else nodes


def _of(numbers: list[int]) -> Longs:
    return np.array(numbers, np.int64) if numbers else _NONE


def resolve(reader: Reader, node: NodeId) -> tuple[str, int]:
    """What a node id means: "job" or "dataset", and its number. Raises NotFoundError."""
    for namespace, name in node.splits():
        thing: Any = "job" if node.kind == "job" else "dataset"
        number = reader.find(thing, namespace, name)
        if number is not None:
            return thing, number
    raise NotFoundError(f"Node '{node.kind}:{node.text[:200]}' not found.")


@router.get("/api/v1/lineage", openapi_extra=READ)
def get_lineage(
    opened: Opened, node_id: Annotated[str, Query(alias="nodeId", max_length=16384)], depth: Depth = 20
) -> Response:
    """Jobs and data sets around a node, both ways, and what feeds what; at most 2000 jobs, the nearest.

    What lies in a namespace that the caller does not see is shown as a node without a name, and not gone through.
    """
    node = parse_node_id(node_id)
    with opened() as reader:
        thing, number = resolve(reader, node)
    with live_graph(opened.archive).asking() as sight:
        start = job_node(number) if thing == "job" else dataset_node(number)
        found = _Walk(sight, opened).around(start, depth)
    with opened() as reader:
        response = answer({"graph": _draw(reader, found)})
        if found.is_cut:
            response.headers["X-Wherefrom-Truncated"] = "true"
        return response


def _draw(reader: Reader, found: Around) -> list[dict[str, Any]]:
    nodes = {found.start}.union(*found.edges)
    ids = _name_nodes(reader, nodes, found.hidden)
    into: dict[int, set[int]] = {node: set() for node in nodes}
    out: dict[int, set[int]] = {node: set() for node in nodes}
    for origin, destination in found.edges:
        out[origin].add(destination)
        into[destination].add(origin)
    data = _describe(reader, nodes - found.hidden, into, out)
    drawn = []
    for node in nodes:
        kind = "JOB" if node % 2 else "DATASET"
        drawn.append(
            {
                "id": ids[node],
                "type": kind,
                "data": data[node] if node in data else _opaque(ids[node], kind),
                "inEdges": _edges([(ids[one], ids[node]) for one in into[node]]),
                "outEdges": _edges([(ids[node], ids[one]) for one in out[node]]),
            }
        )
    return sorted(drawn, key=lambda one: str(one["id"]))


def _edges(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"origin": origin, "destination": destination} for origin, destination in sorted(pairs)]


def _name_nodes(reader: Reader, nodes: set[int], hidden: set[int]) -> dict[int, str]:
    """The id of each node; those that may not be seen are counted instead of named."""
    jobs, datasets = ([node // 2 for node in nodes - hidden if node % 2 == odd] for odd in (1, 0))
    reader.load_names("job", jobs)
    reader.load_names("dataset", datasets)
    ids = {}
    for count, node in enumerate(sorted(hidden & nodes), 1):
        ids[node] = format_node_id("job" if node % 2 else "dataset", "opaque", f"hidden-{count}")
    for node in nodes - hidden:
        ids[node] = format_node_id(
            "job" if node % 2 else "dataset", *reader.name("job" if node % 2 else "dataset", node // 2)
        )
    return ids


def _describe(
    reader: Reader, nodes: set[int], into: dict[int, set[int]], out: dict[int, set[int]]
) -> dict[int, dict[str, Any]]:
    jobs = [node // 2 for node in nodes if node % 2]
    events = jobs_events(reader, jobs, runs=1)
    datasets = [node // 2 for node in nodes if not node % 2]
    written, read = (reader.index.newest_mentions(datasets, role, 3) for role in ("output", "input"))
    said = {event for job in jobs for event in events[job].described_by()}
    reader.load_events(said.union(*written.values(), *(read[one] for one in read if one not in written)))
    reader.load_run_ids(run for job in jobs for run in events[job].newest_first)
    described = {}
    for job in jobs:
        node = job_node(job)
        ports = Ports(*(frozenset(n // 2 for n in ends[node] if not n % 2) for ends in (into, out)))
        described[node] = describe_job(reader, events[job], brief=True, ports=ports)
        for extra in ("latestRuns", "facets", "currentVersion", "labels"):
            del described[node][extra]
    for entity in datasets:
        events_of = reader.in_time(written.get(entity, ()))
        newest = Written(entity, 0, tuple(events_of), reader.at(events_of[-1])) if events_of else None
        newest = newest or unwritten(reader, entity)
        data = describe_dataset(reader, entity, (newest, events_of, [] if events_of else read.get(entity, [])))
        for extra in ("currentVersion", "columnLineage", "facets", "deleted"):
            del data[extra]
        described[dataset_node(entity)] = data
    return described


def _opaque(node_id: str, kind: str) -> dict[str, Any]:
    """What stands for a node that may not be seen: all that pages ask for, and nothing of it."""
    _, namespace, name = node_id.split(":")
    common: dict[str, Any] = {
        "id": {"namespace": namespace, "name": name},
        "type": "BATCH" if kind == "JOB" else "DB_TABLE",
        "name": name,
        "createdAt": format_at(0),
        "updatedAt": format_at(0),
        "namespace": namespace,
        "description": "in a namespace that you may not see",
        "tags": [],
    }
    if kind == "JOB":
        nothing = dict.fromkeys(("parentJobName", "parentJobUuid", "location", "latestRun"))
        return common | nothing | {"simpleName": name, "inputs": [], "outputs": []}
    nothing = dict.fromkeys(("lastModifiedAt", "lastLifecycleState"))
    return common | nothing | {"physicalName": name, "sourceName": namespace, "fields": []}
