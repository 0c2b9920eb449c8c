"""Which leaves each hash of a proof stands for: ranges [begin, end) of leaves, no hashing.

RFC 9162 section 2.1.1 splits a tree of n > 1 leaves after the first k, the largest power of two smaller than n. A proof
is a list of subtrees that arise so, and one plan serves leaves in memory as well as stored tiles.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator

from wherefrom.errors import FormatError

Range = tuple[int, int]
"""Leaves from `begin` up to, not including, `end`."""


def inclusion_subtrees(index: int, size: int) -> list[Range]:
    """The siblings on the way from a leaf to the root, leaf end first: PATH of RFC 9162 section 2.1.3.1.

    0 <= index < size.
    """
    begin, end = 0, size
    siblings = []
    while end - begin > 1:
        middle = begin + split(end - begin)
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
        middle = begin + split(end - begin)
        if old_size <= middle:
            subtrees.append((middle, end))
            end = middle
        else:
            subtrees.append((begin, middle))
            begin = middle
    if begin > 0:
        subtrees.append((begin, end))
    return subtrees[::-1]


def other_subtrees(indexes: Collection[int], size: int) -> list[Range]:
    """The largest subtrees without any of these leaves, left to right: what a proof for all of them has hashes of.

    Raises FormatError: an index outside the tree, or no index for a tree that has leaves.
    """
    wanted = sorted(indexes)
    if wanted and not 0 <= wanted[0] <= wanted[-1] < size:
        wrong = wanted[0] if wanted[0] < 0 else wanted[-1]
        raise FormatError(f"no proof for leaf {wrong} in a tree of size {size}: no such leaf")
    if size and not wanted:
        raise FormatError(f"no proof for no leaf of a tree of size {size}: expected at least one")
    others = []
    waiting = [(0, size, wanted)] if size else []
    while waiting:
        begin, end, inside = waiting.pop()
        if not inside:
            others.append((begin, end))
        elif end - begin > 1:
            middle = begin + split(end - begin)
            cut = bisect_left(inside, middle)
            waiting += [(middle, end, inside[cut:]), (begin, middle, inside[:cut])]
    return others


def perfect_subtrees(begin: int, end: int) -> Iterator[Range]:
    """The fewest perfect subtrees of any tree that cover [begin, end), left to right; at most two for each height."""
    while begin < end:
        largest = 1 << ((end - begin).bit_length() - 1)
        aligned = begin & -begin
        width = min(aligned, largest) if aligned else largest
        yield begin, begin + width
        begin += width


def split(size: int) -> int:
    """The largest power of two smaller than `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)
