"""Drawing what lies around a node: the nearest nodes, and the edges between them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from wherefrom.lineage.graph.arrays import Longs, distinct, first_places
from wherefrom.lineage.graph.drawn import Drawn
from wherefrom.lineage.graph.few import draw_few
from wherefrom.lineage.graph.graph import Alias, Graph
from wherefrom.lineage.graph.walk import Found, Scope, Way, walk


def draw(graph: Graph, scope: Scope, start: int, ways: Sequence[Way], *, depth: int, most: int) -> Drawn:
    """What a node comes from, what it feeds, or both: the nearest nodes, at most `most`, and the edges between them.

    Args:
        depth: steps from data to data.
    """
    few = draw_few(graph, scope, start, ways, depth=depth, most=most)
    return few or draw_many(graph, scope, start, ways, depth=depth, most=most)


def draw_many(graph: Graph, scope: Scope, start: int, ways: Sequence[Way], *, depth: int, most: int) -> Drawn:
    """As `draw`, of however many, with numpy."""
    views = graph.views()
    walks = walk(graph, views, scope, [start], ways, depth=depth, most=most).values()
    drawn = Drawn(is_deeper=any(found.is_cut for found in walks))
    kept = _draw_nodes(drawn, len(graph.names), walks, most)
    sources = _together([found.sources for found in walks])
    targets = _together([found.targets for found in walks])
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
        walked = dict.fromkeys(alias for found in walks for alias in found.aliases)
        drawn.aliases = [alias for alias in walked if alias.one in shown and alias.other in shown]
    if any(found.hidden for found in walks):
        _draw_hidden(drawn, graph, [hidden for found in walks for hidden in found.hidden], most)
    return drawn


def _draw_nodes(drawn: Drawn, size: int, walks: Collection[Found], most: int) -> Any:
    """Draw the nearest nodes; gives which were, or None for all."""
    parts, steps = [], []
    for step in range(max(len(found.nodes) for found in walks)):
        for found in walks:
            if step < len(found.nodes):
                part = [found.nodes[step]] if not step else [found.owners[step - 1], found.nodes[step]]
                parts += part
                steps += [step] * len(part)
    nodes = np.concatenate(parts)
    distances = np.repeat(steps, [len(part) for part in parts])
    first = first_places(nodes, size)
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
    return distinct(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def list_aliases(graph: Graph, node: int, scope: Scope) -> list[Alias]:
    """What gives a data set the other names that may be seen."""
    return [
        alias
        for alias in graph.aliases.get(node, ())
        if alias.entry < scope.as_of <= alias.retracted and may_see(graph, alias.one + alias.other - node, scope)
    ]


def may_see(graph: Graph, node: int, scope: Scope) -> bool:
    return scope.seen is None or bool(scope.seen[graph.names.namespace.values[node]])
