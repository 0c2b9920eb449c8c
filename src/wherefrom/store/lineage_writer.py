"""Writing the views: called by the projection alone, in entry order, inside transactions that the caller opens.

Rows are gathered and written together by `flush`, and what was looked up once is remembered: a statement gives a dozen
rows, and asking the database for each alone would cost more than everything else about recording it. `look_up` asks for
what many statements will need, once for each view; what was not asked for then is asked for when it is needed. What is
remembered holds in later transactions too, for as long as nobody else writes: most events name what others named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from wherefrom.statements import canonical_name
from wherefrom.store.bulk import bulk_insert_all
from wherefrom.store.graph_tables import count_making
from wherefrom.store.matching import find_rows_of_many, greatest_ids
from wherefrom.store.newest_versions import NewestVersions, StoredVersion
from wherefrom.store.schema import (
    VIEWS,
    access,
    aliases,
    corrections,
    deletions,
    digests,
    edges,
    entities,
    erasures,
    events,
    gaps,
    jobs,
    keys,
    marks,
    named_version_edges,
    named_versions,
    runs,
    shapes,
    sources,
    versions,
)

# The columns that tell the rows of a view apart, by which they are looked up.
_KEYS: dict[sa.Table, tuple[str, ...]] = {
    runs: ("run_id",),
    jobs: ("namespace", "name"),
    entities: ("namespace", "name"),
    versions: ("entity", "digest"),
    digests: ("version", "algorithm"),
    edges: ("run", "version", "relation"),
    shapes: ("digest",),
    aliases: ("entity", "canonical", "reason"),
    named_versions: ("entity", "version"),
    named_version_edges: ("run", "version", "relation"),
}
_COLUMNS = {table: tuple(table.columns.keys()) for table in VIEWS}
_PLACES = {table: tuple(_COLUMNS[table].index(name) for name in names) for table, names in _KEYS.items()}
_TAKEN_BACK = tuple(table for table in _KEYS if "retracted" in table.columns)  # it is their last column
_NUMBERED = tuple(table for table in VIEWS if "id" in table.columns)
_Key = tuple[Any, ...]
Owner = tuple[int, int, int]  # of an event: its run, its job, and the data set of a DatasetEvent; 0 for none
SYMLINKS = "symlinks"
"""The reason of an alias that an event gives; those that follow from how names are spelled have others."""


class Named(NamedTuple):
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


class LineageWriter:
    """Adds rows to the views. Ids count up from 1 in the order of projection, so that a rebuild gives the same."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._pending: dict[sa.Table, list[tuple[Any, ...]]] = {table: [] for table in VIEWS}
        self._next_ids: dict[sa.Table, int] = {}
        self._first_new: dict[sa.Table, int] = {}
        # What the projection remembers of what events said, by the object's id, with the object, so that nothing else
        # gets its id: what it will write of it in this transaction, and the number of the shape that it was.
        self.noted: dict[int, tuple[Any, str]] = {}
        self.settled: dict[int, tuple[Any, int]] = {}
        # Rows by key, those in the database that were asked for and those added since; none that were taken back.
        self._rows: dict[sa.Table, dict[_Key, int]] = {table: {} for table in _KEYS}
        self._asked: dict[sa.Table, set[_Key]] = {table: set() for table in _KEYS}  # need not be asked for again
        self._versions: dict[int, StoredVersion] = {}
        self._grown: dict[int, StoredVersion] = {}  # whose sizes were said after the row was written
        self._newest = NewestVersions(connection, self._remember)

    def go_on(self, connection: sa.Connection) -> None:
        """Write in another transaction, after the one before was committed and nobody else has written since."""
        self._connection = self._newest.connection = connection

    def count_remembered(self) -> int:
        """How many rows, and keys of rows that are not there, are in memory; about."""
        return sum(map(len, self._rows.values())) + sum(map(len, self._asked.values()))

    def look_up(
        self,
        named: Collection[Named],
        job_names: Iterable[tuple[str, str]] = (),
        names: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Ask at once for what many statements will need, after their runs were asked for.

        Args:
            names: namespaces and names of data sets that a statement names without a version.
        """
        spelled = {*names, *((one.namespace, one.name) for one in named)}
        canonical = (canonical_name(*name) for name in spelled)
        spelled |= {(one.namespace, one.name) for one in canonical if one.reasons}
        self._find((jobs, set(job_names)), (entities, spelled))
        known_runs, known = self._rows[runs], self._rows[entities]
        found = [(one, known[one.namespace, one.name]) for one in named if (one.namespace, one.name) in known]
        self._find((versions, {(entity, one.digest) for one, entity in found}))
        wanted: set[_Key] = set()
        drawn: set[_Key] = set()
        for one, entity in found:
            if (version := self._rows[versions].get((entity, one.digest))) is not None:
                wanted.update((version, algorithm) for algorithm in one.algorithms)
                if (run := known_runs.get((one.run_id,))) is not None:
                    drawn.add((run, version, one.relation))
        self._find((digests, wanted), (edges, drawn))
        unseen = [(one, entity) for one, entity in found if one.relation == "used" and not one.digest]
        users = {known_runs[one.run_id,] for one, _ in unseen if (one.run_id,) in known_runs}
        self._newest.look_up({entity for _, entity in unseen}, users)

    def look_up_said(
        self,
        bodies: Iterable[str],
        links: Iterable[tuple[int, int]],
        versions_named: Iterable[tuple[int, str]],
    ) -> None:
        """Ask at once for shapes, aliases that events give, and versions as others name them."""
        self._find(
            (shapes, {(_digest(body),) for body in bodies}),
            (aliases, {(*link, SYMLINKS) for link in links}),
            (named_versions, set(versions_named)),
        )

    def look_up_runs(self, run_ids: Iterable[str]) -> set[str]:
        """Ask for runs; those of them that the database may know more about than this writer."""
        known = self._rows[runs]
        self._find((runs, {(run_id,) for run_id in run_ids}))
        numbers = ((run_id, known.get((run_id,))) for run_id in run_ids)
        return {run_id for run_id, number in numbers if number is not None and not self._is_new(runs, number)}

    def entity_known(self, namespace: str, name: str) -> int:
        """The entity that a data set is by its canonical name. Raises KeyError unless both names were looked up."""
        number = self._rows[entities][namespace, name]
        canonical = canonical_name(namespace, name)
        return self._rows[entities][canonical.namespace, canonical.name] if canonical.reasons else number

    def job_known(self, namespace: str, name: str) -> int:
        """Raises KeyError unless it was looked up."""
        return self._rows[jobs][namespace, name]

    def ensure_canonical(self, namespace: str, name: str, *, entry: int) -> int:
        """The entity that a data set is by its canonical name."""
        number = self.ensure_entity(namespace, name, entry=entry)
        canonical = canonical_name(namespace, name)
        return self.ensure_entity(canonical.namespace, canonical.name, entry=entry) if canonical.reasons else number

    def ensure_entity(self, namespace: str, name: str, *, entry: int) -> int:
        """The entity of this very name. One that is spelled otherwise than canonically gets an alias."""
        number = self._row(entities, (namespace, name))
        if number is None:
            number = self._insert(entities, namespace=namespace, name=name, entry=entry)
            if reasons := (canonical := canonical_name(namespace, name)).reasons:
                other = self.ensure_entity(canonical.namespace, canonical.name, entry=entry)
                self._insert(aliases, entity=number, canonical=other, reason="; ".join(reasons), entry=entry)
        return number

    def ensure_version(self, entity: int, digest: str, *, total_bytes: int | None, rows: int | None, entry: int) -> int:
        """The version's id. Its sizes are those first said, whenever that is."""
        number = self._row(versions, (entity, digest), is_new=self._is_new(entities, entity))
        if number is None:
            values = {"entity": entity, "digest": digest, "total_bytes": total_bytes, "rows": rows, "entry": entry}
            number = self._insert(versions, **values)
            made = self._versions[number] = StoredVersion(number, entity, digest, total_bytes, rows, entry)
            self._newest.add_version(made)
            return number
        known = self._versions[number]
        said = (total_bytes, rows) if digest else (None, None)  # without a digest it is no one content, of no one size
        sizes = tuple(
            new if old is None else old for old, new in zip((known.total_bytes, known.rows), said, strict=True)
        )
        if sizes != (known.total_bytes, known.rows):
            known.total_bytes, known.rows = sizes
            self._grown[number] = known
        return number

    def ensure_digest(self, version: int, algorithm: str, text: str, *, entry: int) -> None:
        key = (version, algorithm)
        if self._row(digests, key, is_new=self._is_new(versions, version)) is None:
            self._rows[digests][key] = version
            self._add(digests, version=version, algorithm=algorithm, hex=text, entry=entry)

    def ensure_job(self, namespace: str, name: str, *, entry: int) -> int:
        number = self._row(jobs, (namespace, name))
        return self._insert(jobs, namespace=namespace, name=name, entry=entry) if number is None else number

    def ensure_run(self, run_id: str, job: int, *, parent: str | None, entry: int) -> int:
        number = self._row(runs, (run_id,))
        if number is None:
            number = self._insert(runs, run_id=run_id, job=job, parent_run_id=parent, entry=entry)
        return number

    def ensure_edge(self, run: int, version: int, relation: str, how: str, *, entry: int) -> None:
        """Add an edge, unless the run's edge to this version is known already and not taken back."""
        is_new = self._is_new(runs, run) or self._is_new(versions, version)
        if self._row(edges, (run, version, relation), is_new=is_new) is None:
            self._insert(edges, run=run, version=version, relation=relation, how=how, entry=entry)
            self._newest.add_edge(run, self._versions[version], relation, entry=entry)

    def ensure_shape(self, body: str, *, newest: tuple[int, int], entry: int) -> int:
        """`newest`: the greatest numbers of an entity and of a job in it; of one made just now, no shape is stored."""
        digest = _digest(body)
        is_new = self._is_new(entities, newest[0]) or self._is_new(jobs, newest[1])
        number = self._row(shapes, (digest,), is_new=is_new)
        return self._insert(shapes, digest=digest, body=body, entry=entry) if number is None else number

    def ensure_symlink(self, entity: int, canonical: int, *, entry: int) -> None:
        """Add that an event says so, unless that is known and not taken back."""
        is_new = self._is_new(entities, entity) or self._is_new(entities, canonical)
        if self._row(aliases, (entity, canonical, SYMLINKS), is_new=is_new) is None:
            self._insert(aliases, entity=entity, canonical=canonical, reason=SYMLINKS, entry=entry)

    def ensure_named_version(self, entity: int, version: str, *, entry: int) -> int:
        number = self._row(named_versions, (entity, version), is_new=self._is_new(entities, entity))
        return self._insert(named_versions, entity=entity, version=version, entry=entry) if number is None else number

    def ensure_named_edge(self, run: int, version: int, relation: str, *, entry: int) -> None:
        """Add an edge to a version as others name it, unless it is there and not taken back."""
        is_new = self._is_new(runs, run) or self._is_new(named_versions, version)
        if self._row(named_version_edges, (run, version, relation), is_new=is_new) is None:
            self._insert(named_version_edges, run=run, version=version, relation=relation, entry=entry)

    def add_deletion(self, dataset: int, job: int, at: int, *, entry: int) -> None:
        """`at`: microseconds since 1970."""
        self._add(deletions, dataset=dataset, job=job, at=at, entry=entry)

    def add_mark(self, position: int, path: str, message: str, *, entry: int) -> None:
        self._add(marks, position=position, path=path, message=message, entry=entry)

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
        for table in (edges, sources, aliases, named_version_edges, deletions):
            taken = table.update().where(table.c.entry == target, table.c.retracted.is_(None))
            if table is aliases:  # how names are spelled is not what somebody said
                taken = taken.where(aliases.c.reason == SYMLINKS)
            self._connection.execute(taken.values(retracted=entry))
        self._first_new.clear()  # what was taken back may be added again: look it up
        for table in (edges, aliases, named_version_edges):
            self._rows[table].clear()
            self._asked[table].clear()
        self._newest.forget_uses()

    def add_access(self, kind: str, *, entry: int) -> None:
        self._add(access, kind=kind, entry=entry)

    def add_erasure(self, kind: str, target: int | None, *, entry: int) -> None:
        self._add(erasures, kind=kind, target=target, entry=entry)

    def uses_entity(self, run: int, entity: int) -> bool:
        """Whether the run has an edge, not taken back, to any version of an entity that it used."""
        return self._newest.is_used(run, entity, is_new=self._is_new(runs, run))

    def newest_version(self, entity: int, *, as_of: int) -> tuple[int, str] | None:
        """Id and digest of the version of an entity that an edge spoke of last, before entry `as_of`."""
        return self._newest.find(entity, as_of=as_of, is_new=self._is_new(entities, entity))

    def flush(self) -> None:
        """Write what was gathered. The caller does it at the end."""
        bulk_insert_all(self._connection, self._pending)
        for rows in self._pending.values():
            rows.clear()
        if self._grown:
            sizes = [{"of": v.id, "total_bytes": v.total_bytes, "rows": v.rows} for v in self._grown.values()]
            self._connection.execute(versions.update().where(versions.c.id == sa.bindparam("of")), sizes)
            self._grown.clear()
        self._newest.settle()

    def clear(self) -> None:
        """Empty every view."""
        count_making(self._connection)
        for table in reversed(VIEWS):
            self._connection.execute(table.delete())

    def _find(self, *wanted: tuple[sa.Table, set[_Key]]) -> None:
        """Ask for rows of several views at once, and remember those that are there and not taken back."""
        asked = []
        for table, keys_of in wanted:
            done, known = self._asked[table], self._rows[table]
            asked.append((table, {key for key in keys_of if key not in done and key not in known}))
        found = find_rows_of_many(self._connection, [(table, _KEYS[table], sorted(some)) for table, some in asked])
        for (table, some), rows in zip(asked, found, strict=True):
            self._asked[table] |= some
            places, known = _PLACES[table], self._rows[table]
            for row in rows:
                if table not in _TAKEN_BACK or row[-1] is None:
                    known[tuple([row[place] for place in places])] = row[0]
            if table is versions:
                for row in rows:
                    self._remember(StoredVersion(*row))

    def _row(self, table: sa.Table, key: _Key, *, is_new: bool = False) -> int | None:
        """The row's number, or that of what it is about; None when there is none. `is_new`: none can be stored."""
        known = self._rows[table]
        if key not in known and not is_new and key not in self._asked[table]:
            self._find((table, {key}))
        return known.get(key)

    def _remember(self, version: StoredVersion) -> None:
        self._versions.setdefault(version.id, version)
        self._rows[versions][version.entity, version.digest] = version.id

    def _add(self, table: sa.Table, **values: Any) -> None:
        self._pending[table].append(tuple(map(values.get, _COLUMNS[table])))

    def _insert(self, table: sa.Table, **values: Any) -> int:
        if not self._next_ids:
            greatest = greatest_ids(self._connection, _NUMBERED)
            self._next_ids = {of: number + 1 for of, number in greatest.items()}
        number = self._next_ids[table]
        self._first_new.setdefault(table, number)
        self._next_ids[table] += 1
        self._add(table, id=number, **values)
        self._rows[table][tuple([values[name] for name in _KEYS[table]])] = number
        return number

    def _is_new(self, table: sa.Table, number: int) -> bool:
        """Made by this writer, so the database knows nothing more about it than we do."""
        return number >= self._first_new.get(table, number + 1)


def _digest(body: str) -> bytes:
    return hashlib.sha256(body.encode()).digest()
