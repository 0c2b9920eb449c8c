"""Logical types of `wf-records-1`: what a column holds, whatever machine type its reader gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wherefrom.errors import FormatError

FLAT_KINDS: Final = frozenset(
    {
        "null",
        "boolean",
        "number",
        "decimal",
        "text",
        "binary",
        "date",
        "time",
        "datetime",
        "instant",
        "duration",
        "interval",
    }
)

MAX_DEPTH: Final = 64
"""Levels of lists, structs and maps inside one another; a flat column has one level."""


@dataclass(frozen=True, slots=True)
class Column:
    """A named column of a table, or a named field of a struct."""

    name: str
    type: LogicalType

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "type": self.type.to_json()}


@dataclass(frozen=True, slots=True)
class LogicalType:
    """A flat kind, or list, struct or map with the types of what it holds.

    `fields` is empty for flat kinds; one field "element" for a list; "key" and "value" for a map; the fields in the
    order of their names' UTF-8 bytes for a struct.
    """

    kind: str
    fields: tuple[Column, ...] = ()

    def to_json(self) -> object:
        match self.kind:
            case "list":
                return {"list": self.fields[0].type.to_json()}
            case "map":
                return {"map": [field.type.to_json() for field in self.fields]}
            case "struct":
                return {"struct": [field.to_json() for field in self.fields]}
            case _:
                return self.kind

    def __str__(self) -> str:
        match self.kind:
            case "list":
                return f"list<{self.fields[0].type}>"
            case "map":
                return f"map<{self.fields[0].type}, {self.fields[1].type}>"
            case "struct":
                return f"struct<{', '.join(f'{field.name}: {field.type}' for field in self.fields)}>"
            case _:
                return self.kind


NULL: Final = LogicalType("null")


def list_of(element: LogicalType) -> LogicalType:
    return LogicalType("list", (Column("element", element),))


def map_of(key: LogicalType, value: LogicalType) -> LogicalType:
    return LogicalType("map", (Column("key", key), Column("value", value)))


def struct_of(fields: tuple[Column, ...]) -> LogicalType:
    return LogicalType("struct", tuple(sorted(fields, key=lambda field: name_bytes(field.name))))


def name_bytes(name: str) -> bytes:
    """UTF-8 bytes of a column name, by which columns are ordered; FormatError if it is not Unicode text."""
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        message = f"column name {name!r} is not Unicode text: it holds a lone surrogate"
        raise FormatError(message) from error


def merge_types(one: LogicalType, other: LogicalType) -> LogicalType:
    """Type of a column whose parts have these types; "null" (nothing seen yet) gives way to anything.

    Raises FormatError when the two can't be one column.
    """
    if one == other or other.kind == "null":
        return one
    if one.kind == "null":
        return other
    if one.kind == other.kind and [f.name for f in one.fields] == [f.name for f in other.fields]:
        merged = (
            Column(left.name, merge_types(left.type, right.type))
            for left, right in zip(one.fields, other.fields, strict=True)
        )
        return LogicalType(one.kind, tuple(merged))
    raise FormatError(f"holds {other} where it held {one} before")


def parse_type(value: object, *, where: str, depth: int = 1) -> LogicalType:
    """Read the JSON form back, strictly; `where` is the JSON path that messages name."""
    if depth > MAX_DEPTH:
        raise FormatError(f"{where}: types nested more than {MAX_DEPTH} levels deep")
    match value:
        case str() if value in FLAT_KINDS:
            return LogicalType(value)
        case {"list": element, **rest} if not rest:
            return list_of(parse_type(element, where=f"{where}.list", depth=depth + 1))
        case {"map": [key, item], **rest} if not rest:
            return map_of(
                parse_type(key, where=f"{where}.map[0]", depth=depth + 1),
                parse_type(item, where=f"{where}.map[1]", depth=depth + 1),
            )
        case {"struct": list(fields), **rest} if not rest:
            return LogicalType("struct", parse_columns(fields, where=f"{where}.struct", depth=depth + 1))
        case _:
            raise FormatError(f"{where}: {value!r} is not a logical type of wf-records-1")


def parse_columns(value: object, *, where: str, depth: int = 1) -> tuple[Column, ...]:
    """Read a list of {"name", "type"}, names unique and in the order of their UTF-8 bytes."""
    if not isinstance(value, list):
        raise FormatError(f"{where}: expected a list of columns, got {type(value).__name__}")
    columns: list[Column] = []
    for index, item in enumerate(value):
        here = f"{where}[{index}]"
        if not isinstance(item, dict) or item.keys() != {"name", "type"} or not isinstance(item["name"], str):
            raise FormatError(f"{here}: expected an object with a text 'name' and a 'type', got {item!r}")
        if columns and name_bytes(columns[-1].name) >= name_bytes(item["name"]):
            raise FormatError(f"{here}: column {item['name']!r} is not after {columns[-1].name!r}, names must ascend")
        name_bytes(item["name"])
        columns.append(Column(item["name"], parse_type(item["type"], where=f"{here}.type", depth=depth)))
    return tuple(columns)
