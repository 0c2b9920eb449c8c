"""Where passphrases and PINs come from: a file, an inherited file descriptor, or a person; never an argument.

WHEREFROM_PASSPHRASE_FILE   path of a file with the passphrase
WHEREFROM_PASSPHRASE_FD     number of an open file descriptor with it, read once

Only a program that a person talks to asks, by `ask_with`. Capture never does: a training run must not stand still for a
passphrase.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from wherefrom.errors import UnavailableError

FILE, DESCRIPTOR = "WHEREFROM_PASSPHRASE_FILE", "WHEREFROM_PASSPHRASE_FD"
MAX_BYTES = 4096

_HINT = f"set {FILE} to the path of a file that holds it, or {DESCRIPTOR} to an open file descriptor"


class _Source:
    """What this process was told of passphrases."""

    ask: Callable[[str], str] | None = None
    from_descriptor: str | None = None


def ask_with(ask: Callable[[str], str] | None) -> None:
    """Have people asked, with what the passphrase is for; None stops it."""
    _Source.ask = ask


def read_passphrase(what: str) -> str:
    """The passphrase of `what`. Raises UnavailableError where there is none to be had, or it is empty or too long."""
    if path := os.environ.get(FILE):
        try:
            with Path(path).open("rb") as file:
                return _clean(file.read(MAX_BYTES + 1), f"{FILE}={path}")
        except OSError as error:
            raise UnavailableError(f"passphrase of {what}: {FILE}={path}: {error.strerror}") from error
    if number := os.environ.get(DESCRIPTOR):
        if _Source.from_descriptor is None:
            _Source.from_descriptor = _read_descriptor(number, what)
        return _Source.from_descriptor
    if _Source.ask is None:
        raise UnavailableError(f"{what} needs a passphrase, and nobody is here to ask", hint=_HINT)
    return _clean(_Source.ask(what).encode(), what)


def _read_descriptor(number: str, what: str) -> str:
    try:
        with os.fdopen(int(number), "rb") as file:
            return _clean(file.read(MAX_BYTES + 1), f"{DESCRIPTOR}={number}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no open file descriptor"
        raise UnavailableError(f"passphrase of {what}: {DESCRIPTOR}={number}: {reason}") from error


def _clean(data: bytes, source: str) -> str:
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    if not data or len(data) > MAX_BYTES or b"\n" in data:
        raise UnavailableError(f"the passphrase from {source} is empty, of several lines, or above {MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UnavailableError(f"the passphrase from {source} is not UTF-8") from None  # the cause would show it
