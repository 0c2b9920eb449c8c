"""OpenSSF Model Signing, against bundles and with the real `model-signing` package (tests/reference/make_oms.py)."""

import base64
import copy
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from tests.reference.make_oms import certify

from wherefrom.errors import FormatError, MismatchError
from wherefrom.fingerprints import FileEntry, read_file_entries
from wherefrom.fingerprints.oms import (
    CertificateRoots,
    PublicKey,
    oms_manifest,
    parse_bundle,
    parse_manifest,
    read_manifest,
    verify_folder,
)
from wherefrom.statements.dsse import PAYLOAD_TYPE, pre_authentication
from wherefrom.verify import Outcome

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "oms" / "model-signing.json").read_bytes())
CASES = {case["desc"]: case for case in VECTORS["cases"]}
FOLDERS = [name for name in CASES if name.startswith("folder")]
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def model(tmp_path):
    for name, content in VECTORS["files"].items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(bytes.fromhex(content))
    return tmp_path / "model"


def trusted(case):
    if "roots" in case:
        return CertificateRoots.from_pem(case["roots"].encode())
    return PublicKey.from_pem(case["key"].encode())


def statement_of(bundle):
    return json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))


def verify(bundle, path, **options):
    return verify_folder(json.dumps(bundle).encode(), path, **options)


def outcomes(verdict):
    return {finding.claim: finding.outcome.value for finding in verdict.findings}


def message(verdict, claim):
    return next(finding.message for finding in verdict.findings if finding.claim == claim)


def pem_of(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(statement, key=KEY, algorithm=None, indent=None):
    """A bundle as the specification has it, written without the package."""
    payload = json.dumps(statement, indent=indent).encode()
    signature = key.sign(pre_authentication(PAYLOAD_TYPE, payload), ec.ECDSA(algorithm or hashes.SHA256()))
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hashlib.sha256(pem_of(key)).hexdigest()}},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode()}],
        },
    }


def by_key(key=KEY):
    return PublicKey.from_pem(pem_of(key))


@pytest.mark.parametrize("desc", FOLDERS)
def test_a_folder_that_the_package_signed_is_true(desc, model):
    verdict = verify(CASES[desc]["bundle"], model, trusted=trusted(CASES[desc]))
    assert outcomes(verdict) == {"signature": "true", "manifest": "true", "files": "true"}
    assert verdict.outcome is Outcome.TRUE
    assert (verdict.missing, verdict.added, verdict.changed) == ((), (), ())
    assert verdict.remarks == ["not covered by the signature: '.git', '.gitignore', 'notes.md'"]


def test_a_single_file_that_the_package_signed_is_true_whatever_it_is_called(model):
    case = CASES["single file"]
    assert verify(case["bundle"], model / "a.txt", trusted=trusted(case)).outcome is Outcome.TRUE
    (model / "a.txt").rename(model / "b.txt")
    assert verify(case["bundle"], model / "b.txt", trusted=trusted(case)).outcome is Outcome.TRUE
    (model / "b.txt").write_bytes(b"ALPHA")
    verdict = verify(case["bundle"], model / "b.txt", trusted=trusted(case))
    assert (verdict.outcome, verdict.changed) == (Outcome.FALSE, (".",))


