import io
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from wherefrom.capture import handover
from wherefrom.capture.datasets import hand_over, note_object, note_paths
from wherefrom.capture.limits import limits


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a-1.csv", "a-2.csv", "b.csv"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ("b.csv", ["b.csv"]),
        (b"b.csv", ["b.csv"]),
        (Path("b.csv"), ["b.csv"]),
        (["b.csv", Path("a-1.csv")], ["b.csv", "a-1.csv"]),
        ("a-*.csv", ["a-1.csv", "a-2.csv"]),
        ("a-[2].csv", ["a-2.csv"]),
        ("file:///mnt/x.csv", ["/mnt/x.csv"]),
        (io.BytesIO(b"x"), []),
        (b"", [""]),
        (None, []),
        ([], []),
    ],
)
def test_whatever_names_files_is_understood(journal, channel, given, paths):
    note_paths(journal, given, way="read", via="x")
    assert [path for path in channel.paths_read() if path or paths] == paths


def test_a_file_whose_name_looks_like_a_glob_is_that_file(journal, channel, folder):
    (folder / "a-[2].csv").touch()
    note_paths(journal, "a-[2].csv", way="read", via="x")
    assert channel.paths_read() == ["a-[2].csv"]


def test_the_home_folder(journal, channel, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    note_paths(journal, "~/x.csv", way="read", via="x")
    assert channel.paths_read() == ["/home/ada/x.csv"]


def test_a_url_is_named_and_leaves_a_gap(journal, channel):
    note_paths(journal, "s3://bucket/key.parquet", way="read", via="polars.scan_parquet")
    note_paths(journal, "gs://bucket/out.parquet", way="write", via="x")
    assert [(m["name"], m["way"]) for m in channel.of("name")] == [
        ("s3://bucket/key.parquet", "read"),
        ("gs://bucket/out.parquet", "write"),
    ]
    assert [m["what"] for m in channel.of("gap")] == ["remote data", "remote data"]


def test_writing_and_updating(journal, channel, folder):
    note_paths(journal, "new", way="write", via="x", is_folder=True)
    note_paths(journal, "b.csv", way="update", via="x")
    assert [(m["do"], m.get("folder")) for m in channel.said] == [("write", True), ("read", None), ("write", False)]


def test_tables_in_memory_come_back_whole_and_their_file_is_gone():
    frame = pd.DataFrame({"a": np.arange(1000.0), "b": ["x", None] * 500, "t": pd.Timestamp("2026-01-01", tz="UTC")})
    tables = [frame, frame["a"], pl.from_pandas(frame), pl.Series("s", [1, 2]), pa.table({"a": [1, None]}), np.eye(3)]
    for table in tables:
        path = hand_over(table)["object"]
        assert Path(path).stat().st_mode & 0o077 == 0
        load = handover.take(path)
        assert not Path(path).exists()
        back = load()
        assert type(back) is type(table)
        same = back.equals(table) if hasattr(back, "equals") else np.array_equal(back, table)
        assert same


def test_a_table_that_changes_afterwards_was_handed_over_as_it_was():
    array = np.zeros(10)
    path = hand_over(array)["object"]
    array[:] = 1
    assert handover.take(path)().sum() == 0


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], np.array([{}], dtype=object), pd.DataFrame, "text"])
def test_what_is_no_table_is_a_gap(value):
    assert "has no record fingerprint" in hand_over(value)["gap"]


def test_a_table_above_the_limit_is_a_gap(monkeypatch):
    monkeypatch.setattr(limits, "fit_max_bytes", 100)
    assert hand_over(np.zeros(1000))["gap"] == "8000 bytes are more than fit_max_bytes, 100"
    assert "object" in hand_over(np.zeros(10))


class Spy:
    """Its pickle would run code of its own."""

    def __reduce__(self):
        return (print, ("ran",))


def test_a_pickle_that_would_run_other_code_is_refused(capsys):
    frame = pd.DataFrame({"a": pd.Series([Spy()], dtype=object)})
    load = handover.take(hand_over(frame)["object"])
    with pytest.raises(handover.RefusedError, match=r"builtins\.print"):
        load()
    assert capsys.readouterr().out == ""


def test_a_table_that_can_not_be_pickled_is_a_gap_and_leaves_no_file(monkeypatch):
    frame = pd.DataFrame({"a": pd.Series([lambda: 1], dtype=object)})
    given = []
    monkeypatch.setattr(handover.tempfile, "mkstemp", lambda **_: given.append(1))
    assert "can't hand over a pandas" in hand_over(frame)["gap"]
    assert given == []


def test_a_file_that_is_gone_fails_when_it_is_loaded(folder):
    load = handover.take(str(folder / "none"))
    with pytest.raises(FileNotFoundError):
        load()


def test_a_table_gets_the_name_given_or_one_of_its_own(journal, channel):
    note_object(journal, pd.DataFrame(), "sample", way="read", via="log_input")
    note_object(journal, pd.DataFrame(), None, way="read", via="log_input")
    note_object(journal, pd.DataFrame(), None, way="write", via="log_output")
    names = [message["name"] for message in channel.of("object")]
    assert names[0] == "sample"
    assert all(name.startswith("memory/DataFrame-") for name in names[1:])
    assert len(set(names)) == 3
    for message in channel.of("object"):
        handover.take(message["argument"]["object"])
