"""Libraries that open files in native code: each operation, as recorded, against what strace saw the process open."""

import json
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

from wherefrom.archive import Archive

PREPARE = """
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
import pyarrow.csv, pyarrow.dataset, pyarrow.feather, pyarrow.ipc, pyarrow.json, pyarrow.orc, pyarrow.parquet
table = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})
frame = pl.from_arrow(table)
pyarrow.parquet.write_table(table, "in.parquet")
pyarrow.parquet.write_table(table, "in2.parquet")
pyarrow.csv.write_csv(table, "in.csv")
pyarrow.feather.write_feather(table, "in.feather")
pyarrow.orc.write_table(table, "in.orc")
with pa.OSFile("in.arrow", "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
    writer.write_table(table)
with pa.OSFile("in.arrows", "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)
open("in.jsonl", "w").write('{"a": 1}\\n')
open("in.json", "w").write('[{"a": 1}]')
frame.write_avro("in.avro")
pyarrow.dataset.write_dataset(table, "in_folder", format="parquet", partitioning=["a"], partitioning_flavor="hive")
np.save("in.npy", np.eye(2))
import duckdb, h5py
from safetensors.numpy import save_file
save_file({"t": np.eye(2)}, "in.safetensors")
with h5py.File("in.h5", "w") as file:
    file["x"] = np.eye(2)
with duckdb.connect("in.duckdb") as database:
    database.execute("create table t as select 1 a")
"""

