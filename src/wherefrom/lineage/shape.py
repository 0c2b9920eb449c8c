"""Shapes: what one event says about lineage, without when it happened and in which run. Pure values over numbers.

A node is a number: n > 0 the data set that is entity n, by its canonical name; n < 0 the job -n; 0 the event's own job.
Events of one run add up (`merge`); which data set feeds which follows from the sum (`ports`), by OpenLineage's order:
an explicit `lineage` facet, else `columnLineage`, else inputs x outputs. Source: docs/spec/lineage.md, part 2.

    Shape(inputs, outputs, explicit, columns, explicit_columns)      SAYS_NOTHING = Shape()
    parse_shape(body) -> Shape        format_shape(shape) -> str     the form in the view `shapes`
    merge(a, b) -> Shape              commutative, associative, idempotent
    ports(shape) -> list[Port]        Port(target, target_job, sources, source_jobs, basis)
    columns_of(shape) -> tuple[Column, ...]   those that count, by the same order
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from wherefrom.errors import FormatError

How = Literal["observed", "declared", "inferred", "product"]
Basis = Literal["lineage", "columnLineage", "product"]
Known = tuple[tuple[int, str], ...]
"""Data sets, each with how it is known; by number, each once."""

_RANKS = {"observed": 0, "declared": 1, "inferred": 2, "product": 3}
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


class Column(NamedTuple):
    """That a field comes from another one.

    Attributes:
        target_field: "" for the data set as a whole, or a job: what a filter, a join or an order does to all of it.
        source: a data set; or a job that makes the field.
        source_field: "" when which field it was is not known, or there is none.
        type, subtype: of the transformation, such as DIRECT and AGGREGATION; "" when not said.
    """

    target: int
    target_field: str
    source: int
    source_field: str
    type: str
    subtype: str
    masking: bool


class Entry(NamedTuple):
    """An entry of a `lineage` facet: all that feeds its target; no sources say that it has none that are tracked."""

    target: int
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """Every member is sorted, and has each thing once, so equal shapes are equal values.

    Attributes:
        explicit: of the `lineage` facets; None when there is none, which differs from one with no entries.
        columns: of `columnLineage` facets.
        explicit_columns: of the `lineage` facets.
    """

    inputs: Known = ()
    outputs: Known = ()
    explicit: tuple[Entry, ...] | None = None
    columns: tuple[Column, ...] = ()
    explicit_columns: tuple[Column, ...] = ()

    @classmethod
    def of(
        cls,
        inputs: Iterable[tuple[int, str]] = (),
        outputs: Iterable[tuple[int, str]] = (),
        explicit: Iterable[tuple[int, Iterable[int]]] | None = None,
        columns: Iterable[Column] = (),
        explicit_columns: Iterable[Column] = (),
    ) -> Shape:
        """Sort what is given, and put together what is said of one thing twice."""
        return cls(
            _best_known(inputs),
            _best_known(outputs),
            None if explicit is None else _entries(explicit),
            tuple(sorted(set(columns))),
            tuple(sorted(set(explicit_columns))),
        )


SAYS_NOTHING = Shape()


class Port(NamedTuple):
    """What is known to feed one target through the owner of a shape (a job, or the data set of a DatasetEvent).

    Attributes:
        target: the data set; None when nothing tracked is fed but the owner itself, or `target_job`.
        target_job: another job, which a `lineage` facet says is fed; None as a rule.
        sources: data sets. "product" when there are several inputs and several outputs, and nothing says which of
            them belong together; else as the input is known.
        source_jobs: other jobs, which a `lineage` facet says feed the target.
        basis: what says so.
    """

    target: int | None
    target_job: int | None
    sources: Known
    source_jobs: tuple[int, ...]
    basis: Basis


def merge(one: Shape, other: Shape) -> Shape:
    """What both say together: the union, and of the ways in which a data set is known the surest."""
    if other in (one, SAYS_NOTHING):
        return one
    if one == SAYS_NOTHING:
        return other
    explicit = None
    if one.explicit is not None or other.explicit is not None:
        explicit = (*(one.explicit or ()), *(other.explicit or ()))
    return Shape.of(
        (*one.inputs, *other.inputs),
        (*one.outputs, *other.outputs),
        explicit,
        (*one.columns, *other.columns),
        (*one.explicit_columns, *other.explicit_columns),
    )


def ports(shape: Shape) -> list[Port]:
    """Which data sets feed which: a port for each target, and at most one, the last, for what feeds no known one."""
    if shape.explicit is not None:
        return _explicit_ports(shape)
    by_column: dict[int, set[int]] = {}
    for column in shape.columns:
        by_column.setdefault(column.target, set()).add(column.source)
    known = dict(shape.inputs)
    plain = [target for target, _ in shape.outputs if target not in by_column]
    is_product = len(shape.inputs) > 1 and len(shape.outputs) > 1
    inputs: Known = tuple((source, "product" if is_product else how) for source, how in shape.inputs)
    made = [
        Port(target, None, tuple((s, known.get(s, "declared")) for s in sorted(sources)), (), "columnLineage")
        for target, sources in by_column.items()
    ]
    made += [Port(target, None, inputs, (), "product") for target in plain]
    made.sort()
    if not plain:
        used = {source for sources in by_column.values() for source in sources}
        if left := tuple(pair for pair in shape.inputs if pair[0] not in used):
            made.append(Port(None, None, left, (), "columnLineage" if by_column else "product"))
    return made


def _explicit_ports(shape: Shape) -> list[Port]:
    """The facet's entries are all that is known of what feeds what; inputs and outputs in none are the job's alone."""
    known = dict(shape.inputs)
    made: list[Port] = []
    consumed: set[int] = set()
    named: set[int] = set()
    targets: set[int] = set()
    for target, sources in shape.explicit or ():
        named.update(sources)
        targets.add(target)
        if target == 0:
            consumed.update(sources)
            continue
        pairs = tuple((source, known.get(source, "declared")) for source in sources if source > 0)
        jobs = tuple(-source for source in sources if source < 0)
        made.append(Port(target if target > 0 else None, -target if target < 0 else None, pairs, jobs, "lineage"))
    made += [Port(target, None, (), (), "lineage") for target, _ in shape.outputs if target not in targets]
    made.sort(key=lambda port: (port.target or 0, port.target_job or 0))
    consumed.update(source for source in known if source not in named)
    if consumed - {0}:
        pairs = tuple((source, known.get(source, "declared")) for source in sorted(consumed) if source > 0)
        jobs = tuple(-source for source in sorted(consumed) if source < 0)
        made.append(Port(None, None, pairs, jobs, "lineage"))
    return made


def columns_of(shape: Shape) -> tuple[Column, ...]:
    """The columns that count: those of the `lineage` facets where there is one, else those of `columnLineage`."""
    return shape.columns if shape.explicit is None else shape.explicit_columns


def format_shape(shape: Shape) -> str:
    """Canonical JSON. Members that are empty are left out; an `explicit` that is empty is not."""
    body: dict[str, Any] = {
        "columns": shape.columns,
        "explicitColumns": shape.explicit_columns,
        "inputs": shape.inputs,
        "outputs": shape.outputs,
    }
    body = {key: value for key, value in body.items() if value}
    if shape.explicit is not None:
        body["explicit"] = shape.explicit
    return _ENCODER.encode(body)


def parse_shape(body: str) -> Shape:
    """Read what `format_shape` wrote. Raises FormatError for anything else."""
    try:
        said = json.loads(body)
        explicit = said.get("explicit")
        shape = Shape(
            tuple((number, how) for number, how in said.get("inputs", ())),
            tuple((number, how) for number, how in said.get("outputs", ())),
            None if explicit is None else tuple(Entry(target, tuple(sources)) for target, sources in explicit),
            tuple(Column(*column) for column in said.get("columns", ())),
            tuple(Column(*column) for column in said.get("explicitColumns", ())),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"shape {body[:60]!r}: {error}") from error
    return shape


def newest_in(shape: Shape) -> tuple[int, int]:
    """The greatest number of a data set in it, and that of a job; 0 for none."""
    numbers = [number for known in (shape.inputs, shape.outputs) for number, _ in known]
    numbers += [number for one in (*shape.columns, *shape.explicit_columns) for number in (one.target, one.source)]
    numbers += [number for target, sources in shape.explicit or () for number in (target, *sources)]
    return max(numbers, default=0), -min(0, *numbers, 0)


def _best_known(pairs: Iterable[tuple[int, str]]) -> Known:
    best: dict[int, str] = {}
    for number, how in pairs:
        if number not in best or _RANKS[how] < _RANKS[best[number]]:
            best[number] = how
    return tuple(sorted(best.items()))


def _entries(explicit: Iterable[tuple[int, Iterable[int]]]) -> tuple[Entry, ...]:
    sources: dict[int, set[int]] = {}
    for target, those in explicit:
        sources.setdefault(target, set()).update(those)
    return tuple(Entry(target, tuple(sorted(sources[target]))) for target in sorted(sources))
