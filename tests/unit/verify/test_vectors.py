import json
from pathlib import Path

import pytest

from wherefrom.errors import FormatError
from wherefrom.ledger.shard_file import ShardFile, verify_shard
from wherefrom.merkle import hash_leaf
from wherefrom.notes import parse_policy, parse_signing_key
from wherefrom.statements import (
    Subject,
    check_statement,
    format_entry,
    format_envelope,
    format_statement,
    format_time,
    keep_until,
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
ERASURE = json.loads((VECTORS / "statements" / "erasure.json").read_text())
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
    data = _edited(json.loads((VECTORS / "evidence" / case.get("file", "good.wherefrom")).read_text()), case)
    verdict = verify_bundle(data, policy)
    assert verdict.outcome.value == case["want"], verdict.findings
    assert case.get("message", "") in " ".join(f.message for f in verdict.findings if f.outcome.value != "true")


def test_the_shard_of_the_vectors_is_true():
    policy = parse_policy((VECTORS / "evidence" / "trust").read_bytes())
    verdict = verify_shard(ShardFile(VECTORS / "evidence" / "entries-2-to-5.shard"), policy)
    assert (verdict.outcome.value, verdict.span, verdict.redacted) == ("true", (2, 6), 1), verdict.findings


@pytest.mark.parametrize("case", ERASURE["kinds"], ids=lambda case: case["desc"])
def test_statements_about_erasing_are_judged_as_the_vectors_say(case):
    statement = Statement.of(case["predicateType"], case["predicate"], Subject("s", case["digest"]))
    if "error" not in case:
        check_statement(statement)
        return
    with pytest.raises(FormatError) as caught:
        check_statement(statement)
    assert case["error"] in str(caught.value)


@pytest.mark.parametrize("case", ERASURE["keepUntil"], ids=lambda case: f"{case['received']} {case['keepFor']}")
def test_how_long_a_statement_is_kept_is_as_the_vectors_say(case):
    until = keep_until(parse_time(case["received"], what="vector"), case["keepFor"])
    assert (until and format_time(until)) == case["until"]
