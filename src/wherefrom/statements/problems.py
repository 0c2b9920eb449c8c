"""Reading JSON that others wrote, leniently: what can't be read is listed with its JSON path, and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wherefrom.errors import FormatError
from wherefrom.strict import Fields

WHAT = "OpenLineage event"
MOST = 100
_LONGEST_PATH, _LONGEST_MESSAGE = 300, 300

Value = TypeVar("Value")


@dataclass(frozen=True)
class Problem:
    """Where a document breaks its specification: the JSON path from `$`, and what is wrong there."""

    path: str
    message: str

    def to_error(self) -> FormatError:
        return FormatError(f"{WHAT}: {self.path}: {self.message}")


@dataclass
class Problems:
    """What was found so far: at most `MOST`, so that no document can have more rows written than it has bytes."""

    found: list[Problem] = field(default_factory=list)

    def add(self, path: str, message: str) -> None:
        if len(self.found) < MOST:
            self.found.append(Problem(_plain(path, _LONGEST_PATH), _plain(message, _LONGEST_MESSAGE)))

    def text(self, owner: dict[str, Any], key: str, path: str) -> str:
        """Text that is not empty; "" when there is none."""
        value = owner.get(key)
        if type(value) is str and value and "\0" not in value:
            return value
        return self.strictly(lambda: Fields(owner, path, WHAT).text(key), f"{path}.{key}") or ""

    def object(self, owner: dict[str, Any], key: str, path: str) -> dict[str, Any]:
        value = owner.get(key)
        if type(value) is dict:
            return value
        return self.strictly(lambda: Fields(owner, path, WHAT).object(key).value, f"{path}.{key}") or {}

    def objects(self, owner: dict[str, Any], key: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Those items of an array that are objects, each with its path. An array that is not there has none."""
        value = owner.get(key)
        if type(value) is not list:
            if key in owner:
                self.strictly(lambda: Fields(owner, path, WHAT).items(key), f"{path}.{key}")
            return
        for position, item in enumerate(value):
            at = f"{path}.{key}[{position}]"
            if type(item) is dict:
                yield at, item
            else:
                self.strictly(lambda item=item, at=at: Fields.of(item, what=WHAT, path=at), at)  # type: ignore[misc]

    def strictly(self, read: Callable[[], Value], path: str) -> Value | None:
        """What a strict reader gives; None, with its complaint about this path listed, when it refuses."""
        try:
            return read()
        except FormatError as error:
            where, _, message = str(error).removeprefix(f"{WHAT}: ").partition(": ")
            is_named = message and where.startswith(path)
            self.add(where if is_named else path, message if is_named else str(error))
            return None


def _plain(text: str, most: int) -> str:
    """Short, and without U+0000, which PostgreSQL can't keep in text."""
    text = text.replace("\0", "\\u0000")
    return text if len(text) <= most else f"{text[: most - 1]}…"
