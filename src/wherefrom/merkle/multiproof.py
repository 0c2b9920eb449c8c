"""One proof for several leaves of a tree, sharing the nodes above them; for one leaf as long as an inclusion proof.

RFC 9162 has none. The tree is its tree; the hashes are those of the largest subtrees (by the splits of section 2.1.1)
without any of the leaves, from left to right. Source: docs/spec/fingerprint-proofs-v1.md section 3.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from wherefrom.errors import FormatError, InclusionError
from wherefrom.merkle.compact import root_of
from wherefrom.merkle.hashing import EMPTY_ROOT, HASH_SIZE, hash_children
from wherefrom.merkle.subtrees import other_subtrees, split

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


def prove_leaves(leaf_hashes: Sequence[bytes], indexes: Collection[int]) -> list[bytes]:
    """The hashes that, with the leaves at these indexes, make the root.

    Raises FormatError: an index outside the tree, or none for a tree that has leaves.
    """
    return [root_of(leaf_hashes[begin:end]) for begin, end in other_subtrees(indexes, len(leaf_hashes))]


def verify_leaves(leaves: Mapping[int, bytes], *, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that each of these leaves is at its index of the tree with this root.

    Args:
        leaves: leaf hash, 32 bytes, by index from 0; at least one, but for the empty tree.
        size: leaves in the tree.
        proof: 32 bytes each, as `prove_leaves` orders them; exactly as many as the indexes ask for.
        root: 32 bytes, from whom you trust.

    Raises InclusionError: index outside the tree, wrong number or length of hashes, or another root.
    """
    claim = f"proof for {len(leaves)} of {size} leaves"
    try:
        expected = len(other_subtrees(leaves, size))
    except FormatError as error:
        raise InclusionError(str(error)) from error
    if len(proof) != expected:
        raise InclusionError(f"{claim} has {len(proof)} hashes, expected {expected}")
    for what, hashes in (("hash", enumerate(proof)), ("leaf", leaves.items())):
        for position, value in hashes:
            if len(value) != HASH_SIZE:
                raise InclusionError(f"{claim}: {what} {position} has {len(value)} bytes, expected {HASH_SIZE}")
    computed = _fold(sorted(leaves), leaves, iter(proof), 0, size) if size else EMPTY_ROOT
    if computed != root:
        raise InclusionError(f"{claim} leads to root {computed.hex()}, expected {root.hex()}")


def _fold(indexes: list[int], leaves: Mapping[int, bytes], proof: Iterator[bytes], begin: int, end: int) -> bytes:
    """The root over [begin, end); as deep as the tree is high, as wide as there are leaves to prove."""
    if not indexes:
        return next(proof)
    if end - begin == 1:
        return leaves[begin]
    middle = begin + split(end - begin)
    cut = bisect_left(indexes, middle)
    left = _fold(indexes[:cut], leaves, proof, begin, middle)
    return hash_children(left, _fold(indexes[cut:], leaves, proof, middle, end))
