import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherefrom.commitments import Secret
from wherefrom.errors import FormatError
from wherefrom.fingerprints import appended, fingerprint_records, fingerprint_with_keys
from wherefrom.fingerprints.kept import KeptTrees
from wherefrom.fingerprints.sources import parquet_files

KEYS = [["group"]]


@pytest.fixture(autouse=True)
def read(monkeypatch):
    """Names of the files that are read; files count as settled at once."""
    names = []
    iter_parts = parquet_files._iter_parts

    def iter_noted(parts, columns):
        for batch in iter_parts(parts, columns):
            if batch.num_rows:
                names.append({part.name for part in parts})
            yield batch

    monkeypatch.setattr(parquet_files, "_iter_parts", iter_noted)
    monkeypatch.setattr(appended, "_SETTLED_NS", -(10**9))
    return names


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "table"
    folder.mkdir()
    write(folder / "1.parquet", range(1_000))
    write(folder / "2.parquet", range(500, 1_500))
    return folder


def write(path, values):
    path.parent.mkdir(exist_ok=True, parents=True)
    table = pa.table({"a": list(values), "group": [value // 3 if value % 2 else None for value in values]})
    pq.write_table(table, path)


def fingerprint(folder, kept=None, **arguments):
    return fingerprint_with_keys(folder, keys=KEYS, keep=kept, **arguments)


def test_what_was_added_is_read_and_nothing_else_and_the_id_is_that_from_scratch(folder, tmp_path, read):
    fingerprint(folder, tmp_path / "kept")
    write(folder / "3.parquet", range(1_400, 2_000))
    read.clear()
    grown = fingerprint(folder, tmp_path / "kept")
    assert read == [{"3.parquet"}]
    assert grown == fingerprint(folder)
    assert grown[0].rows == 2_600
    trees = KeptTrees(tmp_path / "kept")
    for identity in (grown[0], *grown[1]):
        with trees.open(identity) as tree:
            assert tree.size == (2_600 if identity is grown[0] else grown[1][0].keys)
    # And so on from there, from the largest of them.
    write(folder / "4.parquet", [-1])
    read.clear()
    assert fingerprint(folder, tmp_path / "kept") == fingerprint(folder)
    assert read[0] == {"4.parquet"}


def test_who_wants_every_file_read_has_them_read(folder, tmp_path, read):
    first = fingerprint(folder, tmp_path / "kept")
    read.clear()
    assert fingerprint(folder, tmp_path / "kept", read_all=True) == first
    assert set().union(*read) == {"1.parquet", "2.parquet"}


def test_a_folder_as_it_was_is_not_read_at_all(folder, tmp_path, read):
    first = fingerprint(folder, tmp_path / "kept")
    read.clear()
    told = []
    assert fingerprint(folder, tmp_path / "kept", progress=lambda *done: told.append(done)) == first
    assert read == []
    assert told[-1] == (2_000, 2_000)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "1.parquet", range(1_000)),
        lambda folder: os.utime(folder / "1.parquet"),
        lambda folder: (folder / "1.parquet").rename(folder / "0.parquet"),
        lambda folder: (folder / "1.parquet").unlink(),
    ],
    ids=["written again", "touched", "renamed", "removed"],
)
def test_a_file_that_changed_makes_all_be_read(folder, tmp_path, read, change):
    fingerprint(folder, tmp_path / "kept")
    change(folder)
    write(folder / "3.parquet", range(10))
    read.clear()
    after = fingerprint(folder, tmp_path / "kept")
    assert "2.parquet" in read[0]
    assert after == fingerprint(folder)


@pytest.mark.parametrize(
    "arguments",
    [{"columns": ["group"]}, {"order": "sequence"}, {"secret": Secret(bytes(32))}],
    ids=["other columns", "another order", "another salt"],
)
def test_leaves_made_otherwise_are_not_taken(folder, tmp_path, read, arguments):
    fingerprint(folder, tmp_path / "kept")
    read.clear()
    assert fingerprint(folder, tmp_path / "kept", **arguments) == fingerprint(folder, **arguments)
    assert len(read) == 4  # both files, twice


