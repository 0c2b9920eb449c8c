"""The views' tables, inside a transaction that the caller opened: rows in, rows out.

`as_of` everywhere: rows made by an entry below it, and not taken back by one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wherefrom.store.schema import (
    access,
    corrections,
    digests,
    edges,
    entities,
    events,
    gaps,
    jobs,
    keys,
    runs,
    sources,
    versions,
)

_CHUNK = 500
_RUNS = sa.select(
    runs.c.id,
    runs.c.run_id,
    runs.c.job,
    jobs.c.namespace.label("job_namespace"),
    jobs.c.name.label("job_name"),
    runs.c.parent_run_id,
    runs.c.entry,
).join(jobs, jobs.c.id == runs.c.job)


_KEY_ENTRIES = sa.select(keys.c.entry).order_by(keys.c.entry)  # asked for with each commit


@dataclass(frozen=True)
class LineageTables:
    connection: sa.Connection

    def iter_rows(self, table: sa.Table) -> Generator[tuple[Any, ...], None, None]:
        """Every row of a view, by primary key; a thousand at a time in memory."""
        query = table.select().order_by(*table.primary_key.columns).execution_options(yield_per=1000)
        with self.connection.execute(query) as found:
            yield from (tuple(row) for row in found)

    def list_key_entries(self) -> list[int]:
        """The indexes of all key statements, in order."""
        return list(self.connection.scalars(_KEY_ENTRIES))

    def list_access_entries(self, start: int) -> list[int]:
        """The indexes, from `start` on, of all statements that say who may do what, and of what takes one back."""
        taken = corrections.join(access, access.c.entry == corrections.c.target)
        said = sa.select(access.c.entry).where(access.c.entry >= start, access.c.kind != "denial")
        back = sa.select(corrections.c.entry).select_from(taken).where(corrections.c.entry >= start)
        return sorted(self.connection.scalars(said.union(back)))

    def list_access_statements(self, start: int, *, limit: int) -> list[int]:
        """The indexes, from `start` on, of statements that say who may do what, or was denied it."""
        query = sa.select(access.c.entry).where(access.c.entry >= start).order_by(access.c.entry).limit(limit)
        return list(self.connection.scalars(query))

    def iter_entities(self, *, as_of: int) -> Iterator[Any]:
        """Rows (id, namespace, name)."""
        query = entities.select().where(entities.c.entry < as_of).order_by(entities.c.id)
        with self.connection.execute(query.execution_options(yield_per=1000)) as found:
            yield from found

    def find_entities(self, name: str, *, as_of: int) -> list[Any]:
        found = entities.select().where(entities.c.name == name, entities.c.entry < as_of)
        return list(self.connection.execute(found.order_by(entities.c.id)))

    def versions_of(self, entity: int, *, as_of: int) -> list[Any]:
        """Versions of an entity, the one last spoken of by an edge first, then by first mention."""
        last = (
            sa.select(edges.c.version, sa.func.max(edges.c.entry).label("last"))
            .where(edges.c.entry < as_of)
            .group_by(edges.c.version)
            .subquery()
        )
        query = (
            sa.select(versions)
            .outerjoin(last, last.c.version == versions.c.id)
            .where(versions.c.entity == entity, versions.c.entry < as_of)
            .order_by(sa.func.coalesce(last.c.last, -1).desc(), versions.c.entry.desc(), versions.c.id.desc())
        )
        return list(self.connection.execute(query))

    def find_versions_by_digest(self, prefix: str, *, as_of: int, algorithm: str | None = None) -> list[int]:
        """Ids of versions with a digest that begins so, in hex."""
        query = sa.select(digests.c.version).where(_begins_with(digests.c.hex, prefix))
        query = query.where(digests.c.entry < as_of)
        if algorithm is not None:
            query = query.where(digests.c.algorithm == algorithm)
        return sorted(set(self.connection.scalars(query)))

    def read_versions(self, ids: Sequence[int]) -> list[Any]:
        """Rows (id, namespace, name, digest, total_bytes, rows, entry), by id."""
        columns = [c for c in versions.c if c.name != "entity"]
        query = sa.select(entities.c.namespace, entities.c.name, *columns)
        query = query.join(entities, entities.c.id == versions.c.entity).order_by(versions.c.id)
        return self._in(query, versions.c.id, ids)

    def read_digests(self, ids: Sequence[int], *, as_of: int) -> list[Any]:
        """Rows (version, algorithm, hex)."""
        query = digests.select().where(digests.c.entry < as_of).order_by(digests.c.version, digests.c.entry)
        return self._in(query, digests.c.version, ids)

    def read_edges(
        self, relation: str, *, versions_in: Sequence[int] = (), runs_in: Sequence[int] = (), as_of: int
    ) -> list[Any]:
        """Rows (run, version, relation, how, entry) at these versions or runs, in entry order."""
        c = edges.c
        live = (c.entry < as_of) & (c.retracted.is_(None) | (c.retracted >= as_of)) & (c.relation == relation)
        query = edges.select().where(live).order_by(c.entry, c.id)
        return self._in(query, c.version, versions_in) if versions_in else self._in(query, c.run, runs_in)

    def read_runs(self, ids: Sequence[int]) -> list[Any]:
        """Rows (id, run_id, job, job_namespace, job_name, parent_run_id, entry), by id."""
        return self._in(_RUNS.order_by(runs.c.id), runs.c.id, ids)

    def iter_runs(self, *, as_of: int) -> Iterator[Any]:
        """Every run, the newest first; rows as `read_runs` gives them."""
        query = _RUNS.where(runs.c.entry < as_of).order_by(runs.c.id.desc())
        with self.connection.execute(query.execution_options(yield_per=100)) as found:
            yield from found

    def find_runs(self, prefix: str, *, as_of: int) -> list[Any]:
        """Runs whose id begins so; at most ten. Rows as `read_runs` gives them."""
        found = _RUNS.where(_begins_with(runs.c.run_id, prefix), runs.c.entry < as_of)
        return list(self.connection.execute(found.order_by(runs.c.id).limit(10)))

    def read_run_events(self, ids: Sequence[int], *, as_of: int) -> list[Any]:
        """Rows (entry, run, event_type, event_time), in entry order."""
        query = sa.select(events.c.entry, events.c.run, events.c.event_type, events.c.event_time)
        return self._in(query.where(events.c.entry < as_of).order_by(events.c.entry), events.c.run, ids)

    def read_gaps(self, run_ids: Sequence[str], *, as_of: int) -> list[Any]:
        """Rows (entry, run_id), in entry order."""
        query = gaps.select().where(gaps.c.entry < as_of).order_by(gaps.c.entry)
        return self._in(query, gaps.c.run_id, run_ids)

    def read_sources(self, ids: Sequence[int], *, as_of: int) -> list[Any]:
        """Rows (entry, version), in entry order."""
        c = sources.c
        live = (c.entry < as_of) & (c.retracted.is_(None) | (c.retracted >= as_of))
        return self._in(sources.select().where(live).order_by(c.entry), c.version, ids)

    def read_corrections(self, targets: Sequence[int], *, as_of: int) -> list[Any]:
        """Rows (entry, target, action) about these entries."""
        query = corrections.select().where(corrections.c.entry < as_of).order_by(corrections.c.entry)
        return self._in(query, corrections.c.target, targets)

    def count(self, table: sa.Table) -> int:
        return int(self.connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    def _in(self, query: sa.Select[Any], column: sa.ColumnElement[Any], values: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(values), _CHUNK):
            found += self.connection.execute(query.where(column.in_(values[start : start + _CHUNK])))
        return found


def _begins_with(column: sa.ColumnElement[str], prefix: str) -> sa.ColumnElement[bool]:
    """Text in lower case that begins so: as a range, which an index serves on either system, where LIKE would not."""
    low = prefix.lower()
    return (column >= low) & (column < low + "\U0010ffff")
