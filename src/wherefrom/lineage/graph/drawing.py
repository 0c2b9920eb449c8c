"""What of a walk an answer shows, by number: the nearest nodes, and the edges between them.

Nothing in it changes when the graph grows, so whoever has it can let go of the graph before he makes text of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wherefrom.lineage.graph.arrays import Longs
from wherefrom.lineage.graph.graph import Alias, Graph, Views
from wherefrom.lineage.graph.walk import Found, Scope, Way


@dataclass
class Drawn:
    """An answer's nodes and edges.

    Attributes:
        nodes: those that may be seen; steps: how far each is from where it began.
        sources: edges into ports; targets: edges out of them.
        names: of each node that has several, the aliases that give it the others.
        aliases: those that join nodes shown.
        hidden: nodes at the border, which may not be seen.
        borders: edges between a node and a hidden one: -1 for the first hidden node, -2 for the second.
        is_cut: there were more nodes than were asked for.
    """

    nodes: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    names: dict[int, list[Alias]] = field(default_factory=dict)
    aliases: list[Alias] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    borders: list[tuple[int, int]] = field(default_factory=list)
    is_cut: bool = False


def draw(graph: Graph, views: Views, scope: Scope, found: Mapping[Way, Found], *, most: int) -> Drawn:
    """The nearest nodes, at most `most`, and the edges between them."""
    drawn, walks = Drawn(), found.values()
    kept = _draw_nodes(drawn, len(graph.names), walks, most)
    sources = _together([walk.sources for walk in walks])
    targets = _together([walk.targets for walk in walks])
    # A data set that says itself what it is made from has edges from its sources straight to it.
    targets = targets[views.port_owner[views.target_port[targets]] % 2 == 1]
    if kept is not None:
        ends = views.port_owner[views.source_port[sources]]
        own = ends % 2 == 0
        ends[own] = views.target_node[views.target_from[views.source_port[sources[own]]]]
        sources = sources[kept[views.source_node[sources]] & kept[ends]]
        targets = targets[kept[views.target_node[targets]] & kept[views.port_owner[views.target_port[targets]]]]
    drawn.sources, drawn.targets = sources.tolist(), targets.tolist()
    if graph.aliases:
        named = ((node, list_aliases(graph, node, scope)) for node in drawn.nodes if node in graph.aliases)
        drawn.names = {node: aliases for node, aliases in named if aliases}
        shown = set(drawn.nodes)
        walked = dict.fromkeys(alias for walk in walks for alias in walk.aliases)
        drawn.aliases = [alias for alias in walked if alias.one in shown and alias.other in shown]
    if any(walk.hidden for walk in walks):
        _draw_hidden(drawn, graph, [hidden for walk in walks for hidden in walk.hidden], most)
    return drawn


def list_eras(graph: Graph, drawn: Drawn) -> list[int]:
    """The eras that what is drawn rests on."""
    edges = graph.edges
    ports = edges.source_port.pick(drawn.sources) + edges.target_port.pick(drawn.targets)
    return sorted(set(edges.era.pick(ports)))


def _draw_nodes(drawn: Drawn, size: int, walks: Collection[Found], most: int) -> Any:
    """Draw the nearest nodes; gives which were, or None for all."""
    parts, steps = [], []
    for step in range(max(len(walk.nodes) for walk in walks)):
        for walk in walks:
            if step < len(walk.nodes):
                part = [walk.nodes[step]] if not step else [walk.owners[step - 1], walk.nodes[step]]
                parts += part
                steps += [step] * len(part)
    nodes = np.concatenate(parts)
    distances = np.repeat(steps, [len(part) for part in parts])
    _, first = np.unique(nodes, return_index=True)
    first.sort()
    drawn.is_cut = len(first) > most
    first = first[:most]
    drawn.nodes, drawn.steps = nodes[first].tolist(), distances[first].tolist()
    if not drawn.is_cut:
        return None
    kept = np.zeros(size, np.bool_)
    kept[nodes[first]] = True
    return kept


def _draw_hidden(drawn: Drawn, graph: Graph, hidden: Sequence[tuple[int, bool, int]], most: int) -> None:
    """Nodes that may not be seen: that there is one, and what it touches."""
    edges, shown = graph.edges, set(drawn.nodes)
    places: dict[int, int] = {}
    borders: dict[tuple[int, int], None] = {}
    for edge, into_port, node in hidden:
        port = (edges.source_port if into_port else edges.target_port).values[edge]
        end = (edges.source_node if into_port else edges.target_node).values[edge]
        other = edges.owner.values[port] if node == end else end
        if other not in shown or other == node:
            continue
        if node not in places:
            if len(drawn.nodes) + len(places) >= most:
                drawn.is_cut = True
                continue
            places[node] = -len(places) - 1
        borders[(places[node], other) if into_port == (node == end) else (other, places[node])] = None
    drawn.hidden, drawn.borders = list(places), list(borders)


def _together(walks: Sequence[Sequence[Longs]]) -> Longs:
    parts = [part for steps in walks for part in steps]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def list_aliases(graph: Graph, node: int, scope: Scope) -> list[Alias]:
    """What gives a data set the other names that may be seen."""
    return [
        alias
        for alias in graph.aliases.get(node, ())
        if alias.entry < scope.as_of <= alias.retracted and may_see(graph, alias.one + alias.other - node, scope)
    ]


def may_see(graph: Graph, node: int, scope: Scope) -> bool:
    return scope.seen is None or bool(scope.seen[graph.names.namespace.values[node]])
