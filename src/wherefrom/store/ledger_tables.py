"""The ledger's tables: entries, payloads, tiles and checkpoints, inside a transaction that the caller opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.store.schema import archive, checkpoints, entries, payloads, tiles

_CHUNK = 500


@dataclass(frozen=True)
class StoredEntry:
    """An entry and what lies beside it; `salt` and `envelope` are None when they were erased."""

    index: int
    entry: bytes
    leaf_hash: bytes
    salt: bytes | None
    envelope: bytes | None


@dataclass(frozen=True)
class LedgerTables:
    connection: sa.Connection

    def read_setting(self, key: str) -> str:
        value = self.connection.scalar(sa.select(archive.c.value).where(archive.c.key == key))
        if value is None:
            raise FormatError(f"the archive has no setting {key!r}")
        return str(value)

    def write_setting(self, key: str, value: str) -> None:
        self.connection.execute(archive.insert().values(key=key, value=value))

    def size(self) -> int:
        """How many entries there are."""
        return int(self.connection.scalar(sa.select(sa.func.coalesce(sa.func.max(entries.c.idx) + 1, 0))) or 0)

    def size_at(self, received: str) -> int:
        """How many entries had been received at an instant, given as entries write it."""
        later = sa.select(sa.func.coalesce(sa.func.max(entries.c.idx) + 1, 0)).where(entries.c.received <= received)
        return int(self.connection.scalar(later) or 0)

    def last_received(self) -> str | None:
        """When the last entry was received; None before the first."""
        newest = sa.select(entries.c.received).order_by(entries.c.idx.desc()).limit(1)
        return self.connection.scalar(newest)

    def add_entries(self, rows: Sequence[Mapping[str, object]], beside: Sequence[Mapping[str, object]]) -> None:
        """Append rows of `entries` and of `payloads`."""
        self.connection.execute(entries.insert(), list(rows))
        self.connection.execute(payloads.insert(), list(beside))

    def find_duplicates(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Which of these statements are recorded already, and at which index."""
        found: dict[bytes, int] = {}
        for start in range(0, len(keys), _CHUNK):
            query = sa.select(entries.c.dedup, entries.c.idx).where(entries.c.dedup.in_(keys[start : start + _CHUNK]))
            found.update({bytes(row.dedup): row.idx for row in self.connection.execute(query)})
        return found

    def find_leaf(self, leaf_hash: bytes) -> int:
        """The index of a statement. Raises NotFoundError."""
        index = self.connection.scalar(sa.select(entries.c.idx).where(entries.c.leaf_hash == leaf_hash))
        if index is None:
            raise NotFoundError(f"no statement {leaf_hash.hex()} in this archive")
        return int(index)

    def find_leaves_by_prefix(self, prefix: str) -> list[int]:
        """The indexes of statements whose id, in hex, begins so; at most ten."""
        text = sa.func.lower(sa.func.hex(entries.c.leaf_hash))
        query = (
            sa.select(entries.c.idx).where(text.startswith(prefix, autoescape=True)).order_by(entries.c.idx).limit(10)
        )
        return list(self.connection.scalars(query))

    def read_entries(self, indexes: Iterable[int]) -> list[StoredEntry]:
        """The entries at these indexes, in index order. Raises NotFoundError when one is missing."""
        wanted = sorted(set(indexes))
        found: list[StoredEntry] = []
        for start in range(0, len(wanted), _CHUNK):
            found += self._select(entries.c.idx.in_(wanted[start : start + _CHUNK]))
        if len(found) != len(wanted):
            missing = min(set(wanted) - {row.index for row in found})
            raise NotFoundError(f"no entry {missing} in this archive, which has {self.size()}")
        return found

    def iter_entries(self, start: int = 0, stop: int | None = None) -> Iterator[StoredEntry]:
        """Entries in index order, a few hundred at a time."""
        stop = self.size() if stop is None else stop
        for low in range(start, stop, _CHUNK):
            yield from self._select(entries.c.idx >= low, entries.c.idx < min(low + _CHUNK, stop))

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[StoredEntry]:
        query = (
            sa.select(entries.c.idx, entries.c.entry, entries.c.leaf_hash, payloads.c.salt, payloads.c.envelope)
            .outerjoin(payloads, payloads.c.idx == entries.c.idx)
            .where(*conditions)
            .order_by(entries.c.idx)
        )
        return [StoredEntry(*row) for row in self.connection.execute(query)]

    def read_columns(self, index: int) -> Any:
        """The row (dedup, kind, received) that queries use for an entry."""
        query = sa.select(entries.c.dedup, entries.c.kind, entries.c.received).where(entries.c.idx == index)
        return self.connection.execute(query).one()

    def read_tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile, as many as there are yet; b"" for a tile that is not there."""
        query = sa.select(tiles.c.data).where(tiles.c.level == level, tiles.c.idx == index)
        return bytes(self.connection.scalar(query) or b"")

    def count_tiles(self) -> int:
        return int(self.connection.scalar(sa.select(sa.func.count()).select_from(tiles)) or 0)

    def write_tiles(self, changed: Mapping[tuple[int, int], bytes]) -> None:
        """Store tiles; a tile that was there may only have grown. Raises FormatError otherwise."""
        for (level, index), data in changed.items():
            before = self.read_tile(level, index)
            if not data.startswith(before):
                raise FormatError(f"tile {level}/{index} would change: a tile only ever grows")
            if before:
                at = (tiles.c.level == level) & (tiles.c.idx == index)
                self.connection.execute(tiles.update().where(at).values(data=data))
            else:
                self.connection.execute(tiles.insert().values(level=level, idx=index, data=data))

    def write_checkpoint(self, size: int, note: bytes) -> None:
        self.connection.execute(checkpoints.insert().values(size=size, note=note))

    def read_checkpoint(self, size: int | None = None) -> bytes:
        """The signed checkpoint of this size, or the newest. Raises NotFoundError."""
        query = sa.select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
        if size is not None:
            query = query.where(checkpoints.c.size == size)
        note = self.connection.scalar(query)
        if note is None:
            raise NotFoundError("no checkpoint" if size is None else f"no checkpoint of size {size}")
        return bytes(note)

    def iter_checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Every checkpoint, by size."""
        query = sa.select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size)
        yield from ((row.size, bytes(row.note)) for row in self.connection.execute(query))
