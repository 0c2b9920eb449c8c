"""Turns runs into statements and has them recorded, in a thread of its own."""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Callable, Iterable

from wherefrom.capture.channel import say
from wherefrom.capture.config import Config
from wherefrom.capture.locate import FOLDER
from wherefrom.capture.recorder.contents import Content, Gap, has_changed
from wherefrom.capture.recorder.events import EventWriter, Surroundings, format_instant, read_surroundings
from wherefrom.capture.recorder.facets import clean
from wherefrom.capture.recorder.grouping import group
from wherefrom.capture.recorder.outbox import OutboxSink, take_children
from wherefrom.capture.recorder.runs import Item, Run, infer_inputs
from wherefrom.capture.recorder.sink import Sink, open_archive
from wherefrom.capture.recorder.territory import Territory
from wherefrom.errors import WherefromError
from wherefrom.statements import Statement, make_event_statement, make_gap_statement, make_source_statement


class Notary:
    """Records what runs did: where it is told to, or in the outbox alone once that refuses. For one thread.

    Attributes:
        is_refused: the archive, or whatever stands in for it, refused something, which the outbox keeps.
        waited_s: seconds between the end of a run and its last digest, over all runs.
        recorded_s: seconds that opening the archive and recording took, over all runs.
    """

    def __init__(
        self,
        root: str,
        config: Config,
        *,
        sink: Sink | None,
        on_open: Callable[[], None],
        open_sink: Callable[[], Sink] | None = None,
    ) -> None:
        """Use `sink`, or else what `open_sink` gives, which by default opens the project's archive.

        `on_open` is called once it is known whether that can be done.
        """
        self._root = root
        self._config = config
        self._open_sink = open_sink or self._open_archive
        self._on_open = on_open
        self._sink = sink
        self._surroundings: dict[str, Surroundings] = {}
        self._is_lost = False
        self.is_refused = False
        self.waited_s = 0.0
        self.recorded_s = 0.0

    def start(self, run: Run, territory: Territory) -> None:
        """Record that a run began."""
        sink = self._open()
        surroundings = self._surroundings_of(run)
        if surroundings.problem:
            run.add_gap(Gap("git", surroundings.problem))
        event = EventWriter(territory, sink.namespace).start(run, surroundings)
        self._record(run, [make_event_statement(event)])

    def close(self, run: Run, territory: Territory, runs: list[Run]) -> None:
        """Record how a run ended and what it used and made; waits until all of that is hashed."""
        began = time.monotonic()
        inputs = _with_contents(run.inputs.values())
        inferred = [
            (Item(item.path, item.via, "inferred", item.at_ns, item.name, item.is_folder), content)
            for item, content in _with_contents(infer_inputs(run, runs))
        ]
        outputs = _with_contents(run.data_made())
        _finish_fits(run)
        self.waited_s += time.monotonic() - began
        sink = self._open()
        writer = EventWriter(territory, sink.namespace)
        captured = [*take_children(self._root, run.run_id), *run.joined]
        for command in run.children:
            if command not in captured:
                detail = f"started `{shlex.join(command)}`; what it read and wrote was not seen"
                run.add_gap(Gap("child process", detail))
        written = {path for other in runs for path in other.outputs}
        for item, content in inputs:
            if item.path not in written and has_changed(item.path, content):
                run.add_gap(Gap("changed while the run lasted", "recorded is what it held at first"), item.path)
        inputs, outputs, inferred = group(inputs), group(outputs), group(inferred)
        for item, content in [*inputs, *outputs]:
            for gap in content.gaps:
                run.add_gap(gap, item.path or item.name)
        event = writer.end(run, self._surroundings_of(run), inputs + inferred, outputs)
        if run.gaps_dropped:
            run.gaps[Gap("more gaps", f"{run.gaps_dropped} more were found and are not listed"), ""] = None
        gaps = _gaps(run, run.gaps, territory)
        self._record(run, [*gaps, *_sources(inputs, writer, territory), make_event_statement(event)])

    def add_gaps(self, run: Run, territory: Territory, gaps: Iterable[tuple[Gap, str]]) -> None:
        """Record gaps that were found after the run's last event."""
        self._record(run, _gaps(run, gaps, territory))

    def _surroundings_of(self, run: Run) -> Surroundings:
        # Runs of one process began in the same surroundings: those of the process.
        key = str(run.process.get("id", ""))
        if key not in self._surroundings:
            self._surroundings[key] = read_surroundings(run.process, root=self._root)
        return self._surroundings[key]

    def _open(self) -> Sink:
        if self._sink is None:
            began = time.monotonic()
            try:
                self._sink = self._open_sink()
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the archive, the run is kept
                self._refuse(error, OutboxSink(self._root, uuid.uuid4().hex))
            self._on_open()
            self.recorded_s += time.monotonic() - began
        if self._sink is None:
            raise AssertionError("either the archive or the outbox")
        return self._sink

    def _open_archive(self) -> Sink:
        archive, is_new = open_archive(self._root, namespace=self._config.namespace)
        if is_new:
            say(f"made an archive in '{self._root}/{FOLDER}'")
        return archive

    def _record(self, run: Run, statements: list[Statement]) -> None:
        sink = self._open()
        began = time.monotonic()
        try:
            if not self._is_lost:
                sink.record(*statements)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the archive, the run is kept
            self._refuse(error, OutboxSink(self._root, uuid.uuid4().hex, namespace=sink.namespace))
            self._record(run, statements)
        finally:
            self.recorded_s += time.monotonic() - began

    def _refuse(self, error: Exception, kept: OutboxSink) -> None:
        """Turn over to the outbox; when that can't be written either, say that all is lost."""
        why = str(error) if isinstance(error, WherefromError) else f"{type(error).__name__}: {error}"
        self._is_lost = self.is_refused
        self.is_refused, self._sink = True, kept
        try:
            kept.record()
        except OSError as problem:
            self._is_lost = True
            why += f"; and can't write '{kept.path}': {problem.strerror}"
        if self._is_lost:
            say(f"warning: this run is not recorded: {why}")
        else:
            taker = "archive" if self._open_sink == self._open_archive else "outbox for the server"
            say(f"warning: the {taker} takes no records now: {why}; they are kept in '{kept.path}'")


def _with_contents(items: Iterable[Item]) -> list[tuple[Item, Content]]:
    return [(item, item.content.result() if item.content else Content()) for item in items]


def _finish_fits(run: Run) -> None:
    for index, argument, future in run.fit_contents:
        content = future.result()
        fit = run.fits[index]
        for gap in content.gaps:
            detail = f"argument {argument} of fit {index}, {fit['estimator']}: {gap.detail}"
            run.add_gap(Gap("fit data not fingerprinted", detail))
        if content.records is not None:
            columns = [column.name for column in content.records.columns]
            known = {"digests": dict(content.digests), "rows": content.records.rows, "columns": columns}
            fit["fittedOn"].append({"argument": argument, **known})


def _sources(inputs: list[tuple[Item, Content]], writer: EventWriter, territory: Territory) -> list[Statement]:
    return [
        make_source_statement(*writer.name_of(item), dict(content.digests), **fields)
        for item, content in inputs
        if item.path and content.digests and (fields := territory.source_of(item.path))
    ]


def _gaps(run: Run, gaps: Iterable[tuple[Gap, str]], territory: Territory) -> list[Statement]:
    at = format_instant(time.time_ns())
    return [
        make_gap_statement(
            run.run_id,
            gap.what,
            clean(gap.detail),
            at=at,
            path=territory.name_of(path, namespace="")[1] if path else None,
        )
        for gap, path in gaps
    ]
