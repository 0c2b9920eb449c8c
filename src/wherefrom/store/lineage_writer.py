"""Writing the views: called by the projection alone, in entry order, inside a transaction that the caller opened.

Rows are gathered and written together by `flush`, and what was looked up once is remembered: a statement gives a dozen
rows, and asking the database for each alone would cost more than everything else about recording it. `look_up` asks for
what many statements will need, once for each view; what was not asked for then is asked for when it is needed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wherefrom.store.bulk import bulk_insert
from wherefrom.store.matching import find_rows
from wherefrom.store.schema import (
    VIEWS,
    corrections,
    digests,
    edges,
    entities,
    erasures,
    events,
    gaps,
    jobs,
    keys,
    runs,
    sources,
    versions,
)

# The version of an entity that an edge spoke of last; of several, or of none, the one that was first spoken of last.
_LAST = (
    sa.select(sa.func.max(edges.c.entry))
    .where(edges.c.version == versions.c.id, edges.c.entry < sa.bindparam("as_of"))
    .scalar_subquery()
)
_NEWEST = (
    sa.select(versions, sa.func.coalesce(_LAST, -1).label("last"))
    .where(versions.c.entity == sa.bindparam("of"), versions.c.entry < sa.bindparam("as_of"))
    .order_by(sa.text("last DESC"), versions.c.entry.desc(), versions.c.id.desc())
    .limit(1)
)
_USED = (
    sa.select(versions.c.entity)
    .join(edges, edges.c.version == versions.c.id)
    .where(edges.c.run == sa.bindparam("by"), edges.c.relation == "used", edges.c.retracted.is_(None))
)
_COLUMNS = {table: tuple(table.columns.keys()) for table in VIEWS}
_GREATEST_ID = {table: sa.select(sa.func.max(table.c.id)) for table in VIEWS if "id" in table.columns}
Owner = tuple[int, int, int]  # of an event: its run, its job, and the data set of a DatasetEvent; 0 for none
_Rank = tuple[int, int, int, str]  # last edge, first mention, id, digest: the greatest is an entity's newest version


@dataclass(frozen=True)
class Named:
    """A version of a data set as a statement names it, which will be asked for.

    Attributes:
        digest: the primary one, "" for none.
        algorithms: of all its digests.
        run_id, relation: the edge to it; "" for none.
    """

    namespace: str
    name: str
    digest: str
    algorithms: tuple[str, ...]
    run_id: str = ""
    relation: str = ""


@dataclass
class _Version:
    id: int
    entity: int
    digest: str
    total_bytes: int | None
    rows: int | None
    entry: int


class LineageWriter:
    """Adds rows to the views. Ids count up from 1 in the order of projection, so that a rebuild gives the same."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._pending: dict[sa.Table, list[tuple[Any, ...]]] = {table: [] for table in VIEWS}
        self._next_ids: dict[sa.Table, int] = {}
        self._first_new: dict[sa.Table, int] = {}
        self._entities: dict[tuple[str, str], int] = {}
        self._versions: dict[tuple[int, str], _Version] = {}
        self._by_id: dict[int, _Version] = {}
        self._grown: dict[int, _Version] = {}  # whose sizes were said after the row was written
        self._digests: set[tuple[int, str]] = set()
        self._asked: set[tuple[sa.Table, tuple[Any, ...]]] = set()  # keys that need not be asked for again
        self._jobs: dict[tuple[str, str], int] = {}
        self._runs: dict[str, int] = {}
        self._edges: set[tuple[int, int, str]] = set()
        self._no_edges: set[tuple[int, int, str]] = set()
        self._used: dict[int, set[int]] = {}  # run to the entities it used, as the database has them
        self._uses: set[tuple[int, int]] = set()  # run and entity, of the edges added since
        self._newest: dict[int, _Rank | None] = {}
        self._since: dict[int, list[_Rank]] = {}  # what may be newer than that, by entity

    def look_up(
        self, run_ids: Collection[str], named: Collection[Named], job_names: Collection[tuple[str, str]] = ()
    ) -> None:
        """Ask at once for what many statements will need."""
        self._find_runs(set(run_ids) - self._runs.keys())
        self._find_jobs(set(job_names) - self._jobs.keys())
        self._find_entities({(one.namespace, one.name) for one in named} - self._entities.keys())
        keys = {(e, one.digest) for one in named if (e := self._entities.get((one.namespace, one.name))) is not None}
        self._find_versions(keys - self._versions.keys())
        wanted: set[tuple[int, str]] = set()
        drawn: set[tuple[int, int, str]] = set()
        for one in named:
            entity = self._entities.get((one.namespace, one.name))
            if entity is not None and (version := self._versions.get((entity, one.digest))):
                wanted.update((version.id, algorithm) for algorithm in one.algorithms)
                if one.run_id in self._runs:
                    drawn.add((self._runs[one.run_id], version.id, one.relation))
        self._find_digests(wanted - self._digests)
        self._find_edges(drawn - self._edges)

    def ensure_entity(self, namespace: str, name: str, *, entry: int) -> int:
        key = (namespace, name)
        if key not in self._entities and (entities, key) not in self._asked:
            self._find_entities({key})
        if key not in self._entities:
            self._entities[key] = self._insert(entities, namespace=namespace, name=name, entry=entry)
        return self._entities[key]

    def ensure_version(self, entity: int, digest: str, *, total_bytes: int | None, rows: int | None, entry: int) -> int:
        """The version's id. Its sizes are those first said, whenever that is."""
        key = (entity, digest)
        if key not in self._versions and not self._is_new(entities, entity) and (versions, key) not in self._asked:
            self._find_versions({key})
        known = self._versions.get(key)
        if known is None:
            values = {"entity": entity, "digest": digest, "total_bytes": total_bytes, "rows": rows, "entry": entry}
            number = self._insert(versions, **values)
            self._remember(_Version(number, entity, digest, total_bytes, rows, entry))
            self._since.setdefault(entity, []).append((-1, entry, number, digest))
            return number
        said = (total_bytes, rows) if digest else (None, None)  # without a digest it is no one content, of no one size
        sizes = tuple(
            new if old is None else old for old, new in zip((known.total_bytes, known.rows), said, strict=True)
        )
        if sizes != (known.total_bytes, known.rows):
            known.total_bytes, known.rows = sizes
            self._grown[known.id] = known
        return known.id

    def ensure_digest(self, version: int, algorithm: str, text: str, *, entry: int) -> None:
        key = (version, algorithm)
        if key not in self._digests and not self._is_new(versions, version) and (digests, key) not in self._asked:
            self._find_digests({key})
        if key not in self._digests:
            self._digests.add(key)
            self._add(digests, version=version, algorithm=algorithm, hex=text, entry=entry)

    def ensure_job(self, namespace: str, name: str, *, entry: int) -> int:
        key = (namespace, name)
        if key not in self._jobs and (jobs, key) not in self._asked:
            self._find_jobs({key})
        if key not in self._jobs:
            self._jobs[key] = self._insert(jobs, namespace=namespace, name=name, entry=entry)
        return self._jobs[key]

    def ensure_run(self, run_id: str, job: int, *, parent: str | None, entry: int) -> int:
        if run_id not in self._runs and (runs, (run_id,)) not in self._asked:
            self._find_runs({run_id})
        if run_id not in self._runs:
            self._runs[run_id] = self._insert(runs, run_id=run_id, job=job, parent_run_id=parent, entry=entry)
        return self._runs[run_id]

    def ensure_edge(self, run: int, version: int, relation: str, how: str, *, entry: int) -> None:
        """Add an edge, unless the run's edge to this version is known already and not taken back."""
        key = (run, version, relation)
        if key in self._edges:
            return
        is_new = self._is_new(runs, run) or self._is_new(versions, version)
        if not is_new and key not in self._no_edges:
            self._find_edges({key})
            if key in self._edges:
                return
        self._edges.add(key)
        self._insert(edges, run=run, version=version, relation=relation, how=how, entry=entry)
        of = self._by_id[version]
        self._since.setdefault(of.entity, []).append((entry, of.entry, of.id, of.digest))
        if relation == "used":
            self._uses.add((run, of.entity))

    def add_event(self, owner: Owner, event_type: str, event_time: str, at: int, shape: int, *, entry: int) -> None:
        """`at`: microseconds since 1970; `shape`: from `ensure_shape`, or 0."""
        run, job, dataset = owner
        what = {"event_type": event_type, "event_time": event_time, "at": at, "shape": shape}
        self._add(events, run=run, job=job, dataset=dataset, entry=entry, **what)

    def add_gap(self, run_id: str, *, entry: int) -> None:
        self._add(gaps, run_id=run_id, entry=entry)

    def add_source(self, version: int, *, entry: int) -> None:
        self._add(sources, version=version, entry=entry)

    def add_key(self, key_id: str, *, entry: int) -> None:
        self._add(keys, key_id=key_id, entry=entry)

    def add_correction(self, target: int, action: str, *, entry: int) -> None:
        """Record a correction, and take back what the corrected entry had added."""
        self._add(corrections, target=target, action=action, entry=entry)
        self.flush()
        for table in (edges, sources):
            taken = table.update().where(table.c.entry == target, table.c.retracted.is_(None))
            self._connection.execute(taken.values(retracted=entry))
        self._first_new.clear()  # an edge that was taken back may be added again: look it up
        self._edges.clear()
        self._no_edges.clear()
        self._used.clear()
        self._uses.clear()

    def add_erasure(self, kind: str, target: int | None, *, entry: int) -> None:
        self._add(erasures, kind=kind, target=target, entry=entry)

    def uses_entity(self, run: int, entity: int) -> bool:
        """Whether the run has an edge, not taken back, to any version of an entity that it used."""
        if (run, entity) in self._uses:
            return True
        if self._is_new(runs, run):
            return False
        if run not in self._used:
            self._used[run] = set(self._connection.scalars(_USED, {"by": run}))
        return entity in self._used[run]

    def newest_version(self, entity: int, *, as_of: int) -> tuple[int, str] | None:
        """Id and digest of the version of an entity that an edge spoke of last, before entry `as_of`."""
        if entity not in self._newest:
            self._newest[entity] = None
            if not self._is_new(entities, entity):
                row = self._connection.execute(_NEWEST, {"of": entity, "as_of": as_of}).first()
                if row is not None:
                    self._newest[entity] = (row.last, row.entry, row.id, row.digest)
                    if row.id not in self._by_id:
                        self._remember(_Version(*row[:-1]))
        ranks = [self._newest[entity]]
        later: list[_Rank] = []
        for rank in self._since.pop(entity, ()):
            (ranks if max(rank[:2]) < as_of else later).append(rank)
        if later:
            self._since[entity] = later
        best = max((rank for rank in ranks if rank is not None), default=None)
        self._newest[entity] = best
        return None if best is None else best[2:]

    def flush(self) -> None:
        """Write what was gathered. The caller does it at the end."""
        for table, rows in self._pending.items():
            if rows:
                bulk_insert(self._connection, table, rows)
                rows.clear()
        if self._grown:
            sizes = [{"of": v.id, "total_bytes": v.total_bytes, "rows": v.rows} for v in self._grown.values()]
            self._connection.execute(versions.update().where(versions.c.id == sa.bindparam("of")), sizes)
            self._grown.clear()

    def clear(self) -> None:
        """Empty every view."""
        for table in reversed(VIEWS):
            self._connection.execute(table.delete())

    def _find_runs(self, run_ids: set[str]) -> None:
        keys = [(run_id,) for run_id in sorted(run_ids)]
        self._asked.update((runs, key) for key in keys)
        for row in find_rows(self._connection, runs, ("run_id",), keys):
            self._runs[row[1]] = row[0]

    def _find_jobs(self, keys: set[tuple[str, str]]) -> None:
        self._asked.update((jobs, key) for key in keys)
        for number, namespace, name, _ in find_rows(self._connection, jobs, ("namespace", "name"), keys):
            self._jobs[namespace, name] = number

    def _find_entities(self, keys: set[tuple[str, str]]) -> None:
        self._asked.update((entities, key) for key in keys)
        for number, namespace, name, _ in find_rows(self._connection, entities, ("namespace", "name"), keys):
            self._entities[namespace, name] = number

    def _find_versions(self, keys: set[tuple[int, str]]) -> None:
        self._asked.update((versions, key) for key in keys)
        for row in find_rows(self._connection, versions, ("entity", "digest"), keys):
            self._remember(_Version(*row))

    def _find_digests(self, keys: set[tuple[int, str]]) -> None:
        self._asked.update((digests, key) for key in keys)
        for row in find_rows(self._connection, digests, ("version", "algorithm"), keys):
            self._digests.add((row[0], row[1]))

    def _find_edges(self, keys: set[tuple[int, int, str]]) -> None:
        """Those not taken back."""
        rows = find_rows(self._connection, edges, ("run", "version", "relation"), keys)
        self._edges.update((row[1], row[2], row[3]) for row in rows if row[6] is None)
        self._no_edges.update(keys - self._edges)

    def _remember(self, version: _Version) -> None:
        self._versions[version.entity, version.digest] = self._by_id[version.id] = version

    def _add(self, table: sa.Table, **values: Any) -> None:
        self._pending[table].append(tuple(map(values.get, _COLUMNS[table])))

    def _insert(self, table: sa.Table, **values: Any) -> int:
        if table not in self._next_ids:
            newest = self._connection.scalar(_GREATEST_ID[table])
            self._next_ids[table] = int(newest or 0) + 1
        number = self._next_ids[table]
        self._first_new.setdefault(table, number)
        self._next_ids[table] += 1
        self._add(table, id=number, **values)
        return number

    def _is_new(self, table: sa.Table, number: int) -> bool:
        """Made in this transaction, so the database knows nothing more about it than we do."""
        return number >= self._first_new.get(table, number + 1)
