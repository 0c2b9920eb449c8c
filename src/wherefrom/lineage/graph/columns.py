"""Column lineage: which fields a field comes from, or goes into, through any number of jobs.

Two fields are joined only where an event's columns say so: the same name alone says nothing. A field "" is the data set
as a whole: as a target, what is said of all its fields (a filter, a join); as a source, that nobody said which field.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from wherefrom.lineage.graph.drawing import may_see
from wherefrom.lineage.graph.graph import Graph, Views, holds
from wherefrom.lineage.graph.walk import Scope, Way
from wherefrom.lineage.shape import Column, columns_of


class NodeField(NamedTuple):
    node: int
    name: str


class FieldEdge(NamedTuple):
    """Attributes: owner: the job, or the data set that says so itself; era: that it rests on."""

    source: NodeField
    target: NodeField
    owner: int
    type: str
    subtype: str
    masking: bool
    era: int


@dataclass
class FieldsFound:
    """Attributes: fields: each with its distance; silent: jobs gone through that say nothing of columns."""

    fields: dict[NodeField, int] = field(default_factory=dict)
    edges: dict[FieldEdge, None] = field(default_factory=dict)
    silent: dict[int, None] = field(default_factory=dict)
    hidden: int = 0
    is_cut_by_depth: bool = False
    is_cut_by_size: bool = False


def walk_columns(
    graph: Graph, views: Views, scope: Scope, starts: Sequence[NodeField], way: Way, *, depth: int, most: int
) -> FieldsFound:
    """Walk from fields, nearest first. `graph.shapes` must be able to read bodies."""
    found = FieldsFound(dict.fromkeys(starts, 0))
    level = list(found.fields)
    for step in range(1, depth + 2):
        new: list[NodeField] = []
        for one in level:
            for edge in _edges_at(graph, views, scope, one, way, found):
                other = edge.source if way == "up" else edge.target
                if step > depth:
                    found.is_cut_by_depth |= other not in found.fields
                    continue
                if other not in found.fields:
                    if len(found.fields) >= most:
                        found.is_cut_by_size = True
                        continue
                    found.fields[other] = step
                    new.append(other)
                found.edges[edge] = None
        if not new:
            break
        level = new
    return found


def _edges_at(
    graph: Graph, views: Views, scope: Scope, at: NodeField, way: Way, found: FieldsFound
) -> Iterator[FieldEdge]:
    edges = graph.edges
    index, port_of = (edges.writers, edges.target_port) if way == "up" else (edges.readers, edges.source_port)
    ports = np.array([port_of.values[edge] for edge in index.of(at.node)], np.int64)
    eras = np.unique(views.port_era[ports])
    eras = eras[holds(views, eras, valid_at=scope.valid_at, as_of=scope.as_of)]
    for era in eras.tolist():
        owner = graph.eras.owner.values[era]
        if not may_see(graph, owner, scope):
            found.hidden += 1
            continue
        columns = columns_of(graph.shapes[graph.eras.shape.values[era]])
        if not columns and owner % 2:
            found.silent[owner] = None
        for column in columns:
            edge = _edge(column, owner, era)
            near, far = (edge.target, edge.source) if way == "up" else (edge.source, edge.target)
            if near.node != at.node or not (near.name == at.name or not at.name or (way == "up" and not near.name)):
                continue
            if may_see(graph, far.node, scope):
                yield edge
            else:
                found.hidden += 1


def list_columns(graph: Graph, eras: Sequence[int], nodes: set[int]) -> Iterator[FieldEdge]:
    """All that these eras say of the fields of these nodes."""
    for era in eras:
        owner = graph.eras.owner.values[era]
        for column in columns_of(graph.shapes[graph.eras.shape.values[era]]):
            edge = _edge(column, owner, era)
            if edge.source.node in nodes and edge.target.node in nodes:
                yield edge


def _edge(column: Column, owner: int, era: int) -> FieldEdge:
    source = NodeField(_node(column.source, owner), column.source_field)
    target = NodeField(_node(column.target, owner), column.target_field)
    return FieldEdge(source, target, owner, column.type, column.subtype, column.masking, era)


def _node(number: int, owner: int) -> int:
    """A shape's number as a node."""
    if not number:
        return owner
    return 2 * number if number > 0 else -2 * number + 1
