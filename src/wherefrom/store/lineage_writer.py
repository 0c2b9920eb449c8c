"""Writing the views: called by the projection alone, in entry order, inside a transaction that the caller opened.

Rows are gathered and written together by `flush`, and what was looked up once is remembered: a statement gives a dozen
rows, and asking the database for each alone would cost more than everything else about recording it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from wherefrom.store.lineage_tables import LineageTables
from wherefrom.store.schema import (
    VIEWS,
    corrections,
    digests,
    edges,
    entities,
    gaps,
    producers,
    run_events,
    runs,
    sources,
    versions,
)


def _find(table: sa.Table, *names: str) -> sa.Select[Any]:
    return table.select().where(*(table.c[name] == sa.bindparam(name) for name in names))


# Built once: building a query costs several times what running it does.
_FIND_ENTITY = _find(entities, "namespace", "name")
_FIND_VERSION = _find(versions, "entity", "digest")
_FIND_DIGEST = _find(digests, "version", "algorithm")
_FIND_RUN = _find(runs, "run_id")
_FIND_EDGE = _find(edges, "run", "version", "relation").where(edges.c.retracted.is_(None))
_FIND_USE = (
    sa.select(edges.c.id)
    .join(versions, versions.c.id == edges.c.version)
    .where(edges.c.run == sa.bindparam("run"), versions.c.entity == sa.bindparam("entity"))
    .where(edges.c.relation == "used", edges.c.retracted.is_(None))
    .limit(1)
)


class LineageWriter:
    """Adds rows to the views. Ids count up from 1 in the order of projection, so that a rebuild gives the same."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._pending: dict[sa.Table, list[dict[str, Any]]] = {table: [] for table in VIEWS}
        self._next_ids: dict[sa.Table, int] = {}
        self._first_new: dict[sa.Table, int] = {}
        self._entities: dict[tuple[str, str], int] = {}
        self._versions: dict[tuple[int, str], dict[str, Any]] = {}
        self._digests: set[tuple[int, str]] = set()
        self._runs: dict[str, int] = {}
        self._edges: set[tuple[int, int, str]] = set()

    def ensure_entity(self, namespace: str, name: str, *, entry: int) -> int:
        key = (namespace, name)
        if key not in self._entities:
            row = self._one(_FIND_ENTITY, namespace=namespace, name=name)
            found = row["id"] if row else self._insert(entities, namespace=namespace, name=name, entry=entry)
            self._entities[key] = found
        return self._entities[key]

    def ensure_version(self, entity: int, digest: str, *, total_bytes: int | None, rows: int | None, entry: int) -> int:
        """The version's id. Its sizes are those first said, whenever that is."""
        key, sizes = (entity, digest), {"total_bytes": total_bytes, "rows": rows}
        if key not in self._versions:
            row = None if self._is_new(entities, entity) else self._one(_FIND_VERSION, entity=entity, digest=digest)
            if row is None:
                number = self._insert(versions, entity=entity, digest=digest, entry=entry, **sizes)
                row = {"id": number, **sizes}
            self._versions[key] = dict(row)
        known = self._versions[key]
        new = {name: size for name, size in sizes.items() if size is not None and known[name] is None}
        if new and digest:  # without a digest it is no one content, and has no one size
            self.flush()
            self._connection.execute(versions.update().where(versions.c.id == known["id"]).values(**new))
            known.update(new)
        return int(known["id"])

    def ensure_digest(self, version: int, algorithm: str, text: str, *, entry: int) -> None:
        key = (version, algorithm)
        if key not in self._digests:
            self._digests.add(key)
            if self._is_new(versions, version) or not self._one(_FIND_DIGEST, version=version, algorithm=algorithm):
                self._add(digests, version=version, algorithm=algorithm, hex=text, entry=entry)

    def ensure_run(self, run_id: str, job: tuple[str, str], *, parent: str | None, entry: int) -> int:
        if run_id not in self._runs:
            row = self._one(_FIND_RUN, run_id=run_id)
            values = {"job_namespace": job[0], "job_name": job[1], "parent_run_id": parent, "entry": entry}
            self._runs[run_id] = row["id"] if row else self._insert(runs, run_id=run_id, **values)
        return self._runs[run_id]

    def ensure_edge(self, run: int, version: int, relation: str, how: str, *, entry: int) -> None:
        """Add an edge, unless the run's edge to this version is known already and not taken back."""
        key = (run, version, relation)
        if key not in self._edges:
            self._edges.add(key)
            is_new = self._is_new(runs, run) or self._is_new(versions, version)
            if is_new or not self._one(_FIND_EDGE, run=run, version=version, relation=relation):
                self._insert(edges, run=run, version=version, relation=relation, how=how, entry=entry)

    def add_run_event(self, run: int, event_type: str, event_time: str, *, entry: int) -> None:
        self._add(run_events, run=run, event_type=event_type, event_time=event_time, entry=entry)

    def add_gap(self, run_id: str, *, entry: int) -> None:
        self._add(gaps, run_id=run_id, entry=entry)

    def add_source(self, version: int, *, entry: int) -> None:
        self._add(sources, version=version, entry=entry)

    def add_producer(self, key_id: str, verifier_key: str, *, entry: int) -> None:
        self._add(producers, key_id=key_id, verifier_key=verifier_key, entry=entry)

    def add_correction(self, target: int, action: str, *, entry: int) -> None:
        """Record a correction, and take back what the corrected entry had added."""
        self._add(corrections, target=target, action=action, entry=entry)
        self.flush()
        for table in (edges, sources):
            taken = table.update().where(table.c.entry == target, table.c.retracted.is_(None))
            self._connection.execute(taken.values(retracted=entry))
        self._first_new.clear()  # an edge that was taken back may be added again: look it up
        self._edges.clear()

    def uses_entity(self, run: int, entity: int) -> bool:
        """Whether the run has an edge, not taken back, to any version of an entity that it used."""
        self.flush()
        return self._one(_FIND_USE, run=run, entity=entity) is not None

    def newest_version(self, entity: int, *, as_of: int) -> Any | None:
        """The row of the version of an entity that an edge spoke of last."""
        self.flush()
        found = LineageTables(self._connection).versions_of(entity, as_of=as_of)
        return found[0] if found else None

    def flush(self) -> None:
        """Write what was gathered. The caller does it at the end."""
        for table, rows in self._pending.items():
            if rows:
                self._connection.execute(table.insert(), rows)
                rows.clear()

    def clear(self) -> None:
        """Empty every view."""
        for table in reversed(VIEWS):
            self._connection.execute(table.delete())

    def _add(self, table: sa.Table, **values: Any) -> None:
        self._pending[table].append(values)

    def _insert(self, table: sa.Table, **values: Any) -> int:
        if table not in self._next_ids:
            newest = self._connection.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)))
            self._next_ids[table] = int(newest or 0) + 1
        number = self._next_ids[table]
        self._first_new.setdefault(table, number)
        self._next_ids[table] += 1
        self._add(table, id=number, **values)
        return number

    def _is_new(self, table: sa.Table, number: int) -> bool:
        """Made in this transaction, so the database knows nothing more about it than we do."""
        return number >= self._first_new.get(table, number + 1)

    def _one(self, query: sa.Select[Any], **values: Any) -> Any:
        return self._connection.execute(query, values).mappings().first()
