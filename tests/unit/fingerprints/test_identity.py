import hashlib
import json

import pytest

from wherefrom.commitments import list_of, map_of, struct_of
from wherefrom.errors import FormatError
from wherefrom.fingerprints import Column, FilesFingerprint, KeyCommitment, LogicalType, RecordsFingerprint
from wherefrom.merkle import EMPTY_ROOT

ROOT = bytes(range(32))
NUMBER, TEXT = LogicalType("number"), LogicalType("text")
NESTED = list_of(struct_of((Column("b", NUMBER), Column("a", map_of(TEXT, LogicalType("null"))))))
RECORDS = RecordsFingerprint(3, (Column("a", NUMBER), Column("é", NESTED)), ROOT)
FILES = FilesFingerprint(2, 10, ROOT)
KEYS = KeyCommitment("0f" * 32, (Column("a", NUMBER),), 2, 1, ROOT)
EACH = pytest.mark.parametrize("fingerprint", [RECORDS, FILES, KEYS], ids=lambda value: value.ALGORITHM)


@EACH
def test_an_identity_object_reads_back_as_the_same_fingerprint(fingerprint):
    again = type(fingerprint).from_json(json.loads(json.dumps(fingerprint.to_json())))
    assert again == fingerprint
    assert again.id == fingerprint.id
    assert str(fingerprint) == f"{fingerprint.ALGORITHM}:{fingerprint.id}"
    assert fingerprint.digest == (fingerprint.ALGORITHM, fingerprint.id)


def test_the_id_is_the_hash_of_the_canonical_object():
    canonical = (
        b'{"bytes":10,"files":2,"order":"path","root":"%s","salt":"none","type":"wf-files-1"}' % ROOT.hex().encode()
    )
    assert FILES.id == hashlib.sha256(canonical).hexdigest()


def test_what_stands_beside_the_identity_changes_neither_id_nor_equality():
    beside = RecordsFingerprint(3, RECORDS.columns, ROOT, {"format": "csv"}, ("__index_level_0__",))
    assert beside == RECORDS
    assert beside.id == RECORDS.id
    assert FilesFingerprint(2, 10, ROOT, "00" * 32) == FILES


@EACH
def test_every_member_counts_and_no_other_is_known(fingerprint):
    identity = fingerprint.to_json()
    for name in identity:
        without = {key: value for key, value in identity.items() if key != name}
        with pytest.raises(FormatError, match=name):
            type(fingerprint).from_json(without)
    with pytest.raises(FormatError, match="unknown member 'extra'"):
        type(fingerprint).from_json({**identity, "extra": 1})
    with pytest.raises(FormatError, match="expected an object, got list"):
        type(fingerprint).from_json([identity])


@pytest.mark.parametrize(
    ("fingerprint", "member", "value", "message"),
    [
        (RECORDS, "order", "given", "order is 'given', this version knows 'sorted' only"),
        (RECORDS, "salt", {"scheme": "x"}, "salt is"),
        (RECORDS, "type", "wf-records-2", "type is 'wf-records-2'"),
        (RECORDS, "rows", -1, "rows is -1"),
        (RECORDS, "rows", True, "rows is True"),
        (RECORDS, "rows", 3.0, "rows is 3.0"),
        (RECORDS, "rows", 2**53, "rows is"),
        (RECORDS, "rows", 0, "not that of the empty tree"),
        (RECORDS, "root", EMPTY_ROOT.hex(), "that of the empty tree"),
        (RECORDS, "root", ROOT.hex().upper(), "lower-case hex"),
        (RECORDS, "root", ROOT.hex()[:-2], "64 lower-case hex"),
        (RECORDS, "columns", {}, "expected a list of columns"),
        (
            RECORDS,
            "columns",
            [{"name": "b", "type": "text"}, {"name": "a", "type": "text"}],
            r"\[1\].*'a' is not after 'b'",
        ),
        (RECORDS, "columns", [{"name": "a", "type": "text"}] * 2, r"\[1\].*names must ascend"),
        (RECORDS, "columns", [{"name": "a", "type": "integer"}], r"\[0\]\.type: 'integer' is not a logical type"),
        (RECORDS, "columns", [{"name": "a", "type": {"list": "x"}}], r"\[0\]\.type\.list: 'x'"),
        (RECORDS, "columns", [{"name": "a", "type": {"map": ["text"]}}], "is not a logical type"),
        (RECORDS, "columns", [{"name": "a", "type": {"list": "text", "map": []}}], "is not a logical type"),
        (RECORDS, "columns", [{"name": "a"}], r"\[0\]: expected an object"),
        (RECORDS, "columns", [{"name": "\ud800", "type": "text"}], "lone surrogate"),
        (FILES, "order", "sorted", "knows 'path' only"),
        (FILES, "files", 0, "not that of the empty tree"),
        (FILES, "bytes", "10", "bytes is '10'"),
        (KEYS, "form", "url", "form is 'url', this version knows 'exact' only"),
        (KEYS, "records", "00", "records is '00'"),
        (KEYS, "columns", [], "at least one key column"),
    ],
)
def test_a_wrong_member_is_named(fingerprint, member, value, message):
    with pytest.raises(FormatError, match=message):
        type(fingerprint).from_json({**fingerprint.to_json(), member: value})


def test_an_empty_folder_has_no_bytes():
    empty = FilesFingerprint(0, 0, EMPTY_ROOT)
    assert FilesFingerprint.from_json(empty.to_json()) == empty
    with pytest.raises(FormatError, match="bytes is 7, expected 0"):
        FilesFingerprint.from_json({**empty.to_json(), "bytes": 7})


def test_types_nested_too_deeply_are_refused():
    def nested(levels):
        value = "number"
        for _ in range(levels):
            value = {"list": value}
        return {**RECORDS.to_json(), "columns": [{"name": "a", "type": value}]}

    RecordsFingerprint.from_json(nested(63))
    with pytest.raises(FormatError, match="more than 64 levels"):
        RecordsFingerprint.from_json(nested(64))


def test_types_read_well():
    assert str(NESTED) == "list<struct<a: map<text, null>, b: number>>"
    assert RECORDS.to_json()["columns"][1] == {
        "name": "é",
        "type": {
            "list": {"struct": [{"name": "a", "type": {"map": ["text", "null"]}}, {"name": "b", "type": "number"}]}
        },
    }
