"""What shapes say as edges, and the shapes that events of one run, or a deletion, make of others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from wherefrom.errors import FormatError
from wherefrom.lineage.shape import SAYS_NOTHING, Shape, merge, parse_shape, ports

ReadBodies = Callable[[Sequence[int]], dict[int, str]]
"""Gives the bodies of shapes by id, out of the view."""

_KEPT = 20_000
HOWS = ("observed", "declared", "inferred", "product")
_HOW = {how: code for code, how in enumerate(HOWS)}
BASES = ("lineage", "columnLineage", "product")
_BASIS = {basis: code for code, basis in enumerate(BASES)}
_DECLARED = _HOW["declared"]
_PRODUCT = _HOW["product"]

Ends = tuple[tuple[int, int], ...]
"""Nodes, each with a code for how it is known."""


class Flow(NamedTuple):
    """That each of `sources` feeds each of `targets` through the owner; `basis` is a code."""

    sources: Ends
    targets: Ends
    basis: int


class ShapeBook:
    """Shapes by number: those of the view (n > 0), those made of them here (n < 0), and 0, which says nothing.

    Those of the view are read again when they are needed; those made here are kept, and there are few.
    """

    def __init__(self) -> None:
        self.read_bodies: ReadBodies | None = None  # while the graph follows the views, or a question is answered
        self.fresh: dict[int, str] = {}  # bodies read along with the events that have them
        self._kept: OrderedDict[int, Shape] = OrderedDict()
        self._made: list[Shape] = [SAYS_NOTHING]
        self._number_of: dict[Shape, int] = {}
        self._merged: dict[tuple[int, int], int] = {}
        self._dropped: dict[tuple[int, int], int] = {}

    def __getitem__(self, number: int) -> Shape:
        if number <= 0:
            return self._made[-number]
        shape = self._kept.get(number)
        if shape is None:
            shape = parse_shape(self._body(number))
            if len(self._kept) >= _KEPT:
                self._kept.popitem(last=False)
            self._kept[number] = shape
        return shape

    def _body(self, number: int) -> str:
        body = self.fresh.get(number)
        if body is None and self.read_bodies is not None:
            body = self.read_bodies([number]).get(number)
        if body is None:
            raise FormatError(f"the view `shapes` has no row {number}, which an event names")
        return body

    def merge(self, one: int, other: int) -> int:
        """What both say together; the number of either, when it says all of it."""
        if one == other or not other:
            return one
        if not one:
            return other
        key = (min(one, other), max(one, other))
        found = self._merged.get(key)
        if found is None:
            both = merge(self[one], self[other])
            found = one if both == self[one] else other if both == self[other] else self._number(both)
            self._merged[key] = found
        return found

    def same(self, one: int, other: int) -> bool:
        """Whether both say the same: a shape of the view, and one made here before it came, have two numbers."""
        return one == other or ((one < 0) != (other < 0) and self[one] == self[other])

    def contains(self, whole: int, part: int) -> bool:
        """Whether the first says all that the second says."""
        return self.same(whole, self.merge(whole, part))

    def drop(self, number: int, entity: int) -> int:
        """The same without a data set."""
        key = (number, entity)
        found = self._dropped.get(key)
        if found is None:
            rest = drop(self[number], entity)
            found = number if rest == self[number] else self._number(rest)
            self._dropped[key] = found
        return found

    def _number(self, shape: Shape) -> int:
        if shape == SAYS_NOTHING:
            return 0
        number = self._number_of.get(shape)
        if number is None:
            number = self._number_of[shape] = -len(self._made)
            self._made.append(shape)
        return number

    def flows(self, number: int, owner: int) -> list[Flow]:
        """Which nodes feed which through the owner, a node. What feeds none has no targets."""
        if number > 0 and number not in self._kept and owner % 2:
            quick = _quick_flow(self._body(number))
            if quick is not None:
                return quick
        return flows(self[number], owner)


def drop(shape: Shape, entity: int) -> Shape:
    """The shape without a data set: what it says of others stays."""
    explicit = shape.explicit
    rest = Shape(
        tuple(pair for pair in shape.inputs if pair[0] != entity),
        tuple(pair for pair in shape.outputs if pair[0] != entity),
        explicit
        and tuple(
            entry._replace(sources=tuple(s for s in entry.sources if s != entity))
            for entry in explicit
            if entry.target != entity
        ),
        tuple(column for column in shape.columns if entity not in (column.target, column.source)),
        tuple(column for column in shape.explicit_columns if entity not in (column.target, column.source)),
    )
    is_empty = not (rest.inputs or rest.outputs or rest.explicit or rest.columns or rest.explicit_columns)
    return SAYS_NOTHING if is_empty else rest


def flows(shape: Shape, owner: int) -> list[Flow]:
    """The ports of a job's shape, those with the same sources put together; of a data set's, each has one target."""
    known = dict(shape.outputs)
    grouped: dict[tuple[Ends, int, int], list[tuple[int, int]]] = {}
    for number_of_port, port in enumerate(ports(shape)):
        sources = tuple((2 * number, _HOW[how]) for number, how in port.sources)
        sources += tuple((2 * job + 1, _DECLARED) for job in port.source_jobs)
        targets = grouped.setdefault((sources, _BASIS[port.basis], 0 if owner % 2 else number_of_port), [])
        if port.target is not None:
            targets.append((2 * port.target, _HOW[known.get(port.target, "declared")]))
        elif port.target_job is not None:
            targets.append((2 * port.target_job + 1, _DECLARED))
        elif not owner % 2:  # a data set that says what it is made from
            targets.append((owner, _DECLARED))
    return [Flow(sources, tuple(targets), basis) for (sources, basis, _), targets in grouped.items()]


def _quick_flow(body: str) -> list[Flow] | None:
    """The same for a shape of inputs and outputs alone, without making the shape: most are such, at a start."""
    if '"columns"' in body or '"explicit' in body:
        return None
    said: dict[str, Any] = orjson.loads(body)
    inputs, outputs = said.get("inputs", ()), said.get("outputs", ())
    if len(inputs) > 1 and len(outputs) > 1:
        sources = tuple((2 * number, _PRODUCT) for number, _ in inputs)
    else:
        sources = tuple((2 * number, _HOW[how]) for number, how in inputs)
    return [Flow(sources, tuple((2 * number, _HOW[how]) for number, how in outputs), _BASIS["product"])]
