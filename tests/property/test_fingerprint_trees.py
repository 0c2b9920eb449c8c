"""The vectorised hashing, sorting and tree agree with the plain ones, at every size."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherefrom import merkle
from wherefrom.fingerprints import leaves, sha256, tree


@pytest.fixture(params=["hashlib", "native"], scope="module", autouse=True)
def hasher(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sha256, "_is_native_better", lambda count: request.param == "native")
        patch.setattr(tree, "_NODES_PER_CALL", 64)  # so that small trees take several calls
        patch.setattr(leaves, "_WORTH_THREADS", 100)
        yield


def matrix_of(hashes):
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


@given(st.integers(0, 1500))
@settings(deadline=None, max_examples=40)
def test_the_root_is_that_of_merkle(size):
    hashes = [merkle.hash_leaf(index.to_bytes(8)) for index in range(size)]
    assert tree.root_of_hashes(matrix_of(hashes)) == merkle.root_of(hashes)


@pytest.mark.parametrize("size", range(70))
def test_the_root_is_that_of_merkle_at_every_small_size(size):
    hashes = [merkle.hash_leaf(index.to_bytes(8)) for index in range(size)]
    assert tree.root_of_hashes(matrix_of(hashes)) == merkle.root_of(hashes)


close_hashes = st.tuples(st.integers(0, 2), st.integers(0, 2)).map(
    # Few differences in the first eight bytes, so that the rest must decide.
    lambda ends: bytes([ends[0]] * 8) + bytes(16) + bytes([ends[1]] * 8)
)


@given(st.lists(close_hashes | st.binary(min_size=32, max_size=32), max_size=300))
@settings(deadline=None)
def test_hashes_are_sorted_by_all_their_bytes(hashes):
    assert leaves.sort_hashes(matrix_of(hashes)).tobytes() == b"".join(sorted(hashes))


@given(st.lists(st.lists(close_hashes, max_size=20), max_size=4))
@settings(deadline=None)
def test_a_collector_keeps_duplicates_or_drops_them(parts):
    every = [item for part in parts for item in part]
    for collector, kept in ((leaves.SortedLeaves(), sorted(every)), (leaves.DistinctLeaves(), sorted(set(every)))):
        for part in parts:
            collector.add(matrix_of(part))
        assert collector.finish() == (len(kept), merkle.root_of(kept))


@given(st.lists(st.none() | st.binary(max_size=130), max_size=20), st.integers(0, 3))
@settings(deadline=None)
def test_values_of_every_layout_are_hashed_as_hashlib_does(values, start):
    for layout in (pa.binary(), pa.large_binary(), pa.binary_view()):
        array = pa.array([b"before"] * start + values, layout).slice(start)
        hashed = sha256.hash_values(array)
        assert hashed.shape == (len(values), 32)
        for value, row in zip(values, hashed, strict=True):
            assert value is None or row.tobytes() == hashlib.sha256(value).digest()
