"""The door that programs import, and the recorder behind it. Nothing here is imported before it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wherefrom.capture.config import Config, read_config
    from wherefrom.capture.launch import launch
    from wherefrom.capture.recorder.draining import drain_outbox
    from wherefrom.capture.recorder.outbox import Waiting, list_waiting
    from wherefrom.capture.sdk import (
        Run,
        autolog,
        current_run,
        init,
        log_input,
        log_metric,
        log_output,
        log_params,
        run,
    )

__all__ = [
    "Config",
    "Run",
    "Waiting",
    "autolog",
    "current_run",
    "drain_outbox",
    "init",
    "launch",
    "list_waiting",
    "log_input",
    "log_metric",
    "log_output",
    "log_params",
    "read_config",
    "run",
]

_HOMES = {
    "Config": "config",
    "read_config": "config",
    "launch": "launch",
    "drain_outbox": "recorder.draining",
    "Waiting": "recorder.outbox",
    "list_waiting": "recorder.outbox",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'sdk')}"), name)
    globals()[name] = value
    return value
