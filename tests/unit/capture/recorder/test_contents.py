import hashlib
import os
import time

import pandas as pd
import pytest

from wherefrom.capture.config import LevelRule
from wherefrom.capture.patterns import compile_pattern
from wherefrom.capture.recorder.contents import Reader, has_changed
from wherefrom.capture.recorder.known import KnownRecords
from wherefrom.fingerprints import KeptTrees, Secret, commit_keys, fingerprint_files, fingerprint_records


def rule(level, *keys):
    return LevelRule(compile_pattern("**"), level, keys)


RECORDS = rule("records")


@pytest.fixture
def reader(tmp_path):
    return Reader(KnownRecords(str(tmp_path)), records_max_bytes=1000)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    return path


def whats(content):
    return [gap.what for gap in content.gaps]


def test_a_table_has_the_files_digest_and_that_of_its_rows(reader, table):
    content = reader.read_path(str(table), RECORDS, opened_ns=None)
    records = fingerprint_records(table)
    assert content.digests == {"sha256": hashlib.sha256(table.read_bytes()).hexdigest(), "wf-records-1": records.id}
    assert list(content.digests) == ["sha256", "wf-records-1"]
    assert (content.rows, content.total_bytes, content.files) == (2, 12, 1)
    assert content.records == records


def test_the_level_decides_how_closely_it_is_looked_at(reader, table):
    assert list(reader.read_path(str(table), rule("files"), opened_ns=None).digests) == ["sha256"]
    content = reader.read_path(str(table), rule("subject-keys", "b"), opened_ns=None)
    assert content.keys == (commit_keys(table, columns=["b"]),)
    assert whats(reader.read_path(str(table), rule("subject-keys", "no"), opened_ns=None)) == [
        "records not fingerprinted"
    ]


