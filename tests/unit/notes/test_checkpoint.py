import json
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom.errors import FormatError, SignatureError
from wherefrom.merkle import EMPTY_ROOT
from wherefrom.notes import (
    MAX_SIZE,
    Checkpoint,
    SigningKey,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    sign_checkpoint,
    sign_note,
)

VECTORS = Path(__file__).parents[2] / "vectors"
CASES = json.loads((VECTORS / "notes" / "checkpoints.json").read_text())["cases"]
C2SP = json.loads((VECTORS / "notes" / "c2sp-checkpoint.json").read_text())
TESSERA = json.loads((VECTORS / "merkle" / "tessera-log-of-15.json").read_text())
LOG = SigningKey("example.com/log", bytes(range(32)))
OTHER = SigningKey("example.com/other", bytes(range(1, 33)))
CHECKPOINT = Checkpoint("example.com/log", 7, bytes(range(32)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["desc"])
def test_a_checkpoint_has_one_text(case):
    want = case["want"]
    if "error" in want:
        with pytest.raises(FormatError) as caught:
            parse_checkpoint(case["text"])
        assert want["says"] in str(caught.value)
    else:
        checkpoint = parse_checkpoint(case["text"])
        assert checkpoint == Checkpoint(
            want["origin"], want["size"], bytes.fromhex(want["root"]), tuple(want["extensions"])
        )
        assert format_checkpoint(checkpoint) == case["text"]


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    wrong = sum("error" in case["want"] for case in CASES)
    assert wrong > len(CASES) - wrong > 0


def test_the_example_of_the_specification_is_read():
    checkpoint = parse_checkpoint(parse_note(C2SP["checkpoint"].encode()).text)
    want = C2SP["want"]
    assert checkpoint == Checkpoint(want["origin"], want["size"], b64decode(want["root"]))


@pytest.mark.parametrize("name", TESSERA["checkpoints"])
def test_checkpoints_of_tessera_open_with_its_key_and_no_other(name):
    data = TESSERA["checkpoints"][name].encode()
    checkpoint = open_checkpoint(data, [parse_verifier_key(TESSERA["vkey"])])
    assert checkpoint.origin == TESSERA["origin"]
    assert checkpoint.size == int(name.partition(".")[2] or 15)
    with pytest.raises(SignatureError, match=r"no signature by a known key: signed by example\.com/log/testdata"):
        open_checkpoint(data, [LOG.verifier_key])


def test_what_was_signed_is_what_is_opened():
    data = sign_checkpoint(CHECKPOINT, LOG)
    assert open_checkpoint(data, [LOG.verifier_key]) == CHECKPOINT
    assert parse_note(data).text == format_checkpoint(CHECKPOINT)


def test_a_checkpoint_signed_by_the_log_and_others_opens_with_the_log_among_the_known():
    data = sign_checkpoint(CHECKPOINT, OTHER, LOG)
    assert open_checkpoint(data, [LOG.verifier_key]) == CHECKPOINT
    assert open_checkpoint(data, [OTHER.verifier_key, LOG.verifier_key]) == CHECKPOINT
    with pytest.raises(SignatureError, match=r"checkpoint of example\.com/log is signed by example\.com/other\+"):
        open_checkpoint(data, [OTHER.verifier_key])


def test_a_trusted_key_does_not_speak_for_another_log():
    forged = sign_note(format_checkpoint(CHECKPOINT), OTHER)
    with pytest.raises(SignatureError, match=r"is signed by example\.com/other\+\w{8}, expected a key of that name"):
        open_checkpoint(forged, [LOG.verifier_key, OTHER.verifier_key])


def test_a_checkpoint_is_not_signed_without_the_key_of_its_origin():
    with pytest.raises(FormatError, match=r"would be signed by example\.com/other, expected a key of that name"):
        sign_checkpoint(CHECKPOINT, OTHER)
    with pytest.raises(FormatError, match="would be signed by nobody"):
        sign_checkpoint(CHECKPOINT)


def test_a_signed_text_that_is_no_checkpoint_is_malformed():
    with pytest.raises(FormatError, match="tree size '007' has a leading zero"):
        open_checkpoint(sign_note(format_checkpoint(CHECKPOINT).replace("7", "007", 1), LOG), [LOG.verifier_key])


def test_an_unsigned_text_is_refused_before_it_is_read():
    with pytest.raises(SignatureError):
        open_checkpoint(sign_note("no checkpoint\n", OTHER), [LOG.verifier_key])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"origin": ""}, "checkpoint origin '' is empty"),
        ({"origin": "a\nb"}, "checkpoint origin .* has a control character"),
        ({"origin": "\ud800"}, "checkpoint origin .* is empty or has a control character"),
        ({"size": -1}, f"checkpoint size -1 is not between 0 and {MAX_SIZE}"),
        ({"size": MAX_SIZE + 1}, "is not between 0 and"),
        ({"root": bytes(31)}, "checkpoint root hash has 31 bytes, expected 32"),
        ({"size": 0}, "checkpoint of size 0 has root 0001"),
        ({"extensions": ("",)}, "checkpoint line 4 '' is empty"),
        ({"extensions": ("a", "b\n")}, "checkpoint line 5 .* has a control character"),
    ],
)
def test_a_checkpoint_that_cannot_be_is_not_made(fields, says):
    good = {"origin": "example.com/log", "size": 7, "root": bytes(range(32))}
    assert Checkpoint(**good) == CHECKPOINT
    with pytest.raises(FormatError, match=says):
        Checkpoint(**(good | fields))


def test_the_empty_tree_has_the_root_that_merkle_gives_it():
    assert Checkpoint("example.com/log", 0, EMPTY_ROOT).root == EMPTY_ROOT
