"""Drawing what is small without numpy, whose every call takes longer than the few nodes of a step.

Of most data sets, few others are near. What is drawn is what `walk` and `draw` would: a node, an edge and a step each
stand where they stand there. What is rare, and what turns out to be large, is left to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from wherefrom.lineage.graph.drawn import Drawn
from wherefrom.lineage.graph.graph import Graph
from wherefrom.lineage.graph.names import NEVER
from wherefrom.lineage.graph.walk import Scope, Way

FEW: Final = 300
"""Nodes: from about so many on, numpy is faster."""


class _LeftToNumpy(Exception):  # noqa: N818 - nothing is wrong
    pass


class _Side:
    """What lies one way of a node, a step at a time."""

    def __init__(self, graph: Graph, scope: Scope, way: Way) -> None:
        edges = graph.edges
        self._graph, self._edges = graph, edges
        self._holds, self._may_see = _make_holds(graph, scope), _make_may_see(graph, scope)
        if way == "down":
            self._index, self._port_of = edges.readers, edges.source_port.values
            self._first, self._node_of = edges.target_from.values, edges.target_node.values
        else:
            self._index, self._port_of = edges.writers, edges.target_port.values
            self._first, self._node_of = edges.source_from.values, edges.source_node.values
        self._seen: set[int] = set()
        self._seen_ports: set[int] = set()
        self.level: list[int] = []
        self.near: list[int] = []  # edges between the nodes walked and their ports
        self.far: list[int] = []  # edges at the ports' other side
        self.count = 0

    def start(self, node: int) -> None:
        self._reach([node])

    def _reach(self, nodes: Iterable[int]) -> None:
        """Nodes not seen before are the next level."""
        self.level = sorted(set(nodes) - self._seen)
        self._seen.update(self.level)
        self.count += len(self.level)
        aliases, has_job_ends, may_see = self._graph.aliases, self._edges.jobs_as_ends, self._may_see
        for node in self.level:
            if node in aliases or (may_see and not may_see(node)) or (node % 2 and has_job_ends):
                raise _LeftToNumpy

    def step(self) -> list[int]:
        """Go one step; gives the jobs passed. The nodes reached are the new level."""
        ports = self.ports_of_level(self.near)
        new = sorted(set(ports) - self._seen_ports)
        self._seen_ports.update(new)
        first, node_of = self._first, self._node_of
        reached: list[int] = []
        for port in new:
            edges = range(first[port], first[port + 1])
            _check_few(len(edges))
            self.far += edges
            reached += map(node_of.__getitem__, edges)
        owner = self._edges.owner.values
        owners = sorted({job for port in new if (job := owner[port]) % 2})
        if not self._edges.jobs_as_ends.isdisjoint(owners):
            raise _LeftToNumpy
        self.count += len(owners)
        self._reach(reached)
        return owners

    def ports_of_level(self, entering: list[int]) -> list[int]:
        """The ports that the level's nodes use, and a job's own; the edges into them are added to `entering`."""
        edges, holds, may_see, port_of = self._edges, self._holds, self._may_see, self._port_of
        era, owner = edges.era.values, edges.owner.values
        ports: list[int] = []
        for node in self.level:
            index = edges.owned if node % 2 else self._index
            _check_few(index.count_of(node))
            if node % 2:
                ports += [port for port in index.of(node) if holds(era[port])]
                continue
            for edge in index.of(node):
                port = port_of[edge]
                if holds(era[port]):
                    if may_see and not may_see(owner[port]):
                        raise _LeftToNumpy
                    ports.append(port)
                    entering.append(edge)
        return ports


def _check_few(count: int) -> None:
    """Many at one place, such as the readers of what everybody reads: not even looked at here."""
    if count > FEW:
        raise _LeftToNumpy


def draw_few(graph: Graph, scope: Scope, start: int, ways: Sequence[Way], *, depth: int, most: int) -> Drawn | None:
    """What lies around a node; None when that is not for us: more than FEW nodes, or `most`, or what is rare."""
    limit = min(FEW, most)
    try:
        sides = {way: _Side(graph, scope, way) for way in ways}
        nodes = {start: 0}
        for side in sides.values():
            side.start(start)
        for step in range(1, depth + 1):
            parts = []
            for side in sides.values():
                if side.level:
                    parts += [side.step(), side.level]
                    if sum(one.count for one in sides.values()) > limit:
                        return None
            for part in parts:
                for node in part:
                    nodes.setdefault(node, step)
        is_deeper = any(side.ports_of_level([]) for side in sides.values())
    except _LeftToNumpy:
        return None
    up, down = sides.get("up"), sides.get("down")
    sources = {*(up.far if up else ()), *(down.near if down else ())}
    targets = {*(up.near if up else ()), *(down.far if down else ())}
    owner, port_of = graph.edges.owner.values, graph.edges.target_port.values
    return Drawn(
        list(nodes),
        list(nodes.values()),
        sorted(sources),
        # A data set that says itself what it is made from has edges from its sources straight to it.
        sorted(edge for edge in targets if owner[port_of[edge]] % 2),
        is_deeper=is_deeper,
    )


def _make_holds(graph: Graph, scope: Scope) -> Callable[[int], bool]:
    """Whether an era holds, as `graph.holds` has it for many."""
    eras, as_of, valid_at = graph.eras, scope.as_of, scope.valid_at
    if as_of == graph.size and valid_at == NEVER - 1:
        return eras.holds_now.values.__getitem__  # type: ignore[return-value] # 0 or 1
    t_from, e_from, e_close = eras.t_from.values, eras.e_from.values, eras.e_close.values
    t_next, e_next = eras.t_next.values, eras.e_next.values

    def holds(era: int) -> bool:
        until = t_next[era] <= valid_at and e_next[era] < as_of
        return t_from[era] <= valid_at and e_from[era] < as_of and not until and e_close[era] >= as_of

    return holds


def _make_may_see(graph: Graph, scope: Scope) -> Callable[[int], bool] | None:
    """Whether a node may be seen; None for all of them."""
    if scope.seen is None:
        return None
    seen, namespace = scope.seen, graph.names.namespace.values
    return lambda node: bool(seen[namespace[node]])
