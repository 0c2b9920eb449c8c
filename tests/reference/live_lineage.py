"""The live graph's answers, worked out anew for each question from the list of what was said; slow, and without eras.

Written from docs/spec/lineage.md and docs/questions.md, to hold the graph of `wherefrom.lineage.graph` against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from wherefrom.lineage.shape import SAYS_NOTHING, Entry, Shape, merge, ports

Node = tuple[str, int]  # ("dataset" or "job", id)
Flow = tuple[Node, frozenset[tuple[Node, str]], frozenset[Node], str]  # owner, sources, targets, basis


@dataclass(frozen=True)
class Said:
    """One entry. `kind`: "event", "deletion", "correction" or "alias"; `what` depends on it."""

    kind: Literal["event", "deletion", "correction", "alias"]
    at: int = 0
    run: int = 0
    job: int = 0
    dataset: int = 0
    event_type: str = ""
    shape: Shape = SAYS_NOTHING
    target: int = 0  # entry that a correction takes back
    other: int = 0  # the data set that an alias joins with `dataset`
    drops: tuple[int, ...] = ()  # data sets that an event itself says are no more


@dataclass
class Reference:
    history: list[Said] = field(default_factory=list)

    def counting(self, as_of: int) -> Iterator[tuple[int, Said]]:
        """What counts as of so many entries, by entry."""
        known = self.history[:as_of]
        taken_back = {said.target for said in known if said.kind == "correction"}
        return ((entry, said) for entry, said in enumerate(known) if entry not in taken_back)

    def flows(self, *, valid_at: int, as_of: int) -> list[Flow]:
        """All that holds: which owner feeds which data sets from which."""
        said = [(s.at, entry, s) for entry, s in self.counting(as_of) if s.kind in {"event", "deletion"}]
        said += [(at, entry, Said("deletion", dataset=n)) for at, entry, s in said for n in s.drops]
        said = sorted((item for item in said if item[0] <= valid_at), key=lambda item: item[:2])
        owners = {owner_of(s) for _, _, s in said if s.kind == "event"}
        return [flow for owner in sorted(owners) for flow in self._flows_of(owner, [s for _, _, s in said])]

    def _flows_of(self, owner: Node, said: list[Said]) -> Iterator[Flow]:
        runs: dict[int, Shape] = {}
        current: list[Shape] = []
        for one in said:
            if one.kind == "deletion":
                if one.job and owner == ("job", one.job):
                    current = []
                if one.dataset:
                    current = [rest for s in current if (rest := without(s, one.dataset)) != SAYS_NOTHING]
                continue
            if owner_of(one) != owner:
                continue
            shape = one.shape
            if one.run:
                shape = runs[one.run] = merge(runs.get(one.run, SAYS_NOTHING), shape)
            if shape == SAYS_NOTHING or (one.shape == SAYS_NOTHING and one.event_type != "COMPLETE"):
                continue
            if not one.run or one.event_type == "COMPLETE":
                current = [shape]
            elif not any(merge(there, shape) == there for there in current):
                current = [there for there in current if merge(there, shape) != shape] + [shape]
        for shape in dict.fromkeys(current):
            for port in ports(shape):
                sources = {(("dataset", n), how) for n, how in port.sources}
                sources |= {(("job", n), "declared") for n in port.source_jobs}
                target: Node | None = None
                if port.target is not None:
                    target = ("dataset", port.target)
                elif port.target_job is not None:
                    target = ("job", port.target_job)
                elif owner[0] == "dataset":
                    target = owner
                yield owner, frozenset(sources), frozenset({target} if target else ()), port.basis

    def same(self, node: Node, *, as_of: int, sees: Callable[[Node], bool]) -> set[Node]:
        """All that are the same data set, this one included, by way of those that may be seen."""
        pairs = [(s.dataset, s.other) for _, s in self.counting(as_of) if s.kind == "alias" and s.dataset != s.other]
        found, waiting = {node}, [node]
        while waiting:
            one = waiting.pop()
            for pair in pairs:
                if one[0] == "dataset" and one[1] in pair:
                    other = ("dataset", sum(pair) - one[1])
                    if other not in found and sees(other):
                        found.add(other)
                        waiting.append(other)
        return found

    def walk(
        self,
        start: Node,
        *,
        down: bool,
        depth: int,
        valid_at: int,
        as_of: int,
        sees: Callable[[Node], bool] = lambda node: True,
    ) -> tuple[set[Node], set[tuple[Node, Node]]]:
        """The nodes reached that may be seen, if anything was ever said of them, and the edges between them."""
        flows = self.flows(valid_at=valid_at, as_of=as_of)
        said_of = {n for s in self.history for n in _named(s)}
        nodes: set[Node] = set()
        edges: set[tuple[Node, Node]] = set()
        level = {n for n in self.same(start, as_of=as_of, sees=sees) if n in said_of or n == start}
        seen, passed = set(level), set()
        nodes |= level
        for _ in range(depth):
            reached: set[Node] = set()
            now_passed: set[Node] = set()
            for owner, pairs, targets, _basis in flows:
                sources = {source for source, _ in pairs}
                near, far = (sources, targets) if down else (targets, sources)
                touched = near & (level | passed)
                is_whole = owner in level and owner[0] == "job"
                if not (touched or is_whole) or not sees(owner):
                    continue
                if owner[0] == "job":
                    nodes.add(owner)
                    now_passed.add(owner)
                    edges |= {(n, owner) if down else (owner, n) for n in touched}
                    edges |= {(owner, n) if down else (n, owner) for n in far if sees(n)}
                else:  # its own word: no job is between them
                    edges |= {(n, m) if down else (m, n) for n in touched for m in far if sees(m)}
                reached |= {n for n in far if sees(n)}
            joined = {m for n in reached for m in self.same(n, as_of=as_of, sees=sees) if m in said_of or m in reached}
            passed = now_passed
            level = joined - seen
            seen |= level
            nodes |= level
        return nodes, edges


def owner_of(said: Said) -> Node:
    return ("job", said.job) if said.job else ("dataset", said.dataset)


def without(shape: Shape, dataset: int) -> Shape:
    """What a shape says of the other data sets."""
    explicit = shape.explicit
    if explicit is not None:
        explicit = tuple(
            Entry(target, tuple(s for s in sources if s != dataset))
            for target, sources in explicit
            if target != dataset
        )
    rest = Shape(
        tuple(p for p in shape.inputs if p[0] != dataset),
        tuple(p for p in shape.outputs if p[0] != dataset),
        explicit,
        tuple(c for c in shape.columns if dataset not in (c.target, c.source)),
        tuple(c for c in shape.explicit_columns if dataset not in (c.target, c.source)),
    )
    says = rest.inputs or rest.outputs or rest.explicit or rest.columns or rest.explicit_columns
    return rest if says else SAYS_NOTHING


def _named(said: Said) -> Iterator[Node]:
    if said.kind != "event" or said.shape == SAYS_NOTHING:
        return
    if not said.job:
        yield "dataset", said.dataset
    for port in ports(said.shape):
        yield from (("dataset", n) for n, _ in port.sources)
        yield from (("job", n) for n in port.source_jobs)
        if port.target is not None:
            yield "dataset", port.target
        if port.target_job is not None:
            yield "job", port.target_job
