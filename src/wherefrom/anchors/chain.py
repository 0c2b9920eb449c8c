"""Certificates of time authorities: the one that signed, and the way from it up to a root that the verifier brought.

Everything is judged as of the instant that was signed, never as of now: a chain that has expired since was good then.
Sources: RFC 5280 section 6, RFC 3161 section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from wherefrom.anchors.der import SEQUENCE, expect, parse_all, parse_integer, parse_one
from wherefrom.errors import FormatError, SignatureError, UnavailableError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Extension, ExtensionType

_Kind = TypeVar("_Kind", bound="ExtensionType")

MAX_ROOTS: Final = 1_000
_MAX_DEPTH: Final = 6
_MAX_TRIED: Final = 256
_VERSION: Final = 0xA0
_HASHES: Final = {"sha224", "sha256", "sha384", "sha512"}


@dataclass(frozen=True)
class Pinned:
    """What the verifier trusts: `roots` are self-signed; `others` only help to find the way to one of these."""

    roots: tuple[Certificate, ...]
    others: tuple[Certificate, ...]


def read_pinned(pems: Sequence[bytes]) -> Pinned:
    """Read PEM files of any number of certificates each. Raises FormatError, also when no root is among them."""
    found = [certificate for pem in pems for certificate in _load_pem(pem)]
    if len(found) > MAX_ROOTS:
        raise FormatError(f"there are {len(found)} certificates of time authorities, expected at most {MAX_ROOTS}")
    roots = tuple(certificate for certificate in found if _is_issued_by(certificate, certificate))
    if not roots:
        raise FormatError(
            f"none of {len(found)} certificates of time authorities is a root, which signs itself",
            hint="the file must have the authority's root certificate in it, in PEM",
        )
    return Pinned(roots, tuple(certificate for certificate in found if certificate not in roots))


def load_certificates(ders: Sequence[bytes]) -> list[Certificate]:
    """Certificates that came with a token, every field of them readable. Raises FormatError."""
    from cryptography import x509

    if any(read_issuer_and_serial(der)[1] <= 0 for der in ders):  # the library would read it, and warn
        raise FormatError("timestamp token: a certificate in it has a serial number that is not above 0")
    try:
        found = [x509.load_der_x509_certificate(der) for der in ders]
        for certificate in found:  # fields are parsed only when one asks for them
            _ = certificate.subject, certificate.issuer, certificate.extensions, certificate.signature
            _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate.version
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension) as error:
        raise FormatError(f"timestamp token: a certificate in it cannot be read: {error}") from error
    return found


def read_issuer_and_serial(der: bytes) -> tuple[bytes, int]:
    """How a certificate is named in CMS: the DER of its issuer's name, its serial number. Raises FormatError."""
    what = "certificate"
    body, *_ = parse_all(parse_one(der, what=what).content, what=what) or [parse_one(der, what=what)]
    fields = parse_all(expect(body, SEQUENCE, what=what).content, what=what)
    if fields and fields[0].tag == _VERSION:
        fields = fields[1:]
    if len(fields) < 3:
        raise FormatError(f"{what}: has {len(fields)} fields, expected serial number, algorithm and issuer")
    return expect(fields[2], SEQUENCE, what=what).raw, parse_integer(fields[0], what=what)


def find_path(leaf: Certificate, others: Sequence[Certificate], pinned: Pinned, *, at: datetime) -> list[Certificate]:
    """Certificates from the leaf, which comes first, to a pinned root, all of them good at this instant.

    Raises UnavailableError when no way leads to a pinned root: nobody whom the verifier trusts has vouched.
    SignatureError when one does, over a certificate that was not valid at that instant, or may not issue others.
    """
    refused: SignatureError | None = None
    for path in _iter_paths(leaf, [*pinned.others, *others], pinned.roots):
        try:
            _check_path(path, at=at)
        except SignatureError as error:
            refused = refused or error
        else:
            return path
    if refused:
        raise refused
    raise UnavailableError(
        f"{describe(leaf)} is not under any of the {len(pinned.roots)} roots you trust; it is issued by "
        f"{leaf.issuer.rfc4514_string() or 'nobody'}",
    )


def check_signer(leaf: Certificate) -> None:
    """Raise SignatureError unless a certificate is made for timestamps and nothing else, and issues no others."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    name = describe(leaf)
    usage = _extension(leaf, x509.ExtendedKeyUsage)
    if usage is None or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        found = [oid.dotted_string for oid in usage.value] if usage else "nothing"
        raise SignatureError(f"{name} is for {found}, expected for timestamps alone (extended key usage)")
    if not usage.critical:
        raise SignatureError(f"{name} is for timestamps, but does not say so critically (extended key usage)")
    basic = _extension(leaf, x509.BasicConstraints)
    if basic is not None and basic.value.ca:
        raise SignatureError(f"{name} is a certificate authority's, which must not sign timestamps itself")
    key_usage = _extension(leaf, x509.KeyUsage)
    if key_usage is not None and not (key_usage.value.digital_signature or key_usage.value.content_commitment):
        raise SignatureError(f"{name} is not for signatures (key usage)")
    if key_usage is not None and key_usage.value.key_cert_sign:
        raise SignatureError(f"{name} is for issuing certificates, which must not sign timestamps itself")


def describe(certificate: Certificate) -> str:
    return f"certificate {certificate.subject.rfc4514_string() or certificate.serial_number}"


def _load_pem(pem: bytes) -> list[Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise FormatError(f"certificates of time authorities cannot be read: {error}, expected PEM") from error


def _iter_paths(
    leaf: Certificate, others: Sequence[Certificate], roots: Sequence[Certificate]
) -> Iterator[list[Certificate]]:
    """Every way by names and signatures up to a root, the shortest first; gives up after a bounded number of tries."""
    paths, tried = [[leaf]], 0
    while paths and tried < _MAX_TRIED:
        path = paths.pop(0)
        for issuer in (*roots, *others):
            if issuer in path or issuer.subject != path[-1].issuer:
                continue
            tried += 1
            if not _is_issued_by(path[-1], issuer):
                continue
            if issuer in roots:
                yield [*path, issuer]
            elif len(path) < _MAX_DEPTH:
                paths.append([*path, issuer])


def _is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_path(path: Sequence[Certificate], *, at: datetime) -> None:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    for depth, certificate in enumerate(path):
        name = describe(certificate)
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begin <= at <= end:
            raise SignatureError(f"{name} is valid from {begin} to {end}, not when it signed: {at}")
        if depth < len(path) - 1:  # how a root signs itself proves nothing, so that may be as old as it likes
            try:
                hash_ = certificate.signature_hash_algorithm
            except UnsupportedAlgorithm as error:
                raise SignatureError(f"{name} is signed in an unknown way") from error
            if hash_ is not None and hash_.name not in _HASHES:
                raise SignatureError(f"{name} is signed over {hash_.name}, which can be forged")
        if depth == 0:
            continue
        basic = _extension(certificate, x509.BasicConstraints)
        usage = _extension(certificate, x509.KeyUsage)
        if basic is None or not basic.value.ca or (usage is not None and not usage.value.key_cert_sign):
            raise SignatureError(f"{name} is not a certificate authority's, but issued {describe(path[depth - 1])}")
        if basic.value.path_length is not None and basic.value.path_length < depth - 1:
            raise SignatureError(f"{name} allows {basic.value.path_length} authorities below it, there are {depth - 1}")


def _extension(certificate: Certificate, kind: type[_Kind]) -> Extension[_Kind] | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension) as error:
        raise SignatureError(f"{describe(certificate)} has malformed extensions: {error}") from error
