"""The driver's part: plans the jobs, and keeps a few numbers and hashes for each partition, never a row."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from wherefrom.commitments import NULL, Column, KeyCommitment, LogicalType, RecordsFingerprint, Secret
from wherefrom.commitments.logical import parse_type
from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.fingerprints import Key
from wherefrom.merkle import HASH_SIZE, CompactRange
from wherefrom.spark.frames import DataFrame, check_frame, check_types, read_fields, translated_errors
from wherefrom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from wherefrom.spark.executors import Plan

# Spark spreads buckets over its partitions by a hash of their number: with more of them, partitions are more alike.
_BUCKETS_PER_PARTITION: Final = 8
# Where the setting is no number, as on platforms that choose themselves.
_USUAL_PARTITIONS: Final = 200
_MAX_BUCKETS: Final = 2**20


def fingerprint(
    df: DataFrame, *, columns: Sequence[str] | None = None, secret: Secret | None = None
) -> RecordsFingerprint:
    """Fingerprint a DataFrame: the id that `fingerprint_records` gives the same rows on one machine.

    Args:
        df: read once. Its leaf hashes, 32 bytes for each row, are shuffled, sorted and persisted, and released again.
        columns, secret: as in `fingerprint_records`. Spark sends the secret to its workers with each task.

    The shuffle has `spark.sql.shuffle.partitions` partitions, and so many numbers and hashes come to the driver.

    Raises NotFoundError: no such column. FormatError: no Spark DataFrame, or a column without canonical form, naming
    it. UnavailableError: Spark failed, its workers lack this package or have another version of it, or the DataFrame
    gave other rows when Spark computed a lost part of it again.
    """
    return fingerprint_with_keys(df, keys=(), columns=columns, secret=secret)[0]


def fingerprint_with_keys(
    df: DataFrame,
    *,
    keys: Sequence[Key | Sequence[str]],
    columns: Sequence[str] | None = None,
    secret: Secret | None = None,
) -> tuple[RecordsFingerprint, tuple[KeyCommitment, ...]]:
    """Fingerprint a DataFrame and commit to several kinds of keys in the same pass; errors as in `fingerprint`."""
    import pyarrow as pa

    from wherefrom.fingerprints import fingerprint_with_keys as on_one_machine
    from wherefrom.fingerprints.keys import key_type
    from wherefrom.spark.executors import Plan

    check_frame(df)
    # A table of the same columns without rows: options mean, and are refused, what they are on one machine.
    fields = read_fields(df)
    all_names = [name for name, _ in fields]
    empty = pa.table([pa.nulls(0)] * len(all_names), names=all_names)
    frame, key_frames = on_one_machine(empty, keys=keys, columns=columns, secret=secret)
    names = [column.name for column in frame.columns]
    check_types(field for field in fields if field[0] in names)
    plan = Plan(tuple(names), tuple(map(Key.of, keys)), secret, _bucket_count(df))
    with translated_errors(), _sorted_leaves(_narrowed(df, all_names, names), plan) as leaves:
        seen = _count(leaves, plan)
        roots = _fold(leaves, plan, seen.counts)
    rows, root = roots[0]
    whole = replace(frame, rows=rows, columns=_typed(frame.columns, seen.types), root=root)
    commitments = []
    for key_frame, (count, key_root), keyless in zip(key_frames, roots[1:], seen.keyless, strict=True):
        key_types = {name: key_type(kind, form=key_frame.form) for name, kind in seen.types.items()}
        key_columns = _typed(key_frame.columns, key_types)
        commitments.append(
            replace(key_frame, records=whole.id, columns=key_columns, keys=count, keyless=keyless, root=key_root)
        )
    return whole, tuple(commitments)


@dataclass(slots=True)
class _Seen:
    """What the first job tells beside the leaves."""

    types: dict[str, LogicalType]
    keyless: list[int]
    counts: dict[int, int] = field(default_factory=dict)
    """Leaves in each bucket that has any."""


def _bucket_count(df: DataFrame) -> int:
    partitions = str(df.sparkSession.conf.get("spark.sql.shuffle.partitions"))
    count = int(partitions) if partitions.isdecimal() else _USUAL_PARTITIONS
    return max(1, min(_BUCKETS_PER_PARTITION * count, _MAX_BUCKETS))


def _narrowed(df: DataFrame, all_names: list[str], names: list[str]) -> DataFrame:
    """The chosen columns, in this order. Names that Spark would take apart, or not tell from others, become numbers."""
    if not names:
        return df.selectExpr("0 AS nothing")
    places = [f"c{all_names.index(name)}" for name in names]
    return df.toDF(*(f"c{place}" for place in range(len(all_names)))).select(*places)


@contextmanager
def _sorted_leaves(df: DataFrame, plan: Plan) -> Iterator[DataFrame]:
    """Leaves and notes, each bucket in one partition, sorted by leaf in each; persisted as long as the block lasts."""
    from wherefrom.spark.executors import HASHED_SCHEMA, drop_repeated_keys, hash_partition

    def hash_them(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return hash_partition(batches, plan)

    def thin_them(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return drop_repeated_keys(batches, plan)

    leaves = df.mapInArrow(hash_them, HASHED_SCHEMA).repartition("bucket").sortWithinPartitions("leaf")
    if plan.keys:
        leaves = leaves.mapInArrow(thin_them, HASHED_SCHEMA)
    leaves.persist()
    try:
        yield leaves
    finally:
        leaves.unpersist()


def _count(leaves: DataFrame, plan: Plan) -> _Seen:
    from pyspark.sql import functions

    from wherefrom.spark.executors import NO_BUCKET

    seen = _Seen(dict.fromkeys(plan.names, NULL), [0] * len(plan.keys))
    counted = leaves.groupBy("bucket").agg(functions.count("leaf"), functions.collect_list("note")).collect()
    for bucket, count, notes in counted:
        if bucket == NO_BUCKET:
            _read_notes(notes, seen)
        else:
            seen.counts[bucket] = count
    return seen


def _read_notes(notes: Sequence[str], seen: _Seen) -> None:
    from wherefrom.fingerprints.rows import merge_columns

    partitions: list[dict[str, Any]] = [json.loads(note) for note in notes]
    refusals: list[WherefromError] = []
    for partition in partitions:
        if partition["version"] != __version__:
            raise UnavailableError(
                f"Spark's workers have wherefrom {partition['version']}, the driver has {__version__}",
                hint="install one version in both",
            )
        if partition["refused"] is not None:
            kind, message, hint = partition["refused"]
            refusals.append(
                {"FormatError": FormatError, "UnavailableError": UnavailableError}[kind](message, hint=hint)
            )
    if refusals:
        raise min(refusals, key=str)
    for partition in partitions:
        merge_columns(seen.types, {name: parse_type(kind, where=name) for name, kind in partition["types"].items()})
        seen.keyless = [one + more for one, more in zip(seen.keyless, partition["keyless"], strict=True)]


def _fold(leaves: DataFrame, plan: Plan, counts: Mapping[int, int]) -> list[tuple[int, bytes]]:
    """Number of leaves and root of each tree."""
    from wherefrom.spark.executors import FOLDED_SCHEMA, fold_buckets

    firsts: dict[int, int] = {}
    for _, buckets in groupby(sorted(counts), key=plan.tree_of):
        first = 0
        for bucket in buckets:
            firsts[bucket] = first
            first += counts[bucket]

    def fold_them(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return fold_buckets(batches, firsts)

    ranges: dict[int, CompactRange] = {}
    folded = leaves.select("bucket", "leaf").mapInArrow(fold_them, FOLDED_SCHEMA).collect()
    for bucket, first, count, joined in folded:
        if bucket in ranges:
            raise UnavailableError(f"Spark spread bucket {bucket} over two partitions, expected it in one")
        hashes = tuple(bytes(joined[start : start + HASH_SIZE]) for start in range(0, len(joined), HASH_SIZE))
        ranges[bucket] = CompactRange(first, first + count, hashes)
    if {bucket: run.end - run.begin for bucket, run in ranges.items()} != counts:
        raise UnavailableError(
            "the DataFrame gave other rows when Spark computed a part of it again",
            hint="write it, and fingerprint what was written",
        )
    trees = [CompactRange(0, 0)] * (1 + len(plan.keys))
    for bucket in sorted(ranges):
        tree = plan.tree_of(bucket)
        trees[tree] = trees[tree].merge(ranges[bucket])
    return [(tree.end, tree.root()) for tree in trees]


def _typed(columns: tuple[Column, ...], types: Mapping[str, LogicalType]) -> tuple[Column, ...]:
    return tuple(Column(column.name, types[column.name]) for column in columns)
