"""The graph as an outline: every version and run once in full, later mentions by name only."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from wherefrom.evidence.facts.graph import Graph
from wherefrom.lineage import Edge, Run, Version


@dataclass(frozen=True)
class OutlineItem:
    """One line of an outline, in the order in which one reads it.

    Attributes:
        depth: 0 for the version asked about and wherever the outline begins anew.
        is_last: nothing follows at this depth under the same parent.
        has_children: deeper items follow at once.
        node: what the line is about.
        edge: how it hangs on the line above; None at depth 0.
        is_repeat: told in full before.
        is_continued: told in full further down, under a new beginning, because it lies too deep.
    """

    depth: int
    is_last: bool
    has_children: bool
    node: Version | Run
    edge: Edge | None
    is_repeat: bool = False
    is_continued: bool = False


def iter_outline(graph: Graph, *, max_depth: int) -> Iterator[OutlineItem]:
    """Walk from the subject, each version to its runs and each run to its versions, depth first.

    Args:
        max_depth: a version that lies deeper, and has runs to tell of, is put off and begins the outline anew.
    """
    beginnings: deque[Version] = deque([graph.subject])
    told: set[int | str] = set()
    while beginnings:
        stack: list[tuple[int, bool, Version | Run, Edge | None]] = [(0, True, beginnings.popleft(), None)]
        while stack:
            depth, is_last, node, edge = stack.pop()
            key, below = _key(node), _below(graph, node)
            is_repeat = key in told and depth > 0
            is_continued = not is_repeat and bool(below) and depth >= max_depth and isinstance(node, Version)
            told.add(key)
            if is_continued and isinstance(node, Version):
                beginnings.append(node)
            if is_repeat or is_continued:
                below = []
            yield OutlineItem(depth, is_last, bool(below), node, edge, is_repeat, is_continued)
            for number, child in enumerate(reversed(below)):
                stack.append((depth + 1, number == 0, _end_of(graph, node, child), child))


def _key(node: Version | Run) -> int | str:
    return node.key if isinstance(node, Version) else node.run_id


def _below(graph: Graph, node: Version | Run) -> list[Edge]:
    if graph.answer.direction == "up":
        return graph.makers_of(node) if isinstance(node, Version) else graph.inputs_of(node)
    return graph.uses_of(node) if isinstance(node, Version) else graph.outputs_of(node)


def _end_of(graph: Graph, node: Version | Run, edge: Edge) -> Version | Run:
    return graph.runs[edge.run_id] if isinstance(node, Version) else graph.versions[edge.version]
