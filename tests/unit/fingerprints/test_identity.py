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
SALT = "hmac-sha256:" + "ab" * 32
PRIVATE = RecordsFingerprint(3, (Column("a", NUMBER),), ROOT, order="sequence", salt=SALT)
TEXT_KEYS = KeyCommitment("0f" * 32, (Column("a", TEXT),), 2, 1, ROOT, "text", SALT)
NO_KEYS = KeyCommitment("0f" * 32, (Column("a", LogicalType("null")),), 0, 1, EMPTY_ROOT, "document")
EACH = pytest.mark.parametrize(
    "fingerprint",
    [RECORDS, FILES, KEYS, PRIVATE, TEXT_KEYS, NO_KEYS],
    ids=["records", "files", "keys", "private records in sequence", "private keys of text", "no keys"],
)


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
        (RECORDS, "order", "given", "order is 'given', this version knows sorted, sequence"),
        (RECORDS, "order", ["sorted"], r"order is \['sorted'\]"),
        (RECORDS, "salt", {"scheme": "x"}, "salt is"),
        (RECORDS, "salt", None, "salt is None"),
        (RECORDS, "salt", "", "salt is ''"),
        (RECORDS, "salt", "00" * 32, r"expected none or hmac-sha256:<64 hex digits>"),
        (RECORDS, "salt", "hmac-sha256:" + "00" * 31, "salt is"),
        (RECORDS, "salt", "hmac-sha256:" + "AA" * 32, "salt is"),
        (RECORDS, "salt", "hmac-sha512:" + "00" * 32, "salt is"),
        (RECORDS, "salt", "hmac-sha256:" * 2 + "00" * 32, "salt is"),
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
        (KEYS, "form", "hash", "form is 'hash', this version knows exact, text, url, document"),
        (KEYS, "form", "text", "form 'text' has key column 'a' of type number, expected text"),
        (KEYS, "form", "url", "form 'url' has key column 'a' of type number, expected text"),
        (KEYS, "form", "document", "form 'document' has key column 'a' of type number, expected binary"),
        (KEYS, "order", "sequence", "order is 'sequence', this version knows 'sorted' only"),
        (KEYS, "salt", "hmac-sha256:", "salt is 'hmac-sha256:'"),
        (KEYS, "records", "00", "records is '00'"),
        (KEYS, "columns", [], "at least one key column"),
    ],
)
def test_a_wrong_member_is_named(fingerprint, member, value, message):
    with pytest.raises(FormatError, match=message):
        type(fingerprint).from_json({**fingerprint.to_json(), member: value})


def test_a_form_is_of_one_column():
    two = [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]
    with pytest.raises(FormatError, match="form 'text' has 2 key columns, expected one"):
        KeyCommitment.from_json({**KEYS.to_json(), "form": "text", "columns": two})
    assert KeyCommitment.from_json({**KEYS.to_json(), "columns": two}).form == "exact"


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
