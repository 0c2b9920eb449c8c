"""What a server says is in its ledger is believed on a trust policy's word only."""

import pytest

from wherefrom.client.proofs import verify_proof_answer
from wherefrom.errors import FormatError, InclusionError, SignatureError
from wherefrom.merkle import hash_leaf, prove_inclusion, root_of
from wherefrom.notes import Checkpoint, SigningKey, TrustedLog, TrustPolicy, sign_checkpoint

LOG = SigningKey.generate("example.com/log")
TRUST = TrustPolicy((TrustedLog(LOG.verifier_key),))
ENTRIES = [b"entry %d" % number for number in range(7)]
LEAVES = [hash_leaf(entry) for entry in ENTRIES]


def answer(index, *, key=LOG, **changes):
    checkpoint = sign_checkpoint(Checkpoint(key.verifier_key.name, 7, root_of(LEAVES)), key)
    return {
        "index": index,
        "statementId": LEAVES[index].hex(),
        "entry": ENTRIES[index].decode(),
        "size": 7,
        "proof": [one.hex() for one in prove_inclusion(LEAVES, index)],
        "checkpoint": checkpoint.decode(),
        **changes,
    }


@pytest.mark.parametrize("index", range(7))
def test_what_is_there_is_believed_and_nothing_that_was_changed(index):
    right = answer(index)
    verify_proof_answer(right, TRUST)
    other = (index + 1) % 7
    for wrong in (
        {"statementId": LEAVES[other].hex()},
        {"entry": ENTRIES[other].decode()},
        {"entry": ENTRIES[other].decode(), "statementId": LEAVES[other].hex()},
        {"index": other},
        {"proof": right["proof"][:-1]},
        {"proof": [*right["proof"], "00" * 32]},
        *({"proof": [*right["proof"][:n], "00" * 32, *right["proof"][n + 1 :]]} for n in range(len(right["proof"]))),
    ):
        with pytest.raises(InclusionError):
            verify_proof_answer(right | wrong, TRUST)


def test_a_checkpoint_that_nobody_trusted_has_signed_is_not_believed():
    with pytest.raises(FormatError, match="your trust file names"):
        verify_proof_answer(answer(1, key=SigningKey.generate("example.com/log")), TRUST)
    forged = answer(1)["checkpoint"].replace("\n7\n", "\n8\n")
    with pytest.raises(SignatureError):
        verify_proof_answer(answer(1, checkpoint=forged), TRUST)


@pytest.mark.parametrize(
    "wrong", [{"checkpoint": None}, {"proof": "none"}, {"proof": [7]}, {"proof": ["zz" * 32]}, {"index": "1"}]
)
def test_what_is_no_proof_is_refused(wrong):
    with pytest.raises(FormatError):
        verify_proof_answer(answer(1) | wrong, TRUST)
