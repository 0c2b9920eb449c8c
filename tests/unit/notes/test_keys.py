import json
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom.errors import FormatError, SignatureError, UnavailableError
from wherefrom.notes import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    SigningKey,
    VerifierKey,
    format_signing_key,
    format_verifier_key,
    is_key_name,
    parse_label,
    parse_note,
    parse_signing_key,
    parse_verifier_key,
)
from wherefrom.notes.keys import PUBLIC_KEY_SIZES

VECTORS = Path(__file__).parents[2] / "vectors" / "notes"
VERIFIER_KEYS = json.loads((VECTORS / "verifier-keys.json").read_text())["cases"]
SIGNING_KEYS = json.loads((VECTORS / "signing-keys.json").read_text())["cases"]
WYCHEPROOF = json.loads((VECTORS / "wycheproof-mldsa-44.json").read_text())["cases"]
GO = json.loads((VECTORS / "golang-and-c2sp-notes.json").read_text())

# RFC 8032 section 7.1, tests 1 and 2: seed, public key, message, signature
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize("case", VERIFIER_KEYS, ids=lambda case: case["desc"])
def test_a_verifier_key_has_one_text(case):
    want = case["want"]
    if "error" in want:
        with pytest.raises(FormatError) as caught:
            parse_verifier_key(case["text"])
        assert want["says"] in str(caught.value)
    else:
        key = parse_verifier_key(case["text"])
        assert key == VerifierKey(want["name"], want["type"], bytes.fromhex(want["public"]))
        assert f"{key.key_id:08x}" == want["key_id"]
        assert key.label == f"{want['name']}+{want['key_id']}"
        assert format_verifier_key(key) == case["text"]


@pytest.mark.parametrize("case", SIGNING_KEYS, ids=lambda case: case["desc"])
def test_a_signing_key_has_one_text_and_no_error_shows_any_of_it(case):
    want = case["want"]
    if "error" in want:
        with pytest.raises(FormatError) as caught:
            parse_signing_key(case["text"])
        assert want["says"] in str(caught.value)
        secret = case["text"].split("+")[-1]
        error = caught.value
        while error:
            assert not any(secret[i : i + 8] in str(error) for i in range(len(secret) - 7))
            error = error.__cause__ or error.__context__
    else:
        key = parse_signing_key(case["text"])
        assert format_verifier_key(key.verifier_key) == want["verifier_key"]
        assert format_signing_key(key) == case["text"]


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    for cases in (VERIFIER_KEYS, SIGNING_KEYS):
        wrong = sum("error" in case["want"] for case in cases)
        assert wrong > len(cases) - wrong > 0


@pytest.mark.parametrize("text", GO["good_vkeys"])
def test_keys_of_others_are_read_and_no_key_cut_or_with_a_byte_changed(text):
    assert format_verifier_key(parse_verifier_key(text)) == text
    parts = {text[i:j] for i in range(len(text)) for j in range(i, len(text) + 1)} - {text}
    changed = {text[:i] + chr(ord(char) + 1) + text[i + 1 :] for i, char in enumerate(text)}
    for wrong in parts | changed:
        with pytest.raises(FormatError):
            parse_verifier_key(wrong)


@pytest.mark.parametrize("text", GO["bad_vkeys"])
def test_keys_that_others_refuse_are_refused(text):
    with pytest.raises(FormatError):
        parse_verifier_key(text)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(seed, public, message, signature):
    key = SigningKey("example.com", bytes.fromhex(seed))
    assert key.verifier_key == VerifierKey("example.com", ED25519, bytes.fromhex(public))
    assert key.sign(bytes.fromhex(message)).hex() == signature
    key.verifier_key.verify(bytes.fromhex(message), bytes.fromhex(signature))


