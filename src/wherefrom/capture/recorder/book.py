"""Reads what the captured processes say, message by message, and keeps the book of their runs.

Each message is an object with `do`, `run` (a UUID, where it is about a run) and `at` (Unix time in ns), and:

    begin    job, kind, process | enclosing (a run), parent {run, job}, parameters, is_launched
    read     paths | joined (by NUL), cwd, via, folders (whether a folder may be meant), known
    write    path, via, folder, known
    rename   path, to
    remove   path
    name     name, way ("read" or "write"), via, known             what is no file: a URL, a table in memory
    object   name, way, argument (see handover.py)                 a table in memory, and what it holds
    fit      fit, estimator, method, parameters, expression, arguments [{argument, object | gap}]
    refit    fit                                                   one more partial_fit of the same estimator
    dump     path, estimator, parameters, fits
    param    values {key: text}
    metric   name, value, step
    log      level, logger, message, dropped
    seed     of, how
    gap      what, detail, path
    child    argv
    joined   argv                                                  of a worker that speaks for the same run
    end      state, reason, exitCode, error
    launched run, process, parent, started, code                   from the launcher, of the process that it started
    bye      nothing more comes

A message with `ask` wants {"answer": ask} once the paths it names are hashed, if they are to be hashed at all.
"""

# Paths are plain text here: see territory.py.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any

from wherefrom.capture import handover
from wherefrom.capture.config import Config
from wherefrom.capture.recorder.contents import TICK_NS, Content, Gap, Reader, has_changed, unknown
from wherefrom.capture.recorder.events import format_instant
from wherefrom.capture.recorder.notary import Notary
from wherefrom.capture.recorder.outbox import note_child
from wherefrom.capture.recorder.pool import Pool
from wherefrom.capture.recorder.runs import End, Item, Run
from wherefrom.capture.recorder.territory import Territory

Message = dict[str, Any]
_MAX_METRICS = 10_000
_SIGNALLED = 128


