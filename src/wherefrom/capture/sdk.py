"""What users import: `autolog`, `run`, `log_…`. Guide: docs/capture.md."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from wherefrom.capture import current
from wherefrom.capture.channel import RECORDER_FLAG, say
from wherefrom.capture.datasets import note_object, note_paths
from wherefrom.capture.joining import join
from wherefrom.capture.journal import Journal
from wherefrom.capture.process import Launched, find_script, working_directory
from wherefrom.capture.session import Session, describe_error
from wherefrom.capture.text import cut
from wherefrom.errors import FormatError

if TYPE_CHECKING:
    from wherefrom.archive import Archive

P = ParamSpec("P")
R = TypeVar("R")

_sessions: list[Session | None] = []
"""The one of this process, once it is needed; None when capture can't work here."""


def init(path: str | os.PathLike[str] | None = None) -> Archive:
    """The archive of a project, made when there is none: `Archive.find` from `path` upward, else `Archive.init` there.

    `path` is the working directory by default. Programs that only record need not call this.
    """
    from pathlib import Path

    from wherefrom.archive import Archive
    from wherefrom.errors import NotFoundError

    start = Path(path or working_directory())
    try:
        return Archive.find(start)
    except NotFoundError:
        return Archive.init(start)


class Run:
    """A run under way. Everything on it may be called from any thread, and after its end does nothing.

    Attributes:
        run_id: UUID, as `wherefrom show` takes it; "" when capture can't work here, which was said on stderr.
    """

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self.run_id = journal.run_id if journal else ""

    def log_input(self, data: object, name: str | None = None) -> None:
        """Declare that the run uses a file, a folder, a URL or a table in memory.

        Args:
            data: a path or URL; or a pandas or Polars frame or series, an Arrow table, a numpy array, whose rows are
                then fingerprinted.
            name: what a table in memory is called; "memory/<type>-<number>" by default.
        """
        self._log_data(data, name, "read", "log_input")

    def log_output(self, data: object, name: str | None = None) -> None:
        """Declare that the run makes it. Arguments as of `log_input`; a file is hashed when the run ends."""
        self._log_data(data, name, "write", "log_output")

    def _log_data(self, data: object, name: str | None, way: str, via: str) -> None:
        is_path = isinstance(data, str | bytes | os.PathLike)
        if is_path and name is not None:
            raise FormatError(f"{via}: a name goes with data in memory, and {data!r} is a path")
        if self._journal is not None:
            if is_path:
                note_paths(self._journal, data, way=way, via=via, known="declared")
            else:
                note_object(self._journal, data, name, way=way, via=via)

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record a number; `step` says when in the run, such as the epoch. Raises FormatError for what is no number."""
        try:
            number = value if type(value) in {int, float} else float(value)
        except (TypeError, ValueError) as error:
            raise FormatError(f"metric {name!r} is {value!r}, expected a number") from error
        if self._journal is not None:
            self._journal.say("metric", name=str(name), value=number, step=None if step is None else int(step))

    def log_params(self, params: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Record parameters, as text; the last value of a name counts."""
        if self._journal is not None:
            self._journal.say("param", values=_texts({**(params or {}), **more}))


class RunBlock:
    """What `run(…)` gives: a context manager, or a decorator that makes each call a run. May be used again."""

    def __init__(self, name: str, params: Mapping[str, object]) -> None:
        if type(name) is not str or not name:
            raise FormatError(f"run name is {name!r}, expected a text")
        self._name = name
        self._params = params
        self._open: list[tuple[Journal | None, Token[Journal | None] | None]] = []

    def __enter__(self) -> Run:
        journal = _begin(job=self._name, kind="RUN", parameters=_texts(self._params))
        self._open.append((journal, current.chosen.set(journal) if journal else None))
        return Run(journal or current.current())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        journal, token = self._open.pop()
        session = _sessions[0] if _sessions else None
        if journal is not None and session is not None:
            session.end(journal, **(describe_error(error) if error else {"state": "COMPLETE", "reason": "returned"}))
        if token is not None:
            current.unchoose(token)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        import inspect

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise FormatError(f"run {self._name!r}: {function.__qualname__} is a generator, whose calls do no work")
        if inspect.iscoroutinefunction(function):

            async def call_async(*args: Any, **kwargs: Any) -> Any:
                with RunBlock(self._name, self._params):
                    return await function(*args, **kwargs)

            return functools.wraps(function)(call_async)  # type: ignore[return-value]  # a coroutine function as well

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with RunBlock(self._name, self._params):
                return function(*args, **kwargs)

        return call