# What is imported, what is done, and which data it reads and writes; folders by their name with a slash.
MATRIX = {
    "pandas read_parquet": ("import pandas as pd", "pd.read_parquet('in.parquet')", "in.parquet", ""),
    "pandas read_parquet folder": ("import pandas as pd", "pd.read_parquet('in_folder')", "in_folder/", ""),
    "pandas to_parquet": (
        "import pandas as pd",
        "pd.DataFrame({'a': [1]}).to_parquet('out.parquet')",
        "",
        "out.parquet",
    ),
    "pandas to_parquet partitions": (
        "import pandas as pd",
        "pd.DataFrame({'a': [1, 2], 'b': [3, 4]}).to_parquet('out', partition_cols=['a'])",
        "",
        "out/",
    ),
    "pandas read_orc": ("import pandas as pd", "pd.read_orc('in.orc')", "in.orc", ""),
    "pandas to_orc": ("import pandas as pd", "pd.DataFrame({'a': [1]}).to_orc('out.orc')", "", "out.orc"),
    "pandas read_feather": ("import pandas as pd", "pd.read_feather('in.feather')", "in.feather", ""),
    "pandas to_feather": ("import pandas as pd", "pd.DataFrame({'a': [1]}).to_feather('o.feather')", "", "o.feather"),
    "pandas csv engines": (
        "import pandas as pd",
        "pd.read_csv('in.csv'); pd.read_csv('in.csv', engine='python'); pd.read_csv('in.csv', engine='pyarrow')",
        "in.csv",
        "",
    ),
    "pandas to_csv": ("import pandas as pd", "pd.DataFrame({'a': [1]}).to_csv('out.csv')", "", "out.csv"),
    "numpy": (
        "import numpy as np",
        "np.load('in.npy', mmap_mode='r'); np.save('out.npy', np.eye(2)); np.fromfile('in.npy', 'u1')",
        "in.npy",
        "out.npy",
    ),
    "pyarrow parquet read_table": ("import pyarrow.parquet as pq", "pq.read_table('in.parquet')", "in.parquet", ""),
    "pyarrow parquet list": (
        "import pyarrow.parquet as pq",
        "pq.read_table(['in.parquet', 'in2.parquet'])",
        "in.parquet in2.parquet",
        "",
    ),
    "pyarrow parquet ParquetFile": (
        "import pyarrow.parquet as pq",
        "pq.ParquetFile('in.parquet').read()",
        "in.parquet",
        "",
    ),
    "pyarrow parquet from import": (
        "from pyarrow.parquet import read_table, write_table",
        "write_table(read_table('in.parquet'), 'out.parquet')",
        "in.parquet",
        "out.parquet",
    ),
    "pyarrow parquet schema": ("import pyarrow.parquet as pq", "pq.read_schema('in.parquet')", "in.parquet", ""),
    "pyarrow parquet writer": (
        "import pyarrow as pa, pyarrow.parquet as pq",
        "t = pa.table({'a': [1]}); w = pq.ParquetWriter('out.parquet', t.schema); w.write_table(t); w.close()",
        "",
        "out.parquet",
    ),
    "pyarrow parquet open file": (
        "import pyarrow.parquet as pq",
        "pq.read_table(open('in.parquet', 'rb'))",
        "in.parquet",
        "",
    ),
    "pyarrow dataset folder": ("import pyarrow.dataset as ds", "ds.dataset('in_folder').to_table()", "in_folder/", ""),
    "pyarrow dataset file": ("import pyarrow.dataset as ds", "ds.dataset('in.parquet').to_table()", "in.parquet", ""),
    "pyarrow dataset write": (
        "import pyarrow as pa, pyarrow.dataset as ds",
        "ds.write_dataset(pa.table({'a': [1]}), 'out', format='parquet')",
        "",
        "out/",
    ),
    "pyarrow csv": (
        "import pyarrow.csv as pc",
        "pc.write_csv(pc.read_csv('in.csv'), 'out.csv'); pc.open_csv('in.csv').read_all()",
        "in.csv",
        "out.csv",
    ),
    "pyarrow csv writer": (
        "import pyarrow as pa, pyarrow.csv as pc",
        "t = pa.table({'a': [1]}); w = pc.CSVWriter('out.csv', t.schema); w.write(t); w.close()",
        "",
        "out.csv",
    ),
    "pyarrow json": ("import pyarrow.json as pj", "pj.read_json('in.jsonl')", "in.jsonl", ""),
    "pyarrow feather": (
        "import pyarrow.feather as pf",
        "pf.write_feather(pf.read_table('in.feather'), 'out.feather')",
        "in.feather",
        "out.feather",
    ),
    "pyarrow orc": (
        "import pyarrow.orc as po",
        "po.write_table(po.read_table('in.orc'), 'out.orc'); po.ORCFile('in.orc').read()",
        "in.orc",
        "out.orc",
    ),
    "pyarrow memory_map": (
        "import pyarrow as pa",
        "pa.ipc.open_file(pa.memory_map('in.arrow')).read_all()",
        "in.arrow",
        "",
    ),
    "pyarrow OSFile": (
        "import pyarrow as pa",
        "pa.ipc.open_stream(pa.OSFile('in.arrows')).read_all(); f = pa.OSFile('o.bin', 'w'); f.write(b'x'); f.close()",
        "in.arrows",
        "o.bin",
    ),
    "pyarrow ipc paths": (
        "import pyarrow as pa",
        "t = pa.table({'a': [1]}); w = pa.RecordBatchFileWriter('out.arrow', t.schema); w.write_table(t); w.close()",
        "",
        "out.arrow",
    ),
    "pyarrow streams": (
        "import pyarrow as pa",
        "pa.input_stream('in.csv').read(); o = pa.output_stream('out.bin'); o.write(b'x'); o.close()",
        "in.csv",
        "out.bin",
    ),
    "polars read": (
        "import polars as pl",
        "pl.read_csv('in.csv'); pl.read_parquet('in.parquet'); pl.read_ipc('in.arrow')",
        "in.csv in.parquet in.arrow",
        "",
    ),
    "polars read more": (
        "import polars as pl",
        "pl.read_ndjson('in.jsonl'); pl.read_json('in.json'); pl.read_avro('in.avro'); pl.read_ipc_stream('in.arrows')",
        "in.jsonl in.json in.avro in.arrows",
        "",
    ),
    "polars scan": (
        "import polars as pl",
        "[s.collect() for s in (pl.scan_parquet('in.parquet'), pl.scan_csv('in.csv'), pl.scan_ndjson('in.jsonl'))]",
        "in.parquet in.csv in.jsonl",
        "",
    ),
    "polars glob": (
        "from polars import read_parquet",
        "read_parquet('in*.parquet')",
        "in.parquet in2.parquet",
        "",
    ),
    "polars folder": ("import polars as pl", "pl.scan_parquet('in_folder').collect()", "in_folder/", ""),
    "polars write": (
        "import polars as pl",
        """f = pl.DataFrame({'a': [1]}); f.write_parquet('o.parquet'); f.write_csv('o.csv'); f.write_ipc('o.arrow')
f.write_ndjson('o.jsonl'); f.write_json('o.json'); f.write_avro('o.avro')""",
        "",
        "o.parquet o.csv o.arrow o.jsonl o.json o.avro",
    ),
    "polars sink": (
        "import polars as pl",
        "f = pl.scan_csv('in.csv'); f.sink_parquet('o.parquet'); f.sink_csv('o.csv'); f.sink_ipc('o.arrow')",
        "in.csv",
        "o.parquet o.csv o.arrow",
    ),
    "polars partitions": (
        "import polars as pl",
        "pl.DataFrame({'a': [1, 2], 'b': [3, 4]}).write_parquet('out', partition_by='a')",
        "",
        "out/",
    ),
    "duckdb sql": (
        "import duckdb",
        "duckdb.sql(\"select * from 'in.parquet'\").fetchall(); duckdb.execute(\"select * from read_csv('in.csv')\")",
        "in.parquet in.csv",
        "",
    ),
    "duckdb readers": (
        "import duckdb",
        """duckdb.read_csv('in.csv').fetchall(); duckdb.read_parquet('in.parquet').fetchall()
duckdb.read_json('in.jsonl').fetchall(); duckdb.connect().read_csv('in.csv').fetchall()""",
        "in.csv in.parquet in.jsonl",
        "",
    ),
    "duckdb copy": (
        "import duckdb",
        "duckdb.sql(\"copy (select * from 'in.csv') to 'out.parquet'\")",
        "in.csv",
        "out.parquet",
    ),
    "duckdb relation": (
        "import duckdb",
        "duckdb.sql('select 1 a').write_parquet('o.parquet'); duckdb.sql('select 1 a').to_csv('o.csv')",
        "",
        "o.parquet o.csv",
    ),
    "duckdb database": (
        "import duckdb",
        "d = duckdb.connect('in.duckdb', read_only=True); d.sql('select * from t').fetchall(); d.close()",
        "in.duckdb",
        "",
    ),
    "duckdb new database": (
        "import duckdb",
        "d = duckdb.connect('o.duckdb'); d.execute('create table t as select 1 a'); d.close()",
        "",
        "o.duckdb",
    ),
    "duckdb attach": (
        "import duckdb",
        "duckdb.sql(\"attach 'in.duckdb' as other (read_only)\"); duckdb.sql('from other.t').fetchall()",
        "in.duckdb",
        "",
    ),
    "duckdb parameters": (
        "import duckdb",
        "duckdb.execute('select * from read_csv(?)', ['in.csv']).fetchall()",
        "in.csv",
        "",
    ),
    "safetensors": (
        "from safetensors import safe_open; from safetensors.numpy import load_file, save_file",
        "save_file(load_file('in.safetensors'), 'out.safetensors'); safe_open('in.safetensors', framework='np').keys()",
        "in.safetensors",
        "out.safetensors",
    ),
    "h5py": (
        "import h5py",
        "h5py.File('in.h5').close(); f = h5py.File('out.h5', 'w'); f['x'] = 1; f.close()",
        "in.h5",
        "out.h5",
    ),
    "h5py append": ("import h5py", "f = h5py.File('in.h5', 'a'); f['y'] = 1; f.close()", "in.h5", "in.h5"),
    "joblib": (
        "import joblib",
        "joblib.dump({'a': 1}, 'o.joblib'); joblib.load('o.joblib'); joblib.dump([1], 'o.gz', compress=3)",
        "",
        "o.joblib o.gz",
    ),
    "sqlite": (
        "import sqlite3",
        "c = sqlite3.connect('o.db'); c.execute('create table t (a)'); c.commit(); c.close()",
        "",
        "o.db",
    ),
}

