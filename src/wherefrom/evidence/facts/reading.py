"""Reading of facets that anybody may have written: a value of another type than its spec says counts as not said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def mapping_at(value: Any, *path: str) -> Mapping[str, Any]:
    """The object at this path; {} when there is none."""
    found = _at(value, path)
    return found if isinstance(found, Mapping) else {}


def list_at(value: Any, *path: str) -> list[Any]:
    """The array at this path; [] when there is none."""
    found = _at(value, path)
    return list(found) if isinstance(found, list | tuple) else []


def text_at(value: Any, *path: str) -> str:
    """The text at this path; "" when there is none."""
    found = _at(value, path)
    return found if isinstance(found, str) else ""


def integer_at(value: Any, *path: str) -> int | None:
    found = _at(value, path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def flag_at(value: Any, *path: str) -> bool | None:
    found = _at(value, path)
    return found if isinstance(found, bool) else None


def pairs_of(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Name and value as text, by name."""
    return tuple((name, text_of(value[name])) for name in sorted(value))


def text_of(value: Any) -> str:
    """Text as it is; anything else as compact JSON, with members by name."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(", ", ": "), default=str)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
