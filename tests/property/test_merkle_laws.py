"""Laws of the tree, for any number of leaves, any batches and any tampering."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import ConsistencyError, FormatError, InclusionError
from wherefrom.merkle import (
    EMPTY_ROOT,
    CompactRange,
    append_to_tiles,
    format_entries_path,
    format_tile_path,
    hash_leaf,
    parse_entries_path,
    parse_tile_path,
    prove_consistency,
    prove_consistency_from_tiles,
    prove_inclusion,
    prove_inclusion_from_tiles,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [hash_leaf(i.to_bytes(4)) for i in range(1500)]
OTHER_LEAF = hash_leaf(b"another")

sizes = st.integers(1, len(LEAVES))
hashes = st.binary(min_size=32, max_size=32)
numbers = st.integers(-2, 20) | st.integers(-(2**70), 2**70)
any_bytes = hashes | st.binary(max_size=40)


@given(sizes, st.data())
def test_every_leaf_proves_and_no_changed_proof_does(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    tree = {"size": size, "root": root_of(leaves)}
    proof = prove_inclusion(leaves, index)
    verify_inclusion(leaves[index], index=index, proof=proof, **tree)
    for position in range(len(proof)):
        with pytest.raises(InclusionError):
            verify_inclusion(leaves[index], index=index, proof=flipped(proof, position, data), **tree)
    with pytest.raises(InclusionError):
        verify_inclusion(OTHER_LEAF, index=index, proof=proof, **tree)


@given(sizes, st.data())
def test_every_prefix_proves_and_no_changed_proof_does(new_size, data):
    old_size = data.draw(st.integers(1, new_size))
    leaves = LEAVES[:new_size]
    trees = {
        "old_size": old_size,
        "old_root": root_of(leaves[:old_size]),
        "new_size": new_size,
        "new_root": root_of(leaves),
    }
    proof = prove_consistency(leaves, old_size)
    verify_consistency(proof=proof, **trees)
    for position in range(len(proof)):
        with pytest.raises(ConsistencyError):
            verify_consistency(proof=flipped(proof, position, data), **trees)
    rewritten = [OTHER_LEAF, *leaves[1:]]
    with pytest.raises(ConsistencyError):
        verify_consistency(proof=prove_consistency(rewritten, old_size), **(trees | {"new_root": root_of(rewritten)}))


@given(st.lists(st.integers(0, 400), max_size=6), st.data())
def test_tiles_grown_in_any_batches_prove_what_leaves_prove(batches, data):
    tiles: dict[tuple[int, int], bytes] = {}

    def read(level, index, width):
        return tiles[level, index][: 32 * width]

    size, root = 0, EMPTY_ROOT
    for batch in batches:
        leaves = LEAVES[size : size + batch]
        changed, root = append_to_tiles(size, leaves, read)
        for at, tile in tiles.items():
            assert changed.get(at, tile).startswith(tile), "a published tile changed"
        tiles |= changed
        size += len(leaves)
    assert root == root_of(LEAVES[:size])
    if size:
        tree_size = data.draw(st.integers(1, size))
        index = data.draw(st.integers(0, tree_size - 1))
        old_size = data.draw(st.integers(0, tree_size))
        leaves = LEAVES[:tree_size]
        assert prove_inclusion_from_tiles(index, tree_size, read) == prove_inclusion(leaves, index)
        assert prove_consistency_from_tiles(old_size, tree_size, read) == prove_consistency(leaves, old_size)


@given(st.integers(0, 300), st.lists(st.integers(0, 150), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_ranges_merge_to_the_same_whole_in_whatever_order_neighbours_meet(begin, widths, random):
    parts = []
    end = begin
    for width in widths:
        parts.append(CompactRange.of(LEAVES[end : end + width], begin=end))
        end += width
    while len(parts) > 1:
        position = random.randrange(len(parts) - 1)
        parts[position : position + 2] = [parts[position].merge(parts[position + 1])]
    assert parts == [CompactRange.of(LEAVES[begin:end], begin=begin)]


@given(any_bytes, numbers, numbers, st.lists(any_bytes, max_size=70), any_bytes)
def test_verifying_inclusion_of_anything_raises_nothing_but_its_error(leaf_hash, index, size, proof, root):
    try:
        verify_inclusion(leaf_hash, index=index, size=size, proof=proof, root=root)
    except InclusionError:
        return
    assert (index, size, proof, leaf_hash) == (0, 1, [], root), "a guess was accepted"


@given(numbers, any_bytes, numbers, any_bytes, st.lists(any_bytes, max_size=70))
def test_verifying_consistency_of_anything_raises_nothing_but_its_error(old_size, old_root, new_size, new_root, proof):
    try:
        verify_consistency(old_size=old_size, old_root=old_root, new_size=new_size, new_root=new_root, proof=proof)
    except ConsistencyError:
        return
    assert proof == [], "a guess was accepted"
    assert (old_size, old_root) in {(0, EMPTY_ROOT), (new_size, new_root)}


@given(st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_paths_are_read_as_they_were_written(level, index, width):
    assert parse_tile_path(format_tile_path(level, index, width)) == (level, index, width)
    assert parse_entries_path(format_entries_path(index, width)) == (index, width)


path_parts = st.sampled_from(
    ["tile", "/", "entries", "0", "1", "00", "000", "x", "x001", "999", ".p", ".p/", "256", "٠", "\n"]
)


@given(st.text(max_size=40) | st.lists(path_parts, max_size=12).map("".join))
def test_any_text_is_the_one_spelling_of_a_path_or_malformed(text):
    for parse, write in (
        (parse_tile_path, format_tile_path),
        (parse_entries_path, format_entries_path),
    ):
        try:
            fields = parse(text)
        except FormatError:
            continue
        assert write(*fields) == text


def flipped(proof, position, data):
    bit = data.draw(st.integers(0, 255))
    node = int.from_bytes(proof[position]) ^ (1 << bit)
    return [*proof[:position], node.to_bytes(32), *proof[position + 1 :]]
