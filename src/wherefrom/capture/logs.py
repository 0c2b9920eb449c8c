"""Records of Python's `logging`, kept with the run.

`Logger.callHandlers` is wrapped rather than a handler added to the root logger: with a handler there, `basicConfig`
would do nothing, and a program that never configured logging would lose its warnings on stderr.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from wherefrom.capture.imports import when_imported
from wherefrom.capture.journal import Journal
from wherefrom.capture.limits import limits
from wherefrom.capture.text import cut
from wherefrom.capture.wrap import argument, call_before, replace


def install() -> None:
    when_imported("logging", _patch)


def _patch(logging: ModuleType) -> None:
    replace(logging.Logger, "callHandlers", call_before("logging", _note))


def _note(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    record = argument(args, kwargs, 1, "record")
    if limits.log_level is not None and record.levelno >= limits.log_level:
        journal.log(level=record.levelname, logger=record.name, message=cut(record.getMessage()))
