"""Letting the graph catch up with the views: rows above the last ones seen, in entry order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Any

from wherefrom.lineage.graph.graph import Graph
from wherefrom.lineage.graph.search import Search
from wherefrom.store.graph_tables import GraphTables

_TOGETHER = 50_000


class Follower:
    """A graph, and how far it has read the views: the greatest number seen in each."""

    def __init__(self) -> None:
        self._making = ""
        self._begin()

    def _begin(self) -> None:
        self.graph = Graph()
        self.search = Search(self.graph.names)
        self._entity = self._job = self._alias = self._shape = 0
        self._event = self._deletion = self._correction = -1

    def catch_up(self, tables: GraphTables, size: int) -> None:
        """Follow the views to a ledger of `size` entries, which is that of the snapshot."""
        if size <= self.graph.size and self._making:
            return
        making = tables.read_making()
        if making != self._making:  # from the beginning: the ids count anew
            self._begin()
        self._making = ""
        try:
            self._follow(tables)
        except BaseException:  # what was taken by half is not kept
            self._begin()
            raise
        self.graph.size, self._making = size, making

    def _follow(self, tables: GraphTables) -> None:
        graph = self.graph
        graph.own()
        self._entity = self._add_names(tables.iter_entities(self._entity), self._entity, jobs=False)
        self._job = self._add_names(tables.iter_jobs(self._job), self._job, jobs=True)
        for number, entity, canonical, reason, entry in tables.iter_aliases(self._alias):
            graph.add_alias(entity, canonical, reason, entry)
            self._alias = number
        graph.shapes.read_bodies = tables.read_bodies
        try:
            self._take_events(tables)
        finally:
            graph.shapes.read_bodies = None
            graph.shapes.fresh.clear()
        graph.edges.settle()

    def _add_names(self, rows: Iterable[tuple[int, str, str, int]], last: int, *, jobs: bool) -> int:
        waiting = iter(rows)
        while some := list(islice(waiting, _TOGETHER)):
            self.graph.add_names(some, jobs=jobs)
            last = some[-1][0]
        return last

    def _take_events(self, tables: GraphTables) -> None:
        graph, fresh = self.graph, self.graph.shapes.fresh
        bodies = iter(tables.iter_shapes(self._shape))
        rare = self._iter_rare(tables)
        waiting = next(rare, None)
        newest = self._shape
        for event in tables.iter_events(self._event):
            while waiting is not None and waiting[0] < event[0]:
                self._take_rare(waiting)
                waiting = next(rare, None)
            while newest < event[6]:  # shapes are numbered in the order of the events that were the first to have them
                if (row := next(bodies, None)) is None:
                    break
                if len(fresh) >= _TOGETHER:
                    fresh.clear()
                newest, fresh[row[0]] = row
            graph.add_event(*event)
            self._event = event[0]
        while waiting is not None:
            self._take_rare(waiting)
            waiting = next(rare, None)
        self._shape = max(newest, *(row[0] for row in bodies), 0)

    def _iter_rare(self, tables: GraphTables) -> Iterator[tuple[int, int, Any]]:
        """Deletions (0) and corrections (1), by entry."""
        return merge(
            ((row[0], 0, row) for row in tables.iter_deletions(self._deletion)),
            ((row[0], 1, row) for row in tables.iter_corrections(self._correction)),
        )

    def _take_rare(self, found: tuple[int, int, Any]) -> None:
        if found[1]:
            self.graph.add_correction(*found[2])
            self._correction = found[0]
        else:
            self.graph.add_deletion(*found[2])
            self._deletion = found[0]
