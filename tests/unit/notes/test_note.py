import json
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom import errors
from wherefrom.errors import FormatError, SignatureError
from wherefrom.notes import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    SigningKey,
    format_note,
    open_note,
    parse_note,
    parse_verifier_key,
    sign_note,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "notes"
OURS = json.loads((VECTORS / "notes.json").read_text())["cases"]
THEIRS = json.loads((VECTORS / "golang-and-c2sp-notes.json").read_text())["cases"]
KEY = SigningKey("example.com/log", bytes(range(32)))
OTHER = SigningKey("example.com/other", bytes(range(1, 33)))


def note_of(case):
    return case["note"].encode() if "note" in case else b64decode(case["note_base64"])


@pytest.mark.parametrize("case", OURS, ids=lambda case: case["desc"])
def test_our_vectors_open_or_say_what_is_wrong(case):
    keys = [parse_verifier_key(text) for text in case["keys"]]
    want = case["want"]
    if "error" in want:
        with pytest.raises(errors.WherefromError) as caught:
            open_note(note_of(case), keys)
        assert type(caught.value) is getattr(errors, want["error"])
        assert want["says"] in str(caught.value)
    else:
        note = open_note(note_of(case), keys)
        assert note.text == want["text"]
        assert {key.name for key in note.signed_by} == set(want["signed_by"])
        assert len(note.signed_by) == len(want["signed_by"])


@pytest.mark.parametrize("case", THEIRS, ids=lambda case: case["name"])
def test_notes_of_others_open_and_fail_as_they_say(case):
    keys = [parse_verifier_key(text) for text in case["vkeys"]]
    data = b64decode(case["note"])
    if case["ok"]:
        note = open_note(data, keys)
        assert [key.name for key in note.signed_by] == case["verified"]
        assert format_note(parse_note(data)) == data
    else:
        kind = SignatureError if "signature" in case["error"] else FormatError
        with pytest.raises(kind):
            open_note(data, keys)


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    wrong = sum("error" in case["want"] for case in OURS)
    assert wrong > len(OURS) - wrong > 0


def test_signing_needs_no_random_numbers_and_opens_with_each_key():
    data = sign_note("text\n", KEY, OTHER)
    assert data == sign_note("text\n", KEY, OTHER)
    for keys in ([KEY], [OTHER], [OTHER, KEY]):
        note = open_note(data, [key.verifier_key for key in keys])
        assert note.text == "text\n"
        assert set(note.signed_by) == {key.verifier_key for key in keys}


def test_keys_are_named_in_the_order_of_their_signatures():
    known = [OTHER.verifier_key, KEY.verifier_key]
    assert open_note(sign_note("text\n", KEY, OTHER), known).signed_by == (KEY.verifier_key, OTHER.verifier_key)


def test_a_note_that_no_known_key_signed_says_which_keys_there_are():
    key, other = KEY.verifier_key.label, OTHER.verifier_key.label
    with pytest.raises(SignatureError) as caught:
        open_note(sign_note("text\n", KEY), [OTHER.verifier_key])
    assert str(caught.value) == f"no signature by a known key: signed by {key}; known: {other}"


def test_no_bit_of_a_note_can_change():
    data = sign_note("short\n", KEY)
    assert open_note(data, [KEY.verifier_key]).text == "short\n"
    for position in range(8 * len(data)):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << (position % 8)
        with pytest.raises((FormatError, SignatureError)):
            open_note(bytes(changed), [KEY.verifier_key])


def test_a_note_can_be_cut_only_between_signatures():
    text, known = "line\n\nline\n", [KEY.verifier_key, OTHER.verifier_key]
    data, by_one = sign_note(text, KEY, OTHER), sign_note(text, KEY)
    for end in range(len(data)):
        if data[:end] == by_one:
            assert open_note(data[:end], known).signed_by == (KEY.verifier_key,)
        else:
            with pytest.raises((FormatError, SignatureError)):
                open_note(data[:end], known)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "note text does not end with a newline"),
        ("text", "note text does not end with a newline"),
        ("a\tb\n", r"note text has '\\t' at character 1"),
        ("a\r\n", r"note text has '\\r' at character 1"),
        ("\0\n", r"note text has '\\x00' at character 0"),
        ("\x1f\n", r"note text has '\\x1f' at character 0"),
        ("\ud800\n", r"note text has '\\ud800' at character 0"),
    ],
)
def test_a_text_that_no_note_may_have_is_not_signed(text, says):
    with pytest.raises(FormatError, match=says):
        sign_note(text, KEY)
    with pytest.raises(FormatError, match=says):
        Note(text, (NoteSignature("a", 0, b"s"),))


def test_a_note_is_signed_by_somebody_and_by_nobody_twice():
    with pytest.raises(FormatError, match="note has 0 signatures, expected 1 to 100"):
        sign_note("text\n")
    with pytest.raises(FormatError, match=r"key example\.com/log\+[0-9a-f]{8} is given twice"):
        sign_note("text\n", KEY, KEY)


def test_a_note_longer_than_the_limit_is_neither_made_nor_read():
    line = 1 + len("— example.com/log ".encode()) + 92 + 1
    longest = "x" * (MAX_NOTE_BYTES - line - 1) + "\n"
    data = sign_note(longest, KEY)
    assert len(data) == MAX_NOTE_BYTES
    assert open_note(data, [KEY.verifier_key]).text == longest
    says = f"note has {MAX_NOTE_BYTES + 1} bytes, expected at most {MAX_NOTE_BYTES}"
    with pytest.raises(FormatError, match=says):
        sign_note("x" + longest, KEY)
    with pytest.raises(FormatError, match=says):
        parse_note(b"x" + data)


def test_a_note_has_no_more_signatures_than_the_limit():
    signature = NoteSignature("a", 0, b"s")
    most = Note("text\n", (signature,) * MAX_SIGNATURES)
    assert parse_note(format_note(most)) == most
    with pytest.raises(FormatError, match="note has 101 signatures, expected 1 to 100"):
        Note("text\n", (signature,) * (MAX_SIGNATURES + 1))


@pytest.mark.parametrize(
    ("name", "key_id", "signature", "says"),
    [
        ("a b", 0, b"s", "signature by 'a b', which is not a key name"),
        ("", 0, b"s", "signature by '', which is not a key name"),
        ("a", -1, b"s", "has key id -1, expected 0 to"),
        ("a", 2**32, b"s", "has key id 4294967296, expected 0 to"),
        ("a", 1, b"", r"signature by a\+00000001 is empty"),
    ],
)
def test_a_signature_line_that_cannot_be_is_not_made(name, key_id, signature, says):
    with pytest.raises(FormatError, match=says):
        NoteSignature(name, key_id, signature)