@pytest.mark.parametrize("desc", FOLDERS)
def test_manifests_say_what_those_of_the_package_say(desc, model):
    theirs = statement_of(CASES[desc]["bundle"])
    ours = oms_manifest(read_file_entries(model), name="model", ignore_paths=["notes.md"])
    assert ours == read_manifest(model, ignore_paths=["notes.md"])
    # The package sorts by parts of paths, the specification by code points, which gives the digest of the whole.
    resources = theirs["predicate"]["resources"]
    assert [r["name"] for r in resources][-2:] == ["sub/b.txt", "sub-1"]
    resources.sort(key=lambda resource: resource["name"])
    digests = b"".join(bytes.fromhex(resource["digest"]) for resource in resources)
    theirs["subject"][0]["digest"]["sha256"] = hashlib.sha256(digests).hexdigest()
    theirs["predicate"]["serialization"]["ignore_paths"].sort()
    assert ours == theirs


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda model: (model / "a.txt").write_bytes(b"alphA"), ((), (), ("a.txt",))),
        (lambda model: (model / "sub" / "b.txt").unlink(), (("sub/b.txt",), (), ())),
        (lambda model: (model / "new").touch(), ((), ("new",), ())),
        (lambda model: (model / "empty").rename(model / "EMPTY"), (("empty",), ("EMPTY",), ())),
        (lambda model: (model / "sub" / "b.txt").replace(model / "a.txt"), (("sub/b.txt",), (), ("a.txt",))),
    ],
)
@pytest.mark.parametrize("desc", [FOLDERS[0], "folder, certificate"])
def test_what_is_missing_added_or_changed_is_named(desc, model, change, found):
    change(model)
    verdict = verify(CASES[desc]["bundle"], model, trusted=trusted(CASES[desc]))
    assert outcomes(verdict) == {"signature": "true", "manifest": "true", "files": "false"}
    assert (verdict.missing, verdict.added, verdict.changed) == found
    assert all(repr(path) in message(verdict, "files") for paths in found for path in paths)


def test_what_was_ignored_may_change(model):
    for name in (".git/HEAD", ".gitignore", "notes.md"):
        (model / name).write_bytes(b"something else")
    (model / ".git" / "new").touch()
    case = CASES[FOLDERS[0]]
    assert verify(case["bundle"], model, trusted=trusted(case)).outcome is Outcome.TRUE
    # Ignored at the top of the folder only, not below.
    (model / "sub" / ".gitignore").write_bytes(b"something else")
    assert verify(case["bundle"], model, trusted=trusted(case)).changed == ("sub/.gitignore",)


def test_the_signature_in_the_folder_is_left_out(model):
    case = CASES[FOLDERS[0]]
    (model / "other.sig").write_text(json.dumps(case["bundle"]))
    verdict = verify(case["bundle"], model, trusted=trusted(case), signature=model / "other.sig")
    assert verdict.outcome is Outcome.TRUE
    assert "other.sig" not in verdict.remarks[0]
    assert verify(case["bundle"], model, trusted=trusted(case)).added == ("other.sig",)
    assert (
        "other.sig" in read_manifest(model, signature=model / "other.sig")["predicate"]["serialization"]["ignore_paths"]
    )


def test_files_that_were_not_signed_can_be_allowed_and_are_told(model):
    (model / "new").touch()
    case = CASES[FOLDERS[0]]
    verdict = verify(case["bundle"], model, trusted=trusted(case), ignore_unsigned=True)
    assert verdict.outcome is Outcome.TRUE
    assert verdict.remarks[0] == "not signed: 'new'"
    (model / "a.txt").unlink()
    assert verify(case["bundle"], model, trusted=trusted(case), ignore_unsigned=True).outcome is Outcome.FALSE


def test_paths_to_leave_out_hide_no_signed_file(model):
    case = CASES[FOLDERS[0]]
    (model / "new").touch()
    assert verify(case["bundle"], model, trusted=trusted(case), ignore_paths=["new"]).outcome is Outcome.TRUE
    verdict = verify(case["bundle"], model, trusted=trusted(case), ignore_paths=["new", "a.txt"])
    assert (verdict.outcome, verdict.missing) == (Outcome.FALSE, ("a.txt",))


