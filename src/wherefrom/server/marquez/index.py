"""The views' events, runs, jobs and data sets as columns in memory: which of them belong together, and when they were.

One for each process. It follows the views by their numbers (`CatalogIndex.follow`), a few microseconds for each new
event and two seconds for a million when it is first asked, more where each says another lineage; about 100 bytes for
each event. Names and what events say stay in the database. All questions are asked under `lock`, after `follow` with
the snapshot that is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from wherefrom.lineage.shape import Shape, parse_shape
from wherefrom.server.marquez.columns import Columns, Mask, Numbers, by_many, is_one_of, last_of_each
from wherefrom.store.catalog_tables import CatalogTables
from wherefrom.store.graph_tables import GraphTables
from wherefrom.store.lineage_writer import SYMLINKS

EVENT_TYPES = ("", "OTHER", "START", "RUNNING", "COMPLETE", "FAIL", "ABORT")
FIRST_END = EVENT_TYPES.index("COMPLETE")
_CODES = {text: code for code, text in enumerate(EVENT_TYPES)}
_INPUT, _OUTPUT, _NAMED = 1, 2, 0

_T = TypeVar("_T")
Thing = Literal["job", "dataset"]


class Ports(NamedTuple):
    """Data sets that are read and written, by number."""

    inputs: frozenset[int] = frozenset()
    outputs: frozenset[int] = frozenset()


class CatalogIndex:
    """What the views hold, by number. An event is meant by its position among all events, in ledger order."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._making = ""
        self._empty()

    def _empty(self) -> None:
        self._events = Columns("entry", "run", "job", "dataset", "type", "at", "shape", "live")
        self._jobs = Columns("namespace", "entry")  # by number, as the next
        self._entities = Columns("namespace", "entry")
        self._mentions = Columns("shape", "entity", "role")
        self._mention_from = Columns("position")  # by shape
        self.namespaces: list[str] = []
        self._numbers: dict[str, int] = {}
        self.canonical: dict[int, int] = {}  # of data sets that are spelled otherwise
        self._last = {"shape": 0, "alias": 0, "correction": -1, "deletion": -1}
        self._corrected: set[int] = set()
        self._deleted: dict[tuple[Thing, int], int] = {}
        self._made_at: tuple[int, ...] = ()
        self._made: dict[str, Any] = {}
        self.tags: set[tuple[str, str]] = set()  # tag and namespace, of the events before `tags_read`
        self.tags_read, self.tags_erased = 0, -1
        self.named: dict[int, frozenset[str] | None] = {}  # all namespaces in events that were read for it

    # --- following ---------------------------------------------------------------------------------------------------

    def follow(self, tables: GraphTables, more: CatalogTables) -> None:
        """Take in what the views have more than was seen; all of it anew when they were made again."""
        if (making := tables.read_making()) != self._making:
            self._empty()
            self._making = making
        try:
            self._follow(tables, more)
        except BaseException:  # what was taken by half is not kept
            self._making = ""
            raise

    def _follow(self, tables: GraphTables, more: CatalogTables) -> None:
        self._take_names(self._jobs, tables.iter_jobs(len(self._jobs) - 1))
        self._take_names(self._entities, tables.iter_entities(len(self._entities) - 1))
        for number, body, *_ in tables.iter_shapes(self._last["shape"]):
            self._take_shape(number, parse_shape(body))
        for number, entity, canonical, reason, _ in tables.iter_aliases(self._last["alias"]):
            self._last["alias"] = number
            if reason != SYMLINKS:
                self.canonical[entity] = canonical
        is_changed = False
        for entry, target in tables.iter_corrections(self._last["correction"]):
            self._last["correction"], is_changed = entry, True
            self._corrected.add(target)
            self._retract(target)
        for entry, *_ in tables.iter_deletions(self._last["deletion"]):
            self._last["deletion"], is_changed = entry, True
        if is_changed:
            self._deleted = {}
            for _, dataset, job, at in more.read_deletions():
                key: tuple[Thing, int] = ("job", job) if job else ("dataset", dataset)
                self._deleted[key] = max(at, self._deleted.get(key, at))
        seen = self._events.get("entry")
        for rows in by_many(tables.iter_events(int(seen[-1]) if len(seen) else -1)):
            self._events.extend(
                [(*row[:4], _CODES.get(row[4], 1), *row[5:], row[0] not in self._corrected) for row in rows]
            )

    def _take_names(self, columns: Columns, rows: Iterable[Any]) -> None:
        """Rows (id, namespace, name, entry); numbers that are not used get a namespace that nothing has."""
        if not len(columns):
            columns.extend([(-1, -1)])
        for page in by_many(rows):
            values: list[tuple[int, int]] = []
            for number, namespace, _, entry in page:
                values += [(-1, -1)] * (number - len(columns) - len(values))
                values.append((self._number_of(namespace), entry))
            columns.extend(values)

    def _take_shape(self, number: int, shape: Shape) -> None:
        self._last["shape"] = number
        inputs, outputs = {entity for entity, _ in shape.inputs}, {entity for entity, _ in shape.outputs}
        for target, sources in shape.explicit or ():
            inputs.update(source for source in sources if source > 0)
            outputs.update({target} if target > 0 else ())
        named = {node for entry in shape.explicit or () for node in (entry.target, *entry.sources)}
        named |= {node for column in (*shape.columns, *shape.explicit_columns) for node in column[:3:2]}
        self._mention_from.extend([(len(self._mentions),)] * (number + 1 - len(self._mention_from)))
        self._mentions.extend(
            [(number, entity, _INPUT) for entity in sorted(inputs)]
            + [(number, entity, _OUTPUT) for entity in sorted(outputs)]
            + [(number, node, _NAMED) for node in sorted(named - inputs - outputs - {0})]
        )

    def _retract(self, entry: int) -> None:
        at = int(np.searchsorted(self._events.get("entry"), entry))
        if at < len(self._events) and self._events.get("entry")[at] == entry:
            self._events.get("live")[at] = 0

    def _number_of(self, namespace: str) -> int:
        if namespace not in self._numbers:
            self._numbers[namespace] = len(self.namespaces)
            self.namespaces.append(namespace)
        return self._numbers[namespace]

    # --- namespaces --------------------------------------------------------------------------------------------------

    def namespace_number(self, namespace: str) -> int | None:
        return self._numbers.get(namespace)

    def things_in(self, thing: Thing, namespaces: Sequence[int] | None = None) -> Numbers:
        """Numbers of the jobs, or data sets by their canonical names, in these namespaces; None for all."""
        columns = self._jobs if thing == "job" else self._entities
        mask = columns.get("namespace") >= 0
        if namespaces is not None:
            mask &= is_one_of(columns.get("namespace"), namespaces) if len(namespaces) else False
        if thing == "dataset":
            mask[sorted(self.canonical)] = False
        mask[sorted(self._remember("gone", self._gone)[thing])] = False
        return np.flatnonzero(mask)

    def namespace_of(self, thing: Thing, number: int) -> str:
        columns = self._jobs if thing == "job" else self._entities
        return self.namespaces[int(columns.get("namespace")[number])]

    def namespaces_of(self, thing: Thing) -> Numbers:
        """For each job or data set, by number, the number of its namespace; -1 for the number 0, which is none."""
        return (self._jobs if thing == "job" else self._entities).get("namespace")

    def times_of_namespace(self, namespace: int) -> tuple[int, int]:
        """When it was first and last spoken of, in microseconds since 1970."""
        first, last = self._remember("namespaces", self._namespace_times)
        return int(first[namespace]), int(last[namespace])

    def _namespace_times(self) -> tuple[Numbers, Numbers]:
        limits = np.iinfo(np.int64)
        first, last = np.full(len(self.namespaces) + 1, limits.max), np.full(len(self.namespaces) + 1, limits.min)
        for columns, heard in ((self._jobs, self.last_times()), (self._entities, self._last_mentions())):
            numbers, named = columns.get("namespace"), self.times_of_entries(columns.get("entry"))
            np.minimum.at(first, numbers, named)  # what has the number 0 goes to the one more, at the end
            np.maximum.at(last, numbers, np.maximum(named, heard))
        return first, last

    def first_entry(self, thing: Thing, number: int) -> int:
        """The entry that named a job or data set first."""
        return int((self._jobs if thing == "job" else self._entities).get("entry")[number])

    def first_time(self, thing: Thing, number: int) -> int:
        """When the event happened that named it first."""
        return int(self.times_of_entries(np.array([self.first_entry(thing, number)]))[0])

    def first_entries(self, thing: Thing, numbers: Numbers) -> Numbers:
        return (self._jobs if thing == "job" else self._entities).get("entry")[numbers]

    def is_deleted(self, thing: Thing, number: int) -> bool:
        """Whether it was deleted and has not been spoken of since."""
        return number in self._remember("gone", self._gone)[thing]

    def _gone(self) -> dict[Thing, set[int]]:
        """The jobs and data sets that are deleted now."""
        gone: dict[Thing, set[int]] = {"job": set(), "dataset": set()}
        for (thing, number), at in self._deleted.items():
            heard = self.last_times() if thing == "job" else self._last_mentions()
            if heard[number] <= at:
                gone[thing].add(number)
        return gone

    def _remember(self, what: str, make: Callable[[], _T]) -> _T:
        """What `make` gives, as long as nothing new is recorded."""
        state = (len(self._events), len(self._jobs), len(self._entities), *self._last.values())
        if self._made_at != state:
            self._made_at, self._made = state, {}
        if what not in self._made:
            self._made[what] = make()
        found: _T = self._made[what]
        return found

    # --- events ------------------------------------------------------------------------------------------------------

    def column(self, name: str, events: Numbers | None = None) -> Numbers:
        whole = self._events.get(name)
        return whole if events is None else whole[events]

    def position_of(self, entry: int) -> int | None:
        """The event of an entry; None when it is none."""
        entries = self._events.get("entry")
        at = int(np.searchsorted(entries, entry))
        return at if at < len(entries) and entries[at] == entry else None

    def times_of_entries(self, entries: Numbers) -> Numbers:
        """When the events of these entries happened; of an entry that is none, when the next event did."""
        known = self._events.get("entry")
        if not len(known):
            return np.zeros(len(entries), np.int64)
        return self._events.get("at")[np.minimum(np.searchsorted(known, entries), len(known) - 1)]

    def _live(self, mask: Mask) -> Numbers:
        return np.flatnonzero(mask & (self._events.get("live") == 1))

    def events_of_job(self, job: int) -> Numbers:
        return self._live(self._events.get("job") == job)

    def events_of_jobs(self, jobs: Sequence[int]) -> Numbers:
        return self._live(is_one_of(self._events.get("job"), jobs))

    def events_of_runs(self, runs: Sequence[int]) -> Numbers:
        return self._live(is_one_of(self._events.get("run"), runs)) if len(runs) else np.zeros(0, np.int64)

    def events_of_dataset(self, entity: int, *roles: Literal["input", "output"]) -> Numbers:
        """Events that name it, as an input or output, or are about it; with roles, those that name it so."""
        shapes = self._shapes_with(entity, *roles)
        mask = is_one_of(self._events.get("shape"), shapes) if len(shapes) else np.zeros(len(self._events), np.bool_)
        if "input" not in roles:
            mask |= self._events.get("dataset") == entity
        return self._live(mask)

    def _shapes_with(self, entity: int, *roles: Literal["input", "output"]) -> Numbers:
        mask = self._mentions.get("entity") == entity
        if roles:
            mask &= is_one_of(self._mentions.get("role"), [_INPUT if role == "input" else _OUTPUT for role in roles])
        else:
            mask &= self._mentions.get("role") != _NAMED
        return np.unique(self._mentions.get("shape")[mask])

    def ports_of(self, events: Iterable[int]) -> Ports:
        """The data sets that these events name as inputs and outputs, together."""
        shapes = self._events.get("shape")
        starts, entities, roles = self._mention_from.get("position"), *map(self._mentions.get, ("entity", "role"))
        inputs: set[int] = set()
        outputs: set[int] = set()
        for shape in {int(shapes[event]) for event in events} - {0}:
            start = starts[shape]
            end = starts[shape + 1] if shape + 1 < len(starts) else len(entities)
            for entity, role in zip(entities[start:end].tolist(), roles[start:end].tolist(), strict=True):
                (inputs if role == _INPUT else outputs if role == _OUTPUT else set()).add(entity)
        return Ports(frozenset(inputs), frozenset(outputs))

    def visible_events(self, sees: Sequence[bool]) -> Mask:
        """Events that name, in themselves and in their lineage, only namespaces that are seen.

        Args:
            sees: for each namespace, by number.
        """
        seen = np.asarray([*sees, True], np.bool_)  # the last for -1, the namespace of no job and no data set
        jobs, entities = seen[self._jobs.get("namespace")], seen[self._entities.get("namespace")]
        nodes = self._mentions.get("entity")
        fine = np.where(nodes > 0, entities[np.maximum(nodes, 0)], jobs[np.maximum(-nodes, 0)])
        shapes = np.ones(self._last["shape"] + 1, np.bool_)
        shapes[self._mentions.get("shape")[~fine]] = False
        return jobs[self._events.get("job")] & entities[self._events.get("dataset")] & shapes[self._events.get("shape")]

    def listed_events(self, low: int, high: int, kinds: Callable[[Numbers, Numbers, Numbers], Mask]) -> Numbers:
        """Events with low <= at < high that were not taken back, by time.

        Args:
            kinds: which of them, by their runs, jobs and data sets.
        """
        at = self._events.get("at")
        mask = (at >= low) & (at < high)
        mask &= kinds(self._events.get("run"), self._events.get("job"), self._events.get("dataset"))
        chosen = self._live(mask)
        return chosen[np.argsort(at[chosen], kind="stable")]

    # --- runs --------------------------------------------------------------------------------------------------------

    def job_of_run(self, run: int) -> int:
        """0 when none is known."""
        jobs = self._events.get("job")[self._events.get("run") == run]
        return int(jobs[0]) if len(jobs) else 0

    def last_times_of(self, entities: Sequence[int]) -> dict[int, int]:
        """When each of these data sets was last spoken of, or first named if never."""
        first = self.times_of_entries(self._entities.get("entry")[list(entities)])
        times = np.maximum(self._last_mentions()[list(entities)], first).tolist()
        return dict(zip(entities, times, strict=True))

    def _last_mentions(self) -> Numbers:
        """When each data set, by number, was last spoken of; long ago for never."""
        return self._remember("datasets", self._find_last_mentions)

    def _find_last_mentions(self) -> Numbers:
        events = self._live(np.ones(len(self._events), np.bool_))
        at = self.column("at", events)
        of_shape = np.full(self._last["shape"] + 1, np.iinfo(np.int64).min)
        np.maximum.at(of_shape, self.column("shape", events), at)
        newest = np.full(len(self._entities), np.iinfo(np.int64).min)
        np.maximum.at(newest, self.column("dataset", events), at)
        rows = self._mentions.get("role") != _NAMED
        np.maximum.at(newest, self._mentions.get("entity")[rows], of_shape[self._mentions.get("shape")[rows]])
        return newest

    def runs_of_job(self, job: int) -> list[int]:
        """The run that began last first."""
        runs, _, began = self._began(self.events_of_job(job))
        ordered: list[int] = runs[np.lexsort((runs, began))[::-1]].tolist()
        return ordered

    def latest_events(self, jobs: Sequence[int], runs: int) -> Numbers:
        """Of each of these jobs, the events of the `runs` runs that began last, and the last event of no run."""
        events = self.events_of_jobs(jobs)
        job, run, at = (self.column(name, events) for name in ("job", "run", "at"))
        began_runs, of_jobs, began = self._began(events)
        chosen = began_runs[last_of_each(of_jobs, (began_runs, began), runs)]
        alone = np.flatnonzero(run == 0)
        alone = alone[last_of_each(job[alone], (alone, at[alone]), 1)]
        mask = np.isin(run, chosen) & (run > 0)
        mask[alone] = True
        return events[mask]

    def _began(self, events: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """The runs of these events, their jobs, and when they began."""
        events = events[self.column("run", events) > 0]
        runs, group = np.unique(self.column("run", events), return_inverse=True)
        began, jobs = np.full(len(runs), np.iinfo(np.int64).max), np.zeros(len(runs), np.int64)
        np.minimum.at(began, group, self.column("at", events))
        jobs[group] = self.column("job", events)
        return runs, jobs, began

    def newest_mentions(
        self, entities: Sequence[int], role: Literal["input", "output"], most: int
    ) -> dict[int, list[int]]:
        """For many data sets at once, events that name each as an input or output: of each shape the newest."""
        rows = (
            is_one_of(self._mentions.get("entity"), entities)
            if len(entities)
            else np.zeros(len(self._mentions), np.bool_)
        )
        rows &= self._mentions.get("role") == (_INPUT if role == "input" else _OUTPUT)
        shapes, named = self._mentions.get("shape")[rows], self._mentions.get("entity")[rows]
        events = self._live(self._events.get("shape") > 0)
        newest = np.full(self._last["shape"] + 1, -1)
        by_time = events[np.argsort(self.column("at", events), kind="stable")]
        newest[self.column("shape", by_time)] = by_time  # of several, the last one is kept
        said = newest[shapes]
        named, said = named[said >= 0], said[said >= 0]
        found: dict[int, list[int]] = {}
        for row in last_of_each(named, (said, self.column("at", said)), most).tolist():
            found.setdefault(int(named[row]), []).append(int(said[row]))
        return found

    def last_times(self) -> Numbers:
        """When each job, by number, was last spoken of; long ago for never."""
        return self._remember("jobs", self._last_times)

    def _last_times(self) -> Numbers:
        newest = np.full(len(self._jobs), np.iinfo(np.int64).min)
        events = self._live(np.ones(len(self._events), np.bool_))
        np.maximum.at(newest, self.column("job", events), self.column("at", events))
        return newest

    def last_states(self) -> Numbers:
        """For each job, by number, the state of its latest run, as a position in EVENT_TYPES; -1 for no run."""
        runs, at, codes = (self._events.get(name) for name in ("run", "at", "type"))
        events = self._live(runs > 0)
        never = np.iinfo(np.int64).max
        size = int(runs.max()) + 1 if len(runs) else 1
        began, job_of = np.full(size, never), np.zeros(size, np.int64)
        job_of[runs[events]] = self._events.get("job")[events]
        np.minimum.at(began, runs[events], at[events])
        used = np.flatnonzero(began < never)
        ordered = used[np.argsort(began[used], kind="stable")]
        latest = np.zeros(len(self._jobs), np.int64)
        latest[job_of[ordered]] = ordered  # of several, the last one is kept
        by_rank = events[np.lexsort((at[events], codes[events] >= FIRST_END))]
        of_run = np.zeros(size, np.int64)
        of_run[runs[by_rank]] = codes[by_rank]  # likewise
        return np.where(latest > 0, of_run[latest], -1)
