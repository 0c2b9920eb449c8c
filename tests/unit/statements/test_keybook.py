"""Whose signatures count: the sequences of tests/vectors/statements/keybook.json, and the laws behind them."""

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom import errors
from wherefrom.errors import FormatError, SignatureError, WherefromError
from wherefrom.notes import SigningKey, format_verifier_key, parse_verifier_key
from wherefrom.statements import (
    KeyBook,
    KeyEntry,
    Statement,
    Subject,
    format_statement,
    make_gap_statement,
    make_key_statement,
    parse_time,
    sign_envelope,
)
from wherefrom.statements.dsse import Envelope, Signature, pre_authentication

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/statements/keybook.json").read_text())
KEYS = {name: SigningKey(key["name"], bytes.fromhex(key["seed"]), key["type"]) for name, key in VECTORS["keys"].items()}
GAP = make_gap_statement("0196f3c2-1c37-7a93-a9bb-6d2c24a2e9d6", "x", "x", at="2026-11-21T08:00:00Z")


def envelope_of(statement: Statement, by: list[str], forged: str | None = None) -> Envelope:
    payload = format_statement(statement)
    message = pre_authentication("application/vnd.in-toto+json", payload)
    signatures = [
        Signature(KEYS[name].verifier_key.label, KEYS[name].sign(message + b"!" * (name == forged))) for name in by
    ]
    return Envelope(payload, tuple(signatures))


def key_statement(item: dict) -> Statement:
    """The statement of a vector, whose predicate calls keys by their names in the file."""
    vkeys = {name: format_verifier_key(key.verifier_key) for name, key in KEYS.items()}
    predicate = {k: vkeys[v] if k in {"verifierKey", "alsoKey"} else v for k, v in item["predicate"].items()}
    about = KEYS[item.get("subject", item["predicate"]["verifierKey"])].verifier_key
    subject = Subject("key", {"sha256": hashlib.sha256(about.public).hexdigest()})
    return Statement.of("https://w3id.org/wherefrom/kinds/key/v1", predicate, subject)


def key_entry(item: dict) -> KeyEntry:
    return KeyEntry(item["index"], at(item["received"]), envelope_of(key_statement(item), item["by"]))


def at(text: str) -> datetime:
    return parse_time(text, what="vector")


def read_book(case: dict) -> KeyBook:
    """All that the ledger of a case took; each entry that it would refuse is tried on a book of its own."""
    trusted = [KEYS[name].verifier_key for name in case["trusted"]]
    taken: list[KeyEntry] = []
    for item in case["entries"]:
        entry = key_entry(item)
        if want := item.get("refused"):
            with pytest.raises(getattr(errors, want["error"])) as caught:
                KeyBook.read(trusted, [*taken, entry], parse_key=parse_verifier_key)
            assert want["says"] in str(caught.value)
        else:
            taken.append(entry)
    return KeyBook.read(trusted, taken, parse_key=parse_verifier_key)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["desc"])
def test_signatures_count_as_the_vectors_say(case):
    book = read_book(case)
    for ask in case["asks"]:
        envelope = envelope_of(GAP, ask["by"], ask.get("forged"))
        shown_at = at(ask["shownAt"]) if "shownAt" in ask else None
        try:
            signed = book.verify(envelope, index=ask["index"])
            book.judge(
                signed,
                index=ask["index"],
                received=at(ask["received"]),
                shown_at=shown_at,
                needs_time=ask.get("needsTime", False),
            )
        except WherefromError as error:
            assert ask["want"] != "ok", (ask, error)
            assert type(error).__name__ == ask["want"]["error"], (ask, error)
            assert ask["want"]["says"] in str(error), ask
        else:
            assert ask["want"] == "ok", ask


def test_vectors_name_the_keys_that_their_seeds_give():
    assert {n: format_verifier_key(k.verifier_key) for n, k in KEYS.items()} == {
        n: k["vkey"] for n, k in VECTORS["keys"].items()
    }


def test_verify_names_the_keys_that_signed_and_leaves_the_unknown_out():
    book = read_book(VECTORS["cases"][0])
    signed = book.verify(envelope_of(GAP, ["stranger", "producer", "log"]), index=3)
    assert signed == [KEYS["producer"].verifier_key.label, KEYS["log"].verifier_key.label]


