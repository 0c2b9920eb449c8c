"""Tracing again: the lineage that the statements of an evidence file give, without any code of the archive's.

The rules are those of docs/spec/lineage.md: a version is an entity with a content; of several runs that made the same
content, the last one before its use counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wherefrom.statements.digests import primary_digest
from wherefrom.statements.entry import Entry
from wherefrom.statements.kinds import CORRECTION, corrected_by
from wherefrom.statements.openlineage import Dataset, Event, event_kind_of, event_of
from wherefrom.statements.statement import Statement

VersionId = tuple[str, str, str]
"""Namespace, name, and `algorithm:hex` of the content ("" when it was not seen)."""


@dataclass(frozen=True, order=True)
class TracedEdge:
    """`how`: "observed", "declared" or "inferred". An inferred use names the entity; its content is not proven."""

    run_id: str
    version: VersionId
    relation: str
    how: str
    entry: int


@dataclass
class Graph:
    """What the statements say, before any question.

    `digests` holds every digest known of a version, `inputs` run id, namespace and name of all that runs used,
    `records` the identity objects that statements give of fingerprints of rows, by id, as they stand there.
    """

    edges: dict[tuple[str, VersionId, str], TracedEdge] = field(default_factory=dict)
    digests: dict[VersionId, dict[str, str]] = field(default_factory=dict)
    inputs: set[tuple[str, str, str]] = field(default_factory=set)
    records: dict[str, Any] = field(default_factory=dict)

    def add(self, entry: int, run_id: str, relation: str, dataset: Dataset, digest: str, how: str) -> None:
        """Add an edge, unless it is there."""
        version = (dataset.namespace, dataset.name, digest)
        self.digests.setdefault(version, {}).update(dataset.digests)
        self.edges.setdefault((run_id, version, relation), TracedEdge(run_id, version, relation, how, entry))
        if digits := dataset.digests.get("wf-records-1"):
            self.records.setdefault(digits, dataset.records)
        if relation == "used":
            self.inputs.add((run_id, dataset.namespace, dataset.name))

    def take_back(self, entry: int | None) -> None:
        """Remove the edges that a corrected entry gave."""
        self.edges = {key: edge for key, edge in self.edges.items() if edge.entry != entry}
        self.inputs = {(run_id, *version[:2]) for run_id, version, relation in self.edges if relation == "used"}


def read_graph(statements: Iterable[tuple[int, str, Statement | Entry]], *, claimed: Collection[TracedEdge]) -> Graph:
    """Take the edges from statements (index, statement id, statement), in index order.

    An entry stands for a statement that was redacted: it gives nothing, but a correction still takes back.
    `claimed`: the answer's. Which content the archive took an input to have of which none was seen can't be told from
    some of the statements, and is believed; that the statement left it open is checked.
    """
    assumed = {
        (edge.entry, edge.run_id, *edge.version[:2]): edge.version[2]
        for edge in claimed
        if edge.how == "inferred" and edge.relation == "used"
    }
    graph = Graph()
    index_of: dict[str, int] = {}
    for index, statement_id, statement in statements:
        index_of[statement_id] = index
        if isinstance(statement, Entry):
            if corrected := corrected_by(statement):
                graph.take_back(index_of.get(corrected))
            continue
        if statement.predicate_type == CORRECTION:
            graph.take_back(index_of.get(statement.predicate["corrects"]))
        if event_kind_of(statement.predicate_type) and (event := event_of(statement)).run_id:
            _read_event(graph, index, event, assumed)
    return graph


def _read_event(graph: Graph, index: int, event: Event, assumed: Mapping[tuple[int, str, str, str], str]) -> None:
    for dataset in sorted(event.inputs, key=lambda dataset: not dataset.digests):
        digest, how = primary_digest(dataset.digests), dataset.how
        if not digest:
            use = (event.run_id, dataset.namespace, dataset.name)
            if use in graph.inputs:
                continue
            digest = assumed.get((index, *use), "")
            how = "inferred" if digest else how
        graph.add(index, event.run_id, "used", dataset, digest, how)
    for dataset in event.outputs:
        graph.add(index, event.run_id, "was_generated_by", dataset, primary_digest(dataset.digests), dataset.how)


def retrace(graph: Graph, subject: VersionId, *, as_of: int) -> set[TracedEdge]:
    """The edges that lead up from a version to all it was made from."""
    made: dict[VersionId, list[TracedEdge]] = {}
    used: dict[str, list[TracedEdge]] = {}
    for edge in sorted(graph.edges.values(), key=lambda edge: edge.entry):
        if edge.relation == "was_generated_by":
            made.setdefault(edge.version, []).append(edge)
        else:
            used.setdefault(edge.run_id, []).append(edge)
    found: set[TracedEdge] = set()
    seen: set[str] = set()
    wanted = [(subject, as_of)]
    while wanted:
        version, before = wanted.pop()
        earlier = [edge for edge in made.get(version, ()) if edge.entry < before]
        if earlier:
            found.add(earlier[-1])
            if earlier[-1].run_id not in seen:
                seen.add(earlier[-1].run_id)
                found.update(used.get(earlier[-1].run_id, ()))
                wanted += [(edge.version, edge.entry) for edge in used.get(earlier[-1].run_id, ())]
    return found
