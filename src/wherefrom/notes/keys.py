"""Keys of signed notes, and the texts in which they are handed around. Source: C2SP signed-note.

    example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k

is a verifier key ("vkey"): name, key id in hex, and base64 of a byte for the signature type followed by the public key.
The key id is the start of a hash over all the rest, so a mistyped key is noticed. It is no fingerprint: a collision of
four bytes is soon found, and gains nothing but a signature that fails.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wherefrom.errors import FormatError, SignatureError, UnavailableError
from wherefrom.notes.strict import format_base64, parse_base64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

ED25519: Final = 0x01
ED25519_COSIGNATURE: Final = 0x04
ML_DSA_44_COSIGNATURE: Final = 0x06
PUBLIC_KEY_SIZES: Final = {ED25519: 32, ED25519_COSIGNATURE: 32, ML_DSA_44_COSIGNATURE: 1312}
"""Bytes of the public key for each signature type that has a vkey."""

_ALGORITHMS: Final = {
    ED25519: ("Ed25519", 64),
    ED25519_COSIGNATURE: ("Ed25519", 64),
    ML_DSA_44_COSIGNATURE: ("ML-DSA-44", 2420),
}
_SEED_SIZE: Final = 32  # of Ed25519 (RFC 8032) and of ML-DSA (FIPS 204)
_PRIVATE_PREFIX: Final = "PRIVATE+KEY+"
_NOT_IN_NAMES: Final = re.compile("[\\s+\x00-\x1f\ud800-\udfff]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")


def is_key_name(text: str) -> bool:
    """Not empty, no Unicode space, no plus sign, no ASCII control character, and encodable as UTF-8."""
    return bool(text) and not _NOT_IN_NAMES.search(text)


class Signer(Protocol):
    """Holds a secret key: in memory as `SigningKey` does, or in a device, an agent or a service."""

    @property
    def verifier_key(self) -> VerifierKey: ...

    def sign(self, message: bytes, /) -> bytes:
        """The raw signature of exactly these bytes, as `verifier_key.verify` takes it: 64 bytes, for ML-DSA-44 2420.

        What a cosigner adds, a time and the framing of its message, is made around this, in `cosignature`. Raises
        UnavailableError where the key can't be reached.
        """


@dataclass(frozen=True)
class VerifierKey:
    """The public half of a key: who holds it is known by `name`, and `public` is its 32 bytes (1312 for ML-DSA-44).

    Raises FormatError: a name that no key may have, an unknown signature type, or the wrong number of bytes.
    """

    name: str
    key_type: int
    public: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.key_type not in PUBLIC_KEY_SIZES:
            known = ", ".join(f"{key_type:#04x}" for key_type in PUBLIC_KEY_SIZES)
            raise FormatError(f"verifier key {self.name!r} has signature type {self.key_type:#04x}; known: {known}")
        if len(self.public) != PUBLIC_KEY_SIZES[self.key_type]:
            raise FormatError(
                f"verifier key {self.name!r} of type {self.key_type:#04x} has {len(self.public)} bytes, "
                f"expected {PUBLIC_KEY_SIZES[self.key_type]}"
            )

    @cached_property
    def key_id(self) -> int:
        """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public), big-endian: 0 to 2**32 - 1."""
        return int.from_bytes(sha256(self.name.encode() + b"\n" + bytes([self.key_type]) + self.public).digest()[:4])

    @property
    def label(self) -> str:
        """`name+530d903a`: how messages and file names call the key."""
        return format_label(self.name, self.key_id)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a raw signature of exactly these bytes: Ed25519, 64 bytes, or ML-DSA-44, 2420 bytes.

        What a cosigner's line in a note holds is no raw signature: `verify_line` in `cosignature` checks that.
        Raises SignatureError: another message, key or length. UnavailableError: `cryptography` is without ML-DSA.
        """
        algorithm, size = _ALGORITHMS[self.key_type]
        if len(signature) != size:
            raise SignatureError(
                f"signature by {self.label} has {len(signature)} bytes, an {algorithm} signature has {size}"
            )
        try:
            self._public.verify(signature, message)
        except InvalidSignature as error:  # also where the 32 bytes of the key are no point of the curve
            raise SignatureError(f"signature by {self.label} does not fit what it signs") from error

    @cached_property
    def _public(self) -> Ed25519PublicKey | MLDSA44PublicKey:
        if self.key_type == ML_DSA_44_COSIGNATURE:
            with _ml_dsa():
                from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

                return MLDSA44PublicKey.from_public_bytes(self.public)
        return Ed25519PublicKey.from_public_bytes(self.public)


