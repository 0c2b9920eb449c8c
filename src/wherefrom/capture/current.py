"""The run that what happens now belongs to."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wherefrom.capture.journal import Journal

_NOTHING: frozenset[Any] = frozenset()

open_journals: list[Journal] = []
"""Those of the runs under way in this process, the newest last. Changed by `enter` and `leave` alone."""

chosen: ContextVar[Journal | None] = ContextVar("wherefrom_run", default=None)
"""Set inside a `run()` block; threads that a block starts don't inherit it, and fall back to the newest run."""

seen: set[Any] | frozenset[Any] = _NOTHING
"""What the only run under way has read already: the audit hook need not look further. Empty while there are several."""


def current() -> Journal | None:
    return chosen.get() or (open_journals[-1] if open_journals else None)


def enclosing() -> Journal | None:
    """The run that one which begins here and now is inside of.

    Where no block says so, that is the script's own; another block's may be that of a task or thread beside this one.
    """
    return chosen.get() or next((journal for journal in open_journals if journal.is_script), None)


def enter(journal: Journal) -> None:
    """A run begins."""
    open_journals.append(journal)
    _see()


def leave(journal: Journal) -> None:
    """A run has ended."""
    with suppress(ValueError):
        open_journals.remove(journal)
    _see()


def unchoose(token: Token[Journal | None]) -> None:
    """Undo a `chosen.set`. In another context than it was made in, such as another task's, there is nothing to undo."""
    with suppress(ValueError):
        chosen.reset(token)


def _see() -> None:
    global seen  # noqa: PLW0603 - read at each file that the program opens: an attribute further would cost too much
    seen = open_journals[0].seen if len(open_journals) == 1 else _NOTHING
