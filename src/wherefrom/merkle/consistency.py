"""Consistency proofs: the tree of this root only grew to that one, nothing before changed. RFC 9162 section 2.1.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherefrom.errors import ConsistencyError, FormatError
from wherefrom.merkle.compact import root_of
from wherefrom.merkle.hashing import EMPTY_ROOT, HASH_SIZE, hash_children
from wherefrom.merkle.subtrees import consistency_subtrees

if TYPE_CHECKING:
    from collections.abc import Sequence


def prove_consistency(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that lead from the tree of the first `old_size` leaves to the tree of all.

    Empty for the empty tree and for the whole one. Hashes every leaf at most once.
    Raises FormatError: old_size beyond the tree.
    """
    size = len(leaf_hashes)
    if not 0 <= old_size <= size:
        raise FormatError(f"no consistency proof from size {old_size} to {size}: a tree does not shrink")
    if old_size == 0:
        return []
    return [root_of(leaf_hashes[begin:end]) for begin, end in consistency_subtrees(old_size, size)]


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the first `old_size` leaves of the new tree are the old tree.

    Args:
        old_size: counted in leaves; 0 <= old_size <= new_size.
        old_root: 32 bytes, from a checkpoint whose signature you have verified.
        new_size: counted in leaves.
        new_root: 32 bytes, from a checkpoint whose signature you have verified.
        proof: 32 bytes each, exactly as many as the two sizes ask for: none if they are equal, or if the old one is 0.

    The empty tree is a prefix of every tree, so from size 0 there is nothing to prove, and nothing is learned of
    `new_root`: an empty proof from EMPTY_ROOT passes, nothing else does. docs/spec/ledger-formats.md says who differs.

    Raises ConsistencyError: a tree that shrank, wrong number or length of hashes, or another root than one of the two.
    Source: RFC 9162 section 2.1.4.2, without the shifts that the right number of hashes makes needless.
    """
    claim = f"consistency proof from size {old_size} to {new_size}"
    if not 0 <= old_size <= new_size:
        raise ConsistencyError(f"{claim}: expected 0 <= old size <= new size")
    expected = len(consistency_subtrees(old_size, new_size)) if old_size else 0
    if len(proof) != expected:
        raise ConsistencyError(f"{claim} has {len(proof)} hashes, expected {expected}")
    for name, given in [
        ("old root", old_root),
        ("new root", new_root),
        *((f"hash {i}", h) for i, h in enumerate(proof)),
    ]:
        if len(given) != HASH_SIZE:
            raise ConsistencyError(f"{claim}: {name} has {len(given)} bytes, expected {HASH_SIZE}")

    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ConsistencyError(f"{claim}: old root is {old_root.hex()}, the empty tree has {EMPTY_ROOT.hex()}")
    if old_size == new_size and old_root != new_root:
        raise ConsistencyError(f"two trees of size {new_size} have roots {old_root.hex()} and {new_root.hex()}")
    if old_size in {0, new_size}:
        return

    # A perfect old tree is itself the first subtree of the new one, and the proof leaves out what both sides know.
    is_perfect = old_size.bit_count() == 1
    first, *rest = [old_root, *proof] if is_perfect else proof
    node, last = old_size - 1, new_size - 1  # the last node of the old tree and of the new one, on their level
    while node % 2:
        node, last = node // 2, last // 2
    old_computed = new_computed = first
    for sibling in rest:
        if node % 2 or node == last:
            old_computed = hash_children(sibling, old_computed)
            new_computed = hash_children(sibling, new_computed)
        else:
            new_computed = hash_children(new_computed, sibling)
        node, last = node // 2, last // 2
    if old_computed != old_root:
        raise ConsistencyError(f"{claim} leads to old root {old_computed.hex()}, expected {old_root.hex()}")
    if new_computed != new_root:
        raise ConsistencyError(f"{claim} leads to new root {new_computed.hex()}, expected {new_root.hex()}")
