"""The nodes' names: data sets and jobs, each with a namespace, as few bytes as they take.

A node is a number: 2n for the data set that is entity n, 2n + 1 for job n.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wherefrom.lineage.graph.arrays import Column, Texts

NEVER = 2**62
"""Later than every entry and every instant."""
SMALL = 4096
"""What is new is merged with what is sorted when it is more than this, and than a part of that."""


def dataset_node(entity: int) -> int:
    return 2 * entity


def job_node(job: int) -> int:
    return 2 * job + 1


class Name(NamedTuple):
    """`type` is "dataset" or "job"; `entry` spoke of it first."""

    type: str
    namespace: str
    name: str
    entry: int


class Names:
    """Names by node and nodes by name; ids of entities and of jobs count up from 1 without a gap, or with a few."""

    def __init__(self) -> None:
        self.namespaces: list[str] = []
        self._namespace_of: dict[str, int] = {}
        self.texts = Texts()
        self.nodes = Column("i")  # of each text
        self._place = Column("i")  # of each node, in the texts; -1 for none
        self.namespace = Column("i")  # of each node
        self.entry = Column("q")  # of each node
        self._sorted: Any = np.empty(0, np.int64)  # hashes of names
        self._sorted_nodes: Any = np.empty(0, np.int32)
        self._new: dict[int, list[int]] = {}

    def __len__(self) -> int:
        """One above the greatest node."""
        return len(self._place)

    def own(self) -> None:
        for column in (self.nodes, self._place, self.namespace, self.entry):
            column.own()

    def add(self, rows: Sequence[tuple[int, str, str, int]], *, jobs: bool) -> None:
        """Rows (id, namespace, name, entry), by id."""
        if not rows:
            return
        size = 2 * rows[-1][0] + 2
        self._place.grow(size, -1)
        self.namespace.grow(size, -1)
        self.entry.grow(size, NEVER)
        spaces, place, namespace_of, entry_of = self._namespace_of, len(self.texts), self.namespace, self.entry
        pairs: list[tuple[int, int]] = []
        for number, namespace, name, entry in rows:
            node = 2 * number + jobs
            space = spaces.get(namespace)
            if space is None:
                space = spaces[namespace] = len(self.namespaces)
                self.namespaces.append(namespace)
            self._place.values[node] = place
            place += 1
            namespace_of.values[node] = space
            entry_of.values[node] = entry
            self.nodes.values.append(node)
            pairs.append((_hash(space, name, jobs), node))
        self.texts.extend([row[2] for row in rows])
        if len(pairs) + len(self._new) > max(SMALL, len(self._sorted) // 8):
            self._settle(pairs)
        else:
            for key, node in pairs:
                self._new.setdefault(key, []).append(node)

    def _settle(self, more: list[tuple[int, int]]) -> None:
        pairs = more + [(key, node) for key, nodes in self._new.items() for node in nodes]
        keys = np.concatenate((self._sorted, np.array([key for key, _ in pairs], np.int64)))
        nodes = np.concatenate((self._sorted_nodes, np.array([node for _, node in pairs], np.int32)))
        order = np.argsort(keys, kind="stable")
        self._sorted, self._sorted_nodes, self._new = keys[order], nodes[order], {}

    def find_namespace(self, namespace: str) -> int:
        """Its number; -2 when nothing has this namespace, which no node's is."""
        return self._namespace_of.get(namespace, -2)

    def find(self, namespace: str, name: str, *, jobs: bool) -> int | None:
        """The node of this name; None when there is none."""
        space = self._namespace_of.get(namespace)
        if space is None:
            return None
        key = _hash(space, name, jobs)
        first, last = np.searchsorted(self._sorted, [key, key + 1])
        for node in (*self._sorted_nodes[first:last].tolist(), *self._new.get(key, ())):
            found = self[node]
            if (found.namespace, found.name) == (namespace, name) and node % 2 == jobs:
                return int(node)
        return None

    def __contains__(self, node: int) -> bool:
        return 0 <= node < len(self._place) and self._place.values[node] >= 0

    def texts_of(self, nodes: Iterable[int]) -> list[str]:
        """The names alone, without type and namespace."""
        return self.texts.pick(self._place.pick(nodes))

    def __getitem__(self, node: int) -> Name:
        place = self._place.values[node]
        space = self.namespaces[self.namespace.values[node]]
        return Name("job" if node % 2 else "dataset", space, self.texts[place], self.entry.values[node])


def _hash(space: int, name: str, jobs: bool) -> int:
    return hash((space, name, jobs)) >> 1  # one below the greatest: the next number is a number too
