"""Hypothesis strategies: columns of every type, each as Arrow and in the notation of the vectors."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MS_PER_DAY = 86_400_000
_EXACT = Context(prec=100)


@dataclass(frozen=True)
class Kind:
    """A machine type: how to draw raw values of it, and what the specification calls them."""

    type: pa.DataType
    raw: st.SearchStrategy[Any]
    """Values as `pa.array(values, type)` takes them."""
    notation: Callable[[Any], Any]

    def arrow(self, raws: list[Any]) -> pa.Array:
        if pa.types.is_floating(self.type):
            # By way of numpy, as Arrow would not take a Python float for a float16.
            values = np.array([0.0 if raw is None else raw for raw in raws], self.type.to_pandas_dtype())
            return pa.array(values, self.type, mask=np.array([raw is None for raw in raws], bool))
        return pa.array(raws, self.type)

    def values(self, raws: list[Any]) -> list[Any]:
        return [None if raw is None else self.notation(raw) for raw in raws]


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high) | st.sampled_from([low, high, 0, 1])


def number(raw: Any) -> dict[str, str]:
    return {"int": str(raw)}


def floating(raw: float) -> dict[str, str]:
    return {"float": struct.pack(">d", raw).hex()}


def seconds(kind: str, unit: str) -> Callable[[int], dict[str, list[str]]]:
    def notation(raw: int) -> dict[str, list[str]]:
        whole, rest = divmod(raw, PER_SECOND[unit])
        return {kind: [str(whole), str(rest * (10**9 // PER_SECOND[unit]))]}

    return notation


def decimal_kind(make: Callable[[int, int], pa.DataType], precision: int, scale: int) -> Kind:
    unscaled = st.integers(-(10**precision) + 1, 10**precision - 1) | st.integers(-99, 99).map(
        lambda value: value * 10 ** (precision - 2)
    )
    raws = unscaled.map(lambda value: Decimal(value).scaleb(-scale, _EXACT))
    return Kind(make(precision, scale), raws, lambda raw: {"decimal": f"{raw:f}"})


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
floats64 = st.floats() | st.integers(-(2**70), 2**70).map(float) | st.sampled_from([-0.0, 2.0**63, -(2.0**63), 2.0**64])
times = {"s": 86_399, "ms": 86_399_999, "us": 86_399_999_999, "ns": 86_399_999_999_999}

FLAT_KINDS: list[Kind] = [
    Kind(pa.null(), st.none(), lambda raw: raw),
    Kind(pa.bool_(), st.booleans(), lambda raw: raw),
    *(Kind(pa.type_for_alias(f"int{bits}"), integers(bits, signed=True), number) for bits in (8, 16, 32, 64)),
    *(Kind(pa.type_for_alias(f"uint{bits}"), integers(bits, signed=False), number) for bits in (8, 16, 32, 64)),
    Kind(pa.float16(), st.floats(width=16), floating),
    Kind(pa.float32(), st.floats(width=32), floating),
    Kind(pa.float64(), floats64, floating),
    decimal_kind(pa.decimal32, 9, 2),
    decimal_kind(pa.decimal64, 18, 0),
    decimal_kind(pa.decimal128, 38, 20),
    decimal_kind(pa.decimal128, 5, -3),
    decimal_kind(pa.decimal256, 76, 38),
    *(Kind(kind, texts, lambda raw: {"text": raw}) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *(
        Kind(kind, st.binary(max_size=8), lambda raw: {"binary": raw.hex()})
        for kind in (pa.binary(), pa.large_binary(), pa.binary_view())
    ),
    Kind(pa.binary(3), st.binary(min_size=3, max_size=3), lambda raw: {"binary": raw.hex()}),
    Kind(pa.date32(), integers(32, signed=True), lambda raw: {"date": str(raw)}),
    Kind(
        pa.date64(),
        st.integers(-(2**36), 2**36).map(lambda days: days * MS_PER_DAY),
        lambda raw: {"date": str(raw // MS_PER_DAY)},
    ),
    *(
        Kind(
            pa.time32(unit) if unit in {"s", "ms"} else pa.time64(unit),
            st.integers(0, last),
            lambda raw, unit=unit: {"time": str(raw * (10**9 // PER_SECOND[unit]))},
        )
        for unit, last in times.items()
    ),
    *(Kind(pa.timestamp(unit), integers(64, signed=True), seconds("datetime", unit)) for unit in PER_SECOND),
    *(
        Kind(pa.timestamp(unit, zone), integers(64, signed=True), seconds("instant", unit))
        for unit, zone in (("s", "UTC"), ("us", "Europe/Paris"), ("ns", "+05:30"))
    ),
    *(Kind(pa.duration(unit), integers(64, signed=True), seconds("duration", unit)) for unit in PER_SECOND),
    Kind(
        pa.month_day_nano_interval(),
        st.tuples(integers(32, signed=True), integers(32, signed=True), integers(64, signed=True)),
        lambda raw: {"interval": [str(part) for part in raw]},
    ),
    Kind(pa.dictionary(pa.int8(), pa.string()), texts, lambda raw: {"text": raw}),
    Kind(pa.dictionary(pa.int32(), pa.int64()), integers(64, signed=True), number),
]


def list_kind(make: Callable[[pa.DataType], pa.DataType], element: Kind) -> Kind:
    raws = st.lists(optional(element.raw), max_size=4)
    return Kind(make(element.type), raws, lambda raw: {"list": element.values(raw)})


def fixed_list_kind(element: Kind) -> Kind:
    raws = st.lists(optional(element.raw), min_size=2, max_size=2)
    return Kind(pa.list_(element.type, 2), raws, lambda raw: {"list": element.values(raw)})


def struct_kind(fields: dict[str, Kind]) -> Kind:
    return Kind(
        pa.struct([pa.field(name, kind.type) for name, kind in fields.items()]),
        st.fixed_dictionaries({name: optional(kind.raw) for name, kind in fields.items()}),
        lambda raw: {"struct": {name: kind.values([raw[name]])[0] for name, kind in fields.items()}},
    )


def map_kind(key: Kind, item: Kind) -> Kind:
    raws = st.lists(st.tuples(key.raw, optional(item.raw)), max_size=4)
    return Kind(
        pa.map_(key.type, item.type),
        raws,
        lambda raw: {"map": [[key.notation(name), item.values([value])[0]] for name, value in raw]},
    )


# Arrow's converters of Python lists take neither float16 nor intervals from the raw values above.
_INNER = [
    kind
    for kind in FLAT_KINDS
    if not pa.types.is_float16(kind.type)
    and not pa.types.is_interval(kind.type)
    and not pa.types.is_dictionary(kind.type)
]
_KEYS = [kind for kind in _INNER if not pa.types.is_null(kind.type)]


def nested(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    makers = st.sampled_from([pa.list_, pa.large_list, pa.list_view, pa.large_list_view])
    names = st.dictionaries(texts, inner, max_size=3)
    return (
        st.builds(list_kind, makers, inner)
        | st.builds(fixed_list_kind, inner)
        | names.map(struct_kind)
        | st.builds(map_kind, st.sampled_from(_KEYS), inner)
    )


kinds = st.sampled_from(FLAT_KINDS) | st.recursive(st.sampled_from(_INNER), nested, max_leaves=4)


@dataclass(frozen=True)
class DrawnColumn:
    kind: Kind
    raws: list[Any]

    @property
    def array(self) -> pa.Array:
        return self.kind.arrow(self.raws)

    @property
    def values(self) -> list[Any]:
        return self.kind.values(self.raws)


@st.composite
def tables(
    draw, *, kinds=kinds, names=texts, max_rows=8, min_columns=0, max_columns=4, min_rows=0
) -> dict[str, DrawnColumn]:
    """Columns by name, all of one length; rows are likely to repeat, as values are drawn from a few."""
    chosen = draw(st.lists(names, unique=True, min_size=min_columns, max_size=max_columns))
    count = draw(st.integers(min_rows, max_rows))
    columns = {}
    for name in chosen:
        kind = draw(kinds)
        pool = draw(st.lists(optional(kind.raw), min_size=1, max_size=4))
        columns[name] = DrawnColumn(kind, draw(st.lists(st.sampled_from(pool), min_size=count, max_size=count)))
    return columns


def arrow_of(columns: dict[str, DrawnColumn]) -> pa.Table:
    return pa.Table.from_arrays([column.array for column in columns.values()], names=list(columns))


def notation_of(columns: dict[str, DrawnColumn]) -> dict[str, list[Any]]:
    return {name: column.values for name, column in columns.items()}
