"""The door that programs import, and the recorder behind it. Nothing here is imported before it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wherefrom.capture.config import Config, read_config
    from wherefrom.capture.launch import launch
    from wherefrom.capture.locate import find_root
    from wherefrom.capture.recorder.delivering import send_outbox
    from wherefrom.capture.recorder.draining import drain_outbox
    from wherefrom.capture.recorder.outbox import Waiting, list_waiting
    from wherefrom.capture.recorder.parcels import list_parcels, list_refused, read_parcel, read_refused, try_again
    from wherefrom.capture.recorder.sender import Delivery
    from wherefrom.capture.remote import Remote, find_remote
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
    "Delivery",
    "Remote",
    "Run",
    "Waiting",
    "autolog",
    "current_run",
    "drain_outbox",
    "find_remote",
    "find_root",
    "init",
    "launch",
    "list_parcels",
    "list_refused",
    "list_waiting",
    "log_input",
    "log_metric",
    "log_output",
    "log_params",
    "read_config",
    "read_parcel",
    "read_refused",
    "run",
    "send_outbox",
    "try_again",
]

_HOMES = {
    "Config": "config",
    "read_config": "config",
    "launch": "launch",
    "find_root": "locate",
    "Remote": "remote",
    "find_remote": "remote",
    "drain_outbox": "recorder.draining",
    "send_outbox": "recorder.delivering",
    "Delivery": "recorder.sender",
    "list_parcels": "recorder.parcels",
    "list_refused": "recorder.parcels",
    "read_parcel": "recorder.parcels",
    "read_refused": "recorder.parcels",
    "try_again": "recorder.parcels",
    "Waiting": "recorder.outbox",
    "list_waiting": "recorder.outbox",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'sdk')}"), name)
    globals()[name] = value
    return value
