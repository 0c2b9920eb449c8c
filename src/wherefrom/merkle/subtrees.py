"""Which leaves each hash of a proof stands for: ranges [begin, end) of leaves, no hashing.

RFC 9162 section 2.1.1 splits a tree of n > 1 leaves after the first k, the largest power of two smaller than n. A proof
is a list of subtrees that arise so, and one plan serves leaves in memory as well as stored tiles.
"""

from __future__ import annotations

from collections.abc import Iterator

Range = tuple[int, int]
"""Leaves from `begin` up to, not including, `end`."""


def inclusion_subtrees(index: int, size: int) -> list[Range]:
    """The siblings on the way from a leaf to the root, leaf end first: PATH of RFC 9162 section 2.1.3.1.

    0 <= index < size.
    """
    begin, end = 0, size
    siblings = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    return siblings[::-1]


def consistency_subtrees(old_size: int, new_size: int) -> list[Range]:
    """The subtrees that both trees are built from: PROOF of RFC 9162 section 2.1.4.1.

    0 < old_size <= new_size. The old tree itself is left out where it is one of them: who verifies has its root.
    """
    begin, end = 0, new_size
    subtrees = []
    while old_size != end:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            subtrees.append((middle, end))
            end = middle
        else:
            subtrees.append((begin, middle))
            begin = middle
    if begin > 0:
        subtrees.append((begin, end))
    return subtrees[::-1]


def perfect_subtrees(begin: int, end: int) -> Iterator[Range]:
    """The fewest perfect subtrees of any tree that cover [begin, end), left to right; at most two for each height."""
    while begin < end:
        largest = 1 << ((end - begin).bit_length() - 1)
        aligned = begin & -begin
        width = min(aligned, largest) if aligned else largest
        yield begin, begin + width
        begin += width


def _split(size: int) -> int:
    """The largest power of two smaller than `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)
