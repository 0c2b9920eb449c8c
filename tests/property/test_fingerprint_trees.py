"""The vectorised hashing, sorting and tree agree with the plain ones, at every size."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherefrom import merkle
from wherefrom.fingerprints import leaves, runs, sha256, sorting, tree


@pytest.fixture(params=["hashlib", "native"], scope="module", autouse=True)
def hasher(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sha256, "_is_native_better", lambda count: request.param == "native")
        # So that small trees take several calls, blocks, runs and pieces, and small buckets are large ones.
        patch.setattr(tree, "_BLOCK_LEAVES", 512)
        patch.setattr(leaves, "RUN_LEAVES", 100)
        patch.setattr(runs, "RUN_LEAVES", 30)
        patch.setattr(runs, "_PIECE_LEAVES", 16)
        patch.setattr(runs, "_READ_LEAVES", 32)
        yield


def matrix_of(hashes):
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def leaf_hashes(size):
    return [merkle.hash_leaf(index.to_bytes(8)) for index in range(size)]


@given(st.integers(0, 1500), st.integers(0, 1500))
@settings(deadline=None, max_examples=40)
def test_the_compact_range_is_that_of_merkle(size, begin):
    hashes = leaf_hashes(size)
    assert tree.range_of_hashes(matrix_of(hashes), begin) == merkle.CompactRange.of(hashes, begin=begin)
    assert tree.range_of_hashes(matrix_of(hashes)).root() == merkle.root_of(hashes)


@pytest.mark.parametrize("size", range(70))
def test_the_root_is_that_of_merkle_at_every_small_size(size):
    hashes = leaf_hashes(size)
    assert tree.range_of_hashes(matrix_of(hashes)).root() == merkle.root_of(hashes)


class Levels:
    """What a tree's levels come to."""

    def __init__(self):
        self.levels = {}

    def write(self, level, hashes):
        self.levels[level] = self.levels.get(level, b"") + hashes.tobytes()


def levels_of(hashes):
    tiles, _ = merkle.append_to_tiles(0, hashes, lambda level, index, width: b"")
    levels = {}
    for (level, _), data in sorted(tiles.items()):
        levels[level] = levels.get(level, b"") + data
    return levels


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 513, 1024, 65_535, 65_536, 65_537, 66_000])
def test_a_tree_built_from_parts_has_the_tiles_and_root_of_merkle(size):
    hashes = leaf_hashes(size)
    written = Levels()
    with tree.TreeBuilder(written) as builder:
        for start in range(0, size, 777):
            builder.add(matrix_of(hashes[start : start + 777]))
        assert builder.finish() == merkle.root_of(hashes)
    assert builder.size == size
    assert written.levels == levels_of(hashes)


close_hashes = st.tuples(st.integers(0, 2), st.integers(0, 2)).map(
    # Few differences in the first eight bytes, so that the rest must decide.
    lambda ends: bytes([ends[0]] * 8) + bytes(16) + bytes([ends[1]] * 8)
)


@given(st.lists(close_hashes | st.binary(min_size=32, max_size=32), max_size=300))
@settings(deadline=None)
def test_hashes_are_sorted_by_all_their_bytes(hashes):
    assert sorting.sort_hashes(matrix_of(hashes)).tobytes() == b"".join(sorted(hashes))


@given(
    st.lists(st.lists(close_hashes | st.binary(min_size=32, max_size=32), max_size=90), max_size=6),
    st.integers(1, 40),
    st.sampled_from([0, 5_000, 2**20]),
)
@settings(deadline=None)
def test_a_collector_keeps_duplicates_or_drops_them_whether_they_fit_in_memory_or_not(parts, repeat, memory_bytes):
    every = [item for part in parts for item in part] * repeat
    for is_distinct, kept in ((False, sorted(every)), (True, sorted(set(every)))):
        with leaves.make_collector(is_distinct=is_distinct, memory_bytes=memory_bytes) as collector:
            for part in parts * repeat:
                collector.add(matrix_of(part))
            assert collector.finish() == (len(kept), merkle.root_of(kept))


@given(st.lists(st.lists(close_hashes, max_size=20), max_size=4))
@settings(deadline=None)
def test_a_sequence_keeps_the_order(parts):
    every = [item for part in parts for item in part]
    with leaves.make_collector(order="sequence") as collector:
        for part in parts:
            collector.add(matrix_of(part))
        assert collector.finish() == (len(every), merkle.root_of(every))


@given(st.lists(st.none() | st.binary(max_size=130), max_size=20), st.integers(0, 3))
@settings(deadline=None)
def test_values_of_every_layout_are_hashed_as_hashlib_does(values, start):
    for layout in (pa.binary(), pa.large_binary(), pa.binary_view()):
        array = pa.array([b"before"] * start + values, layout).slice(start)
        hashed = sha256.hash_values(array)
        assert hashed.shape == (len(values), 32)
        for value, row in zip(values, hashed, strict=True):
            assert value is None or row.tobytes() == hashlib.sha256(value).digest()
