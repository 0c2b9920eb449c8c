"""Walking the graph, a level at a time, over whole arrays: what feeds some nodes, or what they feed.

A step goes from data to data through a port: from each node of a level, by edges that hold, through ports whose owner
may be seen, to the nodes at the ports' other side. A job asked about is where its own ports begin. A job that a facet
names as a source stands for all that it reads; one that is named as a target, for all that it makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from wherefrom.lineage.graph.arrays import Bits, Ints, Longs, distinct, ranges
from wherefrom.lineage.graph.graph import Graph, Views, holds
from wherefrom.lineage.graph.names import NEVER

Way = Literal["up", "down"]
_EMPTY: Longs = np.empty(0, np.int64)


@dataclass(frozen=True)
class Scope:
    """What a question may rest on.

    Attributes:
        as_of: entries with index below it.
        valid_at: microseconds since 1970; NEVER for all that was said, whatever its time.
        seen: whether each namespace, by number, may be seen; None for all.
    """

    as_of: int
    valid_at: int = NEVER - 1
    seen: Bits | None = None


@dataclass
class Found:
    """What a walk found, a list item for each step; step 0 is where it began.

    Attributes:
        nodes: data sets and jobs that may be seen, each once; owners: jobs passed, likewise, some of them in `nodes`.
        sources: edges into ports; targets: edges out of them.
        hidden: nodes at the border, which may not be seen: the edge, whether it is one into a port, and the node.
        aliases: pairs of nodes that are one data set, as walked.
        count: how many nodes there are in all.
        is_cut: there is more, beyond the last step.
    """

    nodes: list[Longs] = field(default_factory=list)
    owners: list[Longs] = field(default_factory=list)
    sources: list[Longs] = field(default_factory=list)
    targets: list[Longs] = field(default_factory=list)
    hidden: list[tuple[int, bool, int]] = field(default_factory=list)
    aliases: list[Any] = field(default_factory=list)
    count: int = 0
    is_cut: bool = False


class _Marks(NamedTuple):
    """What a walk has seen, a bit for each node, owner and port; kept for the next walk: clearing millions costs."""

    nodes: Bits
    owners: Bits
    ports: Bits

    @classmethod
    def take(cls, graph: Graph) -> _Marks:
        nodes, ports = len(graph.names), len(graph.edges)
        while graph.spare:
            marks: _Marks = graph.spare.pop()
            if len(marks.nodes) >= nodes and len(marks.ports) >= ports:
                return marks
        return cls(*(np.zeros(size + size // 8 + 1024, np.bool_) for size in (nodes, nodes, ports)))

    def give(self, graph: Graph) -> None:
        graph.spare.append(self)


class Walker:
    """One walk, one way. Holds views of the graph's columns: it must be gone before the graph grows."""

    def __init__(self, graph: Graph, views: Views, scope: Scope, way: Way) -> None:
        self._graph, self._views, self._scope = graph, views, scope
        self._is_down = way == "down"
        self.found = Found()
        self._level: Longs = _EMPTY
        self._whole: list[int] = []  # jobs of the level that stand for all their ports
        self._passed: list[int] = []  # jobs gone through, which other ports may name
        self._ports: list[Longs] = []
        self._marks = _Marks.take(graph)
        self._seen, self._seen_owners, self._seen_ports = self._marks
        self._seen_ends: set[int] = set()

    def start(self, nodes: Sequence[int]) -> None:
        level = np.array(sorted(nodes), np.int64)
        self._seen[level] = True
        self._begin(self._with_aliases(level), may_have_jobs=True)

    def _begin(self, level: Longs, *, may_have_jobs: bool) -> None:
        self._level = level
        self._whole = level[_are_jobs(level)].tolist() if may_have_jobs else []
        self.found.nodes.append(level)
        self.found.count += len(level)

    @property
    def is_done(self) -> bool:
        return not (len(self._level) or self._passed)

    def step(self) -> None:
        """Go one step."""
        entering, ports = self._ports_of_level()
        ports = self._new(ports, self._seen_ports)
        self._ports.append(ports)
        self.found.sources.append(_EMPTY)
        self.found.targets.append(_EMPTY)
        near = self.found.sources if self._is_down else self.found.targets
        far = self.found.targets if self._is_down else self.found.sources
        near[-1] = entering
        leaving, nodes = self._far_side(ports)
        far[-1] = leaving
        owners = self._views.port_owner[ports].astype(np.int64)
        owners = self._new(owners[_are_jobs(owners)], self._seen_owners)
        self.found.owners.append(owners)
        # A job may be an owner and, at another place of the answer, an end: it is one node.
        self.found.count += len(owners) - int(np.count_nonzero(self._seen[owners]))
        ends = self._graph.edges.jobs_as_ends
        self._passed = []
        if ends:
            self._passed = [j for j in owners.tolist() if j in ends and j not in self._seen_ends]
            self._seen_ends.update(self._passed)
        new = self._new(nodes, self._seen)
        self._begin(self._with_aliases(new), may_have_jobs=bool(ends))

    def finish(self) -> Found:
        """What was found. Nothing more can be asked: the marks are another walk's now."""
        found = self.found
        for numbers, seen in (
            (found.nodes, self._seen),
            (found.owners, self._seen_owners),
            (self._ports, self._seen_ports),
        ):
            seen[np.concatenate((_EMPTY, *numbers))] = False
        self._marks.give(self._graph)
        return found

    def peek(self) -> bool:
        """Whether a further step would find anything."""
        if self.is_done:
            return False
        entering, ports = self._ports_of_level(hide=False)
        return bool(len(entering) or len(ports))

    def _ports_of_level(self, *, hide: bool = True) -> tuple[Longs, Longs]:
        """Edges from the level into ports that hold, and the ports; those of whole jobs have no edge into them."""
        edges, views = self._graph.edges, self._views
        index, port_of = (edges.readers, views.source_port) if self._is_down else (edges.writers, views.target_port)
        level = self._level
        if self._passed:
            level = np.concatenate((level, np.array(self._passed, np.int64)))
        entering = index.gather(level)
        # By numbers of 64 bits numpy looks up at once; others it converts, which for a few takes longer than the look.
        ports = port_of[entering].astype(np.int64)
        holding = self._holds(ports)
        entering, ports = entering[holding], ports[holding]
        if self._scope.seen is not None:
            seen = self._may_see(views.port_owner[ports])
            if hide:
                self._hide(entering[~seen], views.port_owner[ports[~seen]])
            entering, ports = entering[seen], ports[seen]
        if self._whole:
            own = edges.owned.gather(np.array(self._whole, np.int64))
            own = own[self._holds(own)]
            ports = np.concatenate((ports, own))
        return entering, ports

    def _far_side(self, ports: Longs) -> tuple[Longs, Longs]:
        """Edges of ports at the side to which the walk goes, and their nodes that may be seen."""
        views = self._views
        bounds, node_of = (
            (views.target_from, views.target_node) if self._is_down else (views.source_from, views.source_node)
        )
        starts = bounds[ports]
        edges = ranges(starts, bounds[1:][ports] - starts)
        nodes = node_of[edges].astype(np.int64)
        if self._scope.seen is not None:
            seen = self._may_see(nodes)
            if not seen.all():
                self._hide(edges[~seen], nodes[~seen], is_far=True)
                edges, nodes = edges[seen], nodes[seen]
        return edges, nodes

    def _holds(self, ports: Any) -> Bits:
        scope = self._scope
        eras = self._views.port_era[ports].astype(np.int64)
        return holds(self._views, eras, valid_at=scope.valid_at, as_of=scope.as_of)

    def _may_see(self, nodes: Any) -> Any:
        assert self._scope.seen is not None  # noqa: S101 - the callers looked
        return self._scope.seen[self._views.namespace[nodes]]

    def _hide(self, edges: Longs, nodes: Ints, *, is_far: bool = False) -> None:
        into_port = self._is_down != is_far
        self.found.hidden += [(e, into_port, n) for e, n in zip(edges.tolist(), nodes.tolist(), strict=True)]
        self.found.count += len(set(nodes.tolist()))

    def _new(self, numbers: Longs, seen: Bits) -> Longs:
        """Those not seen before, each once, by number; from now on seen."""
        new = distinct(numbers[~seen[numbers]])
        seen[new] = True
        return new

    def _with_aliases(self, level: Longs) -> Longs:
        """The level, and all that are the same data sets, where anything is said of them."""
        if not self._graph.aliases:
            return level
        more, waiting, aliases = [], level.tolist(), self._graph.aliases
        while waiting:
            node = waiting.pop()
            for alias in aliases.get(node, ()):
                if not alias.entry < self._scope.as_of <= alias.retracted:
                    continue
                other = alias.one + alias.other - node
                if self._scope.seen is not None and not self._may_see(other):
                    continue
                if not self._graph.has_edges(other):
                    # It may still join others that have some.
                    if other in self._seen_ends:
                        continue
                    self._seen_ends.add(other)
                    waiting.append(other)
                    continue
                self.found.aliases.append(alias)
                if not self._seen[other]:
                    self._seen[other] = True
                    more.append(other)
                    waiting.append(other)
        return np.concatenate((level, np.array(sorted(more), np.int64))) if more else level


def _are_jobs(nodes: Longs) -> Bits:
    return (nodes & 1).astype(np.bool_)


def walk(
    graph: Graph, views: Views, scope: Scope, starts: Sequence[int], ways: Sequence[Way], *, depth: int, most: int
) -> dict[Way, Found]:
    """Walk from some nodes, each way, until there are `most` nodes or more, or for so many steps.

    Both ways go on together, a step at a time, so that what is near is found first whichever way it lies.
    """
    walkers: dict[Way, Walker] = {way: Walker(graph, views, scope, way) for way in ways}
    for walker in walkers.values():
        walker.start(starts)
    for _ in range(depth):
        for walker in walkers.values():
            if not walker.is_done and sum(w.found.count for w in walkers.values()) <= most + len(starts):
                walker.step()
    for walker in walkers.values():
        walker.found.is_cut = walker.peek()
    return {way: walker.finish() for way, walker in walkers.items()}
