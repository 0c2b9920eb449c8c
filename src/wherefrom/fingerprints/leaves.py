"""Where leaf hashes wait until all are known."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final, Protocol, Self

import numpy as np

from wherefrom.fingerprints.pool import ordered_map
from wherefrom.fingerprints.runs import RUN_LEAVES, SortedRuns
from wherefrom.fingerprints.tree import TreeBuilder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from wherefrom.fingerprints.keeping import TreeWriter

DEFAULT_LEAF_BYTES: Final = 2**29


class LeafCollector(Protocol):
    """Takes leaf hashes as they come, and makes the tree at the end. Used by one thread, as a context manager."""

    def add(self, leaf_hashes: npt.NDArray[np.uint8]) -> None:
        """Take (n, 32) hashes, any n; the array must not change afterwards. UnavailableError: no room on disk."""

    def finish(self, progress: Callable[[int, int | None], None] | None = None) -> tuple[int, bytes]:
        """How many leaves the tree has, and its root; called once. `progress` is told how many were sorted into it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def make_collector(
    *,
    order: str = "sorted",
    is_distinct: bool = False,
    memory_bytes: int = DEFAULT_LEAF_BYTES,
    keep: TreeWriter | None = None,
    spill_folder: Path | None = None,
    expected_leaves: int | None = None,
) -> LeafCollector:
    """A collector for a tree.

    Args:
        order: one of `ORDERS`: "sorted" by the bytes of the hashes, or "sequence", as they come.
        is_distinct: take each hash once; only if they are sorted.
        memory_bytes: what leaves that wait may take; beyond it they wait in a temporary file.
        keep: where the tree's levels go.
        spill_folder: where temporary files go, the usual folder by default.
        expected_leaves: how many will come, where known; for messages.
    """
    if order == "sequence":
        return SequenceLeaves(keep)
    return SortedLeaves(
        is_distinct=is_distinct,
        memory_bytes=memory_bytes,
        keep=keep,
        spill_folder=spill_folder,
        expected_leaves=expected_leaves,
    )


class SequenceLeaves:
    """The tree over leaves in the order in which they come: nothing waits."""

    def __init__(self, keep: TreeWriter | None = None) -> None:
        self._tree = TreeBuilder(keep)

    def add(self, leaf_hashes: npt.NDArray[np.uint8]) -> None:
        self._tree.add(leaf_hashes)

    def finish(
        self,
        progress: Callable[[int, int | None], None] | None = None,  # noqa: ARG002  # nothing waits to be sorted
    ) -> tuple[int, bytes]:
        root = self._tree.finish()
        return self._tree.size, root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tree.close()


class SortedLeaves:
    """The tree over leaves in the order of their bytes."""

    def __init__(
        self,
        *,
        is_distinct: bool = False,
        memory_bytes: int = DEFAULT_LEAF_BYTES,
        keep: TreeWriter | None = None,
        spill_folder: Path | None = None,
        expected_leaves: int | None = None,
    ) -> None:
        self._is_distinct = is_distinct
        self._keep = keep
        self._parts: list[npt.NDArray[np.uint8]] = []
        self._waiting = 0
        self._open = ExitStack()
        self._runs = self._open.enter_context(
            SortedRuns(
                is_distinct=is_distinct,
                memory_bytes=memory_bytes,
                spill_folder=spill_folder,
                expected_leaves=expected_leaves,
            )
        )

    def add(self, leaf_hashes: npt.NDArray[np.uint8]) -> None:
        self._parts.append(leaf_hashes)
        self._waiting += len(leaf_hashes)
        if self._waiting >= RUN_LEAVES:
            self._seal()

    def finish(self, progress: Callable[[int, int | None], None] | None = None) -> tuple[int, bytes]:
        self._seal()
        total = self._runs.count
        if self._keep is not None and not self._is_distinct:  # which are distinct turns out later
            self._keep.expect(total)
        tree = self._open.enter_context(TreeBuilder(self._keep))
        done = 0
        if progress is not None:
            progress(done, total)
        # Closed before what it reads from is.
        results = self._open.enter_context(closing(ordered_map(lambda read: read(), self._runs.iter_sorted())))
        for sorted_hashes, count in results:
            tree.add(sorted_hashes)
            done += count
            if progress is not None and count:
                progress(done, total)
        return tree.size, tree.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _seal(self) -> None:
        if self._waiting:
            self._runs.add(self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts))
        self._parts, self._waiting = [], 0
