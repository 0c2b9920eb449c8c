"""The tree in tiles of 256 hashes: growth at the right edge, roots and proofs from few reads. Source: C2SP tlog-tiles.

Storage stays outside: functions read through `ReadTile` and return what is to be written. They trust what they read;
compare the root with a signed checkpoint, or verify the proof, where the tiles come from somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache

from wherefrom.errors import FormatError
from wherefrom.merkle.compact import CompactRange, root_of
from wherefrom.merkle.hashing import HASH_SIZE, check_hashes, hash_subtrees
from wherefrom.merkle.subtrees import Range, consistency_subtrees, inclusion_subtrees, other_subtrees, perfect_subtrees
from wherefrom.merkle.tilepath import TILE_HEIGHT, TILE_WIDTH, TileId, format_tile_path

ReadTile = Callable[[int, int, int], bytes]
"""Reads a tile by level, index and width: exactly width * 32 bytes, the first of a stored tile that may be wider."""


def tile_widths(size: int) -> Iterator[TileId]:
    """All tiles of a tree of this size, from level 0 up, left to right; only the last of a level may be partial."""
    level, hashes = 0, size
    while hashes > 0:
        full, rest = divmod(hashes, TILE_WIDTH)
        for index in range(full):
            yield (level, index, TILE_WIDTH)
        if rest:
            yield (level, full, rest)
        level, hashes = level + 1, full


def append_to_tiles(
    size: int, leaf_hashes: Sequence[bytes], read_tile: ReadTile
) -> tuple[dict[tuple[int, int], bytes], bytes]:
    """Grow a tree of `size` leaves by a batch of any length.

    Reads the partial tile at the right edge of each level, at its width in the old tree, and no other. Returns the new
    root and, before it, the tiles that are new or wider, by (level, index), each as wide as the new tree has it.

    Raises FormatError: a leaf hash that is not 32 bytes long, or a tile of the wrong length.
    """
    check_hashes(leaf_hashes, what="leaf hash")
    old = _TiledTree(size, read_tile)
    changed: dict[tuple[int, int], bytes] = {}
    level, added = 0, list(leaf_hashes)
    while added:
        index, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
        row = [*(_split_hashes(old.tile(level, index)) if width else ()), *added]
        tiles = [row[start : start + TILE_WIDTH] for start in range(0, len(row), TILE_WIDTH)]
        for position, hashes in enumerate(tiles, start=index):
            changed[level, position] = b"".join(hashes)
        level, added = level + 1, [root_of(hashes) for hashes in tiles if len(hashes) == TILE_WIDTH]

    def read_new(level: int, index: int, _width: int) -> bytes:  # a tile that did not change is as wide as it was
        return changed.get((level, index)) or old.tile(level, index)

    return changed, root_from_tiles(size + len(leaf_hashes), read_new)


def root_from_tiles(size: int, read_tile: ReadTile) -> bytes:
    """The root of the tree of the first `size` leaves; reads the last tile of each level, at most."""
    return _TiledTree(size, read_tile).subtree((0, size))


def prove_inclusion_from_tiles(index: int, size: int, read_tile: ReadTile) -> list[bytes]:
    """What `prove_inclusion` gives for the first `size` leaves; reads two tiles of each level, at most.

    Raises FormatError: index outside the tree, or a tile of the wrong length.
    """
    if not 0 <= index < size:
        raise FormatError(f"no inclusion proof for leaf {index} in a tree of size {size}: no such leaf")
    tree = _TiledTree(size, read_tile)
    return [tree.subtree(sibling) for sibling in inclusion_subtrees(index, size)]


def prove_leaves_from_tiles(indexes: Collection[int], size: int, read_tile: ReadTile) -> list[bytes]:
    """What `prove_leaves` gives for the first `size` leaves; reads two tiles of each level and leaf, at most.

    Raises FormatError: as `prove_leaves`, or a tile of the wrong length.
    """
    tree = _TiledTree(size, read_tile)
    return [tree.subtree(other) for other in other_subtrees(indexes, size)]


def range_from_tiles(begin: int, end: int, size: int, read_tile: ReadTile) -> CompactRange:
    """The compact range of the leaves [begin, end) of the first `size`; reads two tiles of each level, at most.

    Raises FormatError: not 0 <= begin <= end <= size, or a tile of the wrong length.
    """
    if not 0 <= begin <= end <= size:
        raise FormatError(f"no leaves [{begin}, {end}) in a tree of size {size}")
    tree = _TiledTree(size, read_tile)
    return CompactRange(begin, end, tuple(tree.subtree(part) for part in perfect_subtrees(begin, end)))


def prove_consistency_from_tiles(old_size: int, new_size: int, read_tile: ReadTile) -> list[bytes]:
    """What `prove_consistency` gives for the first `new_size` leaves; reads two tiles of each level, at most.

    Raises FormatError: old_size beyond new_size, or a tile of the wrong length.
    """
    if not 0 <= old_size <= new_size:
        raise FormatError(f"no consistency proof from size {old_size} to {new_size}: a tree does not shrink")
    if old_size == 0:
        return []
    tree = _TiledTree(new_size, read_tile)
    return [tree.subtree(subtree) for subtree in consistency_subtrees(old_size, new_size)]


class _TiledTree:
    """A tree of fixed size over stored tiles; each tile is read once, at the width that this size gives it."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        if size < 0:
            raise FormatError(f"tree size {size} is negative")
        self._size = size
        self._read = read_tile
        self._tiles: dict[tuple[int, int], bytes] = {}

    def tile(self, level: int, index: int) -> bytes:
        if (level, index) not in self._tiles:
            width = min(TILE_WIDTH, (self._size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
            data = self._read(level, index, width)
            if len(data) != width * HASH_SIZE:
                raise FormatError(
                    f"{format_tile_path(level, index, width)} has {len(data)} bytes, expected {width * HASH_SIZE}"
                )
            self._tiles[level, index] = data
        return self._tiles[level, index]

    def subtree(self, leaves: Range) -> bytes:
        """The root over these leaves, a subtree of the tree."""
        return hash_subtrees([self._perfect(*part) for part in perfect_subtrees(*leaves)])

    def _perfect(self, begin: int, end: int) -> bytes:
        level, height = divmod((end - begin).bit_length() - 1, TILE_HEIGHT)
        index, first = divmod(begin >> (TILE_HEIGHT * level), TILE_WIDTH)
        return _hash_part(self.tile(level, index)[first * HASH_SIZE : (first + 2**height) * HASH_SIZE])


# A log that grows hashes most parts of its right edge again and again; what is remembered is told by its bytes alone.
@lru_cache(maxsize=64)
def _hash_part(hashes: bytes) -> bytes:
    return root_of(_split_hashes(hashes))


def _split_hashes(tile: bytes) -> list[bytes]:
    return [tile[start : start + HASH_SIZE] for start in range(0, len(tile), HASH_SIZE)]
