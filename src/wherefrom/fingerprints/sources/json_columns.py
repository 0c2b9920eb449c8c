"""What a column of parsed JSON values holds, nested to any depth. docs/spec/fingerprint-records-v1.md section 6."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import accumulate, chain
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from wherefrom.commitments import MAX_DEPTH, name_bytes
from wherefrom.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wherefrom.fingerprints.arrow import AnyArray

_KINDS: Final = {bool: "boolean", int: "integer", float: "float", str: "text", list: "list", dict: "struct"}
_EXACT: Final = 2**53


@dataclass
class JsonColumn:
    """What a column looked like so far; it widens from null to any kind, from integer to float, and gains fields."""

    kind: str = "null"
    lowest: int = 0
    highest: int = 0
    has_values: bool = False
    has_changed: bool = False
    element: JsonColumn | None = None
    fields: dict[str, JsonColumn] = field(default_factory=dict)

    def is_misread(self) -> bool:
        """Whether what `read` returned before is no longer what it would return now."""
        return self.has_changed or any(child.is_misread() for child in self._children())

    def forget_misreading(self) -> None:
        self.has_changed = False
        for child in self._children():
            child.forget_misreading()

    def read(self, values: list[Any], *, depth: int = 0) -> AnyArray:
        """The next part of the column, typed as everything seen until now asks.

        Raises FormatError when a value has not the kind of the others.
        """
        if depth > MAX_DEPTH:
            raise FormatError(f"nested more than {MAX_DEPTH} levels deep")
        for kind in sorted(_KINDS[found] for found in set(map(type, values)) - {NoneType}):
            self._see(kind)
        typed = self._build(values, depth)
        self.has_values = self.has_values or typed.null_count < len(typed)
        return typed

    def _see(self, kind: str) -> None:
        if self.kind == "null" or (self.kind == "integer" and kind == "float"):
            # Integers beyond 2^53 are other numbers as floats.
            self.has_changed |= self.kind == "integer" and max(-self.lowest, self.highest) > _EXACT
            self.kind = kind
        elif kind != self.kind and not (self.kind == "float" and kind == "integer"):
            raise FormatError(f"holds {_name(kind)} where it held {_name(self.kind)} before")

    def _build(self, values: list[Any], depth: int) -> AnyArray:
        match self.kind:
            case "null":
                return pa.nulls(len(values))
            case "boolean":
                return pa.array(values, pa.bool_())
            case "text":
                return pa.array(values, pa.large_string())
            case "list":
                return self._build_lists(values, depth)
            case "struct":
                return self._build_structs(values, depth)
            case _:
                return self._build_numbers(values)

    def _build_numbers(self, values: list[Any]) -> AnyArray:
        if self.kind == "integer":
            is_inexact = max(-self.lowest, self.highest) > _EXACT
            present = [value for value in values if value is not None]
            self.lowest = min(self.lowest, min(present, default=0))
            self.highest = max(self.highest, max(present, default=0))
            if self.lowest >= -(2**63) and self.highest < 2**63:
                return pa.array(values, pa.int64())
            if self.lowest >= 0 and self.highest < 2**64:
                return pa.array(values, pa.uint64())
            self.kind = "float"
            self.has_changed |= is_inexact
        return pa.array([None if value is None else _nearest_float(value) for value in values], pa.float64())

    def _build_lists(self, values: list[Any], depth: int) -> AnyArray:
        if self.element is None:
            self.element = JsonColumn()
        elements = list(chain.from_iterable(value for value in values if value is not None))
        offsets = pa.array(accumulate((len(value or ()) for value in values), initial=0), pa.int64())
        return pa.LargeListArray.from_arrays(
            offsets,
            self.element.read(elements, depth=depth + 1),
            mask=pa.array([value is None for value in values], pa.bool_()),
        )

    def _build_structs(self, values: list[Any], depth: int) -> AnyArray:
        for name in dict.fromkeys(chain.from_iterable(value for value in values if value is not None)):
            if name not in self.fields:
                name_bytes(name)
                self.fields[name] = JsonColumn()
                # Rows seen before have a null in the new field, and were taken for rows without it.
                self.has_changed |= self.has_values
        if not self.fields:
            nulls = pa.array([value is not None for value in values], pa.bool_())
            return pa.Array.from_buffers(pa.struct([]), len(values), [nulls.buffers()[1]])
        columns = []
        for (name, column), members in zip(self.fields.items(), _members(values, list(self.fields)), strict=True):
            try:
                columns.append(column.read(members, depth=depth + 1))
            except FormatError as error:
                raise FormatError(f"{'column' if depth == 0 else 'field'} {name!r} {error}") from error
        return pa.StructArray.from_arrays(
            columns, names=list(self.fields), mask=pa.array([value is None for value in values], pa.bool_())
        )

    def _children(self) -> list[JsonColumn]:
        return [*self.fields.values(), *([] if self.element is None else [self.element])]


def _members(values: list[Any], names: list[str]) -> Iterable[list[Any]]:
    """The members of objects by name, None where an object or a member is not there."""
    if set(map(type, values)) == {dict} and set(map(tuple, values)) == {tuple(names)}:
        return map(list, zip(*map(dict.values, values), strict=True))
    return ([None if value is None else value.get(name) for value in values] for name in names)


def _nearest_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _name(kind: str) -> str:
    return {"integer": "number", "float": "number", "struct": "object"}.get(kind, kind)
