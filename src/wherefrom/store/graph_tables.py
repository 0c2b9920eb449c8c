"""Following the views: the rows that came since, in a transaction that the caller opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wherefrom.store.ledger_tables import MAKING
from wherefrom.store.schema import archive, entities, named_version_edges, named_versions, runs, shapes

_TOGETHER = 20_000
_CHUNK = 500
_BODIES = sa.select(shapes.c.id, shapes.c.body).where(shapes.c.id.in_(sa.bindparam("ids", expanding=True)))
_MADE = sa.select(archive.c.value).where(archive.c.key == MAKING)


@dataclass(frozen=True)
class GraphTables:
    """Each method that iterates gives the rows above the number that the caller saw last, by that number.

    Attributes:
        is_long: whether there may be very many: then they are not all in memory at once.
    """

    connection: sa.Connection
    is_long: bool = False

    def iter_entities(self, last: int) -> Iterator[tuple[int, str, str, int]]:
        """Rows (id, namespace, name, entry)."""
        return self._iter("entities", "id, namespace, name, entry", last)

    def iter_jobs(self, last: int) -> Iterator[tuple[int, str, str, int]]:
        """Rows (id, namespace, name, entry)."""
        return self._iter("jobs", "id, namespace, name, entry", last)

    def iter_events(self, last: int) -> Iterator[tuple[int, int, int, int, str, int, int]]:
        """Rows (entry, run, job, dataset, event_type, at, shape)."""
        return self._iter("events", "entry, run, job, dataset, event_type, at, shape", last)

    def iter_shapes(self, last: int) -> Iterator[tuple[int, str]]:
        """Rows (id, body)."""
        return self._iter("shapes", "id, body", last)

    def iter_aliases(self, last: int) -> Iterator[tuple[int, int, int, str, int]]:
        """Rows (id, entity, canonical, reason, entry)."""
        return self._iter("aliases", "id, entity, canonical, reason, entry", last)

    def iter_deletions(self, last: int) -> Iterator[tuple[int, int, int, int]]:
        """Rows (entry, dataset, job, at)."""
        return self._iter("deletions", "entry, dataset, job, at", last)

    def iter_corrections(self, last: int) -> Iterator[tuple[int, int]]:
        """Rows (entry, target)."""
        return self._iter("corrections", "entry, target", last)

    def read_bodies(self, ids: Sequence[int]) -> dict[int, str]:
        """The bodies of shapes, by id."""
        found: dict[int, str] = {}
        for start in range(0, len(ids), _CHUNK):
            rows = self.connection.execute(_BODIES, {"ids": list(ids[start : start + _CHUNK])})
            found.update((row[0], row[1]) for row in rows)
        return found

    def read_named_versions(self, entity: int, *, as_of: int) -> list[tuple[str, int]]:
        """Versions of an entity as other systems call them, each with its entry, the newest first."""
        c = named_versions.c
        query = sa.select(c.version, c.entry).where(c.entity == entity, c.entry < as_of).order_by(c.id.desc())
        return [(row[0], row[1]) for row in self.connection.execute(query.limit(_CHUNK))]

    def read_named_edges(self, run: int, relation: str, *, as_of: int) -> list[tuple[str, str, str]]:
        """Namespace, name and version as others call it of what a run used or generated."""
        e, v = named_version_edges.c, named_versions.c
        live = (e.entry < as_of) & (e.retracted.is_(None) | (e.retracted >= as_of))
        query = (
            sa.select(entities.c.namespace, entities.c.name, v.version)
            .select_from(named_version_edges)
            .join(named_versions, v.id == e.version)
            .join(entities, entities.c.id == v.entity)
            .where(live, e.run == run, e.relation == relation)
            .order_by(e.id)
        )
        return [(row[0], row[1], row[2]) for row in self.connection.execute(query)]

    def find_children(self, run_id: str, *, as_of: int) -> list[int]:
        """Ids of the first hundred runs that this one started."""
        query = sa.select(runs.c.id).where(runs.c.parent_run_id == run_id, runs.c.entry < as_of)
        return list(self.connection.scalars(query.order_by(runs.c.id).limit(100)))

    def read_making(self) -> str:
        """Changes whenever the views were emptied and made again: what was followed before is void then."""
        return self.connection.scalar(_MADE) or "0"

    def _iter(self, table: str, columns: str, last: int) -> Iterator[Any]:
        """Goes through the driver itself: a million rows cost SQLAlchemy seconds."""
        raw: Any = self.connection.connection.driver_connection
        number = columns.partition(",")[0]
        query = f"SELECT {columns} FROM {table} WHERE {number} > {{}} ORDER BY {number}"  # noqa: S608 - our names
        if self.connection.dialect.name == "sqlite":
            yield from raw.execute(query.format("?"), (last,))
        elif self.is_long:
            with raw.cursor(name=f"following_{table}") as cursor:
                cursor.itersize = _TOGETHER
                yield from cursor.execute(query.format("%s"), (last,))
        else:
            with raw.cursor() as cursor:
                yield from cursor.execute(query.format("%s"), (last,))


def count_making(connection: sa.Connection) -> None:
    """Say that the views are made again; in the transaction that empties them."""
    number = int(connection.scalar(_MADE) or "0") + 1
    connection.execute(archive.delete().where(archive.c.key == MAKING))
    connection.execute(archive.insert().values(key=MAKING, value=str(number)))