def test_a_secret_finds_its_own(folder, tmp_path, read):
    secret = Secret(bytes(32))
    fingerprint(folder, tmp_path / "kept", secret=secret)
    read.clear()
    assert fingerprint(folder, tmp_path / "kept", secret=secret)[0].salt == secret.scheme
    assert read == []


def test_other_keys_make_all_be_read(folder, tmp_path, read):
    fingerprint_records(folder, keep=tmp_path / "kept")
    read.clear()
    fingerprint(folder, tmp_path / "kept")
    assert len(read) == 2


def test_a_folder_name_that_makes_a_column_text_makes_all_be_read(tmp_path, read):
    folder = tmp_path / "table"
    write(folder / "year=2013" / "1.parquet", range(10))
    numbers = fingerprint(folder, tmp_path / "kept")[0]
    write(folder / "year=unknown" / "1.parquet", range(10))
    read.clear()
    texts = fingerprint(folder, tmp_path / "kept")[0]
    assert len(read) == 2
    assert [str(fingerprint.columns[-1].type) for fingerprint in (numbers, texts)] == ["number", "text"]
    assert texts == fingerprint(folder)[0]


def test_a_type_that_does_not_go_with_what_was_read_before_is_refused(folder, tmp_path):
    fingerprint(folder, tmp_path / "kept")
    pq.write_table(pa.table({"a": ["text"], "group": [1]}), folder / "3.parquet")
    with pytest.raises(FormatError, match="column 'a'"):
        fingerprint(folder, tmp_path / "kept")


def test_files_too_new_to_be_told_from_later_versions_are_read_again(folder, tmp_path, read, monkeypatch):
    monkeypatch.setattr(appended, "_SETTLED_NS", 10**15)
    first = fingerprint(folder, tmp_path / "kept")
    monkeypatch.setattr(appended, "_SETTLED_NS", -(10**9))
    read.clear()
    assert fingerprint(folder, tmp_path / "kept") == first
    assert len(read) == 2
    read.clear()
    assert fingerprint(folder, tmp_path / "kept") == first  # by now the kept tree knows its files
    assert read == []


def test_damaged_leaves_are_noticed(folder, tmp_path):
    trees = KeptTrees(tmp_path / "kept")
    path = trees.path_of(fingerprint(folder, trees)[0]) / "0"
    data = bytearray(path.read_bytes())
    data[1_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="0' does not have the root that its identity states"):
        fingerprint(folder, trees)


@pytest.mark.parametrize("content", ["[]", '{"type": "wherefrom-parts-1", "parts": [{}]}', '{"type": "x"}', "{"])
def test_a_damaged_list_of_files_is_named(folder, tmp_path, content):
    trees = KeptTrees(tmp_path / "kept")
    (trees.path_of(fingerprint(folder, trees)[0]) / "parts.json").write_text(content)
    with pytest.raises(FormatError, match=r"parts.json'"):
        fingerprint(folder, trees)


def test_the_list_of_files_has_their_names_rows_and_states(folder, tmp_path):
    trees = KeptTrees(tmp_path / "kept")
    value = json.loads((trees.path_of(fingerprint(folder, trees)[0]) / "parts.json").read_bytes())
    assert [(part["name"], part["rows"]) for part in value["parts"]] == [("1.parquet", 1_000), ("2.parquet", 1_000)]
    state = (folder / "1.parquet").stat()
    assert value["parts"][0]["state"] == {
        "ctime_ns": state.st_ctime_ns,
        "device": state.st_dev,
        "inode": state.st_ino,
        "keys": {},
        "mtime_ns": state.st_mtime_ns,
        "size": state.st_size,
    }
