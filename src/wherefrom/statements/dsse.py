"""DSSE envelopes: a payload, its type, and signatures over both, by Ed25519 or ML-DSA-44.

Source: secure-systems-lab/dsse, protocol.md v1.0.2. We write the JSON canonically and with standard base64, and refuse
any other encoding of the same envelope, so that an envelope has one digest.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wherefrom.errors import FormatError, SignatureError
from wherefrom.strict import Fields, format_text, parse_json, verify_canonical

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 16
SIGNATURE_SIZES = (
    64,
    2420,
)  # Ed25519 (RFC 8032), ML-DSA-44 (FIPS 204); which of them, the key says, never the envelope


class Signer(Protocol):
    """Holds a private key; `sign` gives a raw signature, 64 bytes (Ed25519) or 2420 (ML-DSA-44, empty context)."""

    def sign(self, message: bytes, /) -> bytes: ...


class Verifier(Protocol):
    """Holds a public key; `verify` returns nothing, or raises SignatureError."""

    def verify(self, message: bytes, signature: bytes, /) -> None: ...


@dataclass(frozen=True)
class Signature:
    """`key_id` is a hint which key to try; only a verified signature says who signed."""

    key_id: str
    signature: bytes


@dataclass(frozen=True)
class Envelope:
    payload: bytes
    signatures: tuple[Signature, ...]
    payload_type: str = PAYLOAD_TYPE


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: `DSSEv1 <length> <type> <length> <payload>`."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload: bytes, signers: Mapping[str, Signer]) -> Envelope:
    """Sign an in-toto payload with each signer (key id to key), in order."""
    message = pre_authentication(PAYLOAD_TYPE, payload)
    return Envelope(payload, tuple(Signature(key_id, signer.sign(message)) for key_id, signer in signers.items()))


def verify_envelope(envelope: Envelope, verifiers: Mapping[str, Verifier]) -> list[str]:
    """Check every signature by a key in `verifiers` (key id to key), and return the ids of the keys that signed.

    Raises SignatureError when a known key's signature is wrong, or when no known key signed.
    """
    message = pre_authentication(envelope.payload_type, envelope.payload)
    signed = []
    for signature in envelope.signatures:
        if verifier := verifiers.get(signature.key_id):
            try:
                verifier.verify(message, signature.signature)
            except SignatureError as error:
                raise SignatureError(f"the signature by {signature.key_id} does not fit the payload") from error
            signed.append(signature.key_id)
    if not signed:
        seen = ", ".join(signature.key_id for signature in envelope.signatures) or "none"
        raise SignatureError(f"no signature by a known key: signed by {seen}; known: {', '.join(verifiers) or 'none'}")
    return signed


def format_envelope(envelope: Envelope) -> bytes:
    """The canonical JSON of `to_json`, put together from its parts: encoding the whole takes three times as long."""
    signatures = b",".join(
        b'{"keyid":%b,"sig":"%b"}' % (format_text(s.key_id), base64.b64encode(s.signature)) for s in envelope.signatures
    )
    payload, payload_type = base64.b64encode(envelope.payload), format_text(envelope.payload_type)
    return b'{"payload":"%b","payloadType":%b,"signatures":[%b]}' % (payload, payload_type, signatures)


def to_json(envelope: Envelope) -> dict[str, Any]:
    return {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [{"keyid": s.key_id, "sig": base64.b64encode(s.signature).decode()} for s in envelope.signatures],
    }


def parse_envelope(data: bytes) -> Envelope:
    """Read canonical envelope bytes. Raises FormatError with the JSON path."""
    value = parse_json(data, what="envelope")
    envelope = from_json(value, what="envelope")
    verify_canonical(data, value, what="envelope")
    return envelope


def from_json(value: Any, *, what: str, path: str = "$") -> Envelope:
    fields = Fields.of(value, what=what, path=path).only("payload", "payloadType", "signatures")
    fields.literal("payloadType", PAYLOAD_TYPE)
    signatures = []
    for item in fields.objects("signatures"):
        item.only("keyid", "sig")
        signature = decode_base64(item, "sig")
        if len(signature) not in SIGNATURE_SIZES:
            item.fail("sig", f"has {len(signature)} bytes, an Ed25519 signature has 64, one by ML-DSA-44 has 2420")
        signatures.append(Signature(item.text("keyid"), signature))
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        fields.fail("signatures", f"has {len(signatures)} members, expected 1 to {MAX_SIGNATURES}")
    return Envelope(decode_base64(fields, "payload"), tuple(signatures))


def decode_base64(fields: Fields, key: str) -> bytes:
    """Standard base64 with padding and no other spelling of the same bytes."""
    text = fields.text(key, least=0)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"{fields.what}: {fields.path}.{key}: not standard base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        fields.fail(key, "is base64 with stray bits at its end")
    return data
