"""Laws of the proof for several leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError, InclusionError
from wherefrom.merkle import (
    EMPTY_ROOT,
    append_to_tiles,
    hash_leaf,
    prove_inclusion,
    prove_leaves,
    prove_leaves_from_tiles,
    root_of,
    verify_leaves,
)

LEAVES = [hash_leaf(i.to_bytes(4)) for i in range(700)]
TILES, _ = append_to_tiles(0, LEAVES, lambda *_: b"")


def indexes_of(size):
    return st.sets(st.integers(0, size - 1), min_size=1, max_size=12)


@st.composite
def proven(draw):
    """Size, root, some leaves by index, and their proof."""
    size = draw(st.integers(1, len(LEAVES)))
    indexes = draw(indexes_of(size))
    leaves = {index: LEAVES[index] for index in indexes}
    return size, root_of(LEAVES[:size]), leaves, prove_leaves(LEAVES[:size], indexes)


@given(proven(), st.data())
def test_any_leaves_prove_and_no_changed_proof_does(case, data):
    size, root, leaves, proof = case
    verify_leaves(leaves, size=size, proof=proof, root=root)
    for position, value in enumerate(proof):
        changed = [*proof[:position], bytes([value[0] ^ 1]) + value[1:], *proof[position + 1 :]]
        with pytest.raises(InclusionError, match="leads to root"):
            verify_leaves(leaves, size=size, proof=changed, root=root)
    index = data.draw(st.sampled_from(sorted(leaves)))
    with pytest.raises(InclusionError):
        verify_leaves(leaves | {index: hash_leaf(b"other")}, size=size, proof=proof, root=root)
    for wrong in ([*proof, LEAVES[0]], proof[:-1]):
        if wrong != proof:
            with pytest.raises(InclusionError, match="expected"):
                verify_leaves(leaves, size=size, proof=wrong, root=root)


@given(proven(), st.data())
def test_leaves_at_other_indexes_or_in_trees_of_other_sizes_do_not_prove(case, data):
    size, root, leaves, proof = case
    moved = data.draw(indexes_of(size).filter(lambda indexes: len(indexes) == len(leaves) and indexes != set(leaves)))
    elsewhere = dict(zip(sorted(moved), (leaves[index] for index in sorted(leaves)), strict=True))
    with pytest.raises(InclusionError):
        verify_leaves(elsewhere, size=size, proof=proof, root=root)


@given(st.integers(1, 300), st.data())
def test_for_one_leaf_it_is_as_long_as_an_inclusion_proof_and_for_all_it_is_empty(size, data):
    index = data.draw(st.integers(0, size - 1))
    assert sorted(prove_leaves(LEAVES[:size], [index])) == sorted(prove_inclusion(LEAVES[:size], index))
    assert prove_leaves(LEAVES[:size], range(size)) == []


@given(indexes_of(len(LEAVES)))
def test_tiles_give_the_same_proof(indexes):
    def read_tile(level, index, width):
        return TILES[level, index][: 32 * width]

    assert prove_leaves_from_tiles(indexes, len(LEAVES), read_tile) == prove_leaves(LEAVES, indexes)


def test_the_empty_tree_needs_no_leaf_and_others_need_one():
    verify_leaves({}, size=0, proof=[], root=EMPTY_ROOT)
    with pytest.raises(InclusionError, match="leads to root"):
        verify_leaves({}, size=0, proof=[], root=LEAVES[0])
    with pytest.raises(InclusionError, match="expected at least one"):
        verify_leaves({}, size=3, proof=[root_of(LEAVES[:3])], root=root_of(LEAVES[:3]))
    with pytest.raises(FormatError, match="expected at least one"):
        prove_leaves(LEAVES[:3], [])


@pytest.mark.parametrize("index", [-1, 3, 2**70])
def test_an_index_outside_the_tree_is_refused(index):
    with pytest.raises(FormatError, match=f"leaf {index} in a tree of size 3"):
        prove_leaves(LEAVES[:3], [0, index])
    with pytest.raises(InclusionError, match=f"leaf {index} in a tree of size 3"):
        verify_leaves({index: LEAVES[0]}, size=3, proof=[], root=root_of(LEAVES[:3]))


def test_hashes_of_another_length_are_refused():
    root = root_of(LEAVES[:2])
    with pytest.raises(InclusionError, match="hash 0 has 31 bytes"):
        verify_leaves({0: LEAVES[0]}, size=2, proof=[LEAVES[1][:31]], root=root)
    with pytest.raises(InclusionError, match="leaf 0 has 33 bytes"):
        verify_leaves({0: LEAVES[0] + b"x"}, size=2, proof=[LEAVES[1]], root=root)
