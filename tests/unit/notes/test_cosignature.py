import json
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wherefrom import errors
from wherefrom.errors import FormatError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    Checkpoint,
    SigningKey,
    format_checkpoint,
    open_note,
    parse_note,
    parse_signing_key,
    parse_verifier_key,
    sign_line,
    sign_note,
    verify_line,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "notes"
OURS = json.loads((VECTORS / "cosignatures.json").read_text())["cases"]
OTHERS = json.loads((VECTORS / "cosignatures-of-others.json").read_text())["cases"]
TEXT = format_checkpoint(Checkpoint("example.com/log", 7, bytes(range(32))))
NOW_S = 1_700_000_000


@pytest.mark.parametrize("case", [*OURS, *OTHERS], ids=lambda case: case["desc"])
def test_a_cosigned_checkpoint_opens_with_the_times_it_names_or_says_what_is_wrong(case):
    keys, want = [parse_verifier_key(text) for text in case["keys"]], case["want"]
    if "error" in want:
        with pytest.raises(errors.WherefromError) as caught:
            open_note(case["note"].encode(), keys)
        assert type(caught.value) is getattr(errors, want["error"])
        assert want["says"] in str(caught.value)
    else:
        times = open_note(case["note"].encode(), keys).times
        assert {label: at and int(at.timestamp()) for label, at in times.items()} == want["times"]


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    wrong = sum("error" in case["want"] for case in OURS)
    assert wrong > len(OURS) - wrong > 0


@pytest.mark.parametrize("case", [case for case in OTHERS if "skey" in case], ids=lambda case: case["desc"])
def test_what_others_sign_with_a_key_we_sign_too(case):
    key, note = parse_signing_key(case["skey"]), parse_note(case["note"].encode())
    [made] = [s.signature for s in note.signatures]
    ours = sign_line(key, note.text, time_s=int.from_bytes(made[:8]))
    assert verify_line(key.verifier_key, note.text, ours) == verify_line(key.verifier_key, note.text, made)
    if key.key_type == ED25519_COSIGNATURE:  # the same bytes each time, which ML-DSA's are not
        assert ours == made


def test_the_signed_message_of_ed25519_is_that_of_the_specification():
    key = SigningKey("witness.example", bytes(32), ED25519_COSIGNATURE)
    line = sign_line(key, TEXT, time_s=NOW_S)
    assert line[:8] == NOW_S.to_bytes(8)
    key.verifier_key.verify(f"cosignature/v1\ntime {NOW_S}\n{TEXT}".encode(), line[8:])


def test_the_signed_message_of_ml_dsa_is_that_of_the_specification():
    key = SigningKey("witness.example", bytes(32), ML_DSA_44_COSIGNATURE)
    line = sign_line(key, TEXT, time_s=NOW_S)
    time, start, end = (number.to_bytes(8) for number in (NOW_S, 0, 7))
    root = b64decode(TEXT.split("\n")[2])
    message = b"subtree/v1\n\0" + b"\x0fwitness.example" + time + b"\x0fexample.com/log" + start + end + root
    assert len(message) == 12 + 16 + 8 + 16 + 8 + 8 + 32
    key.verifier_key.verify(message, line[8:])


def test_a_cosigner_names_the_time_it_is_given_and_a_log_s_plain_key_none():
    log = SigningKey("example.com/log", bytes(range(32)))
    witness = SigningKey("witness.example", bytes(32), ED25519_COSIGNATURE)
    opened = open_note(sign_note(TEXT, log, witness, time_s=NOW_S), [log.verifier_key, witness.verifier_key])
    assert opened.signed_by == (log.verifier_key, witness.verifier_key)
    [cosignature] = opened.cosignatures
    assert (cosignature.key, cosignature.time) == (witness.verifier_key, datetime.fromtimestamp(NOW_S, UTC))


@pytest.mark.parametrize("time_s", [-1, 253402300800, 2**64])
def test_a_time_that_no_calendar_has_is_not_signed(time_s):
    with pytest.raises(FormatError, match=f"time {time_s} of a cosignature by witness"):
        sign_line(SigningKey("witness.example", bytes(32), ED25519_COSIGNATURE), TEXT, time_s=time_s)


def test_a_name_too_long_for_ml_dsa_is_not_signed():
    key = SigningKey("w" * 256, bytes(32), ML_DSA_44_COSIGNATURE)
    with pytest.raises(FormatError, match=r"key name 'w{60}' has 256 bytes, ML-DSA-44 cosignatures take 255"):
        sign_line(key, TEXT)
    assert len(sign_line(SigningKey("w" * 255, bytes(32), ML_DSA_44_COSIGNATURE), TEXT)) == 2428
