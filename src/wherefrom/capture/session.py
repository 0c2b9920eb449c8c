"""Capture in this process: its recorder, its hooks, its runs, and what happens when it ends."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH115, PTH208

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import sys
import time
import uuid
from contextlib import suppress
from typing import Any

from wherefrom.capture import current, handover, hooks
from wherefrom.capture.channel import Channel, say
from wherefrom.capture.joining import JOIN, invite
from wherefrom.capture.journal import Journal
from wherefrom.capture.limits import limits
from wherefrom.capture.locate import choose_root
from wherefrom.capture.native.unseen import leave_gaps
from wherefrom.capture.process import PARENT, Launched, describe_process, parent_run, working_directory
from wherefrom.capture.text import cut

TIMINGS = "WHEREFROM_TIMINGS"
"""Environment variable: a file that gets one JSON line when the process ends, saying what capture cost it."""

_MAX_TRACE = 20_000


class Session:
    """One per process, from its first run to its end.

    Attributes:
        root: project folder.
    """

    def __init__(self, *, script: str | None, log_level: int | None, launched: Launched | None) -> None:
        """`log_level` None: what the project says."""
        began = time.perf_counter()
        self._pid = os.getpid()
        self._launched: Launched | None = launched
        self._is_launched = launched is not None
        self._process = describe_process(script)
        self.root = launched.root if launched else choose_root(script=script, working_directory=working_directory())
        self._channel = Channel(self.root, launched.run_id if launched else uuid.uuid4().hex)
        if launched:
            self._channel.attach(launched.pipe, launched.replies)
        else:
            self._channel.start_recorder(self.root)
        limits.read(self.root)
        if log_level is not None:
            limits.log_level = log_level
        self._parent = launched.parent if launched else parent_run()
        self._exit_code: int | None = None
        self._last_error = getattr(sys, "last_value", None)
        self._written: set[str] = set()
        self._jobs: dict[str, str] = {}
        hooks.install()
        sys.exit = _note_exit_code(self, sys.exit)
        os.register_at_fork(before=self._before_fork, after_in_child=self._after_fork)
        atexit.register(self._at_exit)
        self._spent = {"start_s": time.perf_counter() - began, "wait_s": 0.0}

    # Runs

    def begin(self, *, job: str, kind: str, parameters: dict[str, str]) -> Journal:
        """Begin a run, inside the current one if there is one."""
        enclosing = current.enclosing()
        launched, self._launched = self._launched, None  # it is for the first run
        run_id = launched.run_id if launched else str(uuid.uuid4())
        journal = Journal(self._channel, run_id, is_script=kind == "SCRIPT")
        where: dict[str, Any]
        if enclosing is None:
            where = {"process": self._process, "parent": self._parent, "is_launched": launched is not None}
        else:
            enclosing.flush()
            enclosing.seen.clear()
            where = {"enclosing": enclosing.run_id}
        journal.say("begin", job=job, kind=kind, parameters=parameters, **where)
        if enclosing is None:
            leave_gaps(journal)
        current.enter(journal)
        self._jobs[journal.run_id] = job or self._script_name()
        self._tell_children()
        return journal

    def end(self, journal: Journal, **members: Any) -> None:
        """End a run; `members` are those of the message `end`."""
        if journal not in current.open_journals:
            return
        self._written |= journal.written
        journal.end(**members)
        current.leave(journal)
        self._tell_children()

    def _script_name(self) -> str:
        script = str(self._process["script"] or "interactive")
        return script.removeprefix(os.path.join(self.root, ""))  # noqa: PTH118

    def _tell_children(self) -> None:
        """Let processes that are started now know which run starts them."""
        if not current.open_journals:
            os.environ.pop(PARENT, None)
            os.environ.pop(JOIN, None)
            return
        run_id = current.open_journals[-1].run_id
        os.environ[PARENT] = f"{run_id} {self._jobs[run_id]}"
        invite(self._channel, self.root, run_id)

    # Forks

    def _before_fork(self) -> None:
        with suppress(Exception):
            for journal in current.open_journals:
                journal.before_fork()

    def _after_fork(self) -> None:
        with suppress(Exception):
            self._channel.adopt_fork()
            for journal in current.open_journals:
                journal.after_fork()

    # The end

    def note_exit(self, code: object) -> None:
        """`sys.exit` was called: this is how the process will end, unless somebody catches it."""
        self._exit_code = 0 if code is None else code if isinstance(code, int) else 1

    def _at_exit(self) -> None:
        if os.getpid() != self._pid:
            return
        try:
            self._end_process()
        except KeyboardInterrupt:
            say("not waiting any longer; the recorder goes on by itself")
        except Exception as error:  # noqa: BLE001 - never the program's problem
            say(f"warning: {type(error).__name__} while the run was ended: {error}")

    def _end_process(self) -> None:
        began = time.perf_counter()
        for journal in current.open_journals:
            self._written |= journal.written
        _flush_open_files(self._written)
        ending = self._describe_end()
        for journal in reversed(list(current.open_journals)):
            self.end(journal, **ending)
        done = {} if self._is_launched else self._channel.finish()
        self._spent |= {"wait_s": time.perf_counter() - began, "handover_s": handover.cost.seconds}
        if path := os.environ.get(TIMINGS):
            with open(path, "a") as file:  # noqa: PTH123
                file.write(json.dumps({**self._spent, **done}) + "\n")

    def _describe_end(self) -> dict[str, Any]:
        error = getattr(sys, "last_value", None)  # what the interpreter reported last, before it ended
        if error is not None and error is not self._last_error:
            return describe_error(error) | {"exitCode": 130 if isinstance(error, KeyboardInterrupt) else 1}
        main = sys.modules.get("__main__")
        is_script = self._process["script"] is not None and getattr(main, "__spec__", None) is None
        # When a script has run to its end, the interpreter takes its __file__ away; SystemExit goes past that.
        if is_script and not hasattr(main, "__file__"):
            return {"state": "COMPLETE", "reason": "returned", "exitCode": 0}
        if self._exit_code is not None:
            return {"state": "FAIL" if self._exit_code else "COMPLETE", "reason": "exited", "exitCode": self._exit_code}
        if is_script and current.open_journals:
            detail = "SystemExit was raised without sys.exit: with which code, and so whether it failed, was not seen"
            current.open_journals[0].gap("exit code", detail)
        return {"state": "COMPLETE", "reason": "exited" if is_script else "returned"}


def describe_error(error: BaseException) -> dict[str, Any]:
    """How a run ended that an exception ended, as members of the message `end`."""
    if isinstance(error, SystemExit):
        code = 0 if error.code is None else error.code if isinstance(error.code, int) else 1
        return {"state": "FAIL" if code else "COMPLETE", "reason": "exited", "exitCode": code}
    is_interrupt = isinstance(error, KeyboardInterrupt)
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    described = {"message": cut(f"{name}: {error}"), "stackTrace": cut(_format_trace(error), _MAX_TRACE)}
    return {"state": "ABORT" if is_interrupt else "FAIL", "reason": "raised", "error": described}


def _format_trace(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt) and "traceback" not in sys.modules:
        # Importing traceback would make the interpreter forget that it was interrupted, and exit with another status.
        return f"{type(error).__name__}\n"
    import traceback

    return "".join(traceback.format_exception(error))


def _note_exit_code(session: Session, original: Any) -> Any:
    def exit(status: object = None, /) -> Any:  # noqa: A001 - the function that it stands for
        """Exit the interpreter by raising SystemExit(status)."""
        session.note_exit(status)
        return original(status)

    return exit


def _flush_open_files(written: set[str]) -> None:
    """Have Python write what it still holds for files that the program never closed; it would soon do so itself."""
    try:
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    except OSError:
        links = []
    opened = set()
    for link in links:
        with suppress(OSError):
            opened.add(os.readlink(link))
    if links and not opened & written:
        return
    for thing in gc.get_objects():
        if type(thing) in {io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom}:
            with suppress(Exception):
                thing.flush()