@pytest.mark.parametrize("desc", FOLDERS)
def test_no_changed_bit_of_payload_or_signature_verifies(desc, model):
    case = CASES[desc]
    for member in ("payload", "sig"):
        data = bytearray(base64.b64decode(holder(case["bundle"], member)[member]))
        for position in (0, len(data) // 3, len(data) - 1):
            changed = copy.deepcopy(case["bundle"])
            flipped = bytes([*data[:position], data[position] ^ 1, *data[position + 1 :]])
            holder(changed, member)[member] = base64.b64encode(flipped).decode()
            assert outcomes(verify(changed, model, trusted=trusted(case))) == {"signature": "false"}


def holder(bundle, member):
    envelope = bundle["dsseEnvelope"]
    return envelope if member == "payload" else envelope["signatures"][0]


def test_another_key_is_false_and_both_are_named(model):
    case = CASES[FOLDERS[0]]
    verdict = verify(case["bundle"], model, trusted=by_key(OTHER))
    assert outcomes(verdict) == {"signature": "false"}
    assert verdict.manifest is None
    assert by_key(OTHER).hint in message(verdict, "signature")
    assert trusted(case).hint in message(verdict, "signature")


def test_other_roots_are_false(model):
    case = CASES["folder, certificate"]
    namesake = certify(OTHER, "root", is_authority=True)
    verdict = verify(case["bundle"], model, trusted=CertificateRoots((namesake,)))
    assert outcomes(verdict) == {"signature": "false"}
    without_middle = copy.deepcopy(case["bundle"])
    del without_middle["verificationMaterial"]["x509CertificateChain"]["certificates"][1:]
    verdict = verify(without_middle, model, trusted=trusted(case))
    assert outcomes(verdict) == {"signature": "false"}
    assert "does not lead to the given root certificates" in message(verdict, "signature")


def test_a_certificate_of_the_chain_that_is_not_made_for_signing_is_false(model):
    case = copy.deepcopy(CASES["folder, certificate"])
    del case["bundle"]["verificationMaterial"]["x509CertificateChain"]["certificates"][0]
    verdict = verify(case["bundle"], model, trusted=trusted(case))
    assert "CN=middle is not made for signing" in message(verdict, "signature")


def test_a_certificate_that_ended_can_not_be_checked_unless_the_time_is_given(model):
    case = CASES["folder, certificate"]
    leaf = parse_bundle(json.dumps(case["bundle"]).encode()).material.leaf
    late = verify(case["bundle"], model, trusted=trusted(case), at=leaf.not_valid_after_utc + timedelta(days=1))
    assert outcomes(late) == {"signature": "could not check", "manifest": "true", "files": "true"}
    assert "ended at 2046-01-01T00:00:00Z" in message(late, "signature")
    early = verify(case["bundle"], model, trusted=trusted(case), at=datetime(2025, 1, 1, tzinfo=UTC))
    assert outcomes(early) == {"signature": "false"}


@pytest.mark.parametrize(
    ("desc", "given", "says"),
    [
        (FOLDERS[0], None, "give its public key"),
        (FOLDERS[0], "folder, certificate", "give its public key"),
        ("folder, certificate", None, "give the root certificates"),
        ("folder, certificate", FOLDERS[0], "give the root certificates"),
    ],
)
def test_without_what_decides_the_signature_it_could_not_be_checked(desc, given, says, model):
    verdict = verify(CASES[desc]["bundle"], model, trusted=given and trusted(CASES[given]))
    assert outcomes(verdict) == {"signature": "could not check", "manifest": "true", "files": "true"}
    assert verdict.outcome is Outcome.UNCHECKED
    assert says in message(verdict, "signature")
    (model / "a.txt").write_bytes(b"?")
    assert verify(CASES[desc]["bundle"], model, trusted=None).outcome is Outcome.FALSE


def test_keyless_signatures_could_not_be_checked(model):
    bundle = sign(read_manifest(model))
    bundle["verificationMaterial"] = {"certificate": {"rawBytes": "AA=="}, "tlogEntries": [{"logIndex": "1"}]}
    verdict = verify(bundle, model, trusted=by_key())
    assert outcomes(verdict) == {"signature": "could not check", "manifest": "true", "files": "true"}
    assert "Sigstore" in message(verdict, "signature")


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
def test_the_hash_goes_with_the_curve(curve, model):
    key = ec.generate_private_key(curve())
    right = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.key_size]
    for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        verdict = verify(sign(read_manifest(model), key, algorithm), model, trusted=by_key(key))
        assert (verdict.outcome is Outcome.TRUE) == (algorithm.name == right.name)


