"""Compact ranges: all that the hash of a run of leaves needs to remember of them.

A tree that grows at its right end keeps only the roots of its perfect subtrees. The same holds for any run of leaves,
which lets the parts of a tree be hashed apart, on other cores or machines, and merged in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from wherefrom.errors import FormatError
from wherefrom.merkle.hashing import check_hashes, hash_children, hash_pairs, hash_subtrees
from wherefrom.merkle.subtrees import perfect_subtrees

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_Subtree = tuple[int, int, bytes]  # begin, end, root


@dataclass(frozen=True, slots=True)
class CompactRange:
    """The leaves [begin, end) of a tree, as the root hashes of the fewest perfect subtrees that cover them.

    `hashes` go from left to right, 32 bytes each, at most two for each height: under 4 KiB for a tree of 2**63 leaves.
    Raises FormatError: begin after end, another number of hashes than the range falls into, or another length.
    """

    begin: int
    end: int
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.begin <= self.end:
            raise FormatError(f"compact range [{self.begin}, {self.end}) is none: expected 0 <= begin <= end")
        expected = sum(1 for _ in perfect_subtrees(self.begin, self.end))
        if len(self.hashes) != expected:
            raise FormatError(
                f"compact range [{self.begin}, {self.end}) has {len(self.hashes)} hashes, expected {expected}"
            )
        check_hashes(self.hashes, what=f"compact range [{self.begin}, {self.end}): hash")

    @classmethod
    def of(cls, leaf_hashes: Sequence[bytes], *, begin: int = 0) -> Self:
        """Fold many leaves at once: n - 1 hashes or fewer for n leaves. `begin` is the index of the first of them."""
        check_hashes(leaf_hashes, what="leaf hash")
        left: list[bytes] = []
        right: list[bytes] = []
        first, nodes = begin, leaf_hashes  # the index of the first node on its level, and the nodes of that level
        while nodes:
            if first % 2:  # a right child whose sibling lies before the range
                left.append(nodes[0])
                nodes = nodes[1:]
            if len(nodes) % 2:  # a left child whose sibling lies behind it
                right.append(nodes[-1])
                nodes = nodes[:-1]
            first, nodes = (first + 1) // 2, hash_pairs(nodes)
        return cls(begin, begin + len(leaf_hashes), (*left, *reversed(right)))

    def append(self, leaf_hash: bytes) -> Self:
        """The range with one more leaf at its end."""
        return self.merge(CompactRange(self.end, self.end + 1, (leaf_hash,)))

    def merge(self, other: CompactRange) -> Self:
        """The range that both make together; `other` begins where this one ends, or FormatError."""
        if other.begin != self.end:
            raise FormatError(
                f"compact ranges [{self.begin}, {self.end}) and [{other.begin}, {other.end}) don't meet: "
                f"expected the second to begin at {self.end}"
            )
        merged: list[_Subtree] = []
        for subtree in (*self._subtrees(), *other._subtrees()):
            merged.append(subtree)
            while len(merged) > 1 and (parent := _join(*merged[-2:])):
                merged[-2:] = [parent]
        return type(self)(self.begin, other.end, tuple(root for _, _, root in merged))

    def root(self) -> bytes:
        """The root of the tree with these leaves, 32 bytes. Raises FormatError for a range that does not begin at 0."""
        if self.begin:
            raise FormatError(f"compact range [{self.begin}, {self.end}) has no root: it does not begin at 0")
        return hash_subtrees(self.hashes)

    def _subtrees(self) -> Iterator[_Subtree]:
        for (begin, end), root in zip(perfect_subtrees(self.begin, self.end), self.hashes, strict=True):
            yield begin, end, root


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaf hashes, in their order; EMPTY_ROOT for none. n - 1 hashes for n leaves.

    Raises FormatError: a leaf hash that is not 32 bytes long. Source: MTH of RFC 9162 section 2.1.1.
    """
    return CompactRange.of(leaf_hashes).root()


def _join(left: _Subtree, right: _Subtree) -> _Subtree | None:
    """The perfect subtree of which these neighbours are the halves, if they are."""
    begin, middle, end = left[0], left[1], right[1]
    width = middle - begin
    if end - middle != width or begin % (2 * width):
        return None
    return begin, end, hash_children(left[2], right[2])
