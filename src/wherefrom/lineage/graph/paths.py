"""How one node is connected with another: the shortest ways from the first to the second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from wherefrom.lineage.graph.graph import Graph, Views
from wherefrom.lineage.graph.walk import Scope, Walker


class Hop(NamedTuple):
    """From one node to the next: by an edge into a port, out of one, or because both are one data set.

    Attributes: edge: its number; -1 for an alias. into_port: whether it is one into a port.
    """

    source: int
    target: int
    edge: int
    into_port: bool


@dataclass
class PathsFound:
    """Attributes: paths: each from the first node to the second; steps: ports on each; more: others are as short."""

    paths: list[list[Hop]] = field(default_factory=list)
    steps: int = 0
    more: bool = False
    is_cut: bool = False


def find_paths(graph: Graph, views: Views, scope: Scope, start: int, end: int, *, count: int, depth: int) -> PathsFound:
    """The shortest ways down from `start` to `end`, at most `count` of them; none when there is none in `depth`."""
    walker = Walker(graph, views, scope, "down")
    walker.start([start])
    found = walker.found
    reached = _Reached(graph, views)
    reached.join(found.nodes[0].tolist(), found.aliases)
    for step in range(depth):
        if walker.is_done:
            return PathsFound()
        before = len(found.aliases)
        walker.step()
        reached.add(found.sources[step].tolist(), found.targets[step].tolist(), step + 1)
        reached.join(found.nodes[step + 1].tolist(), found.aliases[before:])
        if end in reached.arrivals:
            paths = list(islice(reached.ways_to(end, start), count + 1))
            return PathsFound(paths[:count], step + 1, len(paths) > count)
    return PathsFound(is_cut=walker.peek())


class _Reached:
    """What a walk down reached, and by which hops first."""

    def __init__(self, graph: Graph, views: Views) -> None:
        self._graph, self._views = graph, views
        self.arrivals: dict[int, list[Hop]] = defaultdict(list)  # of each node, those of the step that first reached it
        self._step: dict[int, int] = {}
        self._into: dict[int, list[Hop]] = defaultdict(list)  # of each port

    def add(self, sources: list[int], targets: list[int], step: int) -> None:
        views, edges = self._views, self._graph.edges
        for edge in sources:
            port = int(views.source_port[edge])
            owner = edges.owner.values[port]
            hop = Hop(int(views.source_node[edge]), owner, edge, into_port=True)
            self._into[port].append(hop)
            if owner % 2:
                self._arrive(owner, hop, step)
        for edge in targets:
            port = int(views.target_port[edge])
            hop = Hop(edges.owner.values[port], int(views.target_node[edge]), edge, into_port=False)
            self._arrive(hop.target, hop, step)

    def _arrive(self, node: int, hop: Hop, step: int) -> None:
        if self._step.setdefault(node, step) == step:
            self.arrivals[node].append(hop)

    def join(self, level: list[int], aliases: list[tuple[int, int, str, int, int]]) -> None:
        """Nodes that were reached because another one of the level is the same data set."""
        for alias in aliases:
            for one, other in ((alias[0], alias[1]), (alias[1], alias[0])):
                if other in level and one in level and not self.arrivals.get(other):
                    self.arrivals[other].append(Hop(one, other, -1, into_port=False))

    def ways_to(self, node: int, start: int) -> Iterator[list[Hop]]:
        """Ways from the start, back to front, none through a node twice."""
        waiting: list[tuple[int, list[Hop]]] = [(node, [])]
        while waiting:
            at, rest = waiting.pop()
            if at == start:
                yield rest
                continue
            for hop in reversed(self.arrivals.get(at, ())):
                if any(hop.source == later.target for later in rest):
                    continue
                if hop.edge < 0 or hop.into_port:
                    waiting.append((hop.source, [hop, *rest]))
                    continue
                # Out of a port: only what goes into that very port leads here.
                port = int(self._views.target_port[hop.edge])
                into = self._into.get(port, [])
                if hop.source == start and not into:  # the job asked about: its ports begin there
                    yield [hop, *rest]
                waiting += [
                    (first.source, [first, hop, *rest])
                    for first in into
                    if not any(first.source == later.target for later in rest)
                ]
