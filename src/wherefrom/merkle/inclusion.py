"""Inclusion proofs: this leaf is at this index of the tree with this root. RFC 9162 section 2.1.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherefrom.errors import FormatError, InclusionError
from wherefrom.merkle.compact import root_of
from wherefrom.merkle.hashing import HASH_SIZE, hash_children
from wherefrom.merkle.subtrees import inclusion_subtrees

if TYPE_CHECKING:
    from collections.abc import Sequence


def prove_inclusion(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The sibling hashes from leaf `index` up to the root, leaf end first; at most ceil(log2(size)) of them.

    Hashes all other leaves once. Raises FormatError: index outside the tree.
    """
    size = len(leaf_hashes)
    if not 0 <= index < size:
        raise FormatError(f"no inclusion proof for leaf {index} in a tree of size {size}: no such leaf")
    return [root_of(leaf_hashes[begin:end]) for begin, end in inclusion_subtrees(index, size)]


def verify_inclusion(leaf_hash: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is at this index of the tree with this root.

    Args:
        leaf_hash: 32 bytes, as `hash_leaf` makes it (not the entry itself).
        index: position of the leaf, from 0.
        size: leaves in the tree; 0 <= index < size.
        proof: sibling hashes, 32 bytes each, leaf end first; exactly as many as the place of the leaf asks for.
        root: 32 bytes, from a checkpoint whose signature you have verified.

    Raises InclusionError: index outside the tree, wrong number or length of hashes, or another root.
    Returns nothing, so no caller can overlook a False. Source: RFC 9162 section 2.1.3.2, whose shifts over levels where
    the last node has no sibling are not needed once the number of hashes is known to be right.
    """
    if not 0 <= index < size:
        raise InclusionError(f"leaf {index} is outside a tree of size {size}")
    claim = f"inclusion proof for leaf {index} of {size}"
    expected = _proof_length(index, size)
    if len(proof) != expected:
        raise InclusionError(f"{claim} has {len(proof)} hashes, expected {expected}")
    if len(leaf_hash) != HASH_SIZE:
        raise InclusionError(f"{claim}: the leaf hash has {len(leaf_hash)} bytes, expected {HASH_SIZE}")

    node, last, computed = index, size - 1, leaf_hash  # a node on its level, the last node there, and the node's hash
    for position, sibling in enumerate(proof):
        if len(sibling) != HASH_SIZE:
            raise InclusionError(f"{claim}: hash {position} has {len(sibling)} bytes, expected {HASH_SIZE}")
        is_right = node % 2 or node == last  # at the right edge all siblings still to come stand on the left
        computed = hash_children(sibling, computed) if is_right else hash_children(computed, sibling)
        node, last = node // 2, last // 2
    if computed != root:
        raise InclusionError(f"{claim} leads to root {computed.hex()}, expected {root.hex()}")


def _proof_length(index: int, size: int) -> int:
    """One for each level up to where the paths to this leaf and to the last one join, then one per left sibling."""
    shared = (index ^ (size - 1)).bit_length()
    return shared + (index >> shared).bit_count()
