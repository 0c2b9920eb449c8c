"""Erasing: the one place where rows of the ledger's tables are taken away, inside the caller's transaction.

Tiles and checkpoints are never touched: the tree and every proof stay. What the erased bytes leave behind in the
database's files is seen to by `scrub`, after the commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wherefrom.store import hash_index
from wherefrom.store.graph_tables import count_making
from wherefrom.store.schema import VIEWS, entries, erasures, gaps, payloads
from wherefrom.store.schema import hash_index as hashes

_CHUNK = 500
WAIT_MS = 10_000  # for others to be done with the database
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True)
class ErasingTables:
    connection: sa.Connection

    def find(self, kind: str | None = None) -> list[Any]:
        """Rows (entry, kind, target) of the statements about erasing, in entry order."""
        query = erasures.select().order_by(erasures.c.entry)
        return list(self.connection.execute(query if kind is None else query.where(erasures.c.kind == kind)))

    def find_about(self, target: int) -> list[Any]:
        """Rows (entry, kind, target) of the redactions and releases that name an entry, in entry order."""
        query = erasures.select().where(erasures.c.target == target).order_by(erasures.c.entry)
        return list(self.connection.execute(query))

    def find_kinds(self, kinds: Collection[str]) -> list[int]:
        """The indexes of all entries of these predicate types, looking at every entry."""
        query = sa.select(entries.c.idx).where(entries.c.kind.in_(sorted(kinds))).order_by(entries.c.idx)
        return list(self.connection.scalars(query))

    def find_unerased(self) -> list[int]:
        """Entries of redactions whose target still has its text."""
        query = sa.select(erasures.c.entry).join(payloads, payloads.c.idx == erasures.c.target)
        return list(self.connection.scalars(query.where(erasures.c.kind == "redaction").order_by(erasures.c.entry)))

    def find_redacted(self) -> list[int]:
        """Entries that are there without their text."""
        query = sa.select(entries.c.idx).join(erasures, erasures.c.target == entries.c.idx)
        query = query.outerjoin(payloads, payloads.c.idx == entries.c.idx).where(payloads.c.idx.is_(None))
        return list(self.connection.scalars(query.distinct().order_by(entries.c.idx)))

    def count(self, begin: int, end: int) -> int:
        """How many entries of [begin, end) are there."""
        query = sa.select(sa.func.count()).select_from(entries).where(entries.c.idx >= begin, entries.c.idx < end)
        return int(self.connection.scalar(query) or 0)

    def iter_columns(self, begin: int, end: int) -> Iterator[Any]:
        """Rows (idx, kind, received) of the entries of [begin, end) that are there, in index order."""
        columns = (entries.c.idx, entries.c.kind, entries.c.received)
        query = sa.select(*columns).where(entries.c.idx >= begin, entries.c.idx < end).order_by(entries.c.idx)
        with self.connection.execute(query.execution_options(yield_per=1000)) as found:
            yield from found

    def summarize(self, begin: int, end: int) -> list[Any]:
        """Rows (kind, count, first, last, total_bytes), one for each kind among the entries of [begin, end)."""
        size = sa.func.length(entries.c.entry) + sa.func.coalesce(sa.func.length(payloads.c.envelope), 0)
        received = entries.c.received
        query = (
            sa.select(
                entries.c.kind,
                sa.func.count().label("count"),
                sa.func.min(received).label("first"),
                sa.func.max(received).label("last"),
                sa.func.sum(size).label("total_bytes"),
            )
            .outerjoin(payloads, payloads.c.idx == entries.c.idx)
            .where(entries.c.idx >= begin, entries.c.idx < end)
            .group_by(entries.c.kind)
            .order_by(entries.c.kind)
        )
        return list(self.connection.execute(query))

    def erase_payloads(self, indexes: Sequence[int]) -> None:
        """Take away salt and envelope of entries, and what would tell a statement that is guessed from another."""
        self._overwrite()
        for start in range(0, len(indexes), _CHUNK):
            chunk = indexes[start : start + _CHUNK]
            known = sa.select(entries.c.dedup, entries.c.idx).where(entries.c.idx.in_(chunk))
            found = [(bytes(row.dedup), row.idx) for row in self.connection.execute(known) if row.dedup is not None]
            hash_index.forget(self.connection, found)
            self.connection.execute(payloads.delete().where(payloads.c.idx.in_(chunk)))
            self.connection.execute(entries.update().where(entries.c.idx.in_(chunk)).values(dedup=None))

    def erase_gaps(self, indexes: Sequence[int]) -> None:
        """Take away the rows of the view of gaps that these entries gave."""
        for start in range(0, len(indexes), _CHUNK):
            self.connection.execute(gaps.delete().where(gaps.c.entry.in_(indexes[start : start + _CHUNK])))

    def erase_entries(self, begin: int, end: int, *, kept: Sequence[int]) -> None:
        """Take away the entries of [begin, end), with all that lies beside them, but for those kept (in order)."""
        self._overwrite()
        for low, high in zip([begin, *(index + 1 for index in kept)], [*kept, end], strict=True):
            if low < high:
                for table in (hashes, payloads, entries):
                    self.connection.execute(table.delete().where(table.c.idx >= low, table.c.idx < high))

    def clear_views(self) -> None:
        """Empty every view, overwriting what it held."""
        self._overwrite()
        count_making(self.connection)
        for table in reversed(VIEWS):
            self.connection.execute(table.delete())

    def _overwrite(self) -> None:
        """SQLite fills what it deletes with zeros, if told to; PostgreSQL does it when `scrub` rewrites its files."""
        if self.connection.dialect.name == "sqlite":
            self.connection.exec_driver_sql("PRAGMA secure_delete=ON")


def scrub(connection: sa.Connection, *, rewrite: bool = False) -> bool:
    """After an erasing commit: free the database's files of what was erased, as far as the database can.

    SQLite: the write-ahead log is written back and cut to nothing. PostgreSQL: the tables are rewritten; it keeps older
    bytes in its own write-ahead log until that is recycled, and in its backups. Returns False when others were using
    the database meanwhile, so that erased bytes may still be in its files: call it again later.

    Args:
        connection: outside any transaction.
        rewrite: SQLite: write the whole file anew. What was deleted long before, by other programs or when rows moved
            from page to page, goes then too, and the file shrinks.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout={WAIT_MS}")
        if rewrite:
            connection.exec_driver_sql("VACUUM")
        busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return not busy
    connection.exec_driver_sql(f"SET lock_timeout = '{WAIT_MS}ms'")
    try:
        for table in (payloads, entries, hashes, *VIEWS):
            connection.exec_driver_sql(f'VACUUM (FULL) "{table.name}"')
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return False
        raise
    return True
