"""What is drawn, as JSON in UTF-8. Pieces that no question changes are kept: most of an answer is such pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import numpy as np

from wherefrom.lineage.graph.drawing import list_aliases
from wherefrom.lineage.graph.drawn import Drawn
from wherefrom.lineage.graph.graph import Alias, Graph
from wherefrom.lineage.graph.shapes import HOWS
from wherefrom.lineage.graph.walk import Scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_ALIASES = 20
_KEPT = 200_000
BASIS_NAMES = ("lineage", "columnLineage", "io")
_encode = json.JSONEncoder(ensure_ascii=True).encode
_text = json.encoder.encode_basestring_ascii  # the same for a string, in a third of the time
Piece = TypeVar("Piece")


def time_text(at: int) -> str:
    """Microseconds since 1970 as RFC 3339, in UTC."""
    return f"{(_EPOCH + timedelta(microseconds=at)).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class Kept(Generic[Piece]):
    """Pieces by number, made when they are first asked for, many together."""

    def __init__(self, make: Callable[[Sequence[int]], Iterable[Piece]]) -> None:
        self._make = make
        self._pieces: dict[int, Piece] = {}
        self.ahead = 0
        """All below it were made before anybody asked for them."""

    def get(self, numbers: Sequence[int]) -> list[Piece]:
        """The piece of each of these."""
        try:
            return list(map(self._pieces.__getitem__, numbers))
        except KeyError:
            return self._make_missing(numbers)

    def _make_missing(self, numbers: Sequence[int]) -> list[Piece]:
        found: list[Any] = list(map(self._pieces.get, numbers))
        places = [place for place, piece in enumerate(found) if piece is None]
        missing = [numbers[place] for place in places]
        if len(self._pieces) >= _KEPT:
            self._pieces.clear()
        for place, number, piece in zip(places, missing, self._make(missing), strict=True):
            found[place] = self._pieces[number] = piece
        return found


class Renderer:
    """For one graph, and as that for one thread at a time."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._ids: Kept[str] = Kept(self._make_ids)
        self._nodes: Kept[bytes] = Kept(self._make_nodes)
        self._sources: Kept[bytes] = Kept(self._make_sources)
        self._targets: Kept[bytes] = Kept(self._make_targets)

    def prepare(self, most: int) -> bool:
        """Make so many pieces before anybody asks, where all can be kept; whether there are more to make."""
        edges, space_of = self.graph.edges, self.graph.names.namespace.values
        ends = len(space_of), len(edges.source_node), len(edges.target_node)
        if max(ends) > _KEPT:
            return False
        for kept, end in zip((self._nodes, self._sources, self._targets), ends, strict=True):
            if kept.ahead < end:
                until = min(end, kept.ahead + most)
                numbers = range(kept.ahead, until)
                kept.get([n for n in numbers if space_of[n] >= 0] if kept is self._nodes else numbers)
                kept.ahead = until
                return True
        return False

    # --- nodes -------------------------------------------------------------------------------------------------------

    def id_of(self, node: int) -> bytes:
        """The node's id as a JSON string, quotes included."""
        return self._ids.get([node])[0].encode()

    def nodes(self, drawn: Drawn) -> list[bytes]:
        """Each node as a JSON object; of those hidden, that there is one, and of which type."""
        pieces = self._nodes.get(drawn.nodes)
        if drawn.names:
            names = drawn.names
            pieces = [
                piece + self._other_names(node, names[node]) if node in names else piece
                for node, piece in zip(drawn.nodes, pieces, strict=True)
            ]
        ends = [b',"distance":%d}' % step for step in range(max(drawn.steps, default=0) + 1)]
        found = [piece + ends[step] for piece, step in zip(pieces, drawn.steps, strict=True)]
        for place, node in enumerate(drawn.hidden, 1):
            kind = b"job" if node % 2 else b"dataset"
            found.append(b'{"id":"opaque:%d","type":"%b","opaque":true}' % (place, kind))
        return found

    def aliases(self, node: int, scope: Scope) -> list[dict[str, Any]]:
        """The other names of a data set that may be seen, and why they are its names."""
        return self._list_names(node, list_aliases(self.graph, node, scope))

    def _list_names(self, node: int, aliases: Sequence[Alias]) -> list[dict[str, Any]]:
        names = [self.graph.names[alias.one + alias.other - node] for alias in aliases]
        return [
            {"namespace": name.namespace, "name": name.name, "reason": alias.reason, "entry": alias.entry}
            for name, alias in zip(names, aliases, strict=True)
        ]

    def _other_names(self, node: int, aliases: Sequence[Alias]) -> bytes:
        shown = _encode(self._list_names(node, aliases[:_SHOWN_ALIASES]))
        return f',"aliases":{shown},"aliasCount":{len(aliases)}'.encode()

    def _make_ids(self, nodes: Sequence[int]) -> Iterable[str]:
        names = self.graph.names.texts_of(nodes)
        return [head + _text(name)[1:] for (head, _), name in zip(self._heads(nodes), names, strict=True)]

    def _make_nodes(self, nodes: Sequence[int]) -> Iterable[bytes]:
        """Each as a JSON object that is still open, so that more can follow."""
        for text, (head, middle) in zip(self._ids.get(nodes), self._heads(nodes), strict=True):
            yield f'{{"id":{text}{middle}{text[len(head) :]}'.encode()

    def _heads(self, nodes: Sequence[int]) -> list[tuple[str, str]]:
        """For each node what all of its type and namespace share: how ids begin, and what stands before the name."""
        names = self.graph.names
        keys = [2 * space + node % 2 for space, node in zip(names.namespace.pick(nodes), nodes, strict=True)]
        made = {}
        for key in set(keys):
            kind, namespace = "job" if key % 2 else "dataset", names.namespaces[key // 2]
            head = _text(f"{kind}:{namespace}:")[:-1]
            made[key] = head, f',"type":"{kind}","namespace":{_text(namespace)},"name":"'
        return [made[key] for key in keys]

    # --- edges -------------------------------------------------------------------------------------------------------

    def edges(self, drawn: Drawn) -> list[bytes]:
        """Each edge as a JSON object: into ports, out of them, between names of one data set, to hidden nodes."""
        found = self.source_edges(drawn.sources) + self.target_edges(drawn.targets)
        for alias in drawn.aliases:
            ends = self.id_of(alias.one), self.id_of(alias.other)
            why = _encode(alias.reason).encode(), alias.entry
            found.append(b'{"from":%b,"to":%b,"how":"alias","reason":%b,"entry":%d}' % (*ends, *why))
        for border in drawn.borders:
            one, other = (self.id_of(end) if end > 0 else b'"opaque:%d"' % -end for end in border)
            found.append(b'{"from":%b,"to":%b,"opaque":true}' % (one, other))
        return found

    def source_edges(self, edges: Sequence[int]) -> list[bytes]:
        """Edges from a data set into a port; to the data set beyond it, where that is the port's owner's own word."""
        return self._sources.get(edges)

    def target_edges(self, edges: Sequence[int]) -> list[bytes]:
        """Edges out of a port into a data set."""
        return self._targets.get(edges)

    def _make_sources(self, numbers: Sequence[int]) -> Iterable[bytes]:
        edges = self.graph.edges
        ports = edges.source_port.pick(numbers)
        targets, first = edges.target_node.values, edges.target_from.values
        owners = zip(ports, edges.owner.pick(ports), strict=True)
        ends = [owner if owner % 2 else targets[first[port]] for port, owner in owners]
        return self._make_edges(edges.source_node.pick(numbers), ends, edges.source_how.pick(numbers), ports)

    def _make_targets(self, numbers: Sequence[int]) -> Iterable[bytes]:
        edges = self.graph.edges
        ports = edges.target_port.pick(numbers)
        ends = edges.target_node.pick(numbers)
        return self._make_edges(edges.owner.pick(ports), ends, edges.target_how.pick(numbers), ports)

    def _make_edges(
        self, begins: Sequence[int], ends: Sequence[int], hows: Sequence[int], ports: Sequence[int]
    ) -> Iterable[bytes]:
        edges, eras = self.graph.edges, self.graph.eras
        of_ports = edges.era.pick(ports)
        rows = zip(
            self._ids.get(begins),
            self._ids.get(ends),
            hows,
            edges.ordinal.pick(ports),
            edges.basis.pick(ports),
            eras.event_entry.pick(eras.event.pick(of_ports)),
            # As `time_text` does it, in a tenth of the time.
            np.datetime_as_string(np.array(eras.t_from.pick(of_ports)).astype("datetime64[us]")).tolist(),
            strict=True,
        )
        for one, other, how, port, basis, entry, at in rows:
            yield (
                f'{{"from":{one},"to":{other},"how":"{HOWS[how]}","port":{port},"basis":"{BASIS_NAMES[basis]}"'
                f',"entry":{entry},"validFrom":"{at}Z"}}'
            ).encode()
