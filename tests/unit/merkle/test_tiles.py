import json
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom.errors import FormatError
from wherefrom.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    append_to_tiles,
    format_tile_path,
    hash_leaf,
    prove_consistency,
    prove_consistency_from_tiles,
    prove_inclusion,
    prove_inclusion_from_tiles,
    root_from_tiles,
    root_of,
    tile_widths,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "merkle"
C2SP = json.loads((VECTORS / "c2sp-tiles.json").read_text())
TESSERA = json.loads((VECTORS / "tessera-log-of-15.json").read_text())
LEAVES = [hash_leaf(i.to_bytes(4)) for i in range(TILE_WIDTH * TILE_WIDTH + 300)]


class Tiles:
    """Stored tiles that remember which were read."""

    def __init__(self):
        self.stored = {}
        self.reads = []

    def read(self, level, index, width):
        self.reads.append((level, index, width))
        return self.stored[level, index][: 32 * width]

    def append(self, size, leaves):
        changed, root = append_to_tiles(size, leaves, self.read)
        self.stored |= changed
        return changed, root


@pytest.fixture(scope="module")
def three_levels():
    tiles = Tiles()
    tiles.append(0, LEAVES)
    return tiles


def tiles_from_definition(size):
    """MTH(D[(n*256+i) * 256**l : (n*256+i+1) * 256**l]) for each hash, as tlog-tiles defines it."""
    tiles = {}
    level, span = 0, 1
    while size // span:
        for index in range(-(-(size // span) // TILE_WIDTH)):
            first = index * TILE_WIDTH
            last = min(first + TILE_WIDTH, size // span)
            tiles[level, index] = b"".join(root_of(LEAVES[i * span : (i + 1) * span]) for i in range(first, last))
        level, span = level + 1, span * TILE_WIDTH
    return tiles


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 1000])
def test_tiles_hold_the_hashes_of_their_definition(size):
    tiles = Tiles()
    changed, root = tiles.append(0, LEAVES[:size])
    assert changed == tiles_from_definition(size)
    assert root == root_of(LEAVES[:size])
    assert tiles.reads == []


def test_tiles_of_three_levels_hold_the_hashes_of_their_definition(three_levels):
    assert three_levels.stored == tiles_from_definition(len(LEAVES))


@pytest.mark.parametrize("batch", [1, 2, 3, 100, 255, 256, 257, 700])
def test_growing_in_batches_gives_the_tiles_of_growing_at_once(batch):
    grown = Tiles()
    for size in range(0, 700, batch):
        leaves = LEAVES[size : min(size + batch, 700)]
        changed, root = grown.append(size, leaves)
        assert root == root_of(LEAVES[: size + len(leaves)])
        assert changed.items() <= tiles_from_definition(size + len(leaves)).items()
    assert grown.stored == tiles_from_definition(700)


@pytest.mark.parametrize("size", [255, 256, 65_279, 65_280, 65_535, 65_536, 65_537])
@pytest.mark.parametrize("batch", [1, 2, 257])
def test_growing_over_the_edges_of_tiles_and_levels(three_levels, size, batch):
    tiles = Tiles()
    tiles.stored = three_levels.stored  # wider tiles than a tree of this size has: the reader cuts them
    changed, root = append_to_tiles(size, LEAVES[size : size + batch], tiles.read)
    assert root == root_of(LEAVES[: size + batch])
    for (level, index), data in changed.items():
        assert three_levels.stored[level, index].startswith(data)
        assert (level, index, len(data) // 32) in set(tile_widths(size + batch))
        assert (level, index, len(data) // 32) not in set(tile_widths(size))
    assert len(changed) == len(set(tile_widths(size + batch)) - set(tile_widths(size)))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_535, 65_536, 65_537, 65_800])
def test_growing_reads_only_partial_tiles_at_the_right_edge_once_each(three_levels, size):
    tiles = Tiles()
    tiles.stored = three_levels.stored
    append_to_tiles(size, LEAVES[size : size + 1], tiles.read)
    partial = [tile for tile in tile_widths(size) if tile[2] < TILE_WIDTH]
    assert len(tiles.reads) == len(set(tiles.reads))
    assert set(tiles.reads) <= set(partial)


def test_an_empty_batch_changes_nothing(three_levels):
    for size in (0, 1, 256, 1000):
        assert append_to_tiles(size, [], three_levels.read) == ({}, root_of(LEAVES[:size]))


@pytest.mark.parametrize("size", range(41))
def test_roots_and_all_proofs_of_small_trees_are_those_from_leaves(three_levels, size):
    leaves, read = LEAVES[:size], three_levels.read
    assert root_from_tiles(size, read) == root_of(leaves)
    for index in range(size):
        assert prove_inclusion_from_tiles(index, size, read) == prove_inclusion(leaves, index)
    for old_size in range(size + 1):
        assert prove_consistency_from_tiles(old_size, size, read) == prove_consistency(leaves, old_size)


@pytest.mark.parametrize("size", [255, 256, 257, 511, 513, 65_535, 65_536, 65_537, 65_836])
def test_roots_and_proofs_at_the_edges_of_tiles_are_those_from_leaves(three_levels, size):
    root = root_from_tiles(size, three_levels.read)
    assert root == root_of(LEAVES[:size])
    for index in {0, 1, 127, 128, size // 2, size - 2, size - 1, min(256, size - 1), min(65_536, size - 1)}:
        three_levels.reads.clear()
        proof = prove_inclusion_from_tiles(index, size, three_levels.read)
        verify_inclusion(LEAVES[index], index=index, size=size, proof=proof, root=root)
        assert_few_reads(three_levels.reads, size)
    for old_size in {1, 2, 128, 255, size // 2, size - 1, size, min(256, size), min(65_536, size)}:
        three_levels.reads.clear()
        proof = prove_consistency_from_tiles(old_size, size, three_levels.read)
        verify_consistency(
            old_size=old_size, old_root=root_of(LEAVES[:old_size]), new_size=size, new_root=root, proof=proof
        )
        assert_few_reads(three_levels.reads, size)


def assert_few_reads(reads, size):
    levels = 1 + max(level for level, _, _ in tile_widths(size))
    assert len(reads) == len(set(reads)) <= 2 * levels
    assert set(reads) <= set(tile_widths(size)), "read a tile, or a width, that a tree of this size does not have"


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(32 * 9), bytes(32 * 10 + 1), bytes(32 * 11), bytes(8192)])
def test_a_tile_of_the_wrong_length_is_named(data):
    says = rf"^tile/0/000\.p/10 has {len(data)} bytes, expected 320$"

    def read(_level, _index, _width):
        return data

    with pytest.raises(FormatError, match=says):
        root_from_tiles(10, read)
    with pytest.raises(FormatError, match=says):
        prove_inclusion_from_tiles(3, 10, read)
    with pytest.raises(FormatError, match=says):
        prove_consistency_from_tiles(3, 10, read)
    with pytest.raises(FormatError, match=says):
        append_to_tiles(10, LEAVES[:1], read)


def test_a_tile_with_one_wrong_byte_gives_another_root(three_levels):
    def read(level, index, width):
        data = bytearray(three_levels.read(level, index, width))
        data[-1] ^= 1
        return bytes(data)

    for size in (1, 2, 256, 300, 65_537):
        assert root_from_tiles(size, read) != root_of(LEAVES[:size])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_there_is_no_proof_for_a_leaf_outside_the_tree(three_levels, index, size):
    with pytest.raises(FormatError, match=f"no inclusion proof for leaf {index} in a tree of size {size}"):
        prove_inclusion_from_tiles(index, size, three_levels.read)


@pytest.mark.parametrize(("old_size", "new_size"), [(6, 5), (-1, 5)])
def test_there_is_no_proof_to_a_smaller_tree(three_levels, old_size, new_size):
    with pytest.raises(FormatError, match=f"no consistency proof from size {old_size} to {new_size}"):
        prove_consistency_from_tiles(old_size, new_size, three_levels.read)


def test_a_leaf_hash_of_another_length_is_not_appended():
    with pytest.raises(FormatError, match="leaf hash 1 has 33 bytes, expected 32"):
        append_to_tiles(0, [LEAVES[0], bytes(33)], Tiles().read)


def test_a_negative_size_is_refused():
    with pytest.raises(FormatError, match="tree size -1 is negative"):
        append_to_tiles(-1, LEAVES[:1], Tiles().read)
    with pytest.raises(FormatError, match="tree size -1 is negative"):
        root_from_tiles(-1, Tiles().read)


@pytest.mark.parametrize("case", C2SP["tiles_for_size"], ids=lambda case: str(case["size"]))
def test_the_trees_of_the_specification_have_the_tiles_it_says(case):
    tiles = list(tile_widths(case["size"]))
    for level in range(3):
        here = [(index, width) for at, index, width in tiles if at == level]
        full = [index for index, width in here if width == TILE_WIDTH]
        assert full == list(range(case.get(f"full_level{level}", 0)))
        partial = [width for _, width in here if width < TILE_WIDTH]
        assert partial == [width for width in [case.get(f"partial_level{level}_width")] if width]
    assert max(level for level, _, _ in tiles) <= 2


def test_the_empty_tree_has_no_tile():
    assert list(tile_widths(0)) == []
    assert root_from_tiles(0, Tiles().read) == EMPTY_ROOT


class TestTesseraLog:
    """A log of 15 entries that another implementation wrote: its checkpoints, tiles and entry bundles."""

    leaves = tuple(hash_leaf(entry.encode()) for entry in TESSERA["entries"])

    def read(self, level, index, width):
        return b64decode(TESSERA["files_base64"][format_tile_path(level, index, width)])

    @pytest.mark.parametrize("size", range(1, 16))
    def test_its_tiles_are_ours(self, size):
        changed, _ = append_to_tiles(size - 1, self.leaves[size - 1 : size], self.read)
        assert changed == {(0, 0): self.read(0, 0, size)}

    @pytest.mark.parametrize("size", range(16))
    def test_its_checkpoints_have_our_roots(self, size):
        _, text_size, root, *_ = TESSERA["checkpoints"][f"checkpoint.{size}"].split("\n")
        assert int(text_size) == size
        assert b64decode(root) == root_of(self.leaves[:size]) == root_from_tiles(size, self.read)

    @pytest.mark.parametrize("size", range(1, 16))
    def test_its_entry_bundles_hash_to_its_tiles(self, size):
        bundle = b64decode(TESSERA["files_base64"][f"tile/entries/000.p/{size}"])
        hashes = b""
        while bundle:
            length = int.from_bytes(bundle[:2])
            hashes, bundle = hashes + hash_leaf(bundle[2 : 2 + length]), bundle[2 + length :]
        assert hashes == self.read(0, 0, size)
