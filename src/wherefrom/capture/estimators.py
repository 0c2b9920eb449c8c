"""scikit-learn: which estimator was fitted, with which parameters, on what; and which file it was dumped into.

Every subclass of `BaseEstimator`, of whatever library, has its fitting methods wrapped. Only the outermost call is a
fit: what a pipeline or a grid search fits inside belongs to it.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
import weakref
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from wherefrom.capture.current import current
from wherefrom.capture.datasets import hand_over
from wherefrom.capture.imports import when_imported
from wherefrom.capture.journal import Journal
from wherefrom.capture.text import cut
from wherefrom.capture.wrap import argument, replace

_METHODS = ("fit", "fit_transform", "fit_predict", "partial_fit")
_MAX_VALUE = 500
_MAX_FITS = 1_000
_MAX_DEPTH = 3
_HOOK = "scikit-learn"


class Fits:
    """The fits of this process: which estimators they fitted, for as long as those live."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._by_id: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._inside = threading.local()

    def install(self) -> None:
        when_imported("sklearn.base", self._patch_sklearn)
        when_imported("joblib.numpy_pickle", self._patch_joblib)
        when_imported("pickle", self._patch_pickle)

    # Fitting

    def _patch_sklearn(self, module: ModuleType) -> None:
        base = module.BaseEstimator
        original = base.__dict__.get("__init_subclass__")
        fits = self

        def init_subclass(kind: Any, /, **kwargs: Any) -> None:
            if original is None:
                super(base, kind).__init_subclass__(**kwargs)
            else:
                original.__get__(None, kind)(**kwargs)
            fits._wrap_class(kind)

        base.__init_subclass__ = classmethod(init_subclass)
        waiting = [base]
        while waiting:
            known = waiting.pop()
            self._wrap_class(known)
            waiting += known.__subclasses__()

    def _wrap_class(self, kind: type) -> None:
        for name in _METHODS:
            found: Any = kind.__dict__.get(name)
            if isinstance(found, FunctionType):
                replace(kind, name, functools.partial(self._wrapped, name))
            elif isinstance(getattr(found, "fn", None), FunctionType):  # offered only where a step inside offers it
                replace(found, "fn", functools.partial(self._wrapped, name))

    def _wrapped(self, name: str, original: Any) -> Any:
        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            journal = current()
            if journal is None or journal.is_off(_HOOK):
                return original(*args, **kwargs)
            outer = getattr(self._inside, "fit", None)
            try:
                fit = outer or self._begin(journal, name, args, kwargs)
                self._remember(args[0], fit)
            except Exception as error:  # noqa: BLE001 - never the program's problem
                journal.failed(_HOOK, error)
                fit = outer or "?"
            self._inside.fit = fit
            try:
                return original(*args, **kwargs)
            finally:
                self._inside.fit = outer

        return wrapper

    def _begin(self, journal: Journal, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        estimator = args[0]
        if method == "partial_fit" and (known := self.fit_of(estimator)):
            journal.say("refit", fit=known)
            return known
        number = next(self._numbers)
        if number > _MAX_FITS:
            journal.gap("fits not recorded", f"more than {_MAX_FITS} in one process")
            return "?"
        fit = f"{os.getpid()}-{number}"
        arguments = []
        for position, name in ((1, "X"), (2, "y")):
            value = argument(args, kwargs, position, name)
            if value is None:
                continue
            if method == "partial_fit":
                arguments.append({"argument": name, "gap": "partial_fit is given its data bit by bit"})
            else:
                arguments.append({"argument": name, **hand_over(value)})
        shown = cut(" ".join(repr(estimator).split()), _MAX_VALUE)
        journal.say("fit", fit=fit, method=method, arguments=arguments, expression=shown, **_describe(estimator))
        return fit

    def _remember(self, estimator: Any, fit: str) -> None:
        key = id(estimator)
        self._by_id[key] = (weakref.ref(estimator, lambda _: self._by_id.pop(key, None)), fit)

    def fit_of(self, estimator: Any) -> str | None:
        """The name of the fit that made an estimator what it is."""
        reference, fit = self._by_id.get(id(estimator), (None, None))
        return fit if reference is not None and reference() is estimator else None

    # Dumping

    def _patch_joblib(self, module: ModuleType) -> None:
        from wherefrom.capture.native.points import listen_to_functions

        listen_to_functions(
            module, [("dump", lambda journal, args, kwargs: self._dump(journal, args, kwargs, "filename"))]
        )

    def _patch_pickle(self, module: ModuleType) -> None:
        from wherefrom.capture.native.points import listen_to_functions

        listen_to_functions(module, [("dump", lambda journal, args, kwargs: self._dump(journal, args, kwargs, "file"))])

    def _dump(self, journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> None:
        fitted = list(self._iter_fitted(argument(args, kwargs, 0, "value" if name == "filename" else "obj"), 0))
        target = argument(args, kwargs, 1, name)
        target = getattr(target, "name", target) if hasattr(target, "write") else target
        if not fitted or not isinstance(target, str | os.PathLike):
            return
        if name == "filename":
            journal.write(target, via="joblib.dump")
        path = os.path.abspath(os.fspath(target))  # noqa: PTH100 - runs in the user's process
        described = _describe(fitted[0][0])
        journal.say("dump", path=path, fits=[fit for _, fit in fitted], **described)

    def _iter_fitted(self, value: Any, depth: int) -> Iterator[tuple[Any, str]]:
        if isinstance(value, dict | list | tuple):
            if depth < _MAX_DEPTH:
                for item in value.values() if isinstance(value, dict) else value:
                    yield from self._iter_fitted(item, depth + 1)
        elif fit := self.fit_of(value):
            yield value, fit


def _describe(estimator: Any) -> dict[str, Any]:
    kind = type(estimator)
    try:
        given = estimator.get_params(deep=True)
    except Exception:  # noqa: BLE001 - some estimators of other libraries have none
        given = {}
    parameters = {str(name): cut(repr(value), _MAX_VALUE) for name, value in given.items()}
    return {"estimator": f"{kind.__module__}.{kind.__qualname__}", "parameters": parameters}
