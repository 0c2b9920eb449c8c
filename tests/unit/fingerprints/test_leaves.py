import numpy as np
import pytest

from wherefrom import merkle
from wherefrom.fingerprints import leaves, runs, sha256
from wherefrom.fingerprints.tree import range_of_hashes


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Buckets become too large at 400 hashes, and few fit in memory."""
    monkeypatch.setattr(sha256, "_is_native_better", lambda count: count > 1000)
    monkeypatch.setattr(leaves, "RUN_LEAVES", 1_000)
    monkeypatch.setattr(runs, "RUN_LEAVES", 1_000)
    monkeypatch.setattr(runs, "_READ_LEAVES", 100)


def rows_of(values):
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)


def random_hashes(count):
    return np.random.default_rng(5).integers(0, 256, (count, 32), dtype=np.uint8)


SHARED = bytes(31)
ADVERSARIES = {
    "all equal": [bytes(32)] * 5_000,
    "two values that differ in the last byte": [SHARED + b"\x01", SHARED + b"\x02"] * 2_500,
    "few values far apart": [bytes([index % 7 * 40]) * 32 for index in range(5_000)],
    "one value among many others": [b"\x10" * 32] * 4_000 + [row.tobytes() for row in random_hashes(1_000)],
    "one long start, then all different": [bytes(20) + index.to_bytes(12) for index in range(5_000)],
    "ascending": [index.to_bytes(4) * 8 for index in range(5_000)],
    "descending": [index.to_bytes(4) * 8 for index in range(5_000, 0, -1)],
}


@pytest.mark.parametrize("memory_bytes", [0, 2**30])
@pytest.mark.parametrize("is_distinct", [False, True])
@pytest.mark.parametrize("values", ADVERSARIES.values(), ids=ADVERSARIES)
def test_chosen_hashes_are_sorted_like_any_others(values, is_distinct, memory_bytes):
    with leaves.make_collector(is_distinct=is_distinct, memory_bytes=memory_bytes) as collector:
        for start in range(0, len(values), 333):
            collector.add(rows_of(values[start : start + 333]))
        want = sorted(set(values)) if is_distinct else sorted(values)
        assert collector.finish() == (len(want), merkle.root_of(want))


def test_what_fits_in_memory_is_not_written_and_the_rest_is():
    hashes = random_hashes(3_000)
    for memory_bytes, written in ((2**30, 0), (1_000 * 32, 2_000), (0, 3_000)):
        with leaves.SortedLeaves(memory_bytes=memory_bytes) as collector:
            for start in range(0, 3_000, 1_000):
                collector.add(hashes[start : start + 1_000])
            assert collector._runs._file.count == written
            assert collector.finish()[0] == 3_000


def test_repeated_keys_take_no_room():
    with leaves.SortedLeaves(is_distinct=True, memory_bytes=1_000) as collector:
        for _ in range(30):
            collector.add(np.zeros((1_000, 32), np.uint8))
        assert collector._runs._file.count == 0
        assert collector.finish() == (1, bytes(32))


@pytest.mark.parametrize(("is_distinct", "total"), [(False, 3_000), (True, 1_000)])
def test_progress_begins_at_nothing_and_ends_at_what_waited(is_distinct, total):
    told = []
    with leaves.make_collector(is_distinct=is_distinct) as collector:
        collector.add(np.repeat(random_hashes(1_000), 3, axis=0))
        collector.finish(lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert (told[0], told[-1]) == ((0, total), (total, total))


def test_leaves_in_sequence_are_not_sorted():
    hashes = random_hashes(2_000)
    with leaves.make_collector(order="sequence") as collector:
        collector.add(hashes[:700])
        collector.add(hashes[700:])
        assert collector.finish() == (2_000, range_of_hashes(hashes).root())
    with leaves.make_collector() as collector:
        collector.add(hashes)
        assert collector.finish() != (2_000, range_of_hashes(hashes).root())
