"""What runs inside Spark's Python workers: streams of Arrow batches in and out, a few batches in memory.

A *tree* is that of the rows (0) or of one kind of keys (1, 2, …). A *bucket* is the leaves of one tree whose first
bytes lie in one of equal ranges, so buckets in order are the sorted leaves; where Spark keeps a bucket doesn't matter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints.arrow import read_values, to_boolean_arrow
from wherefrom.fingerprints.rows import hash_rows_of, iter_chunks, merge_columns, validate_batch
from wherefrom.fingerprints.sources.arrow_objects import batch_without_columns
from wherefrom.fingerprints.tree import range_of_hashes
from wherefrom.merkle import HASH_SIZE, CompactRange
from wherefrom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt

    from wherefrom.commitments import LogicalType, Secret
    from wherefrom.fingerprints import Key
    from wherefrom.fingerprints.arrow import AnyArray

ROWS: Final = 0
"""The tree of the rows."""
NO_BUCKET: Final = -1
"""Stands beside a note."""

HASHED_SCHEMA: Final = "bucket int, leaf binary, note string"
"""A leaf in its bucket, or a note: JSON, one for each partition, with what its rows show beside their hashes."""
FOLDED_SCHEMA: Final = "bucket int, first bigint, leaves bigint, hashes binary"
"""A bucket's compact range: index of its first leaf, how many there are, 32-byte hashes one after the other."""

_BLOCK_LEAVES: Final = 2**16


@dataclass(frozen=True, slots=True)
class Plan:
    """What workers must know; travels to them with each task."""

    names: tuple[str, ...]
    """Of the columns, in the order in which batches have them; none for a table without columns, whose batches have one
    that is not part of the table."""
    keys: tuple[Key, ...]
    secret: Secret | None
    buckets: int
    """For each tree."""

    def tree_of(self, bucket: int) -> int:
        return bucket // self.buckets


def hash_partition(batches: Iterable[pa.RecordBatch], plan: Plan) -> Iterator[pa.RecordBatch]:
    """Hash the rows of one partition: leaves in `HASHED_SCHEMA`, then one note.

    What is refused ends the partition with a note that says so: an exception would reach the driver as a traceback,
    after Spark has tried again in vain.
    """
    types: dict[str, LogicalType] = {}
    keyless = [0] * len(plan.keys)
    refused: tuple[str, str, str | None] | None = None
    try:
        for batch in batches:
            part = _named(batch, plan.names)
            validate_batch(part)
            for chunk in iter_chunks(part):
                hashed = hash_rows_of(chunk, keys=plan.keys, secret=plan.secret)
                merge_columns(types, hashed.types)
                yield _hashed_batch(hashed.leaf_hashes, ROWS, plan)
                for tree, key_hashes in enumerate(hashed.key_hashes, start=1):
                    yield _hashed_batch(key_hashes, tree, plan)
                    keyless[tree - 1] += hashed.keyless[tree - 1]
    except (FormatError, UnavailableError) as error:
        refused = (type(error).__name__, str(error), error.hint)
    note = {
        "keyless": keyless,
        "refused": refused,
        "types": {name: logical_type.to_json() for name, logical_type in types.items()},
        "version": __version__,
    }
    yield _batch(
        bucket=pa.array([NO_BUCKET], pa.int32()),
        leaf=pa.nulls(1, pa.binary()),
        note=pa.array([json.dumps(note)], pa.string()),
    )


def drop_repeated_keys(batches: Iterable[pa.RecordBatch], plan: Plan) -> Iterator[pa.RecordBatch]:
    """Keep each leaf of the trees of keys once: from sorted leaves and notes in `HASHED_SCHEMA` to the same."""
    last: dict[int, npt.NDArray[np.uint8]] = {}
    for batch in batches:
        is_kept = np.ones(batch.num_rows, np.bool_)
        is_leaf, buckets, leaves = _read(batch)
        places = np.flatnonzero(is_leaf)
        for bucket in np.unique(buckets[buckets >= plan.buckets]).tolist():
            is_here = buckets == bucket
            here = leaves[is_here]
            before = last.get(bucket, here[:0])
            order = _order(np.concatenate([before, here]))
            is_kept[places[is_here]] = np.concatenate([np.ones(1 - len(before), np.bool_), order < 0])
            last[bucket] = here[-1:]
        yield batch.filter(to_boolean_arrow(is_kept))


