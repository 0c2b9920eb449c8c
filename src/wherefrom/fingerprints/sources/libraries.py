"""Libraries that only some sources need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from wherefrom.errors import UnavailableError


def require(module: str, *, extra: str, what: str) -> Any:
    """Import a module of an optional library; UnavailableError naming the extra when it isn't installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            raise  # the library is there, and itself broken
        raise missing(extra, what) from error


def missing(extra: str, what: str) -> UnavailableError:
    return UnavailableError(f"{what} needs an extra", hint=f"pip install 'wherefrom[{extra}]'")
