"""A table to which files are added has the fingerprint that it has when all is read at once, whatever is kept of it."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherefrom.fingerprints import appended, fingerprint_with_keys

# Few values, so that rows and keys repeat within files and between them.
rows = st.lists(st.tuples(st.none() | st.integers(0, 5), st.none() | st.sampled_from("abc")), max_size=8)
steps = st.lists(st.lists(rows, min_size=1, max_size=3), min_size=1, max_size=4)


@pytest.fixture(scope="module", autouse=True)
def settled():
    """Files count as old enough at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appended, "_SETTLED_NS", -(10**9))
        yield


@given(steps, st.booleans(), st.sampled_from([0, 2**30]))
@settings(deadline=None, max_examples=60)
def test_appends_agree_with_all_at_once(steps, has_keys, memory_bytes):
    keys = [["key"], ["key", "value"]] if has_keys else []
    with tempfile.TemporaryDirectory() as name:
        folder, kept = Path(name, "table"), Path(name, "kept")
        folder.mkdir()
        for step, parts in enumerate(steps):
            for number, part in enumerate(parts):
                values, texts = zip(*part, strict=True) if part else ((), ())
                columns = {"value": pa.array(values, pa.int64()), "key": pa.array(texts, pa.string())}
                pq.write_table(pa.table(columns), folder / f"{number}-{step}.parquet")
            grown = fingerprint_with_keys(folder, keys=keys, keep=kept, memory_bytes=memory_bytes)
            assert grown == fingerprint_with_keys(folder, keys=keys)
