"""Laws of proofs about single records: no change of a byte makes another thing true, or the verifier stumble."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from wherefrom.commitments.proof import parse_proof
from wherefrom.commitments.values import row_bytes
from wherefrom.verify import Outcome, verify_proof

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "fingerprints" / "proofs.json").read_text("utf-8"))
TRUE = [case["proof"].encode() for case in VECTORS["proofs"] if case["want"] == "true" and "secret" not in case]


def meaning(data):
    """What a proof says: the set, and of which rows it says what."""
    proof = parse_proof(data)
    claims = {(claim.kind, claim.index, row_bytes(claim.row, proof.about), claim.salt) for claim in proof.claims}
    return proof.about, proof.part, claims, proof.leaves, proof.hashes


@given(st.sampled_from(TRUE), st.data())
@settings(max_examples=400, deadline=None)
def test_a_changed_byte_is_refused_or_changes_nothing_that_is_said(proof, data):
    at = data.draw(st.integers(0, len(proof) - 1))
    value = data.draw(st.integers(0, 255))
    changed = proof[:at] + bytes([value]) + proof[at + 1 :]
    verdict = verify_proof(changed, expected=str(parse_proof(proof).about))
    assert verdict.outcome is not Outcome.TRUE or meaning(changed) == meaning(proof)


@given(st.sampled_from(TRUE), st.data())
@settings(max_examples=200, deadline=None)
def test_a_proof_that_is_cut_or_repeated_is_refused(proof, data):
    start = data.draw(st.integers(0, len(proof)))
    end = data.draw(st.integers(start, len(proof)))
    for changed in (proof[:start] + proof[end:], proof[:end] + proof[start:]):
        verdict = verify_proof(changed)
        assert verdict.outcome is not Outcome.TRUE or meaning(changed) == meaning(proof)


@given(st.binary(max_size=300) | st.sampled_from(TRUE).map(lambda proof: proof.replace(b"\n", b"\r\n")))
def test_what_is_no_proof_can_not_be_checked(data):
    assert verify_proof(data).outcome is Outcome.UNCHECKED