OPENED = re.compile(
    r'^(?P<process>\d+) +open(?:at)?\((?:AT_FDCWD|\d+(?:<[^>]*>)?), "(?P<path>[^"]+)", (?P<flags>[A-Z_|]+)'
)
RENAMED = re.compile(r'^(?P<process>\d+) +rename.*, "(?P<path>[^"]+)"')
STARTED = re.compile(r"^(?P<process>\d+) .*(?:clone3?|v?fork)\b.* = (?P<child>\d+)$")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A project with one file of each kind."""
    root = tmp_path_factory.mktemp("native").resolve()
    subprocess.run([sys.executable, "-c", PREPARE], cwd=root, check=True)
    return root


@pytest.fixture
def project(prepared, tmp_path):
    root = tmp_path.resolve() / "project"
    shutil.copytree(prepared, root)
    Archive.init(root, namespace="test").close()
    return root


def run_script(root, text, *, traced=True):
    (root / "script.py").write_text(text)
    command = [sys.executable, "script.py"]
    if traced and shutil.which("strace"):
        command = [
            "strace",
            "-f",
            "-e",
            "trace=openat,open,rename,renameat,renameat2,execve,clone,clone3,fork,vfork",
            "-o",
            "trace",
            *command,
        ]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def events_of(root):
    archive = Archive.find(root)
    try:
        [run] = archive.list_runs(10)
        found = [archive.read_recorded(str(entry)).statement.predicate for entry in run.entries]
        return next(event for event in found if event.get("eventType") == "COMPLETE"), run
    finally:
        archive.close()


def recorded(root):
    """What the run read and wrote, folders with a slash."""
    event, run = events_of(root)
    names = {}
    for side in ("inputs", "outputs"):
        names[side] = {d["name"] + "/" * (root / d["name"]).is_dir() for d in event[side]}
        for dataset in event[side]:
            assert dataset["facets"]["wherefrom_fingerprint"]["digests"], dataset["name"]
            assert dataset["facets"]["wherefrom_fingerprint"]["known"] == "observed"
    return names["inputs"], names["outputs"], run


def opened(root, folders):
    """What strace saw the script open below the project, by reading and by writing; files of `folders` as these."""
    inside, found = None, {"read": set(), "wrote": set()}
    recorders = set()
    for line in (root / "trace").read_text(errors="replace").splitlines():
        inside = inside or line.split()[0]
        if "execve(" in line and "wherefrom.capture.recorder" in line:
            recorders.add(line.split()[0])
        if (started := STARTED.match(line)) and started["process"] in recorders:
            recorders.add(started["child"])
        match = OPENED.match(line) or RENAMED.match(line)
        if match is None or match["process"] in recorders or " = -1 " in line:
            continue
        path = (root / match["path"]).resolve()
        if not path.is_file() or not path.is_relative_to(root) or path.suffix == ".py":
            continue
        name = path.relative_to(root).as_posix()
        if name.startswith(".wherefrom/") or name == "trace":
            continue
        folder = next((folder for folder in folders if name.startswith(folder)), None)
        wrote = match.re is RENAMED or "O_WRONLY" in match["flags"] or "O_RDWR" in match["flags"]
        found["wrote" if wrote else "read"].add(folder or name)
    assert recorders
    return found


@pytest.mark.parametrize("operation", MATRIX)
def test_what_a_library_reads_and_writes_is_recorded_and_nothing_else(project, operation):
    imports, does, reads, writes = MATRIX[operation]
    run_script(project, f"import wherefrom; wherefrom.autolog()\n{imports}\n{does}\n")
    inputs, outputs, run = recorded(project)
    assert (inputs, outputs) == (set(reads.split()), set(writes.split()))
    assert run.gaps == ()
    if (project / "trace").exists():
        seen = opened(project, [name for name in inputs | outputs if name.endswith("/")])
        print(json.dumps({"strace": seen, "recorded": {"inputs": inputs, "outputs": outputs}}, default=sorted))
        # A database is opened for reading and writing even when it is only read, and read back after it was written.
        assert seen["read"] | seen["wrote"] == inputs | outputs
        assert outputs <= seen["wrote"]


def test_libraries_that_were_imported_before_are_listened_to_as_well(project):
    text = """
    import wherefrom
    import duckdb, h5py, joblib, pyarrow as pa
    from polars import read_csv
    from pyarrow.parquet import read_table
    from pyarrow import memory_map
    from safetensors.numpy import load_file
    wherefrom.autolog()
    read_csv("in.csv")
    read_table("in.parquet")
    memory_map("in.arrow")
    load_file("in.safetensors")
    h5py.File("in.h5").close()
    duckdb.sql("from 'in.jsonl'").fetchall()
    """
    run_script(project, textwrap.dedent(text), traced=False)
    inputs, _, _ = recorded(project)
    assert inputs == {"in.csv", "in.parquet", "in.arrow", "in.safetensors", "in.h5", "in.jsonl"}


def test_what_can_not_be_seen_is_a_gap_that_names_it(project):
    text = """
    import wherefrom; wherefrom.autolog()
    import duckdb, polars as pl
    duckdb.sql("set variable name = 'in.csv'")
    duckdb.sql("select * from read_csv(getvariable('name'))").fetchall()
    try:
        pl.scan_parquet("s3://no-such-bucket/x.parquet")
    except Exception:
        pass
    import sqlite3
    connection = sqlite3.connect(":memory:")
    pl.read_database("select 1 a", connection)
    """
    run_script(project, textwrap.dedent(text), traced=False)
    event, run = events_of(project)
    gaps = sorted((gap["what"], gap["detail"]) for gap in run.gaps)
    assert [what for what, _ in gaps] == ["not seen", "not seen", "remote data"]
    assert "read_csv" in gaps[0][1] and "polars.read_database" in gaps[1][1]
    [remote] = event["inputs"]
    assert (remote["namespace"], remote["name"]) == ("s3://no-such-bucket", "x.parquet")
    assert remote["facets"]["wherefrom_fingerprint"]["digests"] == {}


def test_hugging_face_datasets_are_seen_from_files_to_files(project, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("hf") / ".cache"
    monkeypatch.setenv("HF_HOME", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = """
    import wherefrom; wherefrom.autolog()
    import datasets
    loaded = datasets.load_dataset("csv", data_files={"train": "in.csv"}, split="train")
    loaded.save_to_disk("out")
    assert datasets.load_from_disk("out").num_rows == 3
    """
    run_script(project, textwrap.dedent(text), traced=False)
    inputs, outputs, run = recorded(project)
    assert inputs == {"in.csv"}
    assert {name for name in outputs if not name.startswith("/")} == {"out/"}
    assert run.gaps == ()


def test_libraries_without_a_wrapper_leave_a_gap_when_they_are_imported(project):
    (project / "xgboost.py").write_text("")
    (project / "datasets.py").write_text(
        "def load_from_disk(dataset_path): return 1\n"
        "def load_dataset(path, name=None, data_dir=None, data_files=None): return 2\n"
        "class Dataset:\n"
        "    def save_to_disk(self, dataset_path): __import__('os').mkdir(dataset_path)\n"
    )
    (project / "torch.py").write_text("def save(obj, f): open(f, 'w').write('x')\n")
    text = """
    import wherefrom; wherefrom.autolog()
    import datasets, torch, xgboost
    assert datasets.load_from_disk("in_folder") == 1
    assert datasets.load_dataset("csv", data_files={"train": "in.csv"}) == 2
    datasets.load_dataset("imdb")
    datasets.Dataset().save_to_disk("out")
    torch.save(1, f="out.pt")
    """
    run_script(project, textwrap.dedent(text), traced=False)
    event, run = events_of(project)
    assert {d["name"] for d in event["inputs"]} == {"in_folder", "in.csv", "imdb"}
    assert {d["name"] for d in event["outputs"]} == {"out", "out.pt"}
    assert {gap["detail"] for gap in run.gaps} == {
        "its content was not hashed",
        "xgboost was imported; files that it opens in its own native code were not seen",
    }
