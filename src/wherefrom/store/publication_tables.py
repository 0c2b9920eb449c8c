"""What publishing a ledger reads: entries without what lies beside them, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from wherefrom.store.schema import entries, payloads


@dataclass(frozen=True)
class PublicationTables:
    connection: sa.Connection

    def read_entry_bytes(self, start: int, stop: int) -> list[bytes]:
        """The entries from `start` up to `stop`, in order; those that are retired, or not there yet, are left out."""
        query = sa.select(entries.c.entry).where(entries.c.idx >= start, entries.c.idx < stop)
        return [bytes(entry) for entry in self.connection.scalars(query.order_by(entries.c.idx))]

    def read_statements(self, start: int, stop: int) -> list[tuple[int, bytes, bytes]]:
        """Index, salt and envelope of the entries from `start` up to `stop`; those erased are left out."""
        query = sa.select(payloads.c.idx, payloads.c.salt, payloads.c.envelope)
        rows = self.connection.execute(
            query.where(payloads.c.idx >= start, payloads.c.idx < stop).order_by(payloads.c.idx)
        )
        return [(row.idx, bytes(row.salt), bytes(row.envelope)) for row in rows]
