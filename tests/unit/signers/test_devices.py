"""Keys in devices: PKCS#11 URIs, plugins, and that a device's word is not taken for a signature."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.notes import SigningKey, format_verifier_key
from wherefrom.signers import files, open_device, open_signer, write_device_key
from wherefrom.signers.devices import DeviceSigner
from wherefrom.signers.pkcs11_uri import parse_pkcs11_uri

URIS = json.loads((Path(__file__).parents[2] / "vectors/signers/pkcs11-uris.json").read_text())["cases"]
KEY = SigningKey("example.com/log", bytes(32))
PLUGIN = """
from wherefrom.notes import SigningKey


class Broken(Exception):
    pass


class Key:
    def __init__(self, name, seed, how):
        self._key, self._how = SigningKey(name, seed), how

    @property
    def verifier_key(self):
        return self._key.verifier_key

    def sign(self, message):
        if self._how == "broken":
            raise Broken("no connection")
        return SigningKey("x", b"1" * 32).sign(message) if self._how == "wrong" else self._key.sign(message)


def open_key(uri, name):
    how = uri.partition(":")[2]
    if how == "unreachable":
        raise Broken("no such host")
    return Key("someone-else" if how == "renamed" else name, bytes(32), how)
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package with an entry point, installed as any other: a folder on the path with its metadata."""
    site = tmp_path / "site"
    info = site / "toy_signers-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toy_signers.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-signers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wherefrom.signers]\ntoy = toy_signers:open_key\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(files, "_OPENED", {})
    yield
    sys.modules.pop("toy_signers", None)


@pytest.mark.parametrize("case", URIS, ids=lambda case: case["desc"])
def test_pkcs11_uris_are_read_as_the_vectors_say(case):
    if "error" in case["want"]:
        with pytest.raises(FormatError) as caught:
            parse_pkcs11_uri(case["uri"])
        assert case["want"]["error"] in str(caught.value)
        assert "1234" not in str(caught.value)
        return
    read = parse_pkcs11_uri(case["uri"])
    fields = {"module": str(read.module), "token": read.token, "serial": read.serial, "model": read.model}
    fields |= {"manufacturer": read.manufacturer, "slot": read.slot_id, "object": read.label, "pin": read.pin}
    fields |= {"id": read.id and read.id.hex(), "pinSource": read.pin_source and str(read.pin_source)}
    assert {k: v for k, v in fields.items() if v is not None} == case["want"]
    assert "1234" not in repr(read)


@given(st.text(max_size=200))
def test_no_text_makes_the_uri_reader_fail_in_another_way(text):
    for uri in (text, f"pkcs11:{text}", f"pkcs11:object=x?module-path=/m{text}"):
        try:
            parse_pkcs11_uri(uri)
        except FormatError:
            continue


@pytest.mark.usefixtures("plugin")
def test_a_plugin_s_key_signs_and_its_file_says_which_it_is(tmp_path):
    key = open_device("toy:good", "example.com/log").verifier_key
    assert key == KEY.verifier_key
    write_device_key(tmp_path / "key", key, "toy:good")
    signer = open_signer(tmp_path / "key")
    key.verify(b"message", signer.sign(b"message"))
    assert (tmp_path / "key").read_text() == f"{format_verifier_key(key)}\ntoy:good\n"


@pytest.mark.usefixtures("plugin")
def test_a_device_that_holds_another_key_than_its_file_says_is_noticed(tmp_path):
    write_device_key(tmp_path / "key", SigningKey("example.com/log", b"1" * 32).verifier_key, "toy:good")
    with pytest.raises(UnavailableError, match=r"toy holds example\.com/log\+\w{8}, expected example\.com/log\+"):
        open_signer(tmp_path / "key")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("toy:wrong", "toy signed with another key than example.com/log"),
        ("toy:broken", "no connection"),
        ("toy:unreachable", "no such host"),
        ("toy:renamed", "the key is called 'someone-else', expected 'example.com/log'"),
        ("nobodys:x", "keys of scheme 'nobodys' are not known here; known: pkcs11, toy"),
    ],
)
def test_a_device_that_does_not_do_as_it_should_is_unavailable(uri, says):
    with pytest.raises(UnavailableError) as caught:
        open_device(uri, "example.com/log").sign(b"message")
    assert says in str(caught.value)


def test_a_signature_of_the_wrong_length_never_leaves_the_device():
    class Short:
        verifier_key = KEY.verifier_key

        def sign(self, message: bytes) -> bytes:
            return KEY.sign(message)[:63]

    with pytest.raises(UnavailableError, match="signed with another key"):
        DeviceSigner(KEY.verifier_key, Short(), "toy").sign(b"message")


@pytest.mark.parametrize("uri", ["", "log", "pkcs11:", "PKCS11:object=x", "x:a b", "x:" + "y" * 4096, "é:x", "x:é"])
def test_what_is_no_uri_is_refused(uri):
    with pytest.raises(FormatError):
        open_device(uri, "example.com/log")
