import base64
import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError, MismatchError, SignatureError, WherefromError
from wherefrom.notes import SigningKey
from wherefrom.statements import (
    Envelope,
    Signature,
    Statement,
    Subject,
    commit,
    format_canonical,
    format_entry,
    format_envelope,
    format_statement,
    make_entry,
    parse_entry,
    parse_envelope,
    parse_statement,
    sign_envelope,
    verify_commitment,
    verify_envelope,
)
from wherefrom.statements.dsse import pre_authentication

VECTORS = Path(__file__).parents[2] / "vectors" / "statements"
KEY, OTHER = SigningKey("example/producer", bytes(32)), SigningKey("example/other", bytes([1]) * 32)
SUBJECT = Subject("data.csv", {"sha256": "0" * 64})
STATEMENT = Statement.of("https://example.com/kind/v1", {"a": [1, "é"], "b": {}}, SUBJECT)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def signed(*keys: SigningKey) -> Envelope:
    return sign_envelope(format_statement(STATEMENT), {key.verifier_key.label: key for key in keys})


def verifiers(*keys: SigningKey) -> dict:
    return {key.verifier_key.label: key.verifier_key for key in keys}


def test_canonical_json_agrees_with_the_vectors_of_rfc_8785():
    cases = json.loads((VECTORS / "jcs-rfc8785.json").read_text())["cases"]
    for case in cases.values():
        value = json.loads(base64.b64decode(case["input"]))
        assert format_canonical(value) == base64.b64decode(case["output"])
    assert len(cases) == 6


def test_the_signed_bytes_agree_with_the_vector_of_dsse():
    vector = json.loads((VECTORS / "dsse.json").read_text())
    assert pre_authentication(vector["payloadType"], vector["payload"].encode()) == vector["pae"].encode()


def test_the_predicate_keeps_its_own_bytes():
    odd = b'{ "b" : 1.0, "a":"\\u00e9" ,"predicateType":[] }'
    statement = dataclasses.replace(STATEMENT, predicate=json.loads(odd), predicate_bytes=odd)
    payload = format_statement(statement)
    assert odd in payload
    assert parse_statement(payload) == statement
    assert json.loads(payload)["predicate"] == json.loads(odd)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=30), max_size=4), st.text(min_size=1, max_size=30))
def test_a_statement_written_reads_back_whatever_its_texts_hold(predicate, name):
    statement = Statement.of("https://example.com/kind/v1", predicate, Subject(name, {"sha256": "0" * 64}))
    assert parse_statement(format_statement(statement)) == statement


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"in-toto.io/Statement/v1", b"in-toto.io/Statement/v2", "$._type"),
        (b'"name":"data.csv"', b'"name":""', "$.subject[0].name: is empty"),
        (b'"sha256"', b'"sha512"', "$.subject[0].digest.sha512: unknown digest algorithm"),
        (b'{"sha256":"' + b"0" * 64 + b'"}', b"{}", "$.subject[0].digest: is empty"),
        (b'"subject":[', b'"subject":[],"x":[', "$.x: unknown member"),
        (b'"_type":"https://in-toto.io/Statement/v1",', b"", "$._type: is missing"),
        (b'{"_type"', b'{ "_type"', "members are not in the order"),
    ],
)
def test_a_statement_of_another_form_is_refused_with_the_path(old, new, message):
    payload = format_statement(STATEMENT)
    assert old in payload
    with pytest.raises(FormatError) as caught:
        parse_statement(payload.replace(old, new))
    assert message in str(caught.value)


def test_an_envelope_verifies_and_says_who_signed():
    envelope = signed(KEY, OTHER)
    assert verify_envelope(envelope, verifiers(KEY)) == [KEY.verifier_key.label]
    assert verify_envelope(envelope, verifiers(OTHER, KEY)) == [KEY.verifier_key.label, OTHER.verifier_key.label]


def test_an_envelope_by_nobody_known_or_with_another_payload_is_false():
    envelope = signed(KEY)
    with pytest.raises(SignatureError, match="no signature by a known key: signed by example/producer"):
        verify_envelope(envelope, verifiers(OTHER))
    changed = dataclasses.replace(envelope, payload=envelope.payload.replace(b"data.csv", b"Data.csv"))
    with pytest.raises(SignatureError, match=r"by example/producer\+[0-9a-f]{8} does not fit the payload"):
        verify_envelope(changed, verifiers(KEY))
    borrowed = dataclasses.replace(envelope, signatures=(Signature("example/x", envelope.signatures[0].signature),))
    with pytest.raises(SignatureError):
        verify_envelope(borrowed, {"example/x": OTHER.verifier_key})


