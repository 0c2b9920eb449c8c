"""Where a library can be listened to: a function, and which of its arguments says what is read or written."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from wherefrom.capture.datasets import note_paths
from wherefrom.capture.journal import Journal
from wherefrom.capture.wrap import Before, argument, call_before, replace


def reads(via: str, position: int, name: str) -> Before:
    """Notes what is read; `position` counts `self`."""

    def note(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        note_paths(journal, argument(args, kwargs, position, name), way="read", via=via)

    return note


def writes(via: str, position: int, name: str, *, is_folder: bool = False) -> Before:
    """Notes what is written."""

    def note(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        note_paths(journal, argument(args, kwargs, position, name), way="write", via=via, is_folder=is_folder)

    return note


def opens(via: str, position: int, name: str, mode_position: int, ways: dict[str, str], *, default: str) -> Before:
    """Notes what is opened; the argument `mode` says for what, by `ways`. An unknown mode is left to the library."""

    def note(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        way = ways.get(argument(args, kwargs, mode_position, "mode", default) or default)
        if way is not None:
            note_paths(journal, argument(args, kwargs, position, name), way=way, via=via)

    return note


def leaves_gap(via: str) -> Before:
    """Notes that something is read or written that can't be named."""

    def note(journal: Journal, _: tuple[Any, ...], __: dict[str, Any]) -> None:
        journal.gap("not seen", f"{via}: what it read or wrote was not seen")

    return note


def listen(owner: Any, via: str, name: str, before: Before) -> None:
    """Call `before` ahead of a function or method, if there is one."""
    replace(owner, name, call_before(via, before))


def listen_to_functions(module: ModuleType, points: Iterable[tuple[str, Before]]) -> None:
    """The same for functions of a module, wherever else they have been imported to already."""
    replaced = {}
    for name, before in points:
        original = module.__dict__.get(name)
        if original is not None and replace(module, name, call_before(f"{module.__name__}.{name}", before)):
            replaced[name] = (original, module.__dict__[name])
    _rebind(module, replaced)


def listen_to_class(module: ModuleType, name: str, before: Before) -> None:
    """The same for making objects of a class in C, whose methods can't be replaced: a subclass takes its place."""
    original: Any = module.__dict__.get(name)
    if original is None or hasattr(original, "_wherefrom_wraps"):
        return
    make = call_before(f"{module.__name__}.{name}", before)(original.__new__)

    class Meta(type(original)):  # type: ignore[misc]  # the class is known at run time only
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, original)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, original)

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return make(cls, *args, **kwargs)

    members = {"__new__": new, "__doc__": original.__doc__, "__module__": original.__module__}
    replacement = Meta(name, (original,), members | {"_wherefrom_wraps": original})
    setattr(module, name, replacement)
    _rebind(module, {name: (original, replacement)})


def _rebind(module: ModuleType, replaced: dict[str, tuple[Any, Any]]) -> None:
    """Replace what other modules have imported by name (`from polars import read_csv`).

    While a module is being imported, only the package it belongs to can have done so.
    """
    is_new = getattr(module.__spec__, "_initializing", False)
    package = module.__name__.partition(".")[0] if is_new else ""
    for other in list(sys.modules.values()):
        names = getattr(other, "__dict__", None)
        if type(names) is dict and str(names.get("__name__", "")).startswith(package):
            for name, (original, replacement) in replaced.items():
                if names.get(name) is original:
                    names[name] = replacement
