"""Whom a verifier trusts with a model's signature, and whether one of them signed.

Source: ossf/model-signing-spec, spec/v1.0.md sections 4.2 and 8.2. Keys are on the curves P-256, P-384 and P-521, each
with the SHA-2 of its size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from wherefrom.errors import FormatError, SignatureError, UnavailableError
from wherefrom.fingerprints.oms.bundle import CertificateChain, KeyHint, OmsBundle
from wherefrom.statements.dsse import PAYLOAD_TYPE, pre_authentication

_HASHES: Final[dict[int, hashes.HashAlgorithm]] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
_OLD_PREDICATE: Final = b"https://model_signing/Digests/v0.1"


@dataclass(frozen=True)
class PublicKey:
    """A key that the verifier knows the owner of."""

    key: ec.EllipticCurvePublicKey

    @classmethod
    def from_pem(cls, data: bytes) -> PublicKey:
        try:
            key = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise FormatError("no public key in PEM: expected -----BEGIN PUBLIC KEY-----") from error
        return cls(_expect_known_curve(key, "the public key"))

    @property
    def hint(self) -> str:
        """How bundles name the key."""
        pem = self.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(pem).hexdigest()


@dataclass(frozen=True)
class CertificateRoots:
    """Authorities that the verifier trusts to say whose a key is."""

    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def from_pem(cls, data: bytes) -> CertificateRoots:
        try:
            return cls(tuple(x509.load_pem_x509_certificates(data)))
        except ValueError as error:
            raise FormatError("no certificates in PEM: expected -----BEGIN CERTIFICATE-----") from error


def verify_signature(bundle: OmsBundle, trusted: PublicKey | CertificateRoots | None, *, at: datetime) -> str:
    """Check that one whom the verifier trusts signed the payload; returns who, in words.

    `at`, an aware time, is the one at which certificates have to be valid.
    Raises SignatureError: the signature does not fit, or the certificate is not of these authorities.
    UnavailableError: the signature is of a kind that `trusted` can't decide.
    """
    match bundle.material, trusted:
        case KeyHint(hint), PublicKey() as public:
            named = f"; the bundle names key {hint}, this is {public.hint}" if hint and hint != public.hint else ""
            _verify(bundle, public.key, f"the signature is not by the given public key{named}")
            return f"signed with key {public.hint}"
        case KeyHint(hint), _:
            raise UnavailableError(f"signed with a key ({hint or 'unnamed'}): give its public key to check it")
        case CertificateChain() as chain, CertificateRoots(roots):
            _verify_chain(chain, roots, at)
            key = _expect_known_curve(chain.leaf.public_key(), "the certificate's key")
            _verify(bundle, key, "the signature is not by the key of its certificate")
            return f"signed with the certificate of {chain.leaf.subject.rfc4514_string()}"
        case CertificateChain(leaf), _:
            issuer = leaf.issuer.rfc4514_string()
            raise UnavailableError(f"signed with a certificate of {issuer}: give the root certificates to check it")
        case _:
            raise UnavailableError(
                "signed without a key of its own (Sigstore keyless), which needs Sigstore's services to check",
                hint="check the signature with the model-signing or sigstore package",
            )


def _verify(bundle: OmsBundle, key: ec.EllipticCurvePublicKey, failure: str) -> None:
    message = pre_authentication(PAYLOAD_TYPE, bundle.payload)
    try:
        key.verify(bundle.signature, message, ec.ECDSA(_HASHES[key.curve.key_size]))
    except InvalidSignature as error:
        if _OLD_PREDICATE in bundle.payload:
            raise UnavailableError(
                "signed in the format of model-signing 0.2, whose signatures are not over what DSSE says they are",
                hint="sign it again, or check it with the model-signing package",
            ) from error
        raise SignatureError(failure) from error


def _verify_chain(chain: CertificateChain, roots: tuple[x509.Certificate, ...], at: datetime) -> None:
    """Check that the certificate was made for signing, and leads to a root."""
    leaf = chain.leaf
    if not _may_sign(leaf):
        raise SignatureError(f"the certificate of {leaf.subject.rfc4514_string()} is not made for signing")
    # Where the certificate ended, the signature may be older than that; nothing in the bundle proves when it was made.
    is_over = at > leaf.not_valid_after_utc
    policy = PolicyBuilder().store(Store(list(roots))).time(leaf.not_valid_after_utc if is_over else at)
    policy = policy.extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
    )
    try:
        policy.build_client_verifier().verify(leaf, list(chain.others))
    except VerificationError as error:
        raise SignatureError(
            f"the certificate of {leaf.subject.rfc4514_string()} does not lead to the given root certificates: {error}"
        ) from error
    if is_over:
        end = leaf.not_valid_after_utc.astimezone(UTC)
        raise UnavailableError(
            f"the certificate of {leaf.subject.rfc4514_string()} ended at {end:%Y-%m-%dT%H:%M:%SZ}, and nothing proves "
            "that the signature is older",
            hint="if you know when it was made, give that time",
        )


def _may_sign(certificate: x509.Certificate) -> bool:
    found = {type(extension.value): extension.value for extension in certificate.extensions}
    if isinstance(usage := found.get(x509.KeyUsage), x509.KeyUsage):
        return usage.digital_signature
    usages = found.get(x509.ExtendedKeyUsage)
    return isinstance(usages, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CODE_SIGNING in usages


def _expect_known_curve(key: object, what: str) -> ec.EllipticCurvePublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1):
        return key
    kind = (
        key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__.removesuffix("PublicKey")
    )
    raise FormatError(f"{what} is of kind {kind}, expected an elliptic curve key on P-256, P-384 or P-521")