def edited(model, edit):
    statement = read_manifest(model)
    edit(statement)
    return sign(statement)


def test_a_signed_manifest_that_contradicts_itself_is_false(model):
    bundle = edited(model, lambda s: s["subject"][0]["digest"].update(sha256=64 * "0"))
    assert outcomes(verify(bundle, model, trusted=by_key())) == {"signature": "true", "manifest": "false"}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"), "$._type"),
        (lambda s: s.update(predicateType="https://model_signing/Digests/v0.1"), "$.predicateType"),
        (lambda s: s["subject"].append(s["subject"][0]), "$.subject: has 2 members"),
        (lambda s: s["predicate"]["resources"].clear(), "is empty"),
        (lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]), "different names"),
        (lambda s: s["predicate"]["resources"][0].update(name="../a"), "'../a' is not a relative path"),
        (lambda s: s["predicate"]["resources"][0].update(name="/a"), "'/a' is not a relative path"),
        (lambda s: s["predicate"]["resources"][0].update(name="a//b"), "'a//b' is not a relative path"),
        (lambda s: s["predicate"]["resources"][0].update(digest="00"), "$.predicate.resources[0].digest"),
        (lambda s: s["predicate"]["resources"][0].update(algorithm="md5"), "$.predicate.resources[0].algorithm"),
        (lambda s: s["predicate"]["serialization"].update(hash_type="md5"), "$.predicate.serialization.hash_type"),
        (lambda s: s["predicate"]["serialization"].update(allow_symlinks="no"), "expected true or false"),
        (lambda s: s["predicate"]["serialization"].update(ignore_paths=["../.."]), "'../..' is not a relative path"),
        (lambda s: s["predicate"]["serialization"].update(ignore_paths=[1]), "has 1, expected text"),
        (lambda s: s["predicate"].pop("serialization"), "$.predicate.serialization: is missing"),
    ],
)
def test_manifests_that_are_none_could_not_be_checked(edit, says, model):
    verdict = verify(edited(model, edit), model, trusted=by_key())
    assert outcomes(verdict) == {"signature": "true", "manifest": "could not check"}
    assert says in message(verdict, "manifest")


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.9+json"), "$.mediaType"),
        (lambda b: b.pop("dsseEnvelope"), "$.dsseEnvelope: is missing"),
        (lambda b: b.update(verificationMaterial={}), "has none of publicKey"),
        (lambda b: b["verificationMaterial"].update(certificate={}), "publicKey and certificate"),
        (lambda b: b.update(verificationMaterial={"certificate": {}, "tlogEntries": []}), "tlogEntries: is empty"),
        (lambda b: b.update(verificationMaterial={"x509CertificateChain": {"certificates": []}}), "no certificates"),
        (
            lambda b: b.update(verificationMaterial={"x509CertificateChain": {"certificates": [{"rawBytes": "AAAA"}]}}),
            "certificates[0].rawBytes: no certificate",
        ),
        (lambda b: b["dsseEnvelope"].update(payloadType="text/plain"), "$.dsseEnvelope.payloadType"),
        (lambda b: b["dsseEnvelope"].update(payload="no base64"), "not standard base64"),
        (lambda b: b["dsseEnvelope"]["signatures"].append({"sig": "AA=="}), "has 2 members, expected 1"),
    ],
)
def test_bundles_that_are_none_could_not_be_checked(edit, says, model):
    bundle = sign(read_manifest(model))
    edit(bundle)
    verdict = verify(bundle, model, trusted=by_key())
    assert outcomes(verdict) == {"signature": "could not check"}
    assert says in message(verdict, "signature")
    assert outcomes(verify_folder(b"\x00", model, trusted=by_key())) == {"signature": "could not check"}


