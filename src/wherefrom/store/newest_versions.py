"""Which version of an entity was spoken of last, and which entities a run used: for inputs whose content nobody saw."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wherefrom.store.schema import edges, versions

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
# At most two versions of an entity, each with whether an edge spoke of it; and the entities that a run used.
_FEW = """SELECT id, entity, digest, total_bytes, rows, entry, EXISTS (SELECT 1 FROM edges WHERE version = versions.id)
FROM versions WHERE entity = {} LIMIT 2"""
_USED = """SELECT edges.run, versions.entity FROM edges JOIN versions ON versions.id = edges.version
WHERE edges.run = {} AND edges.relation = 'used' AND edges.retracted IS NULL"""
_OF_MANY = "SELECT found.* FROM unnest(%s::bigint[]) AS asked(id) CROSS JOIN LATERAL ({}) AS found"
_Rank = tuple[int, int, int, str]  # last edge, first mention, id, digest: the greatest is an entity's newest version


@dataclass
class StoredVersion:
    """A row of `versions`; the sizes of one may still become known."""

    id: int
    entity: int
    digest: str
    total_bytes: int | None
    rows: int | None
    entry: int


class NewestVersions:
    """What the database has, asked for once, and what was added since."""

    def __init__(self, connection: sa.Connection, remember: Callable[[StoredVersion], None]) -> None:
        """`remember` is given each version that was found."""
        self.connection = connection
        self._remember = remember
        self._used: dict[int, set[int]] = {}  # run to the entities it used, as the database has them
        self._uses: set[tuple[int, int]] = set()  # run and entity, of the edges added since
        self._newest: dict[int, _Rank | None] = {}
        self._since: dict[int, list[_Rank]] = {}  # what may be newer than that, by entity
        self._touched: set[int] = set()  # entities that something was added of since the last `settle`

    def look_up(self, entities: Collection[int], runs: Collection[int]) -> None:
        """Ask at once for entities that the database has, and for runs that it has."""
        few: dict[int, list[Any]] = {entity: [] for entity in sorted(set(entities) - self._newest.keys())}
        for row in self._ask(_FEW, list(few)):
            few[row[1]].append(row)
        for entity, found in few.items():
            if len(found) > 1:  # which of several is asked for when it matters
                continue
            self._newest[entity] = None
            for row in found:
                # Any edge is before those that are drawn in this transaction, and behind a version without one.
                self._newest[entity] = (0 if row[6] else -1, row[5], row[0], row[2])
                self._remember(StoredVersion(*row[:6]))
        asked = sorted(set(runs) - self._used.keys())
        self._used.update((run, set()) for run in asked)
        for run, entity in self._ask(_USED, asked):
            self._used[run].add(entity)

    def add_version(self, version: StoredVersion) -> None:
        self._add(version.entity, (-1, version.entry, version.id, version.digest))

    def add_edge(self, run: int, version: StoredVersion, relation: str, *, entry: int) -> None:
        self._add(version.entity, (entry, version.entry, version.id, version.digest))
        if relation == "used":
            self._uses.add((run, version.entity))

    def _add(self, entity: int, rank: _Rank) -> None:
        self._touched.add(entity)
        self._since.setdefault(entity, []).append(rank)

    def settle(self) -> None:
        """What was added is stored, and lies before every entry to come: of each entity, the greatest is enough."""
        for entity in self._touched:
            if ranks := self._since.get(entity):
                self._since[entity] = [max(ranks)]
        self._touched.clear()

    def forget_uses(self) -> None:
        """Edges were taken back: what runs used is to be asked for again."""
        self._used.clear()
        self._uses.clear()

    def is_used(self, run: int, entity: int, *, is_new: bool) -> bool:
        """Whether the run has an edge, not taken back, to a version of an entity that it used.

        Args:
            is_new: all that is stored about the run is known.
        """
        if (run, entity) in self._uses:
            return True
        if is_new:
            return False
        if run not in self._used:
            self.look_up((), [run])
        return entity in self._used[run]

    def find(self, entity: int, *, as_of: int, is_new: bool) -> tuple[int, str] | None:
        """Id and digest of the version of an entity that an edge spoke of last, before entry `as_of`."""
        if entity not in self._newest:
            self._newest[entity] = None
            row = None if is_new else self.connection.execute(_NEWEST, {"of": entity, "as_of": as_of}).first()
            if row is not None:
                self._newest[entity] = (row.last, row.entry, row.id, row.digest)
                self._remember(StoredVersion(*row[:-1]))
        ranks = [self._newest[entity]]
        later: list[_Rank] = []
        for rank in self._since.pop(entity, ()):
            (ranks if max(rank[:2]) < as_of else later).append(rank)
        if later:
            self._since[entity] = later
        best = max((rank for rank in ranks if rank is not None), default=None)
        self._newest[entity] = best
        return None if best is None else best[2:]

    def _ask(self, query: str, numbers: list[int]) -> list[tuple[Any, ...]]:
        """The rows of a query about one number, for each of these; through the driver itself, as `find_rows`."""
        if not numbers:
            return []
        raw: Any = self.connection.connection.driver_connection
        if self.connection.dialect.name == "sqlite":
            one = query.format("?")
            return [row for number in numbers for row in raw.execute(one, (number,))]
        with raw.cursor() as cursor:
            return list(cursor.execute(_OF_MANY.format(query.format("asked.id")), (numbers,)))
