"""Sigstore bundles as OMS uses them: an envelope, and what is needed to check its signature.

Source: ossf/model-signing-spec, spec/v1.0.md section 4 and schemas/v1.0/bundle.schema.json; sigstore/protobuf-specs,
sigstore_bundle.proto.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from wherefrom.errors import FormatError
from wherefrom.statements.dsse import PAYLOAD_TYPE, decode_base64
from wherefrom.strict import Fields, parse_json

_MEDIA_TYPES: Final = (
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
)
_METHODS: Final = ("publicKey", "x509CertificateChain", "certificate")


@dataclass(frozen=True)
class KeyHint:
    """Signed with a key that the verifier has; unsigned, so a help to find it and nothing else."""

    hint: str
    """Hex SHA-256 of the key in PEM, as the `model-signing` package has it; empty in bundles before version 1.1."""


@dataclass(frozen=True)
class CertificateChain:
    """Signed with the key of the first certificate; the others lead from it to a root."""

    leaf: x509.Certificate
    others: tuple[x509.Certificate, ...]


@dataclass(frozen=True)
class Keyless:
    """Signed with a certificate of minutes, witnessed by a Sigstore transparency log."""


@dataclass(frozen=True)
class OmsBundle:
    payload: bytes
    """The in-toto statement, for `parse_manifest`."""
    signature: bytes
    material: KeyHint | CertificateChain | Keyless


def parse_bundle(data: bytes) -> OmsBundle:
    """Read a bundle. Raises FormatError with the JSON path."""
    fields = Fields.of(parse_json(data, what="bundle"), what="bundle")
    fields.literal("mediaType", *_MEDIA_TYPES)
    envelope = fields.object("dsseEnvelope")
    envelope.literal("payloadType", PAYLOAD_TYPE)
    signatures = list(envelope.objects("signatures"))
    if len(signatures) != 1:
        envelope.fail("signatures", f"has {len(signatures)} members, expected 1")
    signature = decode_base64(signatures[0], "sig")
    return OmsBundle(decode_base64(envelope, "payload"), signature, _parse_material(fields))


def _parse_material(fields: Fields) -> KeyHint | CertificateChain | Keyless:
    material = fields.object("verificationMaterial")
    methods = [method for method in _METHODS if method in material]
    if len(methods) != 1:
        fields.fail(
            "verificationMaterial", f"has {' and '.join(methods) or 'none'} of {', '.join(_METHODS)}, expected one"
        )
    if "publicKey" in methods:
        key = material.object("publicKey")
        return KeyHint(key.text("hint") if key.value.get("hint") is not None else "")
    if "certificate" in methods:
        if not list(material.objects("tlogEntries")):
            material.fail("tlogEntries", "is empty, expected an entry of a transparency log")
        return Keyless()
    certificates = [
        _parse_certificate(item) for item in material.object("x509CertificateChain").objects("certificates")
    ]
    if not certificates:
        material.fail("x509CertificateChain", "has no certificates")
    return CertificateChain(certificates[0], tuple(certificates[1:]))


def _parse_certificate(item: Fields) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(b64decode(item.text("rawBytes"), validate=True))
        # The parts are read when they are asked for: what is wrong with them is to be found here.
        _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key()
    except (binascii.Error, ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise FormatError(f"bundle: {item.path}.rawBytes: no certificate in base64 of DER: {error}") from error
    return certificate
