"""What random numbers were seeded with."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from wherefrom.capture.imports import when_imported
from wherefrom.capture.journal import Journal
from wherefrom.capture.text import cut
from wherefrom.capture.wrap import call_before, replace

_MAX_CALLS = 20
_MAX_CHARACTERS = 100
_FUNCTIONS = {"random": ("random", ["seed"]), "numpy.random": ("numpy", ["seed", "default_rng"])}


def install() -> None:
    for module in _FUNCTIONS:
        when_imported(module, _patch)


def _patch(module: ModuleType) -> None:
    of, names = _FUNCTIONS[module.__name__]
    for name in names:
        full = f"{module.__name__}.{name}"
        replace(module, name, call_before(full, _Noter(of, full)))


class _Noter:
    """Notes the first calls that give a seed; without one, the system chooses, and there is nothing to note."""

    def __init__(self, of: str, full_name: str) -> None:
        self._of = of
        self._name = full_name
        self._calls = 0

    def __call__(self, journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = [repr(value) for value in args] + [f"{key}={value!r}" for key, value in kwargs.items()]
        if given and given != ["None"] and self._calls < _MAX_CALLS:
            self._calls += 1
            journal.say("seed", of=self._of, how=cut(f"{self._name}({', '.join(given)})", _MAX_CHARACTERS))