@pytest.mark.parametrize(
    "serialization", [{"method": "shards", "shard_size": 10}, {"hash_type": "blake3"}, {"hash_type": "blake2b"}]
)
def test_digests_of_other_kinds_could_not_be_checked(serialization, model):
    size = 128 if serialization.get("hash_type") == "blake2b" else 64
    resource = {"name": "a.txt:0:5", "digest": size * "0", "algorithm": serialization.get("hash_type", "sha256")}
    statement = read_manifest(model)
    statement["predicate"]["serialization"].update(serialization)
    statement["predicate"]["resources"] = [resource]
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(bytes(size // 2)).hexdigest()
    verdict = verify(sign(statement), model, trusted=by_key())
    assert outcomes(verdict) == {"signature": "true", "manifest": "true", "files": "could not check"}


def test_links_need_the_signers_leave(model):
    bundle = sign(read_manifest(model))
    (model / "a.txt").rename(model.parent / "elsewhere")
    (model / "a.txt").symlink_to("../elsewhere")
    verdict = verify(bundle, model, trusted=by_key())
    assert message(verdict, "files") == "link where the signer followed none: 'a.txt'"
    followed = read_manifest(model)
    assert followed["predicate"]["serialization"]["allow_symlinks"] is True
    assert verify(sign(followed), model, trusted=by_key()).outcome is Outcome.TRUE
    (model / "folder").symlink_to("sub")
    with pytest.raises(FormatError, match="folder' leads to a folder, for which a model signature has no form"):
        read_manifest(model)


def test_ours_are_true_and_fit_the_schemas_shape(model):
    bundle = sign(read_manifest(model, ignore_paths=["notes.md"]), indent=2)
    assert verify(bundle, model, trusted=by_key()).outcome is Outcome.TRUE
    manifest = parse_manifest(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    assert [resource.name for resource in manifest.resources] == sorted(
        resource.name for resource in manifest.resources
    )
    jsonschema.validate(statement_of(bundle), STATEMENT_SCHEMA)


# What schemas/v1.0/statement.schema.json and predicate.schema.json of the specification ask of a statement.
STATEMENT_SCHEMA = {
    "type": "object",
    "required": ["_type", "subject", "predicateType", "predicate"],
    "additionalProperties": False,
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "required": ["name", "digest"],
                "properties": {"digest": {"additionalProperties": {"type": "string", "pattern": "^[0-9a-f]+$"}}},
            },
        },
        "predicateType": {"const": "https://model_signing/signature/v1.0"},
        "predicate": {
            "required": ["resources", "serialization"],
            "additionalProperties": False,
            "properties": {
                "resources": {
                    "items": {
                        "required": ["name", "digest", "algorithm"],
                        "properties": {
                            "name": {"type": "string", "minLength": 1},
                            "digest": {"pattern": "^[0-9a-f]+$"},
                            "algorithm": {"enum": ["sha256", "blake2b", "blake3"]},
                        },
                    }
                },
                "serialization": {
                    "required": ["method", "hash_type", "allow_symlinks"],
                    "additionalProperties": False,
                    "properties": {
                        "method": {"const": "files"},
                        "hash_type": {"const": "sha256"},
                        "allow_symlinks": {"type": "boolean"},
                        "ignore_paths": {"type": "array", "items": {"type": "string", "minLength": 1}},
                    },
                },
            },
        },
    },
}


def test_a_manifest_is_named_like_the_folder_however_it_is_reached(model, monkeypatch):
    monkeypatch.chdir(model / "sub")
    for path in (model, f"{model}/", "..", "../../model"):
        assert read_manifest(path)["subject"][0]["name"] == "model"
    monkeypatch.chdir(model)
    assert read_manifest(".")["subject"][0]["name"] == "model"
    assert read_manifest("a.txt")["subject"][0]["name"] == "a.txt"
    assert read_manifest("a.txt")["predicate"]["resources"][0]["name"] == "a.txt"