def run(name: str, /, **params: object) -> RunBlock:
    """A run of the job `name`: for `with`, or as a decorator of a function or coroutine function.

    Inside a script with `autolog()`, or in another run, it is that one's child: what it reads and writes counts for
    it, and what the outer run read before may have been used by it (recorded as inferred).
    """
    return RunBlock(name, params)


def autolog(*, level: int | None = None) -> Run:
    """Record this process as one run, from now to its end: the one line that a script needs.

    Args:
        level: lowest level of `logging` records kept, such as `logging.INFO`; by default what `wherefrom.toml` says,
            or INFO.

    Never raises: when something is wrong, it is said on stderr, and the program goes on. Called again, it gives the
    same run.
    """
    if not _autologged:
        _autologged.append(Run(_begin(job="", kind="SCRIPT", parameters={}, log_level=level)))
    return _autologged[0]


def autolog_journal() -> Journal | None:
    """The journal of the run that `autolog` begins, for hooks."""
    autolog()
    return current.current()


def autolog_launched(launched: Launched, *, script: str | None) -> None:
    """`autolog` in the process that a launcher started, before its main program runs."""
    _autologged.append(Run(_begin(job="", kind="SCRIPT", parameters={}, launched=launched, script=script)))


_autologged: list[Run] = []


def current_run() -> Run:
    """The run that what happens here and now belongs to; one that records nothing when there is none."""
    return Run(current.current())


def log_input(data: object, name: str | None = None) -> None:
    """`Run.log_input` of the current run."""
    _logging_run("log_input").log_input(data, name)


def log_output(data: object, name: str | None = None) -> None:
    """`Run.log_output` of the current run."""
    _logging_run("log_output").log_output(data, name)


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """`Run.log_metric` of the current run."""
    _logging_run("log_metric").log_metric(name, value, step)


def log_params(params: Mapping[str, object] | None = None, /, **more: object) -> None:
    """`Run.log_params` of the current run."""
    _logging_run("log_params").log_params(params, **more)


def _logging_run(what: str) -> Run:
    if current.current() is None and not _autologged:
        say(f"warning: {what} records nothing, as no run is under way: see wherefrom.autolog and wherefrom.run")
    return current_run()


def _begin(
    *,
    job: str,
    kind: str,
    parameters: dict[str, str],
    log_level: int | None = None,
    launched: Launched | None = None,
    script: str | None = None,
) -> Journal | None:
    try:
        # Whoever stood in for a run that was yet to begin.
        for journal in list(current.open_journals):
            if type(journal) is not Journal:
                current.leave(journal)
        if not _sessions:
            _sessions.append(None)
            if (joined := join()) is not None:
                return joined
            if RECORDER_FLAG not in os.environ:
                script = script if launched else find_script()
                _sessions[0] = Session(script=script, log_level=log_level, launched=launched)
        session = _sessions[0]
        return session.begin(job=job, kind=kind, parameters=parameters) if session else None
    except Exception as error:  # noqa: BLE001 - never the program's problem
        say(f"warning: nothing is recorded: {type(error).__name__}: {error}")
        return None


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {str(key): cut(value if isinstance(value, str) else repr(value)) for key, value in values.items()}
