"""An external radix sort of leaf hashes: runs are partitioned by leading bits, then read back bucket by bucket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import numpy as np

from wherefrom.fingerprints.pool import leaves_at_once
from wherefrom.fingerprints.sorting import BUCKETS, bucket_bounds, drop_repeated, partition_hashes, sort_hashes
from wherefrom.fingerprints.spill import SpillFile
from wherefrom.merkle import HASH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    Hashes: TypeAlias = npt.NDArray[np.uint8]

# Leaves partitioned at once: few enough for a core's cache, enough that a run's part of a bucket is worth a read.
RUN_LEAVES: Final = 2**18
# Leaves sorted at once, and leaves read for that. A bucket of four times as many as the latter is partitioned again.
_PIECE_LEAVES: Final = 2**16
_READ_LEAVES: Final = 2**18
# What all threads may read ahead, as long as each has a piece.
_READ_BYTES: Final = 2**28


@dataclass(frozen=True, slots=True)
class _Run:
    """Hashes ordered by bucket, in memory or in the file."""

    bounds: npt.NDArray[np.int32]
    hashes: Hashes | None
    first: int = 0
    """Index in the file."""


class SortedRuns:
    """Runs of hashes, and all of them sorted at the end. Used by one thread, as a context manager."""

    def __init__(
        self,
        *,
        is_distinct: bool = False,
        memory_bytes: int,
        spill_folder: Path | None = None,
        expected_leaves: int | None = None,
        position: int = 0,
    ) -> None:
        """`position` is the byte that partitions; all hashes are equal in those before it."""
        self._is_distinct = is_distinct
        self._memory_bytes = memory_bytes
        self._spill_folder = spill_folder
        self._position = position
        self._read_leaves = leaves_at_once(_READ_BYTES, most=_READ_LEAVES)
        self._file = SpillFile(spill_folder, expected_leaves=expected_leaves)
        self._inner: list[SortedRuns] = []
        self._runs: list[_Run] = []
        self._bytes = 0
        self.count = 0
        """Hashes waiting, those that were repeated within a run not counted."""

    def add(self, hashes: Hashes) -> None:
        """Take (n, 32) hashes in any order, fewer than 2^31."""
        if self._is_distinct and self._position == 0:
            hashes = drop_repeated(sort_hashes(hashes))
            bounds = bucket_bounds(hashes)
        else:
            hashes, bounds = partition_hashes(hashes, position=self._position)
        self.count += len(hashes)
        run = _Run(bounds.astype(np.int32), hashes)
        if self._bytes + hashes.nbytes <= self._memory_bytes:
            self._bytes += hashes.nbytes
        else:
            run = replace(run, hashes=None, first=self._file.append(hashes))
        self._runs.append(run)

    def iter_sorted(self) -> Iterator[Callable[[], tuple[Hashes, int]]]:
        """Functions, to be called once each and in any thread, whose results in order are all hashes sorted.

        Each returns some hashes, and how many they were before repeated ones were dropped.
        """
        counts = sum((np.diff(run.bounds) for run in self._runs), start=np.zeros(BUCKETS, np.int64))
        start = 0
        while start < BUCKETS:
            end, count = start + 1, int(counts[start])
            while end < BUCKETS and count + counts[end] <= self._read_leaves:
                count += int(counts[end])
                end += 1
            if count > 4 * self._read_leaves:
                yield from self._iter_large(start)
            elif count:
                yield partial(self._sort, start, end)
            start = end

    def close(self) -> None:
        self._runs.clear()
        self._file.close()
        while self._inner:
            self._inner.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, run: _Run, start: int, end: int) -> Hashes:
        """A run's hashes in buckets [start, end)."""
        first, last = int(run.bounds[start]), int(run.bounds[end])
        if run.hashes is not None:
            return run.hashes[first:last]
        return self._file.read(run.first + first, last - first)

    def _sort(self, start: int, end: int) -> tuple[Hashes, int]:
        parts = [(self._read(run, start, end), run.bounds[start : end + 1] - run.bounds[start]) for run in self._runs]
        counts = np.sum([bounds for _, bounds in parts], axis=0)
        total = int(counts[-1])
        done, pieces = 0, []
        while done < end - start:
            # As many buckets as make a piece, at least one.
            following = max(done + 1, int(np.searchsorted(counts, counts[done] + _PIECE_LEAVES, "right")) - 1)
            piece = sort_hashes(np.concatenate([hashes[bounds[done] : bounds[following]] for hashes, bounds in parts]))
            pieces.append(drop_repeated(piece) if self._is_distinct else piece)
            done = following
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces), total

    def _iter_large(self, bucket: int) -> Iterator[Callable[[], tuple[Hashes, int]]]:
        """A bucket too large to be sorted at once: hashes that repeat, or that somebody chose."""
        example: Hashes | None = None
        is_same = np.ones(HASH_SIZE, np.bool_)
        count = 0
        for hashes in self._iter_bucket(bucket):
            example = hashes[0] if example is None else example
            is_same &= np.all(hashes == example, axis=0)
            count += len(hashes)
        if example is None:
            return
        if is_same.all():
            yield from _iter_equal(example, count, is_distinct=self._is_distinct)
            return
        inner = SortedRuns(
            is_distinct=self._is_distinct,
            memory_bytes=self._memory_bytes - self._bytes,
            spill_folder=self._spill_folder,
            position=int(np.argmin(is_same)),
        )
        self._inner.append(inner)
        for hashes in self._iter_bucket(bucket):
            inner.add(hashes)
        yield from inner.iter_sorted()

    def _iter_bucket(self, bucket: int) -> Iterator[Hashes]:
        """A bucket's hashes, a bounded number at a time."""
        for run in self._runs:
            first, last = int(run.bounds[bucket]), int(run.bounds[bucket + 1])
            for start in range(first, last, RUN_LEAVES):
                end = min(last, start + RUN_LEAVES)
                if run.hashes is not None:
                    yield run.hashes[start:end]
                else:
                    yield self._file.read(run.first + start, end - start)


def _iter_equal(example: Hashes, count: int, *, is_distinct: bool) -> Iterator[Callable[[], tuple[Hashes, int]]]:
    """Nothing to sort."""
    if is_distinct:
        yield lambda: (example.reshape(1, HASH_SIZE), count)
        return
    for start in range(0, count, _READ_LEAVES):
        length = min(_READ_LEAVES, count - start)
        yield partial(_repeat, example, length)


def _repeat(example: Hashes, count: int) -> tuple[Hashes, int]:
    return np.tile(example, (count, 1)), count
