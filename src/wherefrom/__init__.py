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

__all__ = [
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


def __getattr__(name: str) -> object:
    # PEP 562: importing wherefrom costs nothing until one of these is used.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wherefrom.capture import sdk

    value: object = getattr(sdk, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