@dataclass(frozen=True)
class SigningKey:
    """A `Signer` in memory. `seed` is the secret, 32 bytes for each type; neither repr nor errors show it."""

    name: str
    seed: bytes = field(repr=False)
    key_type: int = ED25519

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.key_type not in PUBLIC_KEY_SIZES:
            known = ", ".join(f"{key_type:#04x}" for key_type in PUBLIC_KEY_SIZES)
            raise FormatError(f"signing key {self.name!r} is of signature type {self.key_type:#04x}; known: {known}")
        if len(self.seed) != _SEED_SIZE:
            raise FormatError(f"signing key {self.name!r} has {len(self.seed)} bytes, expected {_SEED_SIZE}")

    @classmethod
    def generate(cls, name: str, key_type: int = ED25519) -> Self:
        """A new key from the operating system's random numbers."""
        return cls(name, secrets.token_bytes(_SEED_SIZE), key_type)

    @cached_property
    def verifier_key(self) -> VerifierKey:
        return VerifierKey(self.name, self.key_type, self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes, /) -> bytes:
        """64 bytes, the same each time for a message (RFC 8032); or 2420 bytes, others each time (FIPS 204)."""
        return self._private.sign(message)

    @cached_property
    def _private(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.key_type == ML_DSA_44_COSIGNATURE:
            with _ml_dsa():
                from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

                return MLDSA44PrivateKey.from_seed_bytes(self.seed)
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@contextlib.contextmanager
def _ml_dsa() -> Iterator[None]:
    """Raise UnavailableError where `cryptography` is too old for ML-DSA-44, or built without it."""
    try:
        yield
    except (ImportError, UnsupportedAlgorithm) as error:
        says = "the library `cryptography` is without ML-DSA-44 here"
        raise UnavailableError(says, hint="pip install 'cryptography>=48'") from error


def format_label(name: str, key_id: int) -> str:
    return f"{name}+{key_id:08x}"


def parse_label(label: str) -> tuple[str, int]:
    """Name and key id; the inverse of `format_label`. Raises FormatError."""
    name, _, key_id = label.partition("+")
    if not is_key_name(name) or not _KEY_ID.fullmatch(key_id):
        raise FormatError(f"key label {label[:100]!r} is not a name, '+' and 8 lower-case hex digits")
    return name, int(key_id, 16)


def format_verifier_key(key: VerifierKey) -> str:
    """`<name>+<key id>+<base64>`, without a newline."""
    return f"{key.label}+{format_base64(bytes([key.key_type]) + key.public)}"


def parse_verifier_key(text: str) -> VerifierKey:
    """The inverse of `format_verifier_key`. Raises FormatError, also when the key id is not that of the key."""
    what = "verifier key"
    name, key_id, material = _split(text, what=what)
    data = parse_base64(material, what=f"{what} {name!r}: key material")
    if not data:
        raise FormatError(f"{what} {name!r} has no key material")
    key = VerifierKey(name, data[0], data[1:])
    _check_key_id(key, key_id, what=what)
    return key


def format_signing_key(key: SigningKey) -> str:
    """`PRIVATE+KEY+<name>+<key id>+<base64>`, without a newline: the secret itself, as Go's note package writes it.

    For cosigners' types it is as transparency-dev/formats reads it: their type byte, then the 32-byte seed.
    """
    return f"{_PRIVATE_PREFIX}{key.verifier_key.label}+{format_base64(bytes([key.key_type]) + key.seed)}"


def parse_signing_key(text: str) -> SigningKey:
    """The inverse of `format_signing_key`. Raises FormatError, with nothing of the secret in its message."""
    what = "signing key"
    if not text.startswith(_PRIVATE_PREFIX):
        raise FormatError(f"{what} does not start with {_PRIVATE_PREFIX!r}")
    name, key_id, material = _split(text.removeprefix(_PRIVATE_PREFIX), what=what)
    data = parse_base64(material, what=f"{what} {name!r}: key material", is_secret=True)
    if not data:
        raise FormatError(f"{what} {name!r} has no key material")
    key = SigningKey(name, data[1:], data[0])
    _check_key_id(key.verifier_key, key_id, what=what)
    return key


def _split(text: str, *, what: str) -> tuple[str, str, str]:
    """Name, key id in hex, base64, which may hold further plus signs. Errors quote nothing, it may be a secret."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise FormatError(f"{what} has {len(parts)} parts, expected 3: name+key id+base64")
    name, key_id, material = parts
    if not is_key_name(name):
        raise FormatError(f"{what}: the first part is not a key name")
    if not _KEY_ID.fullmatch(key_id):
        raise FormatError(f"{what}: the second part is not a key id of 8 lower-case hex digits")
    return name, key_id, material


def _check_key_id(key: VerifierKey, key_id: str, *, what: str) -> None:
    if int(key_id, 16) != key.key_id:
        raise FormatError(f"{what} {key.name!r}: key id is {key_id}, expected {key.key_id:08x} for this key")


def _check_name(name: str) -> None:
    if not is_key_name(name):
        raise FormatError(f"key name {name!r} is empty, or has a space, a plus sign or a control character")
