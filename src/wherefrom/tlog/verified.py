"""A log read with every byte held against one checkpoint, from the root downward.

The partial tiles at the right edge make the root. Each hash in a tile of a level above 0 is the root of one full tile
of the level below, and each hash in a tile of level 0 that of one entry. So a tile or entry that was changed is known
as the one that was changed, without reading anything beside the tiles above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wherefrom.errors import FormatError, MismatchError, NotFoundError
from wherefrom.merkle import (
    HASH_SIZE,
    TILE_WIDTH,
    format_entries_path,
    format_tile_path,
    hash_leaf,
    root_from_tiles,
    root_of,
)
from wherefrom.notes import Checkpoint
from wherefrom.tlog.source import LogSource, read_ahead, read_entries, read_tile

_HEIGHT = 8  # of a tile
_KEPT = 2  # at the seam of two tiles, who reads ahead needs the next one while the last is still in use


@dataclass
class VerifiedLog:
    """The log of `source` as the checkpoint has it. Whoever makes one has verified the checkpoint's signature.

    Raises MismatchError: what is read is not what the checkpoint signs. NotFoundError, FormatError, UnavailableError:
    as `read_tile` does. Keeps one tile of each level above 0 in memory.
    """

    source: LogSource
    checkpoint: Checkpoint
    _edges: dict[int, bytes] = field(default_factory=dict)
    _above: dict[int, dict[int, bytes]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.checkpoint.size

    def width(self, level: int, index: int) -> int:
        """How many hashes the tile has in this tree; 0 or less when it is not part of it."""
        return min(TILE_WIDTH, (self.size >> (_HEIGHT * level)) - index * TILE_WIDTH)

    def bundles(self, since: int = 0) -> range:
        """Indexes of the entry bundles, and level-0 tiles, that hold the entries from `since` on."""
        return range(since // TILE_WIDTH, -(-self.size // TILE_WIDTH))

    def read_edges(self) -> dict[int, bytes]:
        """The partial tiles of this tree by level, as they are in the source, not yet verified."""
        edges, level = {}, 0
        while hashes := self.size >> (_HEIGHT * level):
            if hashes % TILE_WIDTH:
                edges[level] = read_tile(self.source, level, hashes // TILE_WIDTH, hashes % TILE_WIDTH)
            level += 1
        return edges

    def adopt_edges(self, edges: dict[int, bytes]) -> None:
        """Take these partial tiles for those of the tree, if they make its root; else MismatchError."""
        root = root_from_tiles(self.size, lambda level, _index, _width: edges[level])
        if root != self.checkpoint.root:
            raise MismatchError(
                f"the tiles of {self.source.name} for size {self.size} make root {root.hex()}, "
                f"the checkpoint has {self.checkpoint.root.hex()}"
            )
        self._edges = edges

    def tile(self, level: int, index: int) -> bytes:
        """The tile's hashes, as many as it has in this tree."""
        if not self._edges and self.size:
            self.adopt_edges(self.read_edges())
        width = self.width(level, index)
        if width <= 0:
            raise NotFoundError(f"{format_tile_path(level, index)} is beyond the {self.size} entries of the checkpoint")
        if width < TILE_WIDTH:
            return self._edges[level]
        if index in (known := self._above.get(level, {})):
            return known[index]
        return self.adopt(level, index, read_tile(self.source, level, index, TILE_WIDTH))

    def adopt(self, level: int, index: int, data: bytes) -> bytes:
        """Take these 256 hashes for a full tile of the tree, if the tile above says so; else MismatchError."""
        expected, root = self.root_of_tile(level, index), root_of(split_hashes(data))
        if root != expected:
            raise MismatchError(
                f"{format_tile_path(level, index)} has root {root.hex()}, the tile above it says {expected.hex()}"
            )
        if level:
            known = self._above.setdefault(level, {})
            known[index] = data
            if len(known) > _KEPT:
                del known[min(known)]  # readers go from left to right
        return data

    def root_of_tile(self, level: int, index: int) -> bytes:
        """The root that a full tile must have, from the tile above it."""
        return hash_at(self.tile(level + 1, index // TILE_WIDTH), index % TILE_WIDTH)

    def read(self, level: int, index: int, width: int) -> bytes:
        """Verified hashes in the form that `merkle.ReadTile` has, for proofs and for roots of smaller trees."""
        return self.tile(level, index)[: width * HASH_SIZE]

    def verify_entries(self, index: int, entries: list[bytes], hashes: bytes) -> None:
        """Check a bundle's entries against the level-0 tile's hashes. Raises MismatchError with the first bad one."""
        if (wrong := first_difference(b"".join(map(hash_leaf, entries)), hashes)) is not None:
            path = format_entries_path(index, self.width(0, index))
            raise MismatchError(f"{path}: entry {index * TILE_WIDTH + wrong} is not the one that the tree has there")

    def iter_bundles(
        self, indexes: Iterable[int], *, near: LogSource | None = None
    ) -> Iterator[tuple[int, bytes, list[bytes] | None]]:
        """Level-0 tiles with their entries: (index, hashes, entries), verified, read ahead where that helps.

        Entries are None where the log has the tile but not the bundle, as one that was pruned may.

        Args:
            near: where some of it may lie already, cheaper to read; what is wrong or missing there comes from the log.
        """
        for index, got in read_ahead(
            lambda index: self._read_bundle(index, near), indexes, parallel=self.source.parallel
        ):
            is_near, hashes, entries = got()
            try:
                verified = self._verify_bundle(index, hashes, entries)
            except (MismatchError, FormatError):
                if not is_near:
                    raise
                _, hashes, entries = self._read_bundle(index, None)
                verified = self._verify_bundle(index, hashes, entries)
            yield index, *verified

    def _read_bundle(self, index: int, near: LogSource | None) -> tuple[bool, bytes, list[bytes] | None]:
        width = self.width(0, index)
        if near is not None:
            try:
                return True, read_tile(near, 0, index, width), read_entries(near, index, width)
            except (NotFoundError, FormatError):
                return self._read_bundle(index, None)
        hashes = read_tile(self.source, 0, index, width)
        try:
            return False, hashes, read_entries(self.source, index, width)
        except NotFoundError:
            return False, hashes, None

    def _verify_bundle(
        self, index: int, hashes: bytes, entries: list[bytes] | None
    ) -> tuple[bytes, list[bytes] | None]:
        if self.width(0, index) < TILE_WIDTH:
            hashes = self.tile(0, index)
        else:
            self.adopt(0, index, hashes)
        if entries is not None:
            self.verify_entries(index, entries, hashes)
        return hashes, entries


def split_hashes(tile: bytes) -> list[bytes]:
    return [tile[start : start + HASH_SIZE] for start in range(0, len(tile), HASH_SIZE)]


def hash_at(tile: bytes, position: int) -> bytes:
    return tile[position * HASH_SIZE : (position + 1) * HASH_SIZE]


def first_difference(hashes: bytes, expected: bytes) -> int | None:
    """The position of the first hash that differs; None when none does."""
    if hashes == expected:
        return None
    pairs = enumerate(zip(split_hashes(hashes), split_hashes(expected), strict=False))
    shorter = min(len(hashes), len(expected)) // HASH_SIZE
    return next((position for position, (one, other) in pairs if one != other), shorter)
