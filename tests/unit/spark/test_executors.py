"""What Spark's workers run, without Spark: any cutting into batches folds to the tree of one machine."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from wherefrom.errors import UnavailableError
from wherefrom.fingerprints import Key, fingerprint_with_keys
from wherefrom.merkle import CompactRange
from wherefrom.spark.executors import NO_BUCKET, Plan, drop_repeated_keys, fold_buckets, hash_partition

BUCKETS = 5
TABLE = pa.table({"id": [*range(300), *[7] * 200], "few": [value % 3 for value in range(500)]})
PLAN = Plan(("id", "few"), (Key(("few",)),), None, BUCKETS)


def sorted_leaves(plan=PLAN, table=TABLE):
    hashed = pa.Table.from_batches(hash_partition(table.to_batches(max_chunksize=70), plan))
    return hashed.sort_by("leaf")


def batches_of(leaves, rows):
    return leaves.combine_chunks().to_batches(max_chunksize=rows)


def firsts_of(leaves):
    firsts, counts = {}, {}
    for bucket in sorted(leaves["bucket"].to_pylist()):
        if bucket != NO_BUCKET:
            tree = PLAN.tree_of(bucket)
            firsts.setdefault(bucket, counts.get(tree, 0))
            counts[tree] = counts.get(tree, 0) + 1
    return firsts


@pytest.mark.parametrize("rows", [1, 3, 64, 10_000])
def test_any_batches_fold_to_the_trees_of_one_machine(rows):
    thinned = pa.Table.from_batches(drop_repeated_keys(batches_of(sorted_leaves(), rows), PLAN))
    leaves = thinned.select(["bucket", "leaf"])
    (folded,) = fold_buckets(batches_of(leaves, rows), firsts_of(leaves))
    trees = [CompactRange(0, 0), CompactRange(0, 0)]
    for row in sorted(folded.to_pylist(), key=lambda row: row["bucket"]):
        hashes = tuple(row["hashes"][start : start + 32] for start in range(0, len(row["hashes"]), 32))
        part = CompactRange(row["first"], row["first"] + row["leaves"], hashes)
        trees[PLAN.tree_of(row["bucket"])] = trees[PLAN.tree_of(row["bucket"])].merge(part)
    whole, (keys,) = fingerprint_with_keys(TABLE, keys=[["few"]])
    assert [(tree.end, tree.root()) for tree in trees] == [(whole.rows, whole.root), (keys.keys, keys.root)]
    assert thinned["note"].drop_null().to_pylist() == sorted_leaves()["note"].drop_null().to_pylist()


def test_buckets_in_order_are_the_sorted_leaves():
    leaves = sorted_leaves(Plan(("id", "few"), (), None, BUCKETS)).filter(pc.field("bucket") != NO_BUCKET)
    buckets = leaves["bucket"].to_pylist()
    assert buckets == sorted(buckets)
    assert set(buckets) == set(range(BUCKETS))


def test_leaves_out_of_order_are_refused():
    leaves = sorted_leaves().select(["bucket", "leaf"])
    firsts = firsts_of(leaves)
    # Two neighbours of one bucket change places, whether in one batch or at the seam of two.
    whole = leaves.to_pydict()
    place = next(
        at
        for at in range(60, 400)
        if whole["bucket"][at] == whole["bucket"][at + 1] and whole["leaf"][at] != whole["leaf"][at + 1]
    )
    order = np.arange(len(leaves))
    order[[place, place + 1]] = [place + 1, place]
    for rows in (len(leaves), place + 1):
        list(fold_buckets(batches_of(leaves, rows), firsts))
        with pytest.raises(UnavailableError, match="not in the order of their bytes"):
            list(fold_buckets(batches_of(leaves.take(pa.array(order)), rows), firsts))


def test_a_bucket_that_had_no_leaves_when_they_were_counted_is_refused():
    leaves = sorted_leaves().select(["bucket", "leaf"])
    firsts = firsts_of(leaves)
    del firsts[2]
    with pytest.raises(UnavailableError, match="bucket 2 had no leaves when they were counted"):
        list(fold_buckets(batches_of(leaves, 50), firsts))
