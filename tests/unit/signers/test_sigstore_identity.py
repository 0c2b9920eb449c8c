"""Identities on sigstore's word, with bundles and the root that sigstore published, and no network."""

import json
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from wherefrom.errors import FormatError, UnavailableError, VerificationError
from wherefrom.notes import SigningKey
from wherefrom.signers import identity_message, verify_identity

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/signers/sigstore-conformance.json").read_text())
BUNDLES = {bundle["desc"]: bundle for bundle in VECTORS["bundles"]}
GOOD = BUNDLES["happy-path-v0.3"]["bundle"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    pytest.importorskip("sigstore", reason="needs sigstore")

    def refuse(*args):
        raise AssertionError("it must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("root") / "trusted_root.json"
    path.write_text(VECTORS["trusted_root"])
    return path


def check(bundle: str | bytes = GOOD, message: str = VECTORS["artifact"], **changes) -> None:
    given = {"identity": VECTORS["identity"], "issuer": VECTORS["issuer"], **changes}
    verify_identity(bundle, message.encode(), **given)


@pytest.mark.parametrize("bundle", VECTORS["bundles"], ids=lambda bundle: bundle["desc"])
def test_published_bundles_hold_or_not_as_their_publisher_says(bundle, root):
    if bundle["want"] == "ok":
        check(bundle["bundle"], trusted_root=root)
    else:
        with pytest.raises((VerificationError, FormatError)):
            check(bundle["bundle"], trusted_root=root)


def test_the_root_of_the_installed_library_is_enough(tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    check()


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"identity": "mallory@example.com"}, VerificationError, "does not show mallory@example.com"),
        ({"issuer": "https://accounts.example.com"}, VerificationError, "(https://accounts.example.com)"),
        ({"message": VECTORS["artifact"] + " "}, VerificationError, "does not show"),
        ({"identity": ""}, FormatError, "name both the identity and the issuer"),
        ({"issuer": ""}, FormatError, "name both the identity and the issuer"),
        ({"bundle": b"\xff"}, FormatError, "sigstore bundle"),
        ({"bundle": "{}"}, FormatError, "sigstore bundle"),
        ({"bundle": "[" * 65536}, FormatError, "sigstore bundle"),
        ({"bundle": "x" * 65537}, FormatError, "has 65537 bytes, expected at most 65536"),
    ],
)
def test_another_identity_issuer_or_message_is_refused(changes, error, says, root):
    with pytest.raises(error) as caught:
        check(trusted_root=root, **changes)
    assert says in str(caught.value)


def test_every_part_of_a_bundle_counts(root):
    """Each text of the bundle, changed alone, breaks it; those listed have no bearing on who signed what."""
    harmless = set()

    def walk(value, path):
        if isinstance(value, dict):
            for key in value:
                yield from walk(value[key], [*path, key])
        elif isinstance(value, list):
            for position, item in enumerate(value):
                yield from walk(item, [*path, position])
        elif isinstance(value, str) and len(value) > 8:
            yield path

    for path in walk(json.loads(GOOD), []):
        changed = json.loads(GOOD)
        place = changed
        for key in path[:-1]:
            place = place[key]
        text, middle = place[path[-1]], len(place[path[-1]]) // 2
        place[path[-1]] = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
        try:
            check(json.dumps(changed), trusted_root=root)
        except (VerificationError, FormatError, UnavailableError):
            continue
        harmless.add("/".join(map(str, path)))
    assert harmless <= HARMLESS


# Its middle falls on the signer's name in the signature line; the library goes by the key's hint beside it.
HARMLESS = {"verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope"}


def test_a_root_that_is_missing_or_no_root_is_named(tmp_path):
    with pytest.raises(UnavailableError, match=r"trusted root .*missing: No such file"):
        check(trusted_root=tmp_path / "missing")
    (tmp_path / "root").write_text("{}")
    with pytest.raises(FormatError, match="sigstore trusted root"):
        check(trusted_root=tmp_path / "root")


def test_what_is_signed_is_the_key_as_text_with_a_newline():
    assert identity_message(SigningKey("example.com/p", bytes(32)).verifier_key).startswith(b"example.com/p+")
    assert identity_message(SigningKey("example.com/p", bytes(32)).verifier_key).endswith(
        b"+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop\n"
    )


def test_without_the_extra_it_is_named():
    code = """
        import sys
        sys.modules["sigstore"] = None
        from wherefrom.errors import UnavailableError
        from wherefrom.signers import verify_identity
        try:
            verify_identity("{}", b"", identity="a", issuer="b")
        except UnavailableError as error:
            print(error, error.hint)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=120
    )
    assert "need an extra: wherefrom[sigstore] pip install 'wherefrom[sigstore]'" in done.stdout, done.stderr
