"""Wherefrom tells what any machine-learning model was made from, and proves it."""

from typing import TYPE_CHECKING

from wherefrom.version import __version__

if TYPE_CHECKING:
    from wherefrom.capture import (
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
    from wherefrom.client import Client

__all__ = [
    "Client",
    "Run",
    "__version__",
    "autolog",
    "current_run",
    "init",
    "log_input",
    "log_metric",
    "log_output",
    "log_params",
    "run",
]

_HOMES = {"Client": "wherefrom.client"}


def __getattr__(name: str) -> object:
    # PEP 562: importing wherefrom costs nothing until one of these is used.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(_HOMES.get(name, "wherefrom.capture.sdk")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
