import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from wherefrom.fingerprints import sha256


def run(program):
    """In a fresh process, as what is imported is a fact about the process."""
    result = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_fingerprints_import_no_heavy_library_that_they_can_do_without(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,c,d\n1,x,true,0.5\n,,,\n2,y,,inf\n")
    modules = "('numpy', 'pyarrow', 'pandas', 'polars', 'datafusion', 'duckdb')"
    loaded = f"print([name for name in {modules} if name in sys.modules])"
    assert run(f"import sys, wherefrom.fingerprints; {loaded}") == "[]"
    assert run(f"import sys; from wherefrom.fingerprints import *; fingerprint_files(sys.executable); {loaded}") == "[]"
    assert (
        run(f"import sys; from wherefrom.fingerprints import *;fingerprint_records({str(path)!r}); {loaded}")
        == "['numpy', 'pyarrow']"
    )


def test_large_jobs_go_to_the_native_hasher_and_small_ones_do_not(monkeypatch):
    program = (
        "import sys, pyarrow as pa; from wherefrom.fingerprints import *;"
        "fingerprint_records(pa.table({'a': range(%d)})); print('datafusion' in sys.modules)"
    )
    assert run(program % 10_000) == "False"
    assert run(program % 400_000) == "True"
    monkeypatch.setattr(sha256, "_done_by_hashlib", 0)
    monkeypatch.delitem(sys.modules, "datafusion", raising=False)
    assert not sha256._is_native_better(300_000)
    assert sha256._is_native_better(300_000)  # hashlib has done as much as the import costs


def test_a_forked_child_does_not_wait_for_threads_that_it_has_not():
    program = """
import os, sys, warnings
import pyarrow as pa
import datafusion
from wherefrom.fingerprints import fingerprint_records
table = pa.table({"a": range(5_000)})
want = fingerprint_records(table).id
warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads, which is the point
child = os.fork()
if child == 0:
    import threading
    threading.Timer(20, lambda: os._exit(3)).start()
    os._exit(0 if fingerprint_records(table).id == want else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(program) == "0"


def test_the_native_hasher_keeps_nothing_of_what_it_has_seen(monkeypatch):
    monkeypatch.setattr(sha256, "_is_native_better", lambda count: True)
    sha256.hash_values(pa.array([b"warm up"]))
    before = pa.total_allocated_bytes()
    for _ in range(20):
        sha256.hash_values(pa.array([os.urandom(1000)] * 1000))
    assert pa.total_allocated_bytes() - before < 2_000_000


@pytest.mark.parametrize("is_native", [True, False])
def test_slices_and_rows_are_hashed_where_they_lie(is_native, monkeypatch):
    monkeypatch.setattr(sha256, "_is_native_better", lambda count: is_native)
    data = np.arange(30, dtype=np.uint8)
    hashed = sha256.hash_slices(data, np.array([3, 3, 10, 30]))
    assert [row.tobytes() for row in hashed] == [
        hashlib.sha256(data[start:end].tobytes()).digest() for start, end in ((3, 3), (3, 10), (10, 30))
    ]
    rows = sha256.hash_rows(data.reshape(10, 3))
    assert rows[4].tobytes() == hashlib.sha256(bytes([12, 13, 14])).digest()
    assert sha256.hash_rows(data.reshape(10, 3)[:0]).shape == (0, 32)
    assert sha256.hash_values(pa.array([b"abc", b"def"], pa.binary(3)))[1].tobytes() == hashlib.sha256(b"def").digest()
    monkeypatch.setattr(sha256, "_MAX_INT32", 5)  # more data than 32-bit offsets reach
    assert np.array_equal(sha256.hash_slices(data, np.array([3, 3, 10, 30])), hashed)
