"""Key files: the vectors, who may read them, and where the passphrase comes from."""

import json
import os
from pathlib import Path

import pytest

from wherefrom import errors, signers
from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.notes import ML_DSA_44_COSIGNATURE, SigningKey, format_verifier_key
from wherefrom.signers import encrypt_key, files, open_signer, passphrases, read_verifier_key, sealed, write_key

CASES = json.loads((Path(__file__).parents[2] / "vectors/signers/key-files.json").read_text())["cases"]
KEY = SigningKey("example.com/log", bytes(32))
WORDS = "correct horse"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """As in a new process that nobody told a passphrase, and with a seal that is quick to make."""
    monkeypatch.setattr(files, "_OPENED", {})
    monkeypatch.setattr(passphrases._Source, "ask", None)
    monkeypatch.setattr(passphrases._Source, "from_descriptor", None)
    monkeypatch.delenv(passphrases.FILE, raising=False)
    monkeypatch.delenv(passphrases.DESCRIPTOR, raising=False)
    monkeypatch.setattr(sealed.seal_key, "__kwdefaults__", {"log_n": 10})


def keep(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, newline="")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["desc"])
def test_key_files_open_as_the_vectors_say(case, tmp_path):
    signers.ask_with(lambda what: case["passphrase"])
    path = keep(tmp_path / "key", case["file"])
    if isinstance(case["want"], str):
        signer = open_signer(path)
        assert format_verifier_key(signer.verifier_key) == case["want"]
        signer.verifier_key.verify(b"message", signer.sign(b"message"))
        assert format_verifier_key(read_verifier_key(path)) == case["want"]
    else:
        with pytest.raises(getattr(errors, case["want"]["error"])) as caught:
            open_signer(path)
        assert case["want"]["says"] in str(caught.value)


@pytest.mark.parametrize("key", [KEY, SigningKey("example.com/log", bytes(32), ML_DSA_44_COSIGNATURE)])
def test_a_sealed_key_comes_back_and_its_file_does_not_hold_the_secret(key, tmp_path):
    path = tmp_path / "key"
    write_key(path, key, passphrase=WORDS)
    assert path.stat().st_mode & 0o777 == 0o600
    signers.ask_with(lambda what: "correct horse")
    assert open_signer(path) == key
    assert "PRIVATE" not in path.read_text()


def test_any_byte_of_a_sealed_key_changed_is_noticed(tmp_path):
    signers.ask_with(lambda what: "correct horse")
    text = sealed.seal_key(KEY, "correct horse").encode()
    for position in range(len(text)):
        changed = text[:position] + bytes([text[position] ^ 1]) + text[position + 1 :]
        with pytest.raises((FormatError, UnavailableError)):
            open_signer(keep(tmp_path / f"key-{position}", changed.decode("latin-1")))


def test_a_plain_key_that_others_may_read_is_refused_and_a_sealed_one_is_not(tmp_path):
    write_key(tmp_path / "plain", KEY)
    assert open_signer(tmp_path / "plain") == KEY
    for mode in (0o640, 0o604, 0o620, 0o602):
        (tmp_path / "plain").chmod(mode)
        with pytest.raises(UnavailableError, match=rf"can be read or written by others \(mode 0{mode:o}\)") as caught:
            open_signer(tmp_path / "plain")
        assert caught.value.hint == f"chmod 600 {tmp_path / 'plain'}"
    write_key(tmp_path / "sealed", KEY, passphrase=WORDS)
    (tmp_path / "sealed").chmod(0o644)
    signers.ask_with(lambda what: "correct horse")
    assert open_signer(tmp_path / "sealed") == KEY


def test_a_pin_in_a_device_file_makes_it_a_secret(tmp_path):
    uri = "pkcs11:object=log?module-path=/nowhere.so&pin-value=1234"
    path = keep(tmp_path / "key", f"{format_verifier_key(KEY.verifier_key)}\n{uri}\n", 0o644)
    with pytest.raises(UnavailableError, match="can be read or written by others"):
        open_signer(path)