def test_nothing_to_sign_and_paths_that_are_none_are_refused(tmp_path):
    entry = FileEntry(".git/HEAD", 0, hashlib.sha256().digest())
    with pytest.raises(FormatError, match="nothing to sign in 'model'"):
        oms_manifest([entry], name="model")
    for path in ("", "/a", "../a", "a/", "./a"):
        with pytest.raises(FormatError, match="path to ignore"):
            read_manifest(tmp_path, ignore_paths=[path])
        with pytest.raises(FormatError, match="path to ignore"):
            verify({}, tmp_path, trusted=None, ignore_paths=[path])


def test_keys_of_other_kinds_are_refused_by_name():
    for key, kind in (
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
    ):
        with pytest.raises(FormatError, match=f"is of kind {kind}, expected an elliptic curve key on P-256"):
            PublicKey.from_pem(pem_of(key))
    with pytest.raises(FormatError, match="no public key in PEM"):
        PublicKey.from_pem(b"key")
    with pytest.raises(FormatError, match="no certificates in PEM"):
        CertificateRoots.from_pem(b"roots")


def test_signatures_by_the_oldest_version_could_not_be_checked(model):
    statement = read_manifest(model) | {"predicateType": "https://model_signing/Digests/v0.1"}
    payload = json.dumps(statement).encode()
    bundle = sign(statement)
    # That version signed other bytes than DSSE has it.
    signature = KEY.sign(f"DSSEV1 {len(PAYLOAD_TYPE)} {payload}".encode(), ec.ECDSA(hashes.SHA256()))
    bundle["dsseEnvelope"]["signatures"] = [{"sig": base64.b64encode(signature).decode()}]
    verdict = verify(bundle, model, trusted=by_key())
    assert outcomes(verdict) == {"signature": "could not check", "manifest": "could not check"}
    assert "model-signing 0.2" in message(verdict, "signature")


def test_a_root_digest_over_other_digests_is_a_mismatch(model):
    statement = read_manifest(model)
    parse_manifest(json.dumps(statement).encode())
    statement["predicate"]["resources"].reverse()
    with pytest.raises(MismatchError, match="the resources hash to"):
        parse_manifest(json.dumps(statement).encode())


def package():
    """A Python that has `model-signing`: this one, or that of the environment that WHEREFROM_PEERS names."""
    if importlib.util.find_spec("model_signing"):
        return sys.executable
    python = Path(os.environ.get("WHEREFROM_PEERS", "/nowhere"), "bin", "python")
    if not python.exists():
        pytest.skip("model-signing is not installed: set WHEREFROM_PEERS to an environment that has it")
    return str(python)


def run_package(*arguments, cwd):
    command = [package(), "-m", "model_signing", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_the_package_verifies_our_manifest_and_we_its_bundle(model, tmp_path):
    (tmp_path / "key.pub").write_bytes(pem_of(KEY))
    plain = serialization.NoEncryption()
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "key.pem").write_bytes(pem)
    (model / "sub-1").unlink()  # the one that package and specification put in different places

    ours = read_manifest(model, signature=model / "model.sig", ignore_paths=["notes.md"])
    (model / "model.sig").write_text(json.dumps(sign(ours)))
    check = ("verify", "key", "--public_key", tmp_path / "key.pub", "--signature", model / "model.sig", model)
    done = run_package(*check, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (model / "a.txt").write_bytes(b"ALPHA")
    assert run_package(*check, cwd=tmp_path).returncode != 0
    (model / "a.txt").write_bytes(b"alpha")

    ignore = ("--ignore-paths", model / "notes.md", "--signature", model / "model.sig")
    done = run_package("sign", "key", "--private_key", tmp_path / "key.pem", *ignore, model, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    theirs = json.loads((model / "model.sig").read_bytes())
    assert verify(theirs, model, trusted=by_key()).outcome is Outcome.TRUE
    statement = statement_of(theirs)
    statement["predicate"]["serialization"]["ignore_paths"].sort()
    assert statement == ours
