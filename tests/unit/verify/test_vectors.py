import json
from pathlib import Path

import pytest

from wherefrom.merkle import hash_leaf
from wherefrom.notes import parse_policy, parse_signing_key
from wherefrom.statements import (
    Subject,
    format_entry,
    format_envelope,
    format_statement,
    make_entry,
    parse_entry,
    parse_envelope,
    parse_statement,
    parse_time,
    sign_envelope,
)
from wherefrom.statements.statement import Statement
from wherefrom.verify import verify_bundle

VECTORS = Path(__file__).parents[2] / "vectors"
ENTRIES = json.loads((VECTORS / "statements" / "entries.json").read_text())
CASES = json.loads((VECTORS / "evidence" / "cases.json").read_text())["cases"]


@pytest.mark.parametrize("case", ENTRIES["cases"], ids=lambda case: case["desc"])
def test_statements_become_the_bytes_that_the_vectors_say(case):
    key = parse_signing_key(ENTRIES["signingKey"])
    subjects = tuple(Subject(s["name"], s["digest"]) for s in case["subject"])
    predicate = case["predicate"].encode()
    statement = Statement(subjects, case["predicateType"], json.loads(predicate), predicate)
    payload = format_statement(statement)
    envelope = format_envelope(sign_envelope(payload, {key.verifier_key.label: key}))
    received = parse_time(case["received"], what="vector")
    salt = bytes.fromhex(case["salt"])
    entry = make_entry(statement, envelope, salt=salt, key_ids=[key.verifier_key.label], received=received)
    assert payload.decode() == case["payload"]
    assert envelope.decode() == case["envelope"]
    assert format_entry(entry).decode() == case["entry"]
    assert hash_leaf(format_entry(entry)).hex() == case["id"]


@pytest.mark.parametrize("case", ENTRIES["wrong"], ids=lambda case: case["desc"])
def test_what_the_vectors_call_wrong_is_refused(case):
    parse = {"entry": parse_entry, "envelope": parse_envelope, "payload": parse_statement}[case["what"]]
    with pytest.raises(ValueError) as caught:
        parse(case["text"].encode())
    assert case["error"] in str(caught.value)


def _edited(value, case):
    def at(path):
        here = value
        for step in path:
            here = here[step]
        return here

    if "drop" in case:
        *way, last = case["drop"]
        del at(way)[last]
    if "set" in case:
        path, new = case["set"]
        *way, last = path
        if last == "+":
            at(way[:-1]).insert(way[-1], new)
        else:
            at(way)[last] = new
    if "replace" in case:
        (*way, last), old, new = case["replace"]
        assert old in at(way)[last]
        at(way)[last] = at(way)[last].replace(old, new)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["desc"])
def test_evidence_is_judged_as_the_vectors_say(case):
    policy = parse_policy((VECTORS / "evidence" / "trust").read_bytes())
    data = _edited(json.loads((VECTORS / "evidence" / "good.wherefrom").read_text()), case)
    verdict = verify_bundle(data, policy)
    assert verdict.outcome.value == case["want"], verdict.findings
    assert case.get("message", "") in " ".join(f.message for f in verdict.findings if f.outcome.value != "true")
