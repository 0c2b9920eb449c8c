import json
from hashlib import sha256
from pathlib import Path

import pytest

from wherefrom.errors import FormatError
from wherefrom.merkle import EMPTY_ROOT, HASH_SIZE, CompactRange, hash_children, hash_leaf, root_of

VECTORS = Path(__file__).parents[2] / "vectors" / "merkle"
TREE = json.loads((VECTORS / "transparency-dev-tree.json").read_text())
ENTRIES = [bytes.fromhex(entry) for entry in TREE["leaf_inputs_hex"]]


def test_leaf_hashes_are_those_of_rfc_6962():
    assert [hash_leaf(entry).hex() for entry in ENTRIES] == TREE["node_hashes_hex_by_level"][0]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_nodes_are_the_hashes_of_their_two_children(level):
    below = [bytes.fromhex(node) for node in TREE["node_hashes_hex_by_level"][level - 1]]
    nodes = [hash_children(left, right).hex() for left, right in zip(below[::2], below[1::2], strict=True)]
    assert nodes == TREE["node_hashes_hex_by_level"][level]


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_first_sizes_are_those_of_transparency_dev(size):
    assert root_of([hash_leaf(entry) for entry in ENTRIES[:size]]).hex() == TREE["root_hashes_hex_by_tree_size"][size]


def test_the_empty_tree_has_the_hash_of_no_bytes_and_not_of_an_empty_leaf():
    assert sha256(b"").digest() == EMPTY_ROOT == root_of([])
    assert hash_leaf(b"") != EMPTY_ROOT
    assert len(EMPTY_ROOT) == HASH_SIZE


def test_a_node_is_no_leaf_of_its_children():
    left, right = hash_leaf(b"a"), hash_leaf(b"b")
    assert hash_children(left, right) != hash_leaf(left + right)
    assert hash_children(left, right) != hash_children(right, left)


@pytest.mark.parametrize("entry", [b"", b"a", bytes(32), bytes(8192)])
def test_the_root_of_one_leaf_is_its_leaf_hash(entry):
    assert root_of([hash_leaf(entry)]) == hash_leaf(entry)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), bytes(64)])
def test_a_leaf_hash_of_another_length_is_named(wrong):
    leaves = [hash_leaf(b"a"), hash_leaf(b"b"), wrong]
    with pytest.raises(FormatError, match=f"^leaf hash 2 has {len(wrong)} bytes, expected 32$"):
        root_of(leaves)


def test_lengths_are_checked_one_by_one_so_that_two_wrong_ones_cannot_make_up_for_each_other():
    with pytest.raises(FormatError, match="leaf hash 0 has 31 bytes"):
        CompactRange.of([bytes(31), bytes(33)])
