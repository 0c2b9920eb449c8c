"""The ledger's tables: entries, payloads, tiles and checkpoints, inside a transaction that the caller opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.store import hash_index
from wherefrom.store.bulk import Rows, bulk_insert_all
from wherefrom.store.matching import find_rows, find_rows_of_many
from wherefrom.store.schema import archive, checkpoints, entries, payloads, tiles
from wherefrom.store.schema import hash_index as hash_rows

_CHUNK = 500
_HASHES = 2  # that the hash index holds of each entry
MAKING = "views_made"
"""The setting that counts how often the views were emptied and made again."""

# Built once: building a query costs several times what running it does.
_SIZE = sa.select(sa.func.coalesce(sa.func.max(entries.c.idx) + 1, 0))
_RECEIVED = sa.select(entries.c.received).where(entries.c.idx == sa.bindparam("at"))
_LEAVES = sa.select(entries.c.leaf_hash, entries.c.idx).where(entries.c.idx.in_(sa.bindparam("found", expanding=True)))
_TILE = sa.select(tiles.c.data).where(tiles.c.level == sa.bindparam("at_level"), tiles.c.idx == sa.bindparam("at"))
_NEWEST = sa.select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
_LAST_RECEIVED = sa.select(entries.c.received).order_by(entries.c.idx.desc()).limit(1)
_MADE = sa.select(archive.c.value).where(archive.c.key == MAKING)
_EDGE = sa.select(*(query.scalar_subquery() for query in (_SIZE, _LAST_RECEIVED, _NEWEST, _MADE)))


@dataclass(frozen=True)
class StoredEntry:
    """An entry and what lies beside it; `salt` and `envelope` are None when they were erased."""

    index: int
    entry: bytes
    leaf_hash: bytes
    salt: bytes | None
    envelope: bytes | None


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a ledger ends.

    Attributes:
        size: how many entries there are.
        received: when the last of them was received; None before the first.
        note: the newest signed checkpoint.
        making: changes whenever the views are emptied and made again.
    """

    size: int
    received: str | None
    note: bytes
    making: str


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to append: the bytes of the leaf, what its columns repeat of it, and what lies beside it."""

    index: int
    entry: bytes
    leaf_hash: bytes
    dedup: bytes
    kind: str
    received: str
    salt: bytes
    envelope: bytes


@dataclass(frozen=True)
class LedgerTables:
    connection: sa.Connection

    def find_setting(self, key: str) -> str | None:
        return self.connection.scalar(sa.select(archive.c.value).where(archive.c.key == key))

    def read_setting(self, key: str) -> str:
        value = self.find_setting(key)
        if value is None:
            raise FormatError(f"the archive has no setting {key!r}")
        return value

    def write_setting(self, key: str, value: str) -> None:
        self.connection.execute(archive.insert().values(key=key, value=value))

    def change_setting(self, key: str, value: str) -> None:
        """Set it, whether it was set before or not."""
        self.connection.execute(archive.delete().where(archive.c.key == key))
        self.write_setting(key, value)

    def size(self) -> int:
        """How many entries there are."""
        return int(self.connection.scalar(_SIZE) or 0)

    def size_at(self, received: str) -> int:
        """How many entries had been received at an instant, given as entries write it."""
        low, high = 0, self.size()
        while low < high:  # the times of entries never go back; those of entries that are gone count as the next one's
            middle = (low + high) // 2
            if self._received_at(middle, high) <= received:
                low = middle + 1
            else:
                high = middle
        return low

    def last_received(self) -> str | None:
        """When the last entry was received; None before the first."""
        return self.connection.scalar(_LAST_RECEIVED)

    def read_edge(self) -> Edge:
        """Where the ledger ends, asked for at once. Raises NotFoundError when there is no checkpoint."""
        size, received, note, making = self.connection.execute(_EDGE).one()
        if note is None:
            raise NotFoundError("no checkpoint")
        return Edge(int(size), received, bytes(note), making or "0")

    def add_entries(
        self, rows: Sequence[NewEntry], changed: Mapping[tuple[int, int], bytes], checkpoint: tuple[int, bytes]
    ) -> None:
        """Append entries, what lies beside them, and the tree and the checkpoint that come of them.

        Args:
            rows: at least one; their indexes count on from the size.
            changed: tiles, as `write_tiles` takes them.
            checkpoint: the new size, and the signed note.
        """
        hashes = [(found_by, row.index) for row in rows for found_by in (row.leaf_hash, row.dedup)]
        self._write(
            {
                entries: [(row.index, row.entry, row.leaf_hash, row.dedup, row.kind, row.received) for row in rows],
                payloads: [(row.index, row.salt, row.envelope) for row in rows],
                hash_rows: hash_index.rows_of(hashes),
                checkpoints: [checkpoint],
            },
            changed,
        )
        hash_index.make_room(self.connection, _HASHES * rows[0].index, len(hashes))

    def find_duplicates(self, keys: Sequence[bytes]) -> dict[bytes, tuple[int, bytes]]:
        """Which of these statements are recorded already: index and leaf hash of their entries."""
        return self.read_ahead((), keys, size=self.size())[1]

    def read_ahead(
        self, at: Collection[tuple[int, int]], keys: Sequence[bytes], *, size: int
    ) -> tuple[dict[tuple[int, int], bytes], dict[bytes, tuple[int, bytes]]]:
        """What `read_tiles` and `find_duplicates` give, asked for at once.

        Args:
            size: of the ledger.
        """
        hashed = hash_index.query(self.connection, keys, total=_HASHES * size)
        there, rows = find_rows_of_many(self.connection, [(tiles, ("level", "idx"), at), hashed])
        return {(level, index): data for level, index, data in there}, self._find_duplicates(keys, rows)

    def _find_duplicates(self, keys: Sequence[bytes], rows: Rows) -> dict[bytes, tuple[int, bytes]]:
        found: dict[bytes, tuple[int, bytes]] = {}
        wanted = set(keys)
        for row in find_rows(self.connection, entries, ("idx",), [(index,) for _, _, index in rows]):
            index, _, leaf_hash, dedup, *_ = row
            if dedup in wanted:
                found[dedup] = (index, leaf_hash)
        return found

    def find_leaf(self, leaf_hash: bytes) -> int:
        """The index of a statement. Raises NotFoundError."""
        indexes = hash_index.find(self.connection, [leaf_hash], total=_HASHES * self.size())
        for row in self.connection.execute(_LEAVES, {"found": indexes}):
            if bytes(row.leaf_hash) == leaf_hash:
                return int(row.idx)
        raise NotFoundError(f"no statement {leaf_hash.hex()} in this archive")

    def find_leaves_by_prefix(self, prefix: str) -> list[int]:
        """The indexes of statements whose id, in lower-case hex, begins so; at most ten."""
        if set(prefix) - set("0123456789abcdef"):
            return []
        start = bytes.fromhex(prefix[: min(len(prefix), 16) // 2 * 2])
        indexes = sorted(hash_index.find_prefix(self.connection, start, total=_HASHES * self.size()))
        found: list[int] = []
        for low in range(0, len(indexes), _CHUNK):
            rows = self.connection.execute(_LEAVES, {"found": indexes[low : low + _CHUNK]})
            found += sorted(row.idx for row in rows if bytes(row.leaf_hash).hex().startswith(prefix))
            if len(found) >= 10:
                break
        return found[:10]

    def is_index_whole(self) -> bool:
        """Whether every entry that is there, and no other, is found by its hashes."""
        wanted = ((index, hash_index.key_of(found_by)) for found_by, index in self._iter_hashes())
        pairs = zip_longest(hash_index.iter_keys(self.connection), _in_order(wanted))
        return all(there == expected for there, expected in pairs)

    def fill_index(self) -> None:
        """Make anew what entries are found by."""
        hash_index.fill(self.connection, self._iter_hashes())

    def _iter_hashes(self) -> Iterator[tuple[bytes, int]]:
        """The hashes that each entry is found by; of one whose statement was erased, the leaf hash alone."""
        query = sa.select(entries.c.idx, entries.c.leaf_hash, entries.c.dedup).order_by(entries.c.idx)
        with self.connection.execute(query.execution_options(yield_per=1000)) as found:
            for index, *hashes in found:
                yield from ((bytes(one), index) for one in hashes if one is not None)

    def _received_at(self, index: int, below: int) -> str:
        """When this entry was received, or the next one that is there, before index `below`."""
        there = sa.select(entries.c.received).where(entries.c.idx >= index, entries.c.idx < below)
        exact = self.connection.scalar(_RECEIVED, {"at": index})
        return str(exact or self.connection.scalar(there.order_by(entries.c.idx).limit(1)) or "")

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
        return bytes(self.connection.scalar(_TILE, {"at_level": level, "at": index}) or b"")

    def read_tiles(self, at: Collection[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """The tiles that are there, of those at these levels and indexes."""
        rows = find_rows(self.connection, tiles, ("level", "idx"), at)
        return {(level, index): data for level, index, data in rows}

    def count_tiles(self) -> int:
        return int(self.connection.scalar(sa.select(sa.func.count()).select_from(tiles)) or 0)

    def write_tiles(self, changed: Mapping[tuple[int, int], bytes]) -> None:
        """Store tiles; a tile that was there may only have grown. Raises FormatError otherwise."""
        if changed:
            self._write({}, changed)

    def _write(self, rows_of: Mapping[sa.Table, Rows], changed: Mapping[tuple[int, int], bytes]) -> None:
        rows = [(level, index, data) for (level, index), data in changed.items()]
        if bulk_insert_all(self.connection, rows_of, grow=(tiles, rows)) < len(rows):
            there = self.read_tiles(changed)
            level, index = next(at for at, data in changed.items() if not data.startswith(there[at]))
            raise FormatError(f"tile {level}/{index} would change: a tile only ever grows")

    def write_checkpoint(self, size: int, note: bytes) -> None:
        self.connection.execute(checkpoints.insert(), {"size": size, "note": note})

    def read_checkpoint(self, size: int | None = None) -> bytes:
        """The signed checkpoint of this size, or the newest. Raises NotFoundError."""
        note = self.connection.scalar(_NEWEST if size is None else _NEWEST.where(checkpoints.c.size == size))
        if note is None:
            raise NotFoundError("no checkpoint" if size is None else f"no checkpoint of size {size}")
        return bytes(note)

    def iter_checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Every checkpoint, by size."""
        query = sa.select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size)
        with self.connection.execute(query.execution_options(yield_per=1000)) as found:
            yield from ((row.size, bytes(row.note)) for row in found)


def _in_order(keys: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Keys of entries in index order, those of each entry sorted."""
    for _, group in groupby(keys, key=itemgetter(0)):
        yield from sorted(group)
