"""What a walk found, as JSON text. Pieces that no question changes are kept: most of an answer is such pieces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from wherefrom.lineage.graph.arrays import Longs
from wherefrom.lineage.graph.graph import Graph, Views
from wherefrom.lineage.graph.shapes import HOWS
from wherefrom.lineage.graph.walk import Found, Scope, Way

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_ALIASES = 20
_KEPT = 200_000
BASIS_NAMES = ("lineage", "columnLineage", "io")
_encode = json.JSONEncoder(ensure_ascii=True).encode
_text = json.encoder.encode_basestring_ascii  # the same for a string, in a third of the time


def time_text(at: int) -> str:
    """Microseconds since 1970 as RFC 3339, in UTC."""
    return f"{(_EPOCH + timedelta(microseconds=at)).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


@dataclass
class Drawn:
    """An answer's nodes and edges as texts of JSON objects.

    Attributes:
        shown: the nodes, in the order of `nodes`, hidden ones left out; steps: how far each is from where it began.
        eras: those that the edges rest on.
        is_cut: there were more nodes than were asked for.
    """

    nodes: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    eras: list[int] = field(default_factory=list)
    hidden: int = 0
    is_cut: bool = False


class Renderer:
    """For one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._ids: dict[int, str] = {}
        self._nodes: dict[int, str] = {}
        self._edges: dict[int, str] = {}
        self._ports: dict[int, str] = {}

    def id_of(self, node: int) -> str:
        """The node's id as a JSON string, quotes included."""
        found = self._ids.get(node)
        if found is None:
            if len(self._ids) >= _KEPT:
                self._ids.clear()
            name = self.graph.names[node]
            found = self._ids[node] = _text(f"{name.type}:{name.namespace}:{name.name}")
        return found

    def node(self, node: int, scope: Scope) -> str:
        """The node as a JSON object that is still open, so that more can follow."""
        found = self._nodes.get(node)
        if found is None:
            if len(self._nodes) >= _KEPT:
                self._nodes.clear()
            name = self.graph.names[node]
            found = self._nodes[node] = (
                f'{{"id":{self.id_of(node)},"type":"{name.type}","namespace":{_text(name.namespace)}'
                f',"name":{_text(name.name)}'
            )
        if node in self.graph.aliases and (aliases := self.aliases(node, scope)):
            return f'{found},"aliases":{_encode(aliases[:_SHOWN_ALIASES])},"aliasCount":{len(aliases)}'
        return found

    def aliases(self, node: int, scope: Scope) -> list[dict[str, Any]]:
        """The other names of a data set that may be seen, and why they are its names."""
        names, found = self.graph.names, []
        for alias in self.graph.aliases.get(node, ()):
            other = alias.one + alias.other - node
            if alias.entry < scope.as_of <= alias.retracted and may_see(self.graph, other, scope):
                name = names[other]
                found.append(
                    {"namespace": name.namespace, "name": name.name, "reason": alias.reason, "entry": alias.entry}
                )
        return found

    def source_edge(self, edge: int) -> str:
        """An edge from a data set into a port; to the data set beyond it, where that is the port's owner's own word."""
        found = self._edges.get(2 * edge)
        if found is None:
            edges = self.graph.edges
            port = edges.source_port.values[edge]
            end = edges.owner.values[port]
            if not end % 2:
                end = edges.target_node.values[edges.target_from.values[port]]
            ends = self.id_of(edges.source_node.values[edge]), self.id_of(end)
            found = self._keep(2 * edge, ends, port, edges.source_how.values[edge])
        return found

    def target_edge(self, edge: int) -> str:
        """An edge out of a port into a data set."""
        found = self._edges.get(2 * edge + 1)
        if found is None:
            edges = self.graph.edges
            port = edges.target_port.values[edge]
            ends = self.id_of(edges.owner.values[port]), self.id_of(edges.target_node.values[edge])
            found = self._keep(2 * edge + 1, ends, port, edges.target_how.values[edge])
        return found

    def _keep(self, key: int, ends: tuple[str, str], port: int, how: int) -> str:
        if len(self._edges) >= _KEPT:
            self._edges.clear()
        found = self._edges[key] = f'{{"from":{ends[0]},"to":{ends[1]},"how":"{HOWS[how]}"{self._of_port(port)}'
        return found

    def _of_port(self, port: int) -> str:
        """What all edges of a port have in common, to the end of the object."""
        found = self._ports.get(port)
        if found is None:
            edges, eras = self.graph.edges, self.graph.eras
            era = edges.era.values[port]
            if len(self._ports) >= _KEPT:
                self._ports.clear()
            found = self._ports[port] = (
                f',"port":{edges.ordinal.values[port]},"basis":"{BASIS_NAMES[edges.basis.values[port]]}"'
                f',"entry":{eras.event_entry.values[eras.event.values[era]]}'
                f',"validFrom":"{time_text(eras.t_from.values[era])}"}}'
            )
        return found

    def draw(self, views: Views, scope: Scope, found: Mapping[Way, Found], *, most: int) -> Drawn:
        """Nodes, the nearest first and at most `most`, and the edges between them."""
        drawn = Drawn()
        kept = self._draw_nodes(drawn, scope, found.values(), most)
        sources = _together([walk.sources for walk in found.values()])
        targets = _together([walk.targets for walk in found.values()])
        # A data set that says itself what it is made from has edges from its sources straight to it.
        targets = targets[views.port_owner[views.target_port[targets]] % 2 == 1]
        if kept is not None:
            ends = views.port_owner[views.source_port[sources]]
            own = ends % 2 == 0
            ends[own] = views.target_node[views.target_from[views.source_port[sources[own]]]]
            sources = sources[kept[views.source_node[sources]] & kept[ends]]
            targets = targets[kept[views.target_node[targets]] & kept[views.port_owner[views.target_port[targets]]]]
        drawn.edges = [*map(self.source_edge, sources.tolist()), *map(self.target_edge, targets.tolist())]
        ports = np.concatenate((views.source_port[sources], views.target_port[targets]))
        drawn.eras = np.unique(views.port_era[ports]).tolist()
        self._draw_aliases(drawn, [alias for walk in found.values() for alias in walk.aliases])
        self._draw_hidden(drawn, [hidden for walk in found.values() for hidden in walk.hidden], most)
        return drawn

    def _draw_nodes(self, drawn: Drawn, scope: Scope, walks: Any, most: int) -> Any:
        """Draw the nearest nodes; gives which were, or None for all."""
        parts, steps = [], []
        for step in range(max(len(walk.nodes) for walk in walks)):
            for walk in walks:
                if step < len(walk.nodes):
                    part = [walk.nodes[step]] if not step else [walk.owners[step - 1], walk.nodes[step]]
                    parts += part
                    steps += [np.full(sum(map(len, part)), step)]
        nodes, distances = np.concatenate(parts), np.concatenate(steps)
        _, first = np.unique(nodes, return_index=True)
        first.sort()
        drawn.is_cut = len(first) > most
        first = first[:most]
        drawn.shown, drawn.steps = nodes[first].tolist(), distances[first].tolist()
        ends = [f',"distance":{step}}}' for step in range(int(distances.max(initial=0)) + 1)]
        drawn.nodes = [self.node(node, scope) + ends[step] for node, step in zip(drawn.shown, drawn.steps, strict=True)]
        if not drawn.is_cut:
            return None
        kept = np.zeros(len(self.graph.names), np.bool_)
        kept[nodes[first]] = True
        return kept

    def _draw_aliases(self, drawn: Drawn, aliases: Sequence[Any]) -> None:
        shown = set(drawn.shown)
        for alias in dict.fromkeys(aliases):
            if alias.one in shown and alias.other in shown:
                drawn.edges.append(
                    f'{{"from":{self.id_of(alias.one)},"to":{self.id_of(alias.other)},"how":"alias"'
                    f',"reason":{_encode(alias.reason)},"entry":{alias.entry}}}'
                )

    def _draw_hidden(self, drawn: Drawn, hidden: Sequence[tuple[int, bool, int]], most: int) -> None:
        """Nodes that may not be seen: that there is one, of which type, and what it touches; nothing else."""
        edges, shown = self.graph.edges, set(drawn.shown)
        ids: dict[int, str] = {}
        lines: dict[str, None] = {}
        for edge, into_port, node in hidden:
            port = (edges.source_port if into_port else edges.target_port).values[edge]
            end = (edges.source_node if into_port else edges.target_node).values[edge]
            other = edges.owner.values[port] if node == end else end
            if other not in shown or other == node:
                continue
            if node not in ids:
                if len(drawn.nodes) >= most:
                    drawn.is_cut = True
                    continue
                ids[node] = f'"opaque:{len(ids) + 1}"'
                kind = "job" if node % 2 else "dataset"
                drawn.nodes.append(f'{{"id":{ids[node]},"type":"{kind}","opaque":true}}')
            ends = (ids[node], self.id_of(other)) if into_port == (node == end) else (self.id_of(other), ids[node])
            lines[f'{{"from":{ends[0]},"to":{ends[1]},"opaque":true}}'] = None
        drawn.edges += lines
        drawn.hidden = len(ids)


def _together(walks: Sequence[Sequence[Longs]]) -> Longs:
    parts = [part for steps in walks for part in steps]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def may_see(graph: Graph, node: int, scope: Scope) -> bool:
    return scope.seen is None or bool(scope.seen[graph.names.namespace.values[node]])
