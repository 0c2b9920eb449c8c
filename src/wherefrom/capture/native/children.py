"""Workers that `multiprocessing` (not by forking) and joblib start without an audit event."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from wherefrom.capture.journal import Journal
from wherefrom.capture.native.points import listen_to_functions
from wherefrom.capture.wrap import Before, argument


def patch(module: ModuleType) -> None:
    listen_to_functions(module, [("spawnv_passfds", _starts(1, "args")), ("fork_exec", _starts(0, "cmd"))])


def _starts(position: int, name: str) -> Before:
    def note(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        command = list(argument(args, kwargs, position, name))
        if not any("resource_tracker" in str(part) for part in command):  # it touches no data
            journal.child(command)

    return note
