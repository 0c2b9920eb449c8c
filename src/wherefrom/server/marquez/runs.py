"""Runs as Marquez gives them, and the versions of data sets that they read and wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wherefrom.server.marquez.facets import facets_of_run
from wherefrom.server.marquez.index import Ports
from wherefrom.server.marquez.naming import STATES, format_at, stable_id
from wherefrom.server.marquez.reading import Reader, get_text, parse_time_or_none

_ENDED = ("COMPLETED", "FAILED", "ABORTED")


@dataclass(frozen=True)
class Written:
    """A version of a data set, as Marquez counts them: what one run wrote, or one event of no run said.

    Attributes:
        run: 0 for none.
        events: that say so, by time; none for what was there before anybody wrote it.
        at: of the last of them, in microseconds since 1970.
    """

    entity: int
    run: int
    events: tuple[int, ...]
    at: int

    def id(self, reader: Reader) -> str:
        """The same for the same run and name, here and everywhere."""
        namespace, name = reader.name("dataset", self.entity)
        if self.run:
            return stable_id("dataset", namespace, name, "run", reader.run_id(self.run))
        if not self.events:
            return stable_id("dataset", namespace, name, "unwritten")
        return stable_id("dataset", namespace, name, "at", format_at(self.at))


class Versions:
    """The versions of a data set, the newest first. What is not asked for is not put together."""

    def __init__(self, reader: Reader, entity: int) -> None:
        """Use `written_versions`."""
        self._reader, self._entity = reader, entity
        events = reader.index.events_of_dataset(entity, "output")
        self._events = events[np.argsort(reader.index.column("at", events), kind="stable")]
        at, run = (reader.index.column(name, self._events) for name in ("at", "run"))
        groups, self._group = np.unique(np.where(run > 0, run, -self._events - 1), return_inverse=True)
        self._first, self._last = np.full(len(groups), np.iinfo(np.int64).max), np.zeros(len(groups), np.int64)
        np.minimum.at(self._first, self._group, at)
        self._last[self._group] = at
        self._groups = groups
        self._order = np.lexsort((groups, self._last))[::-1]

    def __len__(self) -> int:
        return max(1, len(self._order))

    def runs(self) -> list[int]:
        """Those that wrote them."""
        runs: list[int] = self._groups[self._groups > 0].tolist()
        return runs

    def page(self, limit: int | None = None, offset: int = 0) -> list[Written]:
        if not len(self._order):
            return [unwritten(self._reader, self._entity)][offset:][:limit]
        end = None if limit is None else offset + limit
        return [self._make(int(position)) for position in self._order[offset:end]]

    def before(self, at: int, *, run: int) -> Written:
        """The newest one that another run had begun to write by then."""
        fine = (self._first[self._order] <= at) & (self._groups[self._order] != run)
        found = np.flatnonzero(fine)
        return self._make(int(self._order[found[0]])) if len(found) else unwritten(self._reader, self._entity)

    def _make(self, position: int) -> Written:
        events = tuple(self._events[self._group == position].tolist())
        return Written(self._entity, max(int(self._groups[position]), 0), events, int(self._last[position]))


def written_versions(reader: Reader, entity: int) -> Versions:
    """The versions of a data set; at least one."""
    if entity not in reader.versions:
        reader.versions[entity] = Versions(reader, entity)
    found: Versions = reader.versions[entity]
    return found


def unwritten(reader: Reader, entity: int) -> Written:
    """What was there before anybody was seen to write it."""
    return Written(entity, 0, (), reader.index.first_time("dataset", entity))


def group_by_run(reader: Reader, events: Iterable[int]) -> dict[int, list[int]]:
    """Events of runs, by run and time."""
    found: dict[int, list[int]] = {}
    runs = reader.index.column("run")
    for event in reader.in_time(events):
        found.setdefault(int(runs[event]), []).append(event)
    return found


def state_of(reader: Reader, events: Sequence[int]) -> str:
    """A run's state: how it ended last, if it ended, else whether it was seen to begin."""
    states = [STATES.get(reader.event_type(event), "NEW") for event in events]
    ended = [state for state in states if state in _ENDED]
    return ended[-1] if ended else "RUNNING" if "RUNNING" in states else "NEW"


def describe_run(reader: Reader, run: int, events: Sequence[int], *, brief: bool = False) -> dict[str, Any]:
    """A run.

    Args:
        events: all of the run's, by time.
        brief: without what only its events' text says, and without versions of data sets.
    """
    index = reader.index
    state = state_of(reader, events)
    times = [reader.at(event) for event in events]
    starts = [reader.at(event) for event in events if STATES.get(reader.event_type(event)) == "RUNNING"]
    ends = [reader.at(event) for event in events if STATES.get(reader.event_type(event)) in _ENDED]
    started, ended = (starts[0] if starts else None), (ends[-1] if ends else None)
    job = reader.job_of(events)
    facets = {} if brief else facets_of_run(reader, events)
    nominal = {
        key: format_at(at) if (at := parse_time_or_none(get_text(facets, "nominalTime", key))) is not None else None
        for key in ("nominalStartTime", "nominalEndTime")
    }
    created = times[0] if times else 0
    ports = index.ports_of(events)
    inputs, outputs = ([], []) if brief else (seen(reader, ports.inputs), seen(reader, ports.outputs))
    return {
        "id": reader.run_id(run),
        "createdAt": format_at(created),
        "updatedAt": format_at(times[-1] if times else 0),
        **nominal,
        "state": state,
        "startedAt": None if started is None else format_at(started),
        "endedAt": None if ended is None else format_at(ended),
        "durationMs": None if started is None or ended is None else max(0, ended - started) // 1000,
        "args": {},
        "jobVersion": job_version_id(reader, job, ports) if job else None,
        "inputDatasetVersions": [
            _dataset_version(reader, written_versions(reader, entity).before(created, run=run)) for entity in inputs
        ],
        "outputDatasetVersions": [
            _dataset_version(reader, Written(entity, run, tuple(events), times[-1])) for entity in outputs
        ],
        "facets": facets,
    }


def seen(reader: Reader, entities: Iterable[int]) -> list[int]:
    """Those of these data sets that the caller sees."""
    return sorted(entity for entity in entities if reader.sees_thing("dataset", entity))


def name_datasets(reader: Reader, entities: Iterable[int]) -> list[dict[str, str]]:
    """Names of those that the caller sees, by name."""
    entities = seen(reader, entities)
    reader.load_names("dataset", entities)
    named = sorted(reader.name("dataset", entity) for entity in entities)
    return [{"namespace": namespace, "name": name} for namespace, name in named]


def job_version_id(reader: Reader, job: int, ports: Ports) -> dict[str, str]:
    """The version of a job: one for each set of inputs and outputs.

    What the caller does not see counts for nothing in it: or else guesses could be tried against the id.
    """
    namespace, name = reader.name("job", job)
    names = [
        [part for one in name_datasets(reader, entities) for part in (one["namespace"], one["name"])]
        for entities in ports
    ]
    return {"namespace": namespace, "name": name, "version": stable_id("job", namespace, name, *names)}


def _dataset_version(reader: Reader, written: Written) -> dict[str, Any]:
    namespace, name = reader.name("dataset", written.entity)
    return {
        "datasetVersionId": {"namespace": namespace, "name": name, "version": written.id(reader)},
        "facets": {},
    }