def test_any_other_file_and_large_and_empty_ones(reader, tmp_path):
    for size in (0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * 256 * 1024 + 5):
        path = tmp_path / f"{size}.bin"
        path.write_bytes(os.urandom(size))
        content = reader.read_path(str(path), RECORDS, opened_ns=None)
        assert content.digests == {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        assert content.total_bytes == size


def test_a_table_above_the_limit_keeps_the_files_digest_and_a_gap_says_so(reader, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "1\n" * 1000)
    content = reader.read_path(str(path), RECORDS, opened_ns=None)
    assert list(content.digests) == ["sha256"]
    assert whats(content) == ["records not fingerprinted"]
    assert "2002 bytes are more than records_max_bytes, 1000" in content.gaps[0].detail


def test_a_table_that_does_not_parse_keeps_the_files_digest_and_a_gap_says_so(reader, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"no parquet")
    content = reader.read_path(str(path), RECORDS, opened_ns=None)
    assert list(content.digests) == ["sha256"]
    assert whats(content) == ["records not fingerprinted"]


def test_a_folder(reader, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("x")
    content = reader.read_path(str(folder), RECORDS, opened_ns=None)
    assert content.digests == dict([fingerprint_files(folder).digest])
    assert (content.files, content.total_bytes, content.state) == (1, 1, None)


def test_what_changed_after_the_run_opened_it_is_not_what_the_run_read(reader, table):
    assert whats(reader.read_path(str(table), RECORDS, opened_ns=time.time_ns())) == []
    opened = time.time_ns() - 10**9
    content = reader.read_path(str(table), RECORDS, opened_ns=opened)
    assert whats(content) == ["changed while read"]
    assert content.digests == {}


def test_what_is_gone_or_can_not_be_read(reader, tmp_path):
    assert whats(reader.read_path(str(tmp_path / "none"), RECORDS, opened_ns=None)) == ["not hashed"]
    os.mkfifo(tmp_path / "folder-fifo")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")
    content = reader.read_path(str(tmp_path / "folder"), RECORDS, opened_ns=None)
    assert whats(content) == ["not hashed"]
    assert "named pipe" in content.gaps[0].detail


def test_a_file_that_changes_while_it_is_hashed(reader, table, monkeypatch):
    hash_file = reader._read

    def slow(path, *args):
        content = hash_file(path, *args)
        table.write_text("other")
        return content

    monkeypatch.setattr(reader, "_read", slow)
    content = reader.read_path(str(table), RECORDS, opened_ns=None)
    assert (whats(content), content.digests) == (["changed while read"], {})


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(reader, table, monkeypatch):
    before = table.stat()
    later = before.st_ctime_ns + 2 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    first = reader.read_path(str(table), RECORDS, opened_ns=None)
    calls = []
    read = reader._read
    monkeypatch.setattr(reader, "_read", lambda *args: calls.append(1) or read(*args))
    assert reader.read_path(str(table), RECORDS, opened_ns=None).digests == first.digests
    assert calls == []
    table.write_text("a,b\n3,z\n2,y\n")
    assert reader.read_path(str(table), RECORDS, opened_ns=None).digests != first.digests
    assert calls == [1]


def test_a_file_that_changed_just_now_is_read_again(reader, table, monkeypatch):
    reader.read_path(str(table), RECORDS, opened_ns=None)
    calls = []
    read = reader._read
    monkeypatch.setattr(reader, "_read", lambda *args: calls.append(1) or read(*args))
    reader.read_path(str(table), RECORDS, opened_ns=None)
    assert calls == [1]


def test_rows_that_were_fingerprinted_before_are_not_parsed_again(tmp_path, table, monkeypatch):
    first = Reader(KnownRecords(str(tmp_path)), records_max_bytes=1000).read_path(str(table), RECORDS, opened_ns=None)
    again = Reader(KnownRecords(str(tmp_path)), records_max_bytes=1000)
    monkeypatch.setattr(again, "_read_records", lambda *_: pytest.fail("parsed"))
    content = again.read_path(str(table), RECORDS, opened_ns=None)
    assert content.digests == first.digests
    assert content.records == first.records
    assert content.records.read_options == first.records.read_options
    with pytest.raises(BaseException, match="parsed"):
        again.read_path(str(table), rule("subject-keys", "a"), opened_ns=None)


def test_what_is_kept_of_them_may_be_damaged_or_unwritable(tmp_path, table):
    known = KnownRecords(str(tmp_path))
    Reader(known, records_max_bytes=1000).read_path(str(table), RECORDS, opened_ns=None)
    [kept] = (tmp_path / ".wherefrom" / "known").rglob("*.json")
    for damage in ("", "{", "{}", '{"records": {}, "readOptions": null, "leftOut": [], "keys": []}'):
        kept.write_text(damage)
        assert known.read(hashlib.sha256(table.read_bytes()).hexdigest(), "csv", RECORDS) is None
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / ".wherefrom").write_text("a file")
    content = Reader(KnownRecords(str(blocked)), records_max_bytes=1000).read_path(str(table), RECORDS, opened_ns=None)
    assert "wf-records-1" in content.digests


def test_leaves_are_kept_for_proofs_and_private_rows_are_salted(tmp_path, reader, table):
    trees = KeptTrees(tmp_path / ".wherefrom" / "leaves")
    content = reader.read_path(str(table), rule("subject-keys", "b", "text:b", "a,b"), opened_ns=None)
    assert [(key.form, len(key.columns)) for key in content.keys] == [("exact", 1), ("text", 1), ("exact", 2)]
    assert {str(tree) for tree in trees} == {str(content.records), *map(str, content.keys)}
    private = LevelRule(compile_pattern("**"), "records", (), is_private=True)
    salted = reader.read_path(str(table), private, opened_ns=None).records
    assert salted.salt == Secret.read(tmp_path / ".wherefrom" / "secrets" / "records").scheme
    assert salted.root != content.records.root
    assert salted in trees


def test_tables_in_memory(reader):
    frame = pd.DataFrame({"a": [1, 2]})
    content = reader.read_object(lambda: frame)
    assert content.digests == dict([fingerprint_records(frame).digest])

    def fail():
        raise KeyError("x")

    assert reader.read_object(fail).gaps[0].detail == "KeyError: 'x'"
    assert whats(reader.read_object(lambda: {"no": "table"})) == ["not fingerprinted"]


def test_a_later_change_shows(reader, table):
    content = reader.read_path(str(table), RECORDS, opened_ns=None)
    assert not has_changed(str(table), content)
    table.write_text("other")
    assert has_changed(str(table), content)
    table.unlink()
    assert not has_changed(str(table), content)
