"""Tracing again: the lineage that the statements of an evidence file give, without any code of the archive's.

The rules are those of docs/spec/lineage.md: a version is an entity with a content; of several runs that made the same
content, the last one before its use counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from wherefrom.statements.digests import primary_digest
from wherefrom.statements.kinds import CORRECTION
from wherefrom.statements.openlineage import event_kind_of, read_event
from wherefrom.statements.statement import Statement

VersionId = tuple[str, str, str]
"""Namespace, name, and `algorithm:hex` of the content ("" when it was not seen)."""


@dataclass(frozen=True)
class TracedEdge:
    """`how`: "observed", "declared" or "inferred". An inferred use names the entity; its content is not proven."""

    run_id: str
    version: VersionId
    relation: str
    how: str
    entry: int


@dataclass
class Graph:
    """What the statements say, before any question. `digests` holds every digest known of a version."""

    edges: dict[tuple[str, VersionId, str], TracedEdge] = field(default_factory=dict)
    digests: dict[VersionId, dict[str, str]] = field(default_factory=dict)


def read_graph(
    statements: Iterable[tuple[int, str, Statement]],
    *,
    inferred: Mapping[tuple[str, str, str], str],
    unseen: Collection[tuple[str, str, str]] = (),
) -> Graph:
    """Take the edges from statements (index, statement id, statement), in index order.

    `inferred`: for uses (run id, namespace, name) of which no content was seen, the digest that the archive assumed.
    `unseen`: such uses that were first spoken of when nothing could be assumed yet; their first mention stays without.
    """
    graph = Graph()
    index_of: dict[str, int] = {}
    for index, statement_id, statement in statements:
        index_of[statement_id] = index
        if statement.predicate_type == CORRECTION:
            target = index_of.get(statement.predicate["corrects"])
            graph.edges = {key: edge for key, edge in graph.edges.items() if edge.entry != target}
        if not event_kind_of(statement.predicate_type):
            continue
        event = read_event(statement.predicate)
        for relation, datasets in (("used", event.inputs), ("was_generated_by", event.outputs)):
            for dataset in datasets:
                digest, how = primary_digest(dataset.digests), dataset.how
                use = (event.run_id, dataset.namespace, dataset.name)
                if not digest and relation == "used" and use in inferred:
                    is_first = (event.run_id, (dataset.namespace, dataset.name, ""), relation) not in graph.edges
                    if not (use in unseen and is_first):
                        digest, how = inferred[use], "inferred"
                version = (dataset.namespace, dataset.name, digest)
                graph.digests.setdefault(version, {}).update(dataset.digests)
                edge = TracedEdge(event.run_id, version, relation, how, index)
                graph.edges.setdefault((event.run_id, version, relation), edge)
    return graph


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