def test_the_key_of_go_s_package_documentation_signs_the_note_shown_there():
    key = parse_signing_key("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
    assert format_verifier_key(key.verifier_key) == GO["good_vkeys"][0]
    shown, *_ = (parse_note(b64decode(case["note"])) for case in GO["cases"] if case["ok"])
    [signature] = [s.signature for s in shown.signatures if s.label == key.verifier_key.label]
    assert key.sign(shown.text.encode()) == signature


def test_no_bit_of_message_or_signature_can_change():
    key = SigningKey.generate("example.com/log")
    message = b"ten bytes!"
    signature = key.sign(message)
    says = rf"^signature by example\.com/log\+{key.verifier_key.key_id:08x} does not fit what it signs$"
    for position in range(8 * len(message)):
        with pytest.raises(SignatureError, match=says):
            key.verifier_key.verify(flip(message, position), signature)
    for position in range(8 * len(signature)):
        with pytest.raises(SignatureError, match=says):
            key.verifier_key.verify(message, flip(signature, position))


@pytest.mark.parametrize("length", [0, 63, 65, 72])
def test_a_signature_of_another_length_is_refused(length):
    key = SigningKey.generate("example.com/log").verifier_key
    with pytest.raises(SignatureError, match=f"has {length} bytes, an Ed25519 signature has 64"):
        key.verify(b"message", bytes(length))


def test_another_key_of_the_same_name_does_not_verify():
    first, second = SigningKey.generate("example.com/log"), SigningKey.generate("example.com/log")
    with pytest.raises(SignatureError):
        second.verifier_key.verify(b"message", first.sign(b"message"))


def test_bytes_that_are_no_point_of_the_curve_verify_nothing():
    key = VerifierKey("example.com", ED25519, b"\x02" + bytes(31))
    with pytest.raises(SignatureError, match="does not fit"):
        key.verify(b"message", SigningKey.generate("example.com").sign(b"message"))


@pytest.mark.parametrize("key_type", [ED25519, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE])
def test_each_type_of_key_signs_raw_bytes_and_verifies_no_others(key_type):
    key, other = SigningKey.generate("example.com", key_type), SigningKey.generate("example.com", key_type)
    assert parse_signing_key(format_signing_key(key)) == key
    signature = key.sign(b"message")
    key.verifier_key.verify(b"message", signature)
    with pytest.raises(SignatureError, match="does not fit"):
        key.verifier_key.verify(b"massage", signature)
    with pytest.raises(SignatureError, match="does not fit"):
        other.verifier_key.verify(b"message", signature)
    with pytest.raises(SignatureError, match=rf"has {len(signature) - 1} bytes, an (Ed25519|ML-DSA-44) signature has"):
        key.verifier_key.verify(b"message", signature[:-1])


def test_one_seed_makes_another_key_for_each_type():
    labels = {SigningKey("example.com", bytes(32), key_type).verifier_key.label for key_type in PUBLIC_KEY_SIZES}
    assert len(labels) == len(PUBLIC_KEY_SIZES) == 3


def test_a_key_of_an_unknown_type_is_not_made():
    with pytest.raises(FormatError, match="signing key 'a' is of signature type 0x05; known: 0x01, 0x04, 0x06"):
        SigningKey("a", bytes(32), 5)


@pytest.mark.parametrize("case", WYCHEPROOF, ids=lambda case: case["desc"])
def test_ml_dsa_44_verifies_what_wycheproof_says(case):
    public, message, context, signature = (b64decode(case[k]) for k in ("public", "message", "context", "signature"))
    if len(public) != PUBLIC_KEY_SIZES[ML_DSA_44_COSIGNATURE]:
        with pytest.raises(FormatError, match=f"has {len(public)} bytes, expected 1312"):
            VerifierKey("example.com", ML_DSA_44_COSIGNATURE, public)
        return
    key = VerifierKey("example.com", ML_DSA_44_COSIGNATURE, public)
    if case["want"] == "valid" and not context:
        key.verify(message, signature)
    else:  # no signature in a note has a context, so one that was made with a context is another
        with pytest.raises(SignatureError):
            key.verify(message, signature)


def test_without_ml_dsa_its_keys_cannot_be_checked_and_all_others_can(monkeypatch):
    signature = SigningKey("example.com", bytes(32), ML_DSA_44_COSIGNATURE).sign(b"message")
    public = SigningKey("example.com", bytes(32), ML_DSA_44_COSIGNATURE).verifier_key.public
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    with pytest.raises(UnavailableError, match="without ML-DSA-44") as caught:
        VerifierKey("example.com", ML_DSA_44_COSIGNATURE, public).verify(b"message", signature)
    assert caught.value.hint == "pip install 'cryptography>=48'"
    with pytest.raises(UnavailableError, match="without ML-DSA-44"):
        SigningKey("example.com", bytes(32), ML_DSA_44_COSIGNATURE).sign(b"message")
    key = SigningKey("example.com", bytes(32), ED25519_COSIGNATURE)
    key.verifier_key.verify(b"message", key.sign(b"message"))


def test_a_label_has_one_reading():
    assert parse_label("example.com/a+0000beef") == ("example.com/a", 0xBEEF)
    for wrong in ("", "a", "a+", "+00000000", "a+0000BEEF", "a+0000bee", "a b+00000000", "a+00000000+", "a+b+00000000"):
        with pytest.raises(FormatError, match="is not a name, '\\+' and 8 lower-case hex digits"):
            parse_label(wrong)


def test_two_generated_keys_differ():
    assert SigningKey.generate("a").seed != SigningKey.generate("a").seed


def test_no_representation_shows_the_secret():
    key = SigningKey.generate("example.com/log")
    assert "example.com/log" in repr(key)
    for shown in (repr(key), str(key), repr(key.verifier_key), repr([key])):
        for secret in (repr(key.seed), key.seed.hex(), format_signing_key(key).split("+")[-1]):
            assert secret not in shown


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_refused(length):
    with pytest.raises(FormatError, match=f"signing key 'a' has {length} bytes, expected 32"):
        SigningKey("a", bytes(length))


@pytest.mark.parametrize("name", ["a", "example.com/log", "журнал", "a/b?c=d&e", "#", "—", "a\x7f", "\U0001f600"])
def test_names_that_keys_may_have(name):
    assert is_key_name(name)
    key = SigningKey.generate(name)
    assert parse_signing_key(format_signing_key(key)) == key
    assert parse_verifier_key(format_verifier_key(key.verifier_key)) == key.verifier_key


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a+b", "a\tb", "a\n", "a\u00a0b", "\u2003", "a\u3000", "\u0085", "\0", "\ud800"]
)
def test_names_that_no_key_may_have(name):
    assert not is_key_name(name)
    with pytest.raises(FormatError, match="is empty, or has a space, a plus sign or a control character"):
        SigningKey.generate(name)
    with pytest.raises(FormatError, match="is empty, or has a space, a plus sign or a control character"):
        VerifierKey(name, ED25519, bytes(32))


def flip(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)
