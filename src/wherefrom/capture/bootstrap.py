"""Capture of a Python process that `wherefrom run` started, from before its main program on."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH100

from __future__ import annotations

import os
from importlib.machinery import PathFinder
from typing import Any

from wherefrom.capture import audit, current, hooks, sdk
from wherefrom.capture.dormant import Dormant
from wherefrom.capture.process import Launched, read_launched


def start() -> None:
    """Begin to listen; called by `sitecustomize`.

    The process that the launcher started is recorded whatever it does; those that it starts, once they touch data.
    """
    launched = read_launched()
    if launched is not None:
        audit.install(on_main=lambda event, args: _begin(launched, event, args))
    else:
        current.enter(Dormant(sdk.autolog_journal))  # type: ignore[arg-type]  # it stands in for one
        hooks.install()


def _begin(launched: Launched, event: str, args: tuple[Any, ...]) -> None:
    name = args[0] if args and isinstance(args[0], str) else ""
    script = None
    if event == "cpython.run_file":
        script = os.path.abspath(name)
    elif event == "cpython.run_module":
        script = _find_module(name)
    sdk.autolog_launched(launched, script=script)


def _find_module(name: str) -> str | None:
    """The file of `python -m name`, found without running any of its packages."""
    folders = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), folders)
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or [])
    if folders:
        spec = PathFinder.find_spec(f"{name}.__main__", folders)
    return spec.origin if spec else None
