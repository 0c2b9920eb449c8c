"""RFC 3161: asking a time authority, and verifying what it signed against roots that the verifier brings along.

    request = make_request(text)
    token = read_reply(post(url, request.data, …).body, request)
    verify_rfc3161(token, sha256(text).digest(), roots=[pem]).time

Two checkers must agree. Ours takes the token apart, says which certificate signed, and finds the way from it to a
pinned root at the time signed. `rfc3161-client`, with OpenSSL in it, verifies the signature, and that way once more. It
is shown only the certificates of the way: its versions before 1.0.9 take every certificate of a token for a root.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wherefrom.anchors.chain import (
    check_signer,
    describe,
    find_path,
    load_certificates,
    read_issuer_and_serial,
    read_pinned,
)
from wherefrom.anchors.der import INTEGER, SEQUENCE, encode, expect, parse_all, parse_integer, parse_one
from wherefrom.anchors.timestamp import Timestamp
from wherefrom.anchors.tokens import IMPRINTS, Token, format_minimal, parse_token
from wherefrom.errors import FormatError, MismatchError, SignatureError, UnavailableError
from wherefrom.fetch import post

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_REPLY_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Request:
    """What to POST to an authority as `application/timestamp-query`, and what its reply is held against."""

    data: bytes
    digest: bytes
    nonce: int


def make_request(text: bytes) -> Request:
    """Ask for the time of the SHA-256 of a text, with a random nonce, and for the authority's certificates.

    Raises UnavailableError without the extra `timestamps`.
    """
    _need_client()
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    request = TimestampRequestBuilder(data=text, hash_algorithm=HashAlgorithm.SHA256).build()
    nonce = request.nonce
    if nonce is None:
        raise UnavailableError("rfc3161-client made a request without a nonce")
    return Request(request.as_bytes(), hashlib.sha256(text).digest(), nonce)


def read_reply(reply: bytes, request: Request) -> bytes:
    """The token of an authority's reply, which must be to this very request. Its signature is not verified.

    Raises UnavailableError when the authority refuses, FormatError, and MismatchError: another digest or nonce.
    """
    what = "reply of the time authority"
    if len(reply) > MAX_REPLY_BYTES:
        raise FormatError(f"{what}: has {len(reply)} bytes, expected at most {MAX_REPLY_BYTES}")
    parts = parse_all(parse_one(reply, what=what).content, what=what)
    fields = parse_all(expect(parts[0], SEQUENCE, what=what).content, what=what) if parts else []
    if not fields:
        raise FormatError(f"{what}: has no status")
    (code, *texts), token = fields, parts[1:]
    granted = parse_integer(code, what=f"{what}: status")
    if granted != 0 or len(token) != 1:
        said = [t.content for item in texts if item.tag == SEQUENCE for t in parse_all(item.content, what=what)]
        reason = "; ".join(text.decode("utf-8", "replace")[:200] for text in said[:3])
        raise UnavailableError(f"the time authority refuses, with status {granted}: {reason!r}")
    parsed = parse_token(token[0].raw)
    _check_imprint(parsed, request.digest)
    if parsed.info.nonce != request.nonce:
        raise MismatchError("the time authority answered with another nonce than it was asked with: an older answer")
    return token[0].raw


def ask_rfc3161(url: str, text: bytes) -> bytes:
    """Ask the authority at a URL for the time of a text, over HTTP: its token, for this request, not yet verified.

    Raises UnavailableError, FormatError, MismatchError.
    """
    request = make_request(text)
    reply = post(url, request.data, content_type="application/timestamp-query", max_bytes=MAX_REPLY_BYTES)
    if reply.status != 200:
        raise UnavailableError(f"{url} answers with status {reply.status}, expected 200")
    return read_reply(reply.body, request)


def verify_rfc3161(token: bytes, digest: bytes, *, roots: Sequence[bytes], policies: Collection[str] = ()) -> Timestamp:
    """Verify that an authority under one of these roots signed a digest, and say when.

    Args:
        token: a TimeStampToken in DER.
        digest: SHA-256, as `make_request` asks for, of 32 bytes; or SHA-384 or SHA-512, known by their length.
        roots: PEM; self-signed certificates are the roots, others only help to build the chain.
        policies: object identifiers in dots of the authority's policies that will do; none given: any.

    Raises:
        MismatchError: it is of another digest, or under a policy that will not do.
        SignatureError: the signature is wrong; or the signer is not the certificate that it names, is not made for
            timestamps alone, is a certificate authority, or was not valid at the time signed, or one above it wasn't.
        UnavailableError: the signer is under no root that was given; algorithms not known here; the extra is missing.
        FormatError: no token, or cut short.
    """
    parsed = parse_token(token)
    pinned = read_pinned(roots)
    _check_imprint(parsed, digest)
    if policies and parsed.info.policy not in policies:
        raise MismatchError(f"timestamp is under policy {parsed.info.policy}, expected {' or '.join(sorted(policies))}")
    if hashlib.new(parsed.digest_name, parsed.content).digest() != parsed.message_digest:
        raise SignatureError("timestamp is not what its authority signed")
    bag = load_certificates(parsed.certificates)
    signer = _find_signer(parsed, [*bag, *pinned.others])
    check_signer(signer)
    path = find_path(signer, bag, pinned, at=parsed.info.time)
    _verify_signature(parsed, digest, path)
    return Timestamp(parsed.info.time, signer.subject.rfc4514_string(), parsed.info.accuracy)


def _check_imprint(token: Token, digest: bytes) -> None:
    info = token.info
    if info.imprint_algorithm != IMPRINTS.get(len(digest)) or info.imprint != digest:
        raise MismatchError(f"timestamp is of digest {info.imprint.hex()[:128]}, expected {digest.hex()}")


def _find_signer(token: Token, certificates: Sequence[Certificate]) -> Certificate:
    """The certificate that the signer is named by, twice: by issuer and serial number, and by its hash.

    Others that came along are never taken for it, whatever they say they are for.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    distinct = {c.public_bytes(Encoding.DER): c for c in certificates}
    distinct = {der: c for der, c in distinct.items() if read_issuer_and_serial(der) == (token.issuer, token.serial)}
    if not distinct:
        raise UnavailableError(
            f"the certificate that signed the timestamp, serial number {token.serial}, did not come with it",
            hint="add it to the file of roots",
        )
    if len(distinct) > 1:
        raise SignatureError(
            f"{len(distinct)} certificates have the issuer and serial number of the timestamp's signer"
        )
    [(der, certificate)] = distinct.items()
    # ESSCertID of old is SHA-1: to deceive takes a second certificate to a given hash, which nobody can make.
    made = hashlib.new(token.certificate_hash_name, der, usedforsecurity=False).digest()
    if made != token.certificate_hash:
        raise SignatureError(f"{describe(certificate)} is not the one that the timestamp says it was signed with")
    return certificate


