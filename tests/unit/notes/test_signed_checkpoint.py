"""Checkpoints held against a policy: what it asks for is there and holds, or nothing is believed."""

from datetime import UTC, datetime

import pytest

from wherefrom.errors import FormatError, SignatureError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    NO_QUORUM,
    Checkpoint,
    Note,
    NoteSignature,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    WitnessGroup,
    add_signatures,
    format_checkpoint,
    format_note,
    make_signatures,
    open_trusted,
    parse_note,
    sign_checkpoint,
)

NOW_S = 1_700_000_000
NOW = datetime.fromtimestamp(NOW_S, UTC)
LOG = SigningKey("example.com/log", bytes(range(32)))
OWN = SigningKey("example.com/log", bytes(range(1, 33)), ML_DSA_44_COSIGNATURE)
OTHER = SigningKey("example.com/other", bytes(range(2, 34)))
W = [SigningKey(f"witness.example/{i}", bytes([i] * 32), 4 if i < 2 else 6) for i in range(3)]
STRANGER = SigningKey("witness.example/stranger", bytes(32), ED25519_COSIGNATURE)
CHECKPOINT = Checkpoint("example.com/log", 7, bytes(range(32)))
TEXT = format_checkpoint(CHECKPOINT)


def policy_of(*logs, witnesses=W, threshold=2):
    trusted = tuple(TrustedWitness(b"W%d" % i, key.verifier_key) for i, key in enumerate(witnesses))
    groups = (WitnessGroup(b"G", threshold, tuple(w.name for w in trusted)),) if threshold else ()
    quorum = b"G" if threshold else NO_QUORUM
    return TrustPolicy(tuple(TrustedLog(log.verifier_key) for log in logs), trusted, groups, quorum)


TWO_OF_THREE = policy_of(LOG)


def signed_by(*keys, text=TEXT):
    return format_note(Note(text, make_signatures(text, keys, time_s=NOW_S)))


def spoiled(data, label):
    """The note with the last byte of this key's signature changed."""
    note = parse_note(data)
    lines = [
        NoteSignature(s.name, s.key_id, s.signature[:-1] + bytes([s.signature[-1] ^ 1])) if s.label == label else s
        for s in note.signatures
    ]
    return format_note(Note(note.text, tuple(lines)))


def test_two_of_three_witnesses_are_enough_and_each_says_when():
    for pair in ((0, 1), (0, 2), (1, 2)):
        trusted = open_trusted(signed_by(LOG, *(W[i] for i in pair)), TWO_OF_THREE)
        assert trusted.checkpoint == CHECKPOINT
        assert trusted.log_key == LOG.verifier_key
        assert [(c.key, c.time) for c in trusted.cosignatures] == [(W[i].verifier_key, NOW) for i in pair]


@pytest.mark.parametrize("witnesses", [(), (0,), (1,), (2,), (0, 0), (1, 1, 1)])
def test_fewer_witnesses_are_not_enough_however_often_they_sign(witnesses):
    keys = [W[i] for i in witnesses]
    lines = [line for key in keys for line in make_signatures(TEXT, [key], time_s=NOW_S)]
    data = format_note(Note(TEXT, (*make_signatures(TEXT, [LOG]), *lines)))
    with pytest.raises(SignatureError, match=r"checkpoint of example\.com/log lacks the quorum 'G': cosigned by "):
        open_trusted(data, TWO_OF_THREE)


def test_strangers_count_for_nothing():
    with pytest.raises(SignatureError, match="lacks the quorum 'G'"):
        open_trusted(signed_by(LOG, W[0], STRANGER), TWO_OF_THREE)
    assert open_trusted(signed_by(LOG, STRANGER, W[0], W[2]), TWO_OF_THREE).checkpoint == CHECKPOINT


@pytest.mark.parametrize("wrong", [LOG, *W])
def test_one_wrong_signature_by_a_listed_key_rejects_the_note_even_where_the_rest_is_enough(wrong):
    data = signed_by(LOG, *W)
    assert len(open_trusted(data, TWO_OF_THREE).cosignatures) == 3
    with pytest.raises(SignatureError, match="does not fit what it signs"):
        open_trusted(spoiled(data, wrong.verifier_key.label), TWO_OF_THREE)


