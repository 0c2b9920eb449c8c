import gzip

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from wherefrom.errors import FormatError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import json_lines

TEXT = '{"id": 1, "tags": ["a", null], "at": {"x": 0.5}}\n\n{"id": 2.0, "ok": true}\n{"at": {"y": "z"}, "tags": []}\n'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "table.jsonl"
    path.write_text(TEXT, encoding="utf-8")
    return path


def ids(*sources):
    return {fingerprint_records(source).id for source in sources}


def test_a_json_lines_file_is_what_pandas_and_polars_read_from_it(path):
    table = pa.table(
        {
            "id": [1, 2, None],
            "tags": [["a", None], None, []],
            "at": [{"x": 0.5, "y": None}, None, {"x": None, "y": "z"}],
            "ok": [None, True, None],
        }
    )
    path.with_name("t.ndjson.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXT.encode()))
    polars = pl.read_ndjson(path, infer_schema_length=None)
    pandas = pd.read_json(path, lines=True).astype({"ok": "boolean"})  # else pandas makes the booleans floats
    assert len(ids(path, path.with_name("t.ndjson.gz"), table, polars, pandas)) == 1


def test_where_blocks_end_does_not_matter(path, monkeypatch):
    whole = fingerprint_records(path)
    for lines in (1, 2):
        monkeypatch.setattr(json_lines, "_BLOCK_LINES", lines)
        assert fingerprint_records(path) == whole


def test_numbers_that_a_float_can_not_hold_are_what_the_whole_column_makes_them(path, monkeypatch):
    monkeypatch.setattr(json_lines, "_BLOCK_LINES", 1)
    path.write_text(f'{{"a": {2**53 + 1}}}\n{{"a": 0.5}}\n')
    assert ids(path) == ids(pa.table({"a": [2.0**53, 0.5]}))
    path.write_text(f'{{"a": {2**53 + 1}}}\n{{"a": null}}\n')
    assert ids(path) == ids(pa.table({"a": [2**53 + 1, None]}))
    huge = "1" + "0" * 400
    path.write_text(f'{{"a": {huge}}}\n{{"a": -{huge}}}\n{{"a": 1e400}}\n')
    assert ids(path) == ids(pa.table({"a": [float("inf"), float("-inf"), float("inf")]}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2: not UTF-8 at byte 8 of the line"),
        (
            b'{"a": [{"b": 1}]}\n{"a": [{"b": "x"}]}\n',
            "line 2: column 'a' field 'b' holds text where it held number before",
        ),
        (b'{"a": 1}\n"x"\n', "line 2: expected an object, got str"),
        (b'{"a": 1} x\n', "line 1: no JSON: Extra data at character 10"),
        (b'{"a": Infinity}\n', "line 1: Infinity is no JSON"),
        (b'{"a": {"b": 1, "b": 2}}\n', "line 1: two members are named 'b'"),
        (b'{"\\ud800": 1}\n', "line 1: column name '\\ud800' is not Unicode text"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}\n", "line 1: column 'a' nested more than 64 levels deep"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "line 1: nested too deeply"),
        (b'{"a": ' + b"9" * 5_000 + b"}\n", "line 1: "),
    ],
)
def test_what_is_no_table_is_refused_with_the_line(path, data, message):
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        fingerprint_records(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_lines_are_a_table_without_columns(path):
    path.write_text("")
    assert ids(path) == ids(pa.table({}))
    path.write_text("{}\n{}\n")
    assert (fingerprint_records(path).rows, fingerprint_records(path).columns) == (2, ())