def test_files_that_are_missing_large_or_no_text_are_refused_by_name(tmp_path):
    with pytest.raises(NotFoundError, match="no key file"):
        open_signer(tmp_path / "missing")
    with pytest.raises(FormatError, match="more than 16384 bytes"):
        open_signer(keep(tmp_path / "large", "x" * 16385))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="is not UTF-8"):
        open_signer(tmp_path / "binary")


def test_a_key_file_is_never_overwritten(tmp_path):
    write_key(tmp_path / "key", KEY)
    with pytest.raises(ConflictError, match="already"):
        write_key(tmp_path / "key", SigningKey.generate("example.com/other"))
    assert open_signer(tmp_path / "key") == KEY


def test_encrypting_replaces_the_file_and_a_second_time_changes_the_passphrase(tmp_path):
    path = tmp_path / "key"
    write_key(path, KEY)
    encrypt_key(path, "first")
    signers.ask_with(lambda what: "first")
    assert open_signer(path) == KEY
    encrypt_key(path, "second")
    with pytest.raises(UnavailableError, match="does not open"):
        open_signer(path)
    signers.ask_with(lambda what: "second")
    assert open_signer(path) == KEY
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


def test_a_person_is_asked_once_for_each_file(tmp_path):
    asked = []
    write_key(tmp_path / "key", KEY, passphrase=WORDS)
    signers.ask_with(lambda what: asked.append(what) or "correct horse")
    assert open_signer(tmp_path / "key") is open_signer(tmp_path / "key")
    assert asked == [f"key {KEY.verifier_key.label}"]


def test_without_anybody_to_ask_a_sealed_key_says_where_passphrases_come_from(tmp_path):
    write_key(tmp_path / "key", KEY, passphrase=WORDS)
    with pytest.raises(UnavailableError, match="needs a passphrase, and nobody is here to ask") as caught:
        open_signer(tmp_path / "key")
    assert "WHEREFROM_PASSPHRASE_FILE" in caught.value.hint
    assert read_verifier_key(tmp_path / "key") == KEY.verifier_key


def test_the_passphrase_comes_from_a_file(tmp_path, monkeypatch):
    write_key(tmp_path / "key", KEY, passphrase=WORDS)
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FILE", str(tmp_path / "pass"))
    with pytest.raises(UnavailableError, match="No such file"):
        open_signer(tmp_path / "key")
    for bad in (b"", b"\n", b"a\nb\n", b"x" * 4097, b"\xff"):
        (tmp_path / "pass").write_bytes(bad)
        with pytest.raises(UnavailableError, match="the passphrase from"):
            open_signer(tmp_path / "key")
    (tmp_path / "pass").write_text("correct horse\n")
    assert open_signer(tmp_path / "key") == KEY


def test_the_passphrase_comes_from_a_file_descriptor_read_once(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_key(tmp_path / name, KEY, passphrase=WORDS)
    read, write = os.pipe()
    os.write(write, b"correct horse\n")
    os.close(write)
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FD", str(read))
    assert open_signer(tmp_path / "a") == open_signer(tmp_path / "b") == KEY


@pytest.mark.parametrize("number", ["9999", "x"])
def test_a_file_descriptor_that_is_not_open_is_named(number, tmp_path, monkeypatch):
    write_key(tmp_path / "key", KEY, passphrase=WORDS)
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FD", number)
    with pytest.raises(UnavailableError, match=f"WHEREFROM_PASSPHRASE_FD={number}"):
        open_signer(tmp_path / "key")


def test_no_error_and_no_repr_shows_the_secret(tmp_path):
    signers.ask_with(lambda what: "correct horse battery")
    text = sealed.seal_key(KEY, "another")
    with pytest.raises(UnavailableError) as caught:
        open_signer(keep(tmp_path / "key", text))
    assert "battery" not in repr(caught.value) + str(caught.value.__cause__)
    assert text.split("\n")[3] not in repr(sealed.parse_sealed_key(text))
