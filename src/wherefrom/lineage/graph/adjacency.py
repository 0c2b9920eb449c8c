"""Which edges touch a node: compressed rows for most of them, and a small part beside for what came since."""

from __future__ import annotations

from typing import Any

import numpy as np

from wherefrom.lineage.graph import names
from wherefrom.lineage.graph.arrays import Column, Longs, ranges


class Adjacency:
    """Edges by node, in the order in which they came: those up to `_noted` of them are found.

    Attributes:
        keys: the node of each edge, by the edge's number; whoever adds some calls `settle` before others look.
    """

    def __init__(self, keys: Column) -> None:
        self.keys = keys
        self._order: Any = np.empty(0, np.int32)
        self._starts: Any = np.zeros(1, np.int64)
        self._plain = self._order.data, self._starts.data  # which Python reads in half the time
        self._new: dict[int, list[int]] = {}
        self._noted = 0

    def settle(self) -> None:
        """Take in what came. What is more than a small part is merged: so each edge costs little, on the whole."""
        count = len(self.keys)
        if count - len(self._order) > max(names.SMALL, len(self._order) // 8):
            self.rebuild()
        else:
            for edge in range(self._noted, count):
                self._new.setdefault(self.keys.values[edge], []).append(edge)
        self._noted = count

    def rebuild(self) -> None:
        """Merge all that is new: edges stay in their order."""
        keys = self.keys.view()
        base = len(self._order)
        new = np.argsort(keys[base:], kind="stable").astype(np.int32)
        new_keys = keys[base:][new]
        nodes = int(max(len(self._starts) - 1, keys.max(initial=-1) + 1))
        starts = np.full(nodes + 1, base, np.int64)
        starts[: len(self._starts)] = self._starts
        at = starts[new_keys + 1]
        self._order = np.insert(self._order, at, new + np.int32(base)) if base else new
        starts[1:] += np.cumsum(np.bincount(new_keys, minlength=nodes))
        self._starts = starts
        self._plain = self._order.data, starts.data
        self._new = {}

    def gather(self, nodes: Longs) -> Longs:
        """The edges of these nodes."""
        last = len(self._starts) - 1
        if len(nodes) == 1:
            node = int(nodes[0])
            found = self._order[self._starts[node] : self._starts[node + 1]] if node < last else self._order[:0]
        else:
            known = nodes[nodes < last]
            starts = self._starts[known]
            found = self._order[ranges(starts, self._starts[1:][known] - starts)]
        if self._new:
            new = self._new
            more = [edge for node in nodes.tolist() if node in new for edge in new[node]]
            if more:
                found = np.concatenate((found, np.array(more, np.int32)))
        result: Longs = found.astype(np.int64)
        return result

    def count_of(self, node: int) -> int:
        """How many edges one node has, of those settled."""
        starts = self._plain[1]
        count = starts[node + 1] - starts[node] if node < len(starts) - 1 else 0
        return int(count + len(self._new[node]) if node in self._new else count)

    def of(self, node: int) -> list[int]:
        """The edges of one node, whether settled or not."""
        if self._noted < len(self.keys):
            self.settle()
        order, starts = self._plain
        found: list[int] = []
        if node < len(starts) - 1:
            found = order[starts[node] : starts[node + 1]].tolist()
        return found + self._new[node] if node in self._new else found
