"""Columns of Python objects: one type throughout, or refused."""

from __future__ import annotations

import datetime
import decimal
import math
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from wherefrom.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wherefrom.fingerprints.arrow import AnyArray

# In this order, as a bool is an int, a datetime is a date, and numpy's timedelta64 is one of its integers.
_FAMILIES: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    ((bool, np.bool_), "boolean"),
    ((np.timedelta64, datetime.timedelta), "duration"),
    ((int, np.integer), "integer"),
    ((float, np.floating), "float"),
    ((str,), "text"),
    ((bytes, bytearray), "binary"),
    ((decimal.Decimal,), "decimal"),
    ((datetime.datetime,), "datetime"),
    ((datetime.date,), "date"),
    ((datetime.time,), "time"),
    ((list, tuple, np.ndarray), "list"),
    ((dict,), "struct"),
)
_MISSING: Final = frozenset({"NoneType", "NAType", "NaTType"})


def objects_to_arrow(values: Any, *, nan_is_missing: bool = True) -> AnyArray:
    """Convert a column of Python objects, in which None, NaT and NA mean that nothing is there.

    So does NaN, by the habit of numpy and pandas, unless the caller knows better.

    Raises FormatError naming the types seen when they are not one type. Arrow alone would not: it takes bytes beside
    text for bytes, a time zone beside none for none, and cuts nanoseconds off.
    """
    family, present = _examine(values, nan_is_missing=nan_is_missing)
    if family == "datetime" and _have_nanoseconds(present):
        return pa.array(values, pa.timestamp("ns", "UTC" if present[0].tzinfo else None), from_pandas=nan_is_missing)
    if family == "duration" and _have_nanoseconds(present):
        return pa.array(values, pa.duration("ns"), from_pandas=nan_is_missing)
    try:
        return pa.array(values, from_pandas=nan_is_missing)
    except OverflowError:
        if family != "integer":
            raise
        return pa.array(values, pa.uint64(), from_pandas=nan_is_missing)


def columns_to_batch(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Columns of Python objects, in which a NaN is a value; FormatError naming the one that can't be converted."""
    arrays = []
    for name, values in zip(names, columns, strict=True):
        try:
            arrays.append(objects_to_arrow(values, nan_is_missing=False))
        except (FormatError, pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise FormatError(f"column {name!r}: {error}") from error
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _examine(values: Iterable[Any], *, nan_is_missing: bool = True) -> tuple[str | None, list[Any]]:
    """What the values are, None when there are none; and those that are not missing."""
    values = list(values)
    families = {kind: _family_of(kind) for kind in set(map(type, values)) if kind.__name__ not in _MISSING}
    if len(set(families.values())) > 1 and nan_is_missing:
        # A NaN is how pandas marks a missing value among objects of any type.
        values = [value for value in values if not (isinstance(value, float) and math.isnan(value))]
        families = {kind: families[kind] for kind in set(map(type, values)) if kind in families}
    found = set(families.values())
    if len(found) > 1 and found != {"integer", "float"}:
        names = ", ".join(sorted(kind.__name__ for kind in families))
        raise FormatError(f"holds Python objects of types {names}, expected one type")
    family = min(found, default=None)
    present = [value for value in values if type(value) in families]
    if family in {"datetime", "time"} and len({value.tzinfo is None for value in present}) > 1:
        raise FormatError(f"holds {family}s with and without a time zone, expected one or the other")
    if family == "time" and present[0].tzinfo is not None:
        raise FormatError("holds times with a time zone, which have no canonical form")
    if family == "list":
        _check_lists(present)
    if family == "struct":
        _check_structs(present)
    return family, present


def _family_of(kind: type) -> str:
    for types, family in _FAMILIES:
        if issubclass(kind, types):
            return family
    raise FormatError(
        f"holds Python objects of type {kind.__module__}.{kind.__qualname__}, which have no canonical form"
    )


def _check_lists(lists: list[Any]) -> None:
    if not all(isinstance(item, np.ndarray) and item.dtype != object for item in lists):
        _check_inner(chain.from_iterable(lists))


def _check_structs(structs: list[dict[Any, Any]]) -> None:
    for name in dict.fromkeys(chain.from_iterable(structs)):
        if not isinstance(name, str):
            raise FormatError(f"holds a dict with the key {name!r}, expected text")
        _check_inner(item.get(name) for item in structs)


def _check_inner(values: Iterable[Any]) -> None:
    family, present = _examine(values)
    if family in {"datetime", "duration"} and _have_nanoseconds(present):
        raise FormatError("holds nanoseconds inside a list or dict, where they would get lost")


def _have_nanoseconds(present: list[Any]) -> bool:
    """Timestamps of pandas have a `nanosecond`, its timedeltas `nanoseconds`: what is left below a microsecond."""
    return any(getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0) for value in present)
