import bz2
import gzip
import lzma
import zipfile

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import csv_files, text_columns

TEXT = b"id,name,ratio,ok\n1,Ann,0.5,True\n2,NA,,False\n,Bo,1e3,\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT)
    return path


def ids(*sources):
    return {fingerprint_records(source).id for source in sources}


def test_a_csv_file_is_what_pandas_and_polars_read_from_it(path):
    polars = pl.read_csv(path, null_values=["NA"])
    table = pa.table(
        {"id": [1, 2, None], "name": ["Ann", None, "Bo"], "ratio": [0.5, None, 1000], "ok": [True, False, None]}
    )
    assert len(ids(path, pd.read_csv(path), polars, table)) == 1


def test_how_it_was_read_stands_beside_the_fingerprint(path, tmp_path):
    options = fingerprint_records(path).read_options
    assert options == {
        "format": "csv",
        "delimiter": ",",
        "quote": '"',
        "encoding": "utf-8",
        "headerLines": 1,
        "nullSpellings": list(text_columns.NULL_SPELLINGS),
    }
    path.with_suffix(".tsv").write_bytes(TEXT.replace(b",", b"\t"))
    other = fingerprint_records(path.with_suffix(".tsv"))
    assert (other.read_options["format"], other.read_options["delimiter"]) == ("tsv", "\t")
    assert other.id == fingerprint_records(path).id


def test_the_null_spellings_are_those_of_pandas():
    from pandas._libs.parsers import STR_NA_VALUES

    assert set(text_columns.NULL_SPELLINGS) == STR_NA_VALUES


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda data: pa.compress(data, codec="zstd", asbytes=True)),
        (".gz", lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:])),
    ],
)
def test_a_compressed_file_is_the_table_inside_and_a_cut_one_is_refused(path, suffix, compress):
    compressed = path.with_name(f"other.csv{suffix}")
    compressed.write_bytes(compress(TEXT * 200))
    path.write_bytes(TEXT * 200)
    assert len(ids(path, compressed)) == 1
    compressed.write_bytes(compressed.read_bytes()[:-15])
    with pytest.raises(FormatError, match=r"other\.csv"):
        fingerprint_records(compressed)
    compressed.write_bytes(TEXT)
    with pytest.raises(FormatError, match=r"other\.csv"):
        fingerprint_records(compressed)


def test_a_zip_holds_exactly_one_file(path):
    archive = path.with_suffix(".csv.zip")
    with zipfile.ZipFile(archive, "w") as file:
        file.mkdir("folder")
        file.writestr("folder/whatever.txt", TEXT)
    assert len(ids(path, archive)) == 1
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("more.csv", TEXT)
    with pytest.raises(FormatError, match=r"table\.csv\.zip' holds 2 files, expected exactly one"):
        fingerprint_records(archive)
    with zipfile.ZipFile(archive, "w"):
        pass
    with pytest.raises(FormatError, match="holds 0 files"):
        fingerprint_records(archive)
    archive.write_bytes(b"PK")
    with pytest.raises(FormatError, match="damaged zip data"):
        fingerprint_records(archive)


@pytest.mark.parametrize("late", ["x", "0.5", "true", "9223372036854775808", "-1"])
def test_a_type_that_breaks_late_is_the_type_from_the_start(path, monkeypatch, late):
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 300)
    values = [str(2**53 + index) for index in range(1_000)]
    path.write_text("\n".join(["a", *values, late]))
    late_last = fingerprint_records(path)
    path.write_text("\n".join(["a", late, *values]))
    assert fingerprint_records(path).id == late_last.id
    monkeypatch.undo()
    assert fingerprint_records(path).id == late_last.id
    assert late_last.columns[0].type.kind == ("text" if late in {"x", "true"} else "number")


def test_a_block_may_end_anywhere(path, monkeypatch):
    whole = [f'"{number}","{"y" * (number % 7)}"' for number in range(60)]
    for line_end in ("\n", "\r\n", "\r"):
        want = None
        for block in range(64, 84):
            monkeypatch.setattr(csv_files, "_BLOCK_BYTES", block)
            path.write_bytes(line_end.join(["a,b", *whole, ""]).encode())
            fingerprint = fingerprint_records(path)
            assert fingerprint.rows == 60
            assert want in {None, fingerprint.id}
            want = fingerprint.id


def test_a_file_is_read_at_most_twice(path, monkeypatch):
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 100)
    rows = ["1,1,1,1"] * 100 + ["x,1,1,1"] + ["1,x,1,1"] * 100 + ["1,1,x,x"]
    path.write_text("\n".join(["a,b,c,d", *rows]))
    opened = []
    real = csv_files.pacsv.open_csv
    monkeypatch.setattr(csv_files.pacsv, "open_csv", lambda *args, **kwargs: opened.append(1) or real(*args, **kwargs))
    assert {column.type.kind for column in fingerprint_records(path).columns} == {"text"}
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"3\n", "line 1000001: 1 field, expected 2"),
        (b"3,4,5\n", "line 1000001: 3 fields, expected 2"),
        (b"3,caf\xe9\n", "line 1000001: not UTF-8 at byte 6 of the line"),
        (b'3,"4\n', "line 1000101: unexpected end of data"),
    ],
)
def test_a_broken_row_late_in_a_large_file_is_named(path, row, message):
    path.write_bytes(b"a,b\n" + b"1,2\n" * 999_999 + row + b"1,2\n" * 100)
    with pytest.raises(FormatError) as caught:
        fingerprint_records(path)
    assert str(caught.value) == f"'{path}' {message}"


def test_one_late_text_among_numbers_makes_a_column_of_text(path):
    path.write_bytes(b"a,b\n" + b"1,2\n" * 1_000_000 + b"x,2\n")
    assert [column.type.kind for column in fingerprint_records(path).columns] == ["text", "number"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n3,caf\xe9\n", "line 3: not UTF-8 at byte 6 of the line"),
        (b"caf\xe9,b\n1,2\n", "line 1: not UTF-8 at byte 4"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: not UTF-8 at byte 1"),
        (b"\n\n", "is empty, expected a header"),
        (b'a,b\n1,"x\n2,y\n', "line 3: unexpected end of data"),
        (b'a,b\n1,2\n1,"', "line 3: unexpected end of data"),
        (b'a,"b\n1,2\n', "line 2: unexpected end of data"),
        (b"a,b,a\n", "two columns are named 'a'"),
    ],
)
def test_what_is_no_csv_is_refused_with_the_line(path, data, message):
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        fingerprint_records(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_row_must_fit_a_block(path, monkeypatch):
    path.write_text("a\n" + "x" * 3_000_000 + "\n")
    assert fingerprint_records(path).rows == 1
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 2**20)
    with pytest.raises(FormatError, match="a row is longer than 1 MiB"):
        fingerprint_records(path)


def test_a_file_that_changes_while_it_is_read_can_not_be_checked(path, monkeypatch):
    real = csv_files.pacsv.open_csv

    def append_and_open(*args, **kwargs):
        with path.open("ab") as file:
            file.write(b"4,Cy,1,True\n")
        return real(*args, **kwargs)

    monkeypatch.setattr(csv_files.pacsv, "open_csv", append_and_open)
    with pytest.raises(UnavailableError, match=r"table\.csv' changed while it was read"):
        fingerprint_records(path)


def test_a_file_that_can_not_be_read_says_so(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(UnavailableError, match=r"can't read '.*table\.csv': Permission denied"):
        fingerprint_records(path)