def _verify_signature(token: Token, digest: bytes, path: Sequence[Certificate]) -> None:
    """Have OpenSSL verify the signature and the path, out of `rfc3161-client`."""
    _need_client()
    import rfc3161_client
    from cryptography.hazmat.primitives.serialization import Encoding

    *below, root = path
    minimal = format_minimal(token, [certificate.public_bytes(Encoding.DER) for certificate in below])
    granted = encode(SEQUENCE, encode(INTEGER, b"\x00"))
    try:
        response = rfc3161_client.decode_timestamp_response(encode(SEQUENCE, granted, minimal))
        if not rfc3161_client.VerifierBuilder(roots=[root]).build().verify(response, digest):
            raise SignatureError(f"timestamp by {describe(path[0])} does not verify")
    except rfc3161_client.VerificationError as error:
        reasons = re.findall(r'reason: "([^"]+)"', str(error)) or [str(error)]
        raise SignatureError(f"timestamp by {describe(path[0])} does not verify: {reasons[-1]}") from error
    except ValueError as error:
        raise FormatError(f"timestamp token: cannot be read: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how a failed assertion in Rust comes; no Exception
            raise
        raise FormatError(f"timestamp token: cannot be read: {error}") from error


def _need_client() -> None:
    try:
        import rfc3161_client  # noqa: F401
    except ImportError as error:
        raise UnavailableError("RFC 3161 timestamps need an extra: pip install 'wherefrom[timestamps]'") from error
