"""RFC 9162 trees over many leaves, a level at a time and on all cores. Agrees with `merkle`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

import numpy as np

from wherefrom.fingerprints.pool import OrderedWork, leaves_at_once, ordered_map
from wherefrom.fingerprints.sha256 import hash_rows
from wherefrom.merkle import EMPTY_ROOT, HASH_SIZE, TILE_WIDTH, CompactRange, root_from_tiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

# Leaves that one thread takes at once: more make native calls worth their cost, fewer stay near a core's cache.
_BLOCK_LEAVES: Final = 2**18
# What blocks of all threads may take together, while they are hashed and while they wait.
_BLOCKS_BYTES: Final = 2**28


class TileWriter(Protocol):
    """Takes the hashes of a tree's levels, each level in order."""

    def write(self, level: int, hashes: npt.NDArray[np.uint8]) -> None:
        """Append (n, 32) hashes to a level: leaf hashes to level 0, and to each above the roots of full tiles below."""


def range_of_hashes(leaf_hashes: npt.NDArray[np.uint8], begin: int = 0) -> CompactRange:
    """The compact range of leaves, (n, 32), the first of which has the index `begin`: `CompactRange.of`, vectorised."""
    left: list[bytes] = []
    right: list[bytes] = []
    first, level = begin, np.ascontiguousarray(leaf_hashes)
    while len(level):
        if first % 2:  # a right child whose sibling lies before the range
            left.append(level[0].tobytes())
            level = level[1:]
        if len(level) % 2:  # a left child whose sibling lies behind it
            right.append(level[-1].tobytes())
            level = level[:-1]
        first, level = (first + 1) // 2, _hash_level(level)
    return CompactRange(begin, begin + len(leaf_hashes), (*left, *reversed(right)))


class TreeBuilder:
    """A tree over leaves that come in order, in bounded memory. Used by one thread, as a context manager."""

    def __init__(self, writer: TileWriter | None = None) -> None:
        self._writer = writer
        self._work: OrderedWork[list[npt.NDArray[np.uint8]], tuple[list[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]]
        self._work = OrderedWork(_reduce)
        self._block = leaves_at_once(_BLOCKS_BYTES, most=_BLOCK_LEAVES)
        self._levels = [_Level()]
        self.size = 0
        """Leaves added."""

    def add(self, leaf_hashes: npt.NDArray[np.uint8]) -> None:
        """Take (n, 32) leaf hashes, any n; the array must not change afterwards."""
        self.size += len(leaf_hashes)
        leaves = self._levels[0]
        leaves.add(leaf_hashes)
        while leaves.count >= self._block:
            self._store(self._work.put(leaves.take(self._block)))

    def finish(self) -> bytes:
        """The root; called once."""
        leaves = self._levels[0]
        if aligned := leaves.count // TILE_WIDTH * TILE_WIDTH:
            self._store(self._work.put(leaves.take(aligned)))
        self._store(self._work.drain())
        level = 0
        while level < len(self._levels):
            if level > 0:
                self._rise(level, self._levels[level].count)
            rest = self._levels[level].join()
            if len(rest):
                self._write(level, rest)
            level += 1
        return root_from_tiles(self.size, self._read_last) if self.size else EMPTY_ROOT

    def close(self) -> None:
        self._work.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _store(
        self, reduced: Iterable[tuple[list[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]], level: int = 0
    ) -> None:
        """Write hashes that make full tiles, and take the roots of these up."""
        for hashes, roots in reduced:
            for part in hashes:
                self._write(level, part)
            if level + 1 == len(self._levels):
                self._levels.append(_Level())
            self._levels[level + 1].add(roots)
            self._rise(level + 1, self._block)

    def _rise(self, level: int, enough: int) -> None:
        waiting = self._levels[level]
        if waiting.count >= max(TILE_WIDTH, enough):
            self._store([_reduce(waiting.take(waiting.count // TILE_WIDTH * TILE_WIDTH))], level)

    def _write(self, level: int, hashes: npt.NDArray[np.uint8]) -> None:
        if self._writer is not None:
            self._writer.write(level, hashes)

    def _read_last(self, level: int, _index: int, width: int) -> bytes:
        """The tile at the right edge of a level, which is all that a root is made of."""
        return self._levels[level].join()[:width].tobytes()


class _Level:
    """Hashes of one level that don't make a block yet."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.uint8]] = []
        self.count = 0

    def add(self, hashes: npt.NDArray[np.uint8]) -> None:
        if len(hashes):
            self._parts.append(hashes)
            self.count += len(hashes)

    def take(self, count: int) -> list[npt.NDArray[np.uint8]]:
        """Remove the first `count` hashes, of which there are as many."""
        taken = []
        self.count -= count
        while count:
            part = self._parts[0]
            if len(part) > count:
                self._parts[0] = part[count:]
                part = part[:count]
            else:
                del self._parts[0]
            taken.append(part)
            count -= len(part)
        return taken

    def join(self) -> npt.NDArray[np.uint8]:
        return np.concatenate(self._parts) if self._parts else np.empty((0, HASH_SIZE), np.uint8)


def _reduce(hashes: list[npt.NDArray[np.uint8]]) -> tuple[list[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]:
    """Hashes of full tiles, and beside them the roots of these tiles."""
    level = hashes[0] if len(hashes) == 1 else np.concatenate(hashes)
    count = len(level) // TILE_WIDTH
    while len(level) > count:
        level = _hash_pairs(level.reshape(-1, 2 * HASH_SIZE))
    return hashes, level


def _hash_level(level: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    pairs = np.ascontiguousarray(level).reshape(-1, 2 * HASH_SIZE)
    step = _BLOCK_LEAVES // 2
    if len(pairs) <= step:
        return _hash_pairs(pairs)
    return np.concatenate(
        list(ordered_map(_hash_pairs, [pairs[start : start + step] for start in range(0, len(pairs), step)]))
    )


def _hash_pairs(pairs: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Parents of (n, 64) pairs of nodes: (n, 32)."""
    nodes = np.empty((len(pairs), 1 + 2 * HASH_SIZE), np.uint8)
    nodes[:, 0] = 1
    # As one value of 64 bytes for each, which numpy copies twice as fast as single ones.
    nodes[:, 1:].view("V64")[:, 0] = np.ascontiguousarray(pairs).view("V64")[:, 0]
    return hash_rows(nodes)
