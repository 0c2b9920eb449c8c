"""All that listens in the captured process, put in place once."""

from __future__ import annotations

from wherefrom.capture import audit, logs, native, seeds
from wherefrom.capture.estimators import Fits

_installed: list[Fits] = []


def install() -> None:
    if _installed:
        return
    _installed.append(Fits())
    audit.install()
    native.install()
    seeds.install()
    logs.install()
    _installed[0].install()
