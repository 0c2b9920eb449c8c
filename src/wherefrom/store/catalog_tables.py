"""What a catalogue asks of the views beside what `GraphTables` gives: numbers by name, names, and searches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wherefrom.store.matching import find_rows
from wherefrom.store.schema import deletions, entities, erasures, jobs, payloads, runs


@dataclass(frozen=True)
class CatalogTables:
    connection: sa.Connection

    def read_deletions(self) -> list[Any]:
        """Rows (entry, dataset, job, at) of those not taken back."""
        query = sa.select(deletions.c.entry, deletions.c.dataset, deletions.c.job, deletions.c.at)
        return list(self.connection.execute(query.where(deletions.c.retracted.is_(None)).order_by(deletions.c.entry)))

    def name_jobs(self, ids: Collection[int]) -> dict[int, tuple[str, str]]:
        """Namespace and name, by id."""
        return {row[0]: (row[1], row[2]) for row in find_rows(self.connection, jobs, ("id",), [(i,) for i in ids])}

    def name_entities(self, ids: Collection[int]) -> dict[int, tuple[str, str]]:
        """Namespace and name, by id."""
        return {row[0]: (row[1], row[2]) for row in find_rows(self.connection, entities, ("id",), [(i,) for i in ids])}

    def name_runs(self, ids: Collection[int]) -> dict[int, str]:
        """Run ids as events write them, by number."""
        return {row[0]: row[1] for row in find_rows(self.connection, runs, ("id",), [(i,) for i in ids])}

    def find_job(self, namespace: str, name: str) -> int | None:
        return self._find(jobs, namespace, name)

    def find_entity(self, namespace: str, name: str) -> int | None:
        return self._find(entities, namespace, name)

    def find_run(self, run_id: str) -> int | None:
        return self.connection.scalar(sa.select(runs.c.id).where(runs.c.run_id == run_id))

    def entities_by_name(self, namespace: str) -> list[int]:
        """Ids of all entities of a namespace, by name."""
        query = sa.select(entities.c.id).where(entities.c.namespace == namespace).order_by(entities.c.name)
        return list(self.connection.scalars(query))

    def search(self, words: str, table: str, namespaces: Sequence[str] | None, limit: int) -> list[Any]:
        """Rows (id, namespace, name) whose name holds these characters, whatever their case, by name.

        Reads every name there is.

        Args:
            table: "jobs" or "entities".
            namespaces: to look in; None for all.
        """
        of = {"jobs": jobs, "entities": entities}[table]
        query = sa.select(of.c.id, of.c.namespace, of.c.name).where(of.c.name.icontains(words, autoescape=True))
        if namespaces is not None:
            query = query.where(of.c.namespace.in_(namespaces))
        return list(self.connection.execute(query.order_by(of.c.name).limit(limit)))

    def last_erasure(self) -> int:
        """The newest entry that erased something, or has to do with erasing; -1 for none."""
        return int(self.connection.scalar(sa.select(sa.func.coalesce(sa.func.max(erasures.c.entry), -1))) or 0)

    def read_envelopes(self, indexes: Collection[int]) -> dict[int, bytes]:
        """What lies beside entries, by index; those erased or gone are left out."""
        found = find_rows(self.connection, payloads, ("idx",), [(index,) for index in sorted(indexes)])
        return {row[0]: bytes(row[2]) for row in found}

    def _find(self, table: sa.Table, namespace: str, name: str) -> int | None:
        found = find_rows(self.connection, table, ("namespace", "name"), [(namespace, name)])
        return next((int(row[0]) for row in found), None)