def test_an_envelope_has_one_encoding():
    data = format_envelope(signed(KEY))
    assert parse_envelope(data) == signed(KEY)
    value = json.loads(data)
    bad = [
        (json.dumps(value).encode(), "not as canonical JSON"),
        (data.replace(b"in-toto+json", b"in-toto+yaml"), "$.payloadType"),
        (format_canonical({**value, "signatures": []}), "$.signatures: has 0 members"),
        (format_canonical({**value, "signatures": value["signatures"] * 17}), "$.signatures: has 17 members"),
        (format_canonical({**value, "signatures": [{"keyid": "k", "sig": "AAAA"}]}), "has 3 bytes, an Ed25519"),
        (format_canonical({**value, "payload": "YR=="}), "$.payload: is base64 with stray bits"),
        (format_canonical({**value, "payload": "Y"}), "$.payload: not standard base64"),
        (format_canonical({**value, "extra": 1}), "$.extra: unknown member"),
    ]
    for changed, message in bad:
        with pytest.raises(FormatError) as caught:
            parse_envelope(changed)
        assert message in str(caught.value)


def entry_of(statement: Statement = STATEMENT):
    return make_entry(statement, b"envelope", salt=bytes(32), key_ids=["k"], received=NOW)


def test_an_entry_written_reads_back_and_commits_to_its_envelope():
    entry = entry_of()
    assert parse_entry(format_entry(entry)) == entry
    verify_commitment(entry, salt=bytes(32), envelope=b"envelope")
    for salt, envelope in ((bytes(32), b"envelopE"), (bytes(31) + b"\x01", b"envelope")):
        with pytest.raises(MismatchError):
            verify_commitment(entry, salt=salt, envelope=envelope)
    with pytest.raises(FormatError, match="salt has 31 bytes, expected 32"):
        commit(bytes(31), b"envelope")


def test_an_entry_lists_at_most_256_subjects_and_counts_all():
    many = Statement.of("k", {}, *(Subject(f"s{n}", {"sha256": f"{n:064x}"}) for n in range(300)))
    entry = entry_of(many)
    assert (len(entry.subjects), entry.subject_count) == (256, 300)
    assert parse_entry(format_entry(entry)) == entry


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "wherefrom-entry-2"}, "$.type"),
        ({"received": "2026-11-21T00:00:00Z"}, "$.received: is '2026-11-21T00:00:00Z', expected the form"),
        ({"received": "2026-13-21T00:00:00.000000Z"}, "$.received"),
        ({"keys": []}, "$.keys"),
        ({"subjects": ["sha256:" + "1" * 64, "sha256:" + "0" * 64], "subjectCount": 2}, "not sorted"),
        ({"subjects": ["sha256:xyz"]}, "$.subjects[0].sha256"),
        ({"subjects": [7]}, "$.subjects[0]"),
        ({"subjectCount": 0}, "$.subjectCount: is 0, expected an integer from 1"),
        ({"subjectCount": 2}, "lists 1 of 2, expected 2"),
        ({"commitment": "00"}, "$.commitment"),
        ({"more": 1}, "$.more: unknown member"),
    ],
)
def test_an_entry_of_another_form_is_refused_with_the_path(change, message):
    value = json.loads(format_entry(entry_of()))
    with pytest.raises(FormatError) as caught:
        parse_entry(format_canonical({**value, **change}))
    assert message in str(caught.value)


@given(st.data())
def test_a_changed_byte_never_reads_as_the_same_and_never_raises_anything_foreign(data):
    for good, parse in (
        (format_entry(entry_of()), parse_entry),
        (format_envelope(signed(KEY)), parse_envelope),
        (format_statement(STATEMENT), parse_statement),
    ):
        at = data.draw(st.integers(0, len(good) - 1), label="at")
        flip = data.draw(st.integers(1, 255), label="flip")
        changed = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
        try:
            assert parse(changed) != parse(good)
        except WherefromError as error:
            assert str(error)