def test_a_book_that_grows_entry_by_entry_says_the_same_as_one_read_whole():
    for case in VECTORS["cases"]:
        trusted = [KEYS[name].verifier_key for name in case["trusted"]]
        entries = [key_entry(item) for item in case["entries"] if "refused" not in item]
        if case["trusted"] != ["log"]:
            continue  # keys of before are known from behind only
        grown = KeyBook(trusted, parse_key=parse_verifier_key)
        for item, entry in zip((i for i in case["entries"] if "refused" not in i), entries, strict=True):
            signed = grown.verify(entry.envelope, index=entry.index)
            grown.add(key_statement(item), index=entry.index, received=entry.received, signed_by=signed)
        assert grown.records == KeyBook.read(trusted, entries, parse_key=parse_verifier_key).records


def test_a_refused_statement_changes_nothing():
    for case in VECTORS["cases"]:
        book = read_book(case)
        for item in case["entries"]:
            if item.get("refused", {}).get("error") == "FormatError":
                before, by = book.records, [KEYS[name].verifier_key.label for name in item["by"]]
                with pytest.raises(FormatError):
                    book.add(key_statement(item), index=99, received=at(item["received"]), signed_by=by)
                assert book.records == before


def test_only_key_statements_go_into_a_book():
    book = KeyBook([KEYS["log"].verifier_key], parse_key=parse_verifier_key)
    with pytest.raises(FormatError, match=r"expected 'https://w3id\.org/wherefrom/kinds/key/v1'"):
        book.add(GAP, index=0, received=at("2026-11-21T08:00:00Z"), signed_by=[KEYS["log"].verifier_key.label])


class Collision:
    """Two keys with one label: four bytes of key id are soon made to collide."""

    name, key_type, label = "example.com/p", 1, "example.com/p+00000000"

    def __init__(self, public: str) -> None:
        self.public = bytes.fromhex(public) * 32

    def verify(self, message: bytes, signature: bytes) -> None:
        raise SignatureError("never")


def test_another_key_under_a_known_label_is_refused():
    log = KEYS["log"].verifier_key
    book = KeyBook([log], parse_key=Collision)
    now = at("2026-11-21T08:00:00Z")
    book.add(make_key_statement("01", b"\x01" * 32), index=0, received=now, signed_by=[log.label])
    with pytest.raises(FormatError, match=r"example\.com/p\+00000000 is the label of another key already"):
        book.add(make_key_statement("02", b"\x02" * 32), index=1, received=now, signed_by=[log.label])
    assert book.find("example.com/p+00000000").key.public == b"\x01" * 32


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=4), st.integers(1, 90), st.integers(0, 60))
def test_what_is_learned_about_a_key_only_takes_away(ends, index, minute):
    """However a producer's key ends, and however often: what counted less before never counts more after."""
    start = at("2026-11-21T08:00:00Z")
    producer, log = KEYS["producer"].verifier_key, KEYS["log"].verifier_key
    book = KeyBook([log], parse_key=parse_verifier_key)
    vkey = format_verifier_key(producer)

    def counts() -> bool:
        try:
            book.verify(envelope_of(GAP, ["producer"]), index=index)
            book.judge([producer.label], index=index, received=start + timedelta(minutes=minute))
        except WherefromError:
            return False
        return True

    book.add(make_key_statement(vkey, producer.public), index=0, received=start, signed_by=[log.label])
    counted = [counts()]
    for number, (is_compromise, at_minute) in enumerate(ends, start=1):
        compromised_at = (start + timedelta(minutes=at_minute)).isoformat()
        options = {"compromisedAt": compromised_at, "reason": "x"} if is_compromise else {}
        status = "compromised" if is_compromise else "retired"
        statement = make_key_statement(vkey, producer.public, status=status, **options)
        book.add(statement, index=20 * number, received=start, signed_by=[log.label])
        counted.append(counts())
    assert counted == sorted(counted, reverse=True)
    assert counted[0]


def test_a_hybrid_signature_is_over_dsse_s_bytes_with_an_empty_context():
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    key = KEYS["also"]
    envelope = sign_envelope(b"payload", {key.verifier_key.label: key})
    public = MLDSA44PublicKey.from_public_bytes(key.verifier_key.public)
    public.verify(envelope.signatures[0].signature, b"DSSEv1 28 application/vnd.in-toto+json 7 payload", None)
    assert len(envelope.signatures[0].signature) == 2420
