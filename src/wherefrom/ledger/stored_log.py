"""Our ledger, as the database has it, in the form in which logs are published: files of C2SP tlog-tiles.

Each read is a transaction of its own. Tiles and bundles only grow, so whoever holds a checkpoint reads the same tree
however much is recorded meanwhile; and a long publication keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.ledger.cosigned import read_cosigned_checkpoint
from wherefrom.merkle import HASH_SIZE, TILE_WIDTH, parse_entries_path, parse_tile_path
from wherefrom.store import AttestationTables, LedgerTables
from wherefrom.store.publication_tables import PublicationTables
from wherefrom.tlog.entries import format_entries
from wherefrom.tlog.source import CHECKPOINT
from wherefrom.tlog.statements import PublishedStatement, format_statements, parse_statements_path


@dataclass(frozen=True)
class StoredLog:
    """A `LogSource`.

    Attributes:
        reading: opens a transaction that reads.
        only_cosigned: show the newest checkpoint that any witness cosigned, rather than the newest.
    """

    reading: Callable[[], AbstractContextManager[LedgerTables]]
    name: str = "the ledger"
    only_cosigned: bool = False
    parallel: int = 1

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """Also partial tiles and bundles of every smaller width, and `statements/…`. Anything else: NotFoundError."""
        with self.reading() as tables:
            data = self._read(tables, path)
        if len(data) > max_bytes:
            raise FormatError(f"{path} has over {max_bytes} bytes")
        return data

    def iter_paths(self) -> None:
        return None

    def _read(self, tables: LedgerTables, path: str) -> bytes:
        if path == CHECKPOINT:
            return self._checkpoint(tables)
        try:
            if path.startswith("statements/"):
                return self._statements(tables, parse_statements_path(path))
            if path.startswith("tile/entries/"):
                return self._entries(tables, *parse_entries_path(path))
            level, index, width = parse_tile_path(path)
        except FormatError as error:
            raise NotFoundError(f"no file {path}: {error}") from error
        tile = tables.read_tile(level, index)[: width * HASH_SIZE]
        if len(tile) < width * HASH_SIZE:
            raise NotFoundError(f"{path} is beyond the ledger's size")
        return tile

    def _checkpoint(self, tables: LedgerTables) -> bytes:
        attestations = AttestationTables(tables.connection)
        size = attestations.newest_cosigned() if self.only_cosigned else None
        if self.only_cosigned and size is None:
            raise NotFoundError("no checkpoint has been cosigned by a witness yet")
        return read_cosigned_checkpoint(tables, attestations, size)

    def _entries(self, tables: LedgerTables, index: int, width: int) -> bytes:
        start = index * TILE_WIDTH
        entries = PublicationTables(tables.connection).read_entry_bytes(start, start + width)
        if len(entries) < width:
            what = "is beyond the ledger's size" if start + width > tables.size() else "has entries that were retired"
            raise NotFoundError(f"bundle {index} of {width} entries {what}")
        return format_entries(entries)

    def _statements(self, tables: LedgerTables, index: int) -> bytes:
        start = index * TILE_WIDTH
        if start >= tables.size():
            raise NotFoundError(f"statements from entry {start} on are beyond the ledger's size")
        rows = PublicationTables(tables.connection).read_statements(start, start + TILE_WIDTH)
        return format_statements([PublishedStatement(*row) for row in rows])