def fold_buckets(batches: Iterable[pa.RecordBatch], firsts: Mapping[int, int]) -> Iterator[pa.RecordBatch]:
    """Fold each bucket of a partition of sorted leaves to its compact range: `FOLDED_SCHEMA`.

    `firsts`: the index in its tree of each bucket's first leaf. Raises UnavailableError for leaves that are not in the
    order of their bytes, or of a bucket that had none when they were counted: the root would be that of another tree.
    """
    ranges: dict[int, CompactRange] = {}
    last: dict[int, npt.NDArray[np.uint8]] = {}
    for buckets, leaves in _iter_blocks(batches):
        for bucket in np.unique(buckets).tolist():
            if bucket not in firsts:
                raise UnavailableError(f"bucket {bucket} had no leaves when they were counted, but has some now")
            here = leaves[buckets == bucket]
            if np.any(_order(np.concatenate([last.get(bucket, here[:0]), here])) > 0):
                raise UnavailableError(f"leaves of bucket {bucket} are not in the order of their bytes")
            last[bucket] = here[-1:]
            known = ranges.get(bucket) or CompactRange(firsts[bucket], firsts[bucket])
            ranges[bucket] = known.merge(range_of_hashes(here, known.end))
    folded = ranges.values()
    yield _batch(
        bucket=pa.array(list(ranges), pa.int32()),
        first=pa.array([run.begin for run in folded], pa.int64()),
        leaves=pa.array([run.end - run.begin for run in folded], pa.int64()),
        hashes=pa.array([b"".join(run.hashes) for run in folded], pa.binary()),
    )


def _named(batch: pa.RecordBatch, names: tuple[str, ...]) -> pa.RecordBatch:
    if not names:
        return batch_without_columns(batch.num_rows)
    return pa.RecordBatch.from_arrays(batch.columns, names=list(names))


def _batch(**columns: AnyArray) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _hashed_batch(hashes: npt.NDArray[np.uint8], tree: int, plan: Plan) -> pa.RecordBatch:
    hashes = np.ascontiguousarray(hashes)
    count = len(hashes)
    start = hashes[:, :4].copy().view(">u4")[:, 0].astype(np.uint64)
    buckets = (tree * plan.buckets + (start * np.uint64(plan.buckets) >> np.uint64(32))).astype(np.int32)
    offsets = np.arange(count + 1, dtype=np.int32) * HASH_SIZE
    return _batch(
        bucket=pa.array(buckets),
        leaf=pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets.data), pa.py_buffer(hashes.data)]),
        note=pa.nulls(count, pa.string()),
    )


def _iter_blocks(
    batches: Iterable[pa.RecordBatch],
) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]]:
    """Buckets and hashes, (n, 32), of Spark's batches joined: native calls are worth their cost for many at once."""
    buckets: list[npt.NDArray[np.int32]] = []
    leaves: list[npt.NDArray[np.uint8]] = []
    for batch in batches:
        _, some_buckets, some_leaves = _read(batch)
        buckets.append(some_buckets)
        leaves.append(some_leaves)
        if sum(map(len, buckets)) >= _BLOCK_LEAVES:
            yield np.concatenate(buckets), np.concatenate(leaves)
            buckets, leaves = [], []
    if buckets:
        yield np.concatenate(buckets), np.concatenate(leaves)


def _read(batch: pa.RecordBatch) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Which rows are leaves and not notes, and these leaves' buckets and hashes, (n, 32)."""
    buckets = read_values(batch.column(0), np.int32)
    is_leaf = buckets != NO_BUCKET
    fixed: AnyArray = batch.column(1).drop_null().cast(pa.binary(HASH_SIZE))
    return is_leaf, buckets[is_leaf], read_values(fixed, np.uint8, per_value=HASH_SIZE).reshape(-1, HASH_SIZE)


def _order(leaves: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """Compare each leaf with the next by their bytes: -1, 0 or 1 where it is less, equal or greater."""
    words = np.ascontiguousarray(leaves).view(">u8").astype(np.uint64)
    result = np.zeros(max(0, len(words) - 1), np.int8)
    for word in reversed(range(words.shape[1])):
        one, next_one = words[:-1, word], words[1:, word]
        result = np.where(one == next_one, result, np.where(one < next_one, np.int8(-1), np.int8(1)))
    return result
