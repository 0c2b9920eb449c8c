"""Where leaf hashes wait until all are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from wherefrom.fingerprints.pool import ordered_map, worker_count
from wherefrom.fingerprints.tree import root_of_hashes

if TYPE_CHECKING:
    import numpy.typing as npt


# Fewer hashes are sorted before a second thread has started.
_WORTH_THREADS: Final = 2**17


class LeafCollector(Protocol):
    """Takes leaf hashes as they come, and makes the tree at the end. Used by one thread."""

    def add(self, leaf_hashes: npt.NDArray[np.uint8]) -> None:
        """Take (n, 32) hashes, any n."""

    def finish(self) -> tuple[int, bytes]:
        """How many leaves the tree has, and its root; called once."""


class SortedLeaves:
    """Keeps 32 bytes for each leaf in memory; the tree is over the hashes in byte order, duplicates kept."""

    is_distinct = False

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.uint8]] = []

    def add(self, leaf_hashes: npt.NDArray[np.uint8]) -> None:
        self._parts.append(leaf_hashes)

    def finish(self) -> tuple[int, bytes]:
        if not self._parts:
            return 0, root_of_hashes(np.empty((0, 32), np.uint8))
        hashes = np.concatenate(self._parts)
        self._parts = []
        hashes = sort_hashes(hashes)
        if self.is_distinct and len(hashes) > 1:
            is_new = np.concatenate(([True], np.any(hashes[1:] != hashes[:-1], axis=1)))
            hashes = hashes[is_new]
        return len(hashes), root_of_hashes(hashes)


class DistinctLeaves(SortedLeaves):
    """The same, each hash once."""

    is_distinct = True


def sort_hashes(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Sort (n, 32) rows by their bytes."""
    words = np.ascontiguousarray(hashes).view(">u8")
    first = words[:, 0].astype(np.uint64)
    parts = worker_count() if len(hashes) >= _WORTH_THREADS else 1
    bounds = [np.uint64(2**64 * part // parts) for part in range(1, parts)]

    def sort_part(part: int) -> npt.NDArray[np.uint8]:
        """Sort the rows whose first eight bytes lie in one of `parts` equal ranges."""
        is_inside = np.ones(len(first), np.bool_)
        if part > 0:
            is_inside &= first >= bounds[part - 1]
        if part < parts - 1:
            is_inside &= first < bounds[part]
        rows = np.flatnonzero(is_inside)
        return _sort_rows(words, rows, first[rows])

    return np.concatenate(list(ordered_map(sort_part, range(parts)) if parts > 1 else map(sort_part, range(1))))


def _sort_rows(
    words: npt.NDArray[np.uint64], rows: npt.NDArray[np.intp], first: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint8]:
    order = np.argsort(first)
    ordered = np.take(words.view("V32").reshape(-1), rows[order]).view(np.uint8).reshape(-1, 32)
    # Eight bytes tell different hashes apart unless somebody searched for a collision of them; then all 32 decide.
    ties = np.flatnonzero(first[order[1:]] == first[order[:-1]])
    if len(ties) and np.any(ordered[ties] != ordered[ties + 1]):
        chosen = words[rows]
        ordered = chosen[np.lexsort(chosen.T[::-1])].view(np.uint8)
    return ordered
