"""Wrapping functions of other libraries so that we learn of calls, and nothing else changes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from wherefrom.capture.current import current
from wherefrom.capture.journal import Journal

Before = Callable[[Journal, tuple[Any, ...], dict[str, Any]], None]


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> bool:
    """Put `make(original)` in place of a function or method. False when there is none, or it is replaced already."""
    original = getattr(owner, "__dict__", {}).get(name)
    if original is None or hasattr(original, "_wherefrom_wraps"):
        return False
    wrapped = make(original)
    wrapped._wherefrom_wraps = original  # noqa: SLF001 - our own mark
    setattr(owner, name, wrapped)
    return True


def call_before(hook: str, before: Before) -> Callable[[Any], Any]:
    """What makes a wrapper that tells `before` of each call in a run, with the call's arguments, and then calls."""

    def make(original: Any) -> Any:
        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            journal = current()
            if journal is not None and not journal.is_off(hook):
                try:
                    before(journal, args, kwargs)
                except Exception as error:  # noqa: BLE001 - never the program's problem
                    journal.failed(hook, error)
            return original(*args, **kwargs)

        return wrapper

    return make


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, default: Any = None) -> Any:
    """An argument of a call, given by position or by name."""
    return args[position] if len(args) > position else kwargs.get(name, default)
