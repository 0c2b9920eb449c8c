"""The vectors of docs/spec/fingerprint-proofs-v1.md."""

import json
from pathlib import Path

import pytest
from tests.reference import make_proofs

from wherefrom.commitments import Column, RecordsFingerprint, Secret
from wherefrom.commitments.logical import parse_type
from wherefrom.commitments.proof import format_proof, parse_proof
from wherefrom.commitments.values import row_bytes
from wherefrom.errors import FormatError
from wherefrom.verify import Outcome, verify_proof

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "fingerprints" / "proofs.json").read_text("utf-8"))


def cell(case):
    column = Column("value", parse_type(case["type"], where="vector"))
    return row_bytes({"value": case["json"]}, RecordsFingerprint(1, (column,), bytes(32)))


def test_the_vectors_are_what_the_reference_says():
    assert json.loads(json.dumps(make_proofs.content())) == VECTORS


@pytest.mark.parametrize("case", VECTORS["values"], ids=lambda case: f"{case['type']} {case['json']}")
def test_a_value_as_json_has_the_cell_that_the_vectors_say(case):
    assert cell(case).hex() == case["cell"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: f"{case['type']} {str(case['json'])[:40]}")
def test_a_value_that_is_none_of_its_type_is_refused(case):
    with pytest.raises(FormatError, match=r"column .value.: .* is not "):
        cell(case)


@pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: case["desc"])
def test_a_proof_is_judged_as_the_vectors_say(case):
    secret = Secret(bytes.fromhex(case["secret"])) if "secret" in case else None
    verdict = verify_proof(case["proof"].encode(), secret=secret)
    assert verdict.outcome.value == case["want"], verdict.findings
    if verdict.outcome is Outcome.TRUE:
        assert format_proof(parse_proof(case["proof"].encode())).decode() == case["proof"]