def test_a_wrong_signature_by_a_listed_witness_that_no_quorum_asks_for_rejects_the_note():
    data = spoiled(signed_by(LOG, W[0]), W[0].verifier_key.label)
    with pytest.raises(SignatureError, match="does not fit"):
        open_trusted(data, policy_of(LOG, threshold=0))
    assert open_trusted(data, policy_of(LOG, witnesses=(), threshold=0)).cosignatures == ()


@pytest.mark.parametrize("keys", [(LOG, W[0], W[1]), (LOG, OWN, W[2], W[0])])
def test_no_byte_of_a_cosigned_checkpoint_can_change(keys):
    data = signed_by(*keys)
    assert open_trusted(data, TWO_OF_THREE)
    step = 1 if len(data) < 1000 else 7  # seven and the length have no common divisor: all kinds of places are met
    for position in range(0, len(data), step):
        changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        try:
            opened = open_trusted(changed, TWO_OF_THREE)
        except (FormatError, SignatureError):
            continue
        label = OWN.verifier_key.label  # a key that the policy does not list: its line may say anything
        assert OWN in keys
        assert opened == open_trusted(data, TWO_OF_THREE)
        assert [s for s in parse_note(changed).signatures if s.label != label][:1] != []
        assert parse_note(changed).text == TEXT


def test_nobody_named_that_the_policy_knows_as_a_log_cannot_be_checked():
    with pytest.raises(FormatError, match=r"it is signed by example\.com/other\+\w{8}; your trust file names"):
        open_trusted(
            signed_by(OTHER, text=format_checkpoint(Checkpoint("example.com/other", 1, bytes(32)))), TWO_OF_THREE
        )
    with pytest.raises(FormatError, match="your trust file names"):
        open_trusted(signed_by(*W), TWO_OF_THREE)


def test_a_log_does_not_speak_for_another_though_both_are_trusted():
    with pytest.raises(SignatureError, match="expected a key of that name"):
        open_trusted(signed_by(OTHER, *W), policy_of(LOG, OTHER))


def test_a_witness_named_like_the_log_does_not_sign_for_it():
    twin = SigningKey("example.com/log", bytes(range(5, 37)), ED25519_COSIGNATURE)
    policy = policy_of(LOG, OTHER, witnesses=[twin], threshold=1)
    with pytest.raises(SignatureError, match="expected a key of that name"):
        open_trusted(signed_by(OTHER, twin), policy)


def test_a_hybrid_log_is_believed_only_with_both_its_signatures():
    both = policy_of(LOG, witnesses=[OWN], threshold=1)
    data = sign_checkpoint(CHECKPOINT, LOG, OWN)
    trusted = open_trusted(data, both)
    assert trusted.log_key == LOG.verifier_key
    assert [(c.key, c.time) for c in trusted.cosignatures] == [(OWN.verifier_key, None)]
    with pytest.raises(SignatureError, match="lacks the quorum"):
        open_trusted(sign_checkpoint(CHECKPOINT, LOG), both)
    with pytest.raises(FormatError, match="your trust file names"):
        open_trusted(sign_checkpoint(CHECKPOINT, OWN), both)
    for key in (LOG, OWN):
        with pytest.raises(SignatureError, match="does not fit"):
            open_trusted(spoiled(data, key.verifier_key.label), both)


def test_a_log_may_sign_with_ml_dsa_alone_where_the_policy_says_so():
    policy = policy_of(OWN, threshold=0)
    assert open_trusted(sign_checkpoint(CHECKPOINT, OWN), policy).log_key == OWN.verifier_key


def test_extension_lines_that_no_signature_covers_are_refused():
    extended = Checkpoint("example.com/log", 7, bytes(range(32)), ("extension",))
    with pytest.raises(SignatureError, match=r"has extension lines, which .* can't sign"):
        open_trusted(sign_checkpoint(extended, OWN), policy_of(OWN, threshold=0))
    assert open_trusted(sign_checkpoint(extended, OWN, LOG), policy_of(LOG, OWN, threshold=0)).checkpoint == extended


def test_lines_are_added_once():
    data, lines = signed_by(LOG), make_signatures(TEXT, W, time_s=NOW_S)
    cosigned = add_signatures(data, lines)
    assert add_signatures(cosigned, lines) == cosigned
    assert add_signatures(data, [*lines, *lines]) == cosigned
    assert parse_note(cosigned).signatures[1:] == lines
    assert NoteSignature.of(lines[0].label, lines[0].signature) == lines[0]
    assert open_trusted(cosigned, TWO_OF_THREE).checkpoint == CHECKPOINT