class Book:
    """The runs that one recorder records.

    Messages are handled one after the other, in one thread; hashing and recording happen in others.
    """

    def __init__(
        self,
        root: str,
        config: Config,
        *,
        reader: Reader,
        notary: Notary,
        answer: Callable[[int], None],
        problem: str,
        workers: int,
    ) -> None:
        """`answer` tells who asked; `problem` with the configuration becomes a gap of each run, "" for none."""
        self._root = root
        self._config = config
        self._reader = reader
        self._notary = notary
        self._answer = answer
        self._problem = problem
        self._hashing: Pool[Content] = Pool(workers)
        self._recording: Pool[None] = Pool(1)
        self._recorded: list[Future[None]] = []
        self._territories: dict[str, Territory] = {}
        self._launched: set[str] = set()
        self.runs: dict[str, Run] = {}
        self.hashed: list[Future[Content]] = []
        self._handlers: dict[str, Callable[[Run, Message], None]] = {
            "read": self._read,
            "write": self._write,
            "rename": self._rename,
            "remove": self._remove,
            "name": self._name,
            "object": self._object,
            "fit": self._fit,
            "refit": self._refit,
            "dump": self._dump,
            "param": self._param,
            "metric": self._metric,
            "log": self._log,
            "seed": self._seed,
            "gap": self._gap,
            "child": self._child,
            "joined": self._joined,
            "end": self._end_as_said,
        }

    def handle(self, message: Message) -> None:
        """Note one message; one about a run that never began, or has ended, is passed over."""
        run = self.runs.get(message.get("run", ""))
        match message["do"]:
            case "begin":
                self._begin(message)
            case "launched":
                self._launch(message)
            case what if what in self._handlers and run is not None and run.end is None:
                self._handlers[what](run, message)
        if "ask" in message:
            self._settle(message)

    def close(self, *, at_ns: int) -> None:
        """End the runs that did not end themselves, and wait until everything is recorded."""
        for run in reversed(list(self.runs.values())):
            if run.end is None:
                self._end(run, End(at_ns, "ABORT", "killed"))
            elif run.run_id in self._launched:
                self._launched.discard(run.run_id)
                self._close_run(run)
        for future in self._recorded:
            future.result()

    def note_problem(self, problem: str, message: Message) -> None:
        """A message could not be understood or handled: a gap of its run, or of every open one."""
        named = self.runs.get(message.get("run", ""))
        for run in [named] if named else self.runs.values():
            run.add_gap(Gap("message not understood", problem))

    # Beginning and ending

    def _begin(self, message: Message) -> None:
        enclosing = self.runs.get(message.get("enclosing") or "")
        process = enclosing.process if enclosing else message.get("process", {})
        run = Run(message["run"], message["job"], message["kind"], message["at"], process, enclosing)
        run.parent = message.get("parent")
        run.parameters.update(message.get("parameters", {}))
        self.runs[run.run_id] = run
        if message.get("is_launched"):
            self._launched.add(run.run_id)
        if run.parent and "command" in process:
            note_child(self._root, run.parent["run"], process["command"])
        if self._problem:
            run.add_gap(Gap("configuration", self._problem))
        territory = self._territory_of(run)
        self._record(partial(self._notary.start, run, territory))

    def _territory_of(self, run: Run) -> Territory:
        key = str(run.process.get("id", ""))
        if key not in self._territories:
            installed = run.process.get("installed", [])
            self._territories[key] = Territory(self._root, config=self._config, installed=installed)
        return self._territories[key]

    def _end_as_said(self, run: Run, message: Message) -> None:
        end = End(message["at"], message["state"], message["reason"], message.get("exitCode"), message.get("error", {}))
        self._end(run, end)

    def _end(self, run: Run, end: End) -> None:
        run.end = end
        for key, item in list(run.outputs.items()):
            if item.path and not self._finish_output(run, item, end):
                del run.outputs[key]
        if run.run_id not in self._launched:
            self._close_run(run)

    def _close_run(self, run: Run) -> None:
        self._record(partial(self._notary.close, run, self._territory_of(run), list(self.runs.values())))

    def _finish_output(self, run: Run, item: Item, end: End) -> bool:
        """Have an output hashed as the run left it. False: there is none, as the run only meant to write it."""
        try:
            state = os.stat(item.path)  # noqa: PTH116
        except OSError:
            return False
        if stat.S_ISDIR(state.st_mode):
            if not item.is_folder:
                return False
        elif not stat.S_ISREG(state.st_mode) or state.st_ctime_ns < item.at_ns - TICK_NS:
            return False
        elif state.st_ctime_ns > end.at_ns:
            item.content = Future()
            item.content.set_result(unknown("changed after the end", "it was not what the run left when it was hashed"))
            return True
        else:
            item.is_folder = False
        item.content = self._hash(run, item.path, opened_ns=None)
        return True

    def _launch(self, message: Message) -> None:
        """What the launcher knows of the process that it started: how it ended, whatever that process said."""
        code, ended = message["code"], message["at"]
        run = self.runs.get(message["run"])
        if run is None:
            begin = {"job": message["process"]["argv"][0], "kind": "COMMAND", "at": message["started"]}
            self._begin({**message, **begin, "do": "begin"})
            run = self.runs[message["run"]]
            detail = "it did not report itself: what it read and wrote was not seen"
            run.add_gap(Gap("command not captured", detail))
        self._launched.discard(run.run_id)
        said = run.end
        if said is None:
            reason, state = ("killed", "ABORT") if code >= _SIGNALLED else ("exited", "FAIL" if code else "COMPLETE")
            self._end(run, End(ended, state, reason, code))  # type: ignore[arg-type]  # literals, through a tuple
            return
        state = "FAIL" if code and said.state == "COMPLETE" else said.state
        reason = "exited" if code and said.reason == "returned" else said.reason
        run.end = End(said.at_ns, state, reason, code, said.error)
        self._close_run(run)

    # Files

    def _read(self, run: Run, message: Message) -> None:
        territory = self._territory_of(run)
        given_paths = message["joined"].split("\0") if "joined" in message else message["paths"]
        for given in given_paths:
            path = os.path.normpath(os.path.join(message["cwd"], given))
            if not territory.is_data(path) or (rule := territory.rule_of(path)).level == "off":
                continue
            item = Item(path, message["via"], message.get("known", "observed"), message["at"])
            try:
                mode = os.stat(path).st_mode  # noqa: PTH116
            except OSError as error:
                if item.known == "declared":
                    run.add_gap(Gap("not hashed", f"declared as input: {error.strerror}"), path)
                continue
            item.is_folder = stat.S_ISDIR(mode)
            is_meant = message.get("folders", False) if item.is_folder else stat.S_ISREG(mode)
            if is_meant and run.use(item):
                item.content = self._hashing.submit(partial(self._reader.read_path, path, rule, opened_ns=item.at_ns))
                self.hashed.append(item.content)

    def _write(self, run: Run, message: Message) -> None:
        path, territory = message["path"], self._territory_of(run)
        if territory.is_data(path) and territory.rule_of(path).level != "off":
            item = Item(path, message["via"], message.get("known", "observed"), message["at"])
            item.is_folder = message.get("folder", False)
            run.make(item)

    def _rename(self, run: Run, message: Message) -> None:
        source, target, territory = message["path"], message["to"], self._territory_of(run)
        if run.rename(source, target):
            if not territory.is_data(target):
                run.remove(target)
            return
        # Something that this run had not made: it moves from one name to the other, and so is both input and output.
        self._read(run, {**message, "paths": [source], "cwd": "/", "via": "os.rename", "folders": True})
        self._write(run, {**message, "path": target, "via": "os.rename", "folder": True})

    def _remove(self, run: Run, message: Message) -> None:
        run.remove(message["path"])

    def _hash(self, run: Run, path: str, *, opened_ns: int | None) -> Future[Content]:
        rule = self._territory_of(run).rule_of(path)
        future = self._hashing.submit(partial(self._reader.read_path, path, rule, opened_ns=opened_ns))
        self.hashed.append(future)
        return future

    def _settle(self, message: Message) -> None:
        """Answer when what lies at the message's paths, or below them, is hashed wherever a run has used or left it."""
        paths = [message[key] for key in ("path", "to") if key in message]
        waiting = [future for future in self._contents_of(paths) if not future.done()]
        if not waiting:
            self._answer(message["ask"])
            return
        left = [len(waiting)]

        def count_down(_: Future[Content]) -> None:
            left[0] -= 1
            if not left[0]:
                self._answer(message["ask"])

        for future in waiting:
            self._hashing.hurry(future)
            future.add_done_callback(count_down)

    def _contents_of(self, paths: Iterable[str]) -> Iterable[Future[Content]]:
        for run in self.runs.values():
            for item in [*run.inputs.values(), *run.outputs.values()]:
                if item.content is not None and any(
                    item.path == path or item.path.startswith(f"{path}/") or path.startswith(f"{item.path}/")
                    for path in paths
                    if item.path
                ):
                    yield item.content

    # What is no file

    def _name(self, run: Run, message: Message) -> None:
        item = Item("", message["via"], message["known"], message["at"], message["name"])
        (run.use if message["way"] == "read" else run.make)(item)

    def _object(self, run: Run, message: Message) -> None:
        item = Item("", message["via"], "declared", message["at"], message["name"])
        item.content = self._read_object(message["argument"])
        (run.use if message["way"] == "read" else run.make)(item)

    def _read_object(self, argument: Message) -> Future[Content]:
        if "gap" in argument:
            future: Future[Content] = Future()
            future.set_result(Content(gaps=(Gap("not fingerprinted", argument["gap"]),)))
            return future
        load = handover.take(argument["object"])
        future = self._hashing.submit(partial(self._reader.read_object, load))
        self.hashed.append(future)
        return future

    def _fit(self, run: Run, message: Message) -> None:
        names = ("estimator", "method", "parameters", "expression")
        fit: Message = {key: message[key] for key in names if key in message}
        index = len(run.fits)
        run.fits.append({**fit, "at": format_instant(message["at"]), "fittedOn": []})
        run.fit_indexes[message["fit"]] = index
        for argument in message["arguments"]:
            run.fit_contents.append((index, argument["argument"], self._read_object(argument)))

    def _refit(self, run: Run, message: Message) -> None:
        if (index := run.fit_indexes.get(message["fit"])) is not None:
            run.fits[index]["calls"] = run.fits[index].get("calls", 1) + 1

    def _dump(self, run: Run, message: Message) -> None:
        if item := run.outputs.get(message["path"]):
            fits = sorted({run.fit_indexes[fit] for fit in message["fits"] if fit in run.fit_indexes})
            item.model = {"estimator": message["estimator"], "parameters": message["parameters"], "fits": fits}

    def _param(self, run: Run, message: Message) -> None:
        run.parameters.update(message["values"])

    def _metric(self, run: Run, message: Message) -> None:
        if len(run.metrics) >= _MAX_METRICS:
            run.metrics_dropped += 1
            return
        step = {} if message["step"] is None else {"step": message["step"]}
        at = format_instant(message["at"])
        run.metrics.append({"name": message["name"], "value": message["value"], **step, "at": at})

    def _log(self, run: Run, message: Message) -> None:
        if "dropped" in message:
            run.logs_dropped += message["dropped"]
            return
        record = {key: message[key] for key in ("level", "logger", "message")}
        run.logs.append({"at": format_instant(message["at"]), **record})

    def _seed(self, run: Run, message: Message) -> None:
        calls = run.seeds.setdefault(message["of"], [])
        if message["how"] not in calls:
            calls.append(message["how"])

    def _gap(self, run: Run, message: Message) -> None:
        run.add_gap(Gap(message["what"], message["detail"]), message.get("path", ""))

    def _child(self, run: Run, message: Message) -> None:
        if message["argv"] not in run.children:
            run.children.append(message["argv"])

    def _joined(self, run: Run, message: Message) -> None:
        run.joined.append(message["argv"])

    # After the end

    def note_late_changes(self) -> None:
        """Record a gap for each output that is not what was hashed any more: called once the process is gone."""
        for run in self.runs.values():
            changed = [
                (Gap("changed after the end", "recorded is what it held when the run ended"), item.path)
                for item in run.outputs.values()
                if item.content is not None and has_changed(item.path, item.content.result())
            ]
            if changed:
                self._record(partial(self._notary.add_gaps, run, self._territory_of(run), changed))
        for future in self._recorded:
            future.result()

    def _record(self, job: Callable[[], None]) -> None:
        self._recorded.append(self._recording.submit(job))
