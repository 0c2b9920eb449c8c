"""One request's view of the catalogue: the index, the snapshot, and which namespaces the caller sees."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from wherefrom.archive import Archive
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.server.access.depends import Caller, TheGuard
from wherefrom.server.marquez.index import EVENT_TYPES, CatalogIndex, Thing
from wherefrom.server.marquez.naming import is_uuid, to_microseconds
from wherefrom.server.visibility import Sees, list_namespaces
from wherefrom.statements import Statement, parse_envelope, parse_statement, parse_time
from wherefrom.store.catalog_tables import CatalogTables
from wherefrom.store.graph_tables import GraphTables

_indexes: weakref.WeakKeyDictionary[Archive, CatalogIndex] = weakref.WeakKeyDictionary()
_opening = threading.Lock()


def index_of(archive: Archive) -> CatalogIndex:
    """The index of an archive, one for each process."""
    # Made when it is first asked, and not when the server starts: for a million events that takes 2 s and 100 MiB, and
    # 16 s and 200 MiB where each says another lineage, while the graph that everybody asks is made on the same
    # processors; and most servers are never asked as Marquez.
    with _opening:
        return _indexes.setdefault(archive, CatalogIndex())


class Reader:
    """What one request may read. Names that the caller does not see are as if they were not there."""

    def __init__(self, index: CatalogIndex, tables: CatalogTables, sees: Sees) -> None:
        self.index = index
        self.tables = tables
        self._sees = sees
        self._seen: dict[str, bool] = {}
        self._events: dict[int, Statement] = {}
        self._names: dict[Thing, dict[int, tuple[str, str]]] = {"job": {}, "dataset": {}}
        self._numbers: dict[tuple[str, str], int | None] = {}
        self._run_ids: dict[int, str] = {}
        self.versions: dict[int, Any] = {}  # of data sets, for this request

    # --- who sees what -----------------------------------------------------------------------------------------------

    def sees(self, namespace: str) -> bool:
        if namespace not in self._seen:
            self._seen[namespace] = self._sees(namespace)
        return self._seen[namespace]

    def seen_namespaces(self) -> list[int]:
        """Numbers of the namespaces that the caller sees."""
        return [number for number, name in enumerate(self.index.namespaces) if self.sees(name)]

    def sees_all(self) -> bool:
        return all(map(self.sees, self.index.namespaces))

    def sees_thing(self, thing: Thing, number: int) -> bool:
        return self.sees(self.index.namespace_of(thing, number))

    def names_only_seen(self, value: Any) -> bool:
        """Whether every `namespace` in it, at any depth, is one that the caller sees."""
        return all(map(self.sees, list_namespaces(value)))

    # --- names -------------------------------------------------------------------------------------------------------

    def name(self, thing: Thing, number: int) -> tuple[str, str]:
        """Namespace and name."""
        known = self._names[thing]
        if number not in known:
            self.load_names(thing, [number])
        return known[number]

    def load_names(self, thing: Thing, numbers: Iterable[int]) -> None:
        """Look up together the names that will be asked for."""
        known = self._names[thing]
        missing = {number for number in numbers if number not in known}
        found = self.tables.name_jobs(missing) if thing == "job" else self.tables.name_entities(missing)
        known.update(found)
        if thing == "dataset":
            canonical = self.index.canonical
            self._numbers.update((name, canonical.get(number, number)) for number, name in found.items())

    def run_id(self, run: int) -> str:
        if run not in self._run_ids:
            self.load_run_ids([run])
        return self._run_ids[run]

    def load_run_ids(self, runs: Iterable[int]) -> None:
        """Look up together the run ids that will be asked for."""
        self._run_ids.update(self.tables.name_runs({run for run in runs if run not in self._run_ids}))

    def find(self, thing: Thing, namespace: str, name: str) -> int | None:
        """The number of a job, or of a data set under any of its spellings; None when there is none to be seen."""
        if not self.sees(namespace) or "\0" in namespace + name:
            return None
        number = self.tables.find_job(namespace, name) if thing == "job" else self.number_of(namespace, name)
        if number is None or self.index.is_deleted(thing, number) or not self.sees_thing(thing, number):
            return None
        return number

    def number_of(self, namespace: str, name: str) -> int | None:
        """The data set of this name, by its canonical name, whether the caller sees it or not."""
        key = (namespace, name)
        if key not in self._numbers:
            number = self.tables.find_entity(namespace, name)
            self._numbers[key] = None if number is None else self.index.canonical.get(number, number)
        return self._numbers[key]

    def require(self, thing: Thing, namespace: str, name: str) -> int:
        """As `find`. Raises NotFoundError, which says the same whether it is not there or not to be seen."""
        number = self.find(thing, namespace, name)
        if number is None:
            raise NotFoundError(f"{'Job' if thing == 'job' else 'Dataset'} '{name[:200]}' not found.")
        return number

    def require_run(self, run_id: str) -> int:
        """The number of a run whose job the caller sees. Raises NotFoundError."""
        run = self.tables.find_run(run_id.lower()) if is_uuid(run_id) else None
        job = self.index.job_of_run(run) if run is not None else 0
        if run is None or (job and not self.sees_thing("job", job)):
            raise NotFoundError(f"Run '{run_id[:200]}' not found.")
        return run

    # --- events ------------------------------------------------------------------------------------------------------

    def load_events(self, events: Collection[int]) -> None:
        """Read what these events say, and keep it for this request."""
        self._events.update(self.read_statements({event for event in events if event not in self._events}))

    def read_statements(self, events: Collection[int]) -> dict[int, Statement]:
        """What was taken, by event, without those that were erased since."""
        entries = self.index.column("entry")
        of_entry = {int(entries[event]): event for event in events}
        envelopes = self.tables.read_envelopes(of_entry.keys())
        return {of_entry[entry]: parse_statement(parse_envelope(data).payload) for entry, data in envelopes.items()}

    def event(self, event: int) -> Mapping[str, Any]:
        """What an event says; {} when it was erased."""
        if event not in self._events:
            self.load_events([event])
        found = self._events.get(event)
        return found.predicate if found else {}

    def job_of(self, events: Sequence[int]) -> int:
        """The job of a run with these events; 0 when none is known."""
        return int(self.index.column("job")[events[0]]) if events else 0

    def event_type(self, event: int) -> str:
        return EVENT_TYPES[int(self.index.column("type")[event])]

    def at(self, event: int) -> int:
        """When it happened, in microseconds since 1970."""
        return int(self.index.column("at")[event])

    def in_time(self, events: Iterable[int]) -> list[int]:
        """The same events, by when they happened."""
        return sorted((int(event) for event in events), key=lambda event: (self.at(event), event))


@contextlib.contextmanager
def open_reader(archive: Archive, sees: Sees) -> Iterator[Reader]:
    """Read the archive as it is now. One request at a time reads; the others wait."""
    index = index_of(archive)
    with index.lock, archive.reading() as (_, views):
        tables = CatalogTables(views.connection)
        index.follow(GraphTables(views.connection, is_long=True), tables)
        yield Reader(index, tables, sees)


@dataclass(frozen=True)
class Opener:
    """`with opened() as reader`, all in one thread, since the index is locked meanwhile."""

    archive: Archive
    sees: Sees

    def __call__(self) -> contextlib.AbstractContextManager[Reader]:
        return open_reader(self.archive, self.sees)


def _opener(request: Request, guard: TheGuard, caller: Caller) -> Opener:
    return Opener(request.app.state.archive, guard.sees(caller))


Opened = Annotated[Opener, Depends(_opener)]


def get(value: Any, *path: str) -> Any:
    """The member at a path; None when there is none, or something on the way is no object."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def get_text(value: Any, *path: str) -> str | None:
    found = get(value, *path)
    return found if isinstance(found, str) else None


def get_list(value: Any, *path: str) -> list[Any]:
    found = get(value, *path)
    return found if isinstance(found, list) else []


def parse_time_or_none(text: str | None) -> int | None:
    """Microseconds since 1970; None when it is no time."""
    try:
        return to_microseconds(parse_time(text, what="time")) if text else None
    except FormatError:
        return None
