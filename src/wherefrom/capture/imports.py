"""Doing something once a module has been imported, now or later.

`wrapt.when_imported` does the same, but importing wrapt costs a program several times what all of our hooks cost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

Patch = Callable[[ModuleType], None]

_waiting: dict[str, list[Patch]] = {}


def when_imported(name: str, patch: Patch) -> None:
    """Call `patch` with the module, right after its code has run; at once when it has been imported before.

    `patch` must not raise.
    """
    module = sys.modules.get(name)
    if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
        patch(module)
        return
    _waiting.setdefault(name, []).append(patch)
    if not any(finder is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds nothing itself: asks the finders after it, and has the loader call us when the module is there."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        patches = _waiting.pop(name, None)
        if patches is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is cls or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                _call_after(spec, patches)
                return spec  # type: ignore[no-any-return]  # finders are untyped
        _waiting[name] = patches  # not there now; perhaps it will be installed
        return None


def _call_after(spec: ModuleSpec, patches: list[Patch]) -> None:
    loader = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None:
        return

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module  # type: ignore[union-attr]  # an attribute of this one loader hid that of its class
        execute(module)
        for patch in patches:
            patch(module)

    try:
        loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]
    except AttributeError:  # a loader without attributes of its own, such as the class that loads built-in modules
        return
