"""Make tests/vectors/oms/model-signing.json with the real `model-signing` package, from an environment that has it.

    VENV/bin/python tests/reference/make_oms.py

The keys are thrown away, so each run gives other signatures over the same manifests.
"""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VECTORS = Path(__file__).parents[1] / "vectors" / "oms" / "model-signing.json"
FILES = {
    "a.txt": b"alpha",
    "sub/b.txt": b"beta",
    "sub-1": b"by parts of paths after sub/b.txt, by code points before",
    "empty": b"",
    ".hidden": b"h",
    "caf\u00e9.bin": b"not ASCII",
    "sub/.gitignore": b"not at the top: signed",
    ".git/HEAD": b"ignored",
    ".gitignore": b"ignored",
    "notes.md": b"ignored on demand",
}
NOT_BEFORE, NOT_AFTER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)


def pem_of(public) -> bytes:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def write_key(key, path: Path) -> None:
    plain = serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


def certify(key, name: str, issuer=None, *, is_authority: bool) -> x509.Certificate:
    """A certificate by `issuer` (key, certificate), or by itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by_key, by = issuer or (key, None)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), critical=False)
    )
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(by_key, hashes.SHA256())


def sign(folder: Path, model: str, *arguments: str) -> dict:
    command = [sys.executable, "-m", "model_signing", "sign", *arguments, "--signature", "model.sig", model]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return json.loads((folder / "model.sig").read_bytes())


def main() -> None:
    cases = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, content in FILES.items():
            (folder / "model" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "model" / name).write_bytes(content)
        ignore = ("--ignore-paths", "model/notes.md")
        for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()):
            key = ec.generate_private_key(curve)
            write_key(key, folder / "key.pem")
            bundle = sign(folder, "model", "key", "--private_key", "key.pem", *ignore)
            cases.append({"desc": f"folder, {curve.name}", "key": pem_of(key.public_key()).decode(), "bundle": bundle})
        bundle = sign(folder, "model/a.txt", "key", "--private_key", "key.pem")
        cases.append({"desc": "single file", "key": pem_of(key.public_key()).decode(), "bundle": bundle})
        root_key, middle_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        root = certify(root_key, "root", is_authority=True)
        middle = certify(middle_key, "middle", (root_key, root), is_authority=True)
        leaf = certify(key, "signer", (middle_key, middle), is_authority=False)
        write_key(key, folder / "key.pem")
        for name, certificate in (("leaf", leaf), ("middle", middle)):
            (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        certificates = ("--signing_certificate", "leaf.pem", "--certificate_chain", "middle.pem")
        bundle = sign(folder, "model", "certificate", "--private_key", "key.pem", *certificates, *ignore)
        roots = root.public_bytes(serialization.Encoding.PEM).decode()
        cases.append({"desc": "folder, certificate", "roots": roots, "bundle": bundle})
    vectors = {
        "source": f"model-signing {version('model-signing')}",
        "files": {name: content.hex() for name, content in FILES.items()},
        "cases": cases,
    }
    VECTORS.parent.mkdir(exist_ok=True)
    VECTORS.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
