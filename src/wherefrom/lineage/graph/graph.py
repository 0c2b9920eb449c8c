"""The graph of one process, in memory: nodes, eras, edges, aliases, deletions, as far as it has followed the views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from wherefrom.lineage.graph.arrays import Bits, Ints, Longs
from wherefrom.lineage.graph.edges import Edges
from wherefrom.lineage.graph.fold import ADD, COMPLETE, DROP, END, SAY, Observation
from wherefrom.lineage.graph.names import NEVER, Names, dataset_node, job_node
from wherefrom.lineage.graph.shapes import ShapeBook
from wherefrom.lineage.graph.timelines import Timelines
from wherefrom.store.lineage_writer import SYMLINKS


class Alias(NamedTuple):
    """That two nodes are one data set, said by `entry`; from entry `retracted` on no more."""

    one: int
    other: int
    reason: str
    entry: int
    retracted: int


class Views(NamedTuple):
    """The columns that walks read, as numpy arrays; valid until the graph grows."""

    port_era: Ints
    port_owner: Ints
    source_from: Ints
    source_node: Ints
    source_port: Ints
    target_from: Ints
    target_node: Ints
    target_port: Ints
    namespace: Ints
    t_from: Longs
    e_from: Longs
    t_next: Longs
    e_next: Longs
    e_close: Longs
    holds_now: Bits
    size: int


class Graph:
    """Not safe for several threads: whoever owns it has a lock.

    Attributes:
        size: the entries it has followed: what it says as of any N up to that is exact.
    """

    def __init__(self) -> None:
        self.size = 0
        self.names = Names()
        self.shapes = ShapeBook()
        self.edges = Edges()
        self.eras = Timelines(self.shapes, self.edges)
        self.spare: list[Any] = []  # what walks need and leave clean
        self.aliases: dict[int, list[Alias]] = {}
        self._alias_entries: dict[int, list[Alias]] = {}
        self._deletions: dict[int, list[tuple[int, int]]] = {}  # of each deleted data set: when, and the entry
        self._deletions_by: dict[int, list[tuple[int, int, int]]] = {}  # each entry: data set, job, when
        # By entry and data set: owners whose lineage the deletion changed.
        self._dropped_for: dict[tuple[int, int], list[int]] = {}

    def own(self) -> None:
        """Let go of views that somebody kept, so that the graph can grow."""
        self.names.own()
        self.edges.own()
        self.eras.own()

    def add_names(self, rows: Sequence[tuple[int, str, str, int]], *, jobs: bool) -> None:
        self.names.add(rows, jobs=jobs)
        self.eras.grow(len(self.names))

    def add_alias(self, entity: int, canonical: int, reason: str, entry: int) -> None:
        if entity != canonical:
            self._put_alias(Alias(dataset_node(entity), dataset_node(canonical), reason, entry, NEVER))

    def _put_alias(self, alias: Alias) -> None:
        self.aliases.setdefault(alias.one, []).append(alias)
        self.aliases.setdefault(alias.other, []).append(alias)
        self._alias_entries.setdefault(alias.entry, []).append(alias)

    def add_event(self, entry: int, run: int, job: int, dataset: int, event_type: str, at: int, shape: int) -> None:
        """One row of the view `events`."""
        owner = job_node(job) if job else dataset_node(dataset)
        op = SAY if not run else COMPLETE if event_type == "COMPLETE" else ADD
        self.eras.add_event(entry, owner, run, op, at, shape)
        if self._deletions and shape:
            self._note_deletions(entry, owner, at, shape)

    def _note_deletions(self, entry: int, owner: int, at: int, shape: int) -> None:
        """Deletions, said before, of what the event names: they hold for its owner too."""
        for flow in self.shapes.flows(shape, owner):
            for node, _ in (*flow.sources, *flow.targets):
                for when, deleted_by in self._deletions.get(node, ()):
                    if when >= at and owner not in (owners := self._dropped_for[deleted_by, node // 2]):
                        owners.append(owner)
                        self.eras.note_deletion(owner, Observation(when, deleted_by, DROP, 0, node // 2, -1), entry)

    def add_deletion(self, entry: int, dataset: int, job: int, at: int) -> None:
        self._deletions_by.setdefault(entry, []).append((dataset, job, at))
        if job:
            self.eras.add_deletion(job_node(job), Observation(at, entry, END, 0, 0, -1))
        if dataset:
            node = dataset_node(dataset)
            self._deletions.setdefault(node, []).append((at, entry))
            owners = self._dropped_for[entry, dataset] = self.edges.owners_at(node)
            for owner in list(owners):
                self.eras.add_deletion(owner, Observation(at, entry, DROP, 0, dataset, -1))

    def add_correction(self, entry: int, target: int) -> None:
        """What entry `target` said counts no more from entry `entry` on."""
        self.eras.take_back_event(target, entry)
        for alias in self._alias_entries.pop(target, ()):
            if alias.reason == SYMLINKS:  # how names are spelled is not what somebody said
                for node in (alias.one, alias.other):
                    self.aliases[node].remove(alias)
                self._put_alias(alias._replace(retracted=min(alias.retracted, entry)))
        for dataset, job, at in self._deletions_by.pop(target, ()):
            if job:
                self.eras.take_back_deletion(job_node(job), Observation(at, target, END, 0, 0, -1), entry)
            if dataset:
                self._deletions[dataset_node(dataset)].remove((at, target))
                for owner in self._dropped_for.pop((target, dataset)):
                    self.eras.take_back_deletion(owner, Observation(at, target, DROP, 0, dataset, -1), entry)

    def deleted_at(self, node: int, *, as_of: int) -> int | None:
        """When a data set was deleted last, as entries below `as_of` say; microseconds since 1970."""
        return max((at for at, entry in self._deletions.get(node, ()) if entry < as_of), default=None)

    def views(self) -> Views:
        edges, eras = self.edges, self.eras
        columns: tuple[Any, ...] = (
            edges.era,
            edges.owner,
            edges.source_from,
            edges.source_node,
            edges.source_port,
            edges.target_from,
            edges.target_node,
            edges.target_port,
            self.names.namespace,
            eras.t_from,
            eras.e_from,
            eras.t_next,
            eras.e_next,
            eras.e_close,
        )
        views: list[Any] = [column.view() for column in columns]
        return Views._make([*views, eras.holds_now.view().view(np.bool_), self.size])

    def has_edges(self, node: int) -> bool:
        """Whether anything ever used it, made it, or was said of it as an owner."""
        return bool(self.edges.readers.of(node) or self.edges.writers.of(node) or self.edges.owned.of(node))


def holds(views: Views, eras: Ints, *, valid_at: int, as_of: int) -> Bits:
    """Which of these eras hold at an instant, as of so many entries."""
    if as_of == views.size and valid_at == NEVER - 1:
        now: Bits = views.holds_now[eras]
        return now
    until = (views.t_next[eras] <= valid_at) & (views.e_next[eras] < as_of)
    began = (views.t_from[eras] <= valid_at) & (views.e_from[eras] < as_of)
    result: Bits = began & ~until & (views.e_close[eras] >= as_of)
    return result
