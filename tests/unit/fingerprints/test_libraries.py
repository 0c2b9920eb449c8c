"""Optional libraries: imported only for the sources that need them, and named when they are missing."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, orc

from wherefrom.errors import UnavailableError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources.libraries import require

HEAVY = [
    *("adbc_driver_manager", "aiohttp", "datafusion", "datasets", "deltalake", "duckdb", "fsspec", "numpy", "pandas"),
    *("polars", "pyarrow", "pyiceberg", "sqlalchemy"),
]


def imported_by(program):
    code = f"{program}\nimport json, sys\nprint(json.dumps(sorted(set(sys.modules) & set({HEAVY!r}))))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_imports_no_heavy_library():
    assert imported_by("import wherefrom.fingerprints") == []


def test_a_file_needs_no_library_of_another_source(tmp_path):
    table = pa.table({"a": [1]})
    pq.write_table(table, tmp_path / "a.parquet")
    orc.write_table(table, str(tmp_path / "a.orc"))
    feather.write_feather(table, tmp_path / "a.feather")
    (tmp_path / "a.csv").write_text("a\n1\n")
    paths = list(map(str, tmp_path.iterdir()))
    program = f"from wherefrom.fingerprints import fingerprint_records\nlist(map(fingerprint_records, {paths!r}))"
    assert set(imported_by(program)) <= {"datafusion", "numpy", "pyarrow"}


@pytest.mark.parametrize(
    ("source", "module", "extra"),
    [
        ("http://127.0.0.1:1/a.csv", "fsspec.core", "remote"),
        ("http://127.0.0.1:1/a.csv", "aiohttp", "remote"),
        ("s3://bucket/a.csv", "s3fs", "s3"),
        ("gs://bucket/a.csv", "gcsfs", "gs"),
        ("iceberg:a.metadata.json", "pyiceberg.table", "iceberg"),
        ("delta", "deltalake", "delta"),
    ],
)
def test_a_library_that_is_missing_is_named_by_its_extra(source, module, extra, monkeypatch, tmp_path):
    (tmp_path / "delta" / "_delta_log").mkdir(parents=True)
    (tmp_path / "delta" / "_delta_log" / f"{0:020}.json").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnavailableError, match="needs an extra") as caught:
        fingerprint_records(source)
    assert caught.value.hint == f"pip install 'wherefrom[{extra}]'"


def test_a_library_that_is_itself_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("import what_it_needs_itself")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_needs_itself"):
        require("broken_library", extra="x", what="x")
