"""RFC 3161 tokens, read: each field where it must be, nothing believed. Sources: RFC 3161, 5652, 5035, 5816."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wherefrom.anchors.der import (
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    encode,
    expect,
    parse_all,
    parse_integer,
    parse_oid,
    parse_one,
)
from wherefrom.errors import FormatError, UnavailableError

MAX_TOKEN_BYTES: Final = 1 << 16
MAX_CERTIFICATES: Final = 16

IMPRINTS: Final = {32: "2.16.840.1.101.3.4.2.1", 48: "2.16.840.1.101.3.4.2.2", 64: "2.16.840.1.101.3.4.2.3"}
"""Object identifiers of SHA-256, SHA-384 and SHA-512, by the length of the digest in bytes."""
_HASHES: Final = {IMPRINTS[32]: "sha256", IMPRINTS[48]: "sha384", IMPRINTS[64]: "sha512"}
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_GENERALIZED: Final = re.compile(rb"\d{14}(\.\d{0,8}[1-9])?Z")
_CONTEXT_0, _CONTEXT_1, _PRIMITIVE_0, _PRIMITIVE_1 = 0xA0, 0xA1, 0x80, 0x81


@dataclass(frozen=True)
class TstInfo:
    """What the authority signed. `imprint`: the hash by `imprint_algorithm`, an object identifier in dots."""

    policy: str
    imprint_algorithm: str
    imprint: bytes
    serial: int
    time: datetime
    accuracy: timedelta
    nonce: int | None


@dataclass(frozen=True)
class Token:
    """A token, taken apart.

    Attributes:
        content: the DER of the signed `TstInfo`.
        certificates: DER of each that came along; anybody can have added them, or taken some out.
        issuer, serial: how the signer's certificate is named, by the DER of its issuer's name and its serial number.
        certificate_hash: of the signer's certificate by `certificate_hash_name`, from the signed attributes.
        message_digest: of `content` by `digest_name`, from the signed attributes.
        parts: of the SignedData, from which `format_minimal` writes it again.
    """

    info: TstInfo
    content: bytes
    certificates: tuple[bytes, ...]
    issuer: bytes
    serial: int
    digest_name: str
    message_digest: bytes
    certificate_hash_name: str
    certificate_hash: bytes
    parts: tuple[bytes, bytes, bytes, bytes]


def parse_token(data: bytes) -> Token:
    """Read a TimeStampToken of at most 64 KiB, strictly DER but for the order of its certificates.

    Raises FormatError; UnavailableError for what is well-formed, but rests on an algorithm or an option not known here.
    """
    what = "timestamp token"
    if len(data) > MAX_TOKEN_BYTES:
        raise FormatError(f"{what}: has {len(data)} bytes, expected at most {MAX_TOKEN_BYTES}")
    kind, explicit = _exactly(parse_one(data, what=what), 2, what=what)
    _expect_oid(kind, _SIGNED_DATA, what=what)
    signed_data = parse_one(expect(explicit, _CONTEXT_0, what=what).content, what=what)
    fields = parse_all(signed_data.content, what=what)
    if not 4 <= len(fields) <= 6:
        raise FormatError(f"{what}: signed data has {len(fields)} fields, expected 4 to 6")
    version, algorithms, encapsulated, *optional, signers = fields
    if parse_integer(version, what=what) != 3:
        raise FormatError(f"{what}: signed data is not of version 3")
    expect(algorithms, SET, what=what)
    if [item.tag for item in optional] not in ([], [_CONTEXT_0], [_CONTEXT_1], [_CONTEXT_0, _CONTEXT_1]):
        raise FormatError(f"{what}: signed data has fields that are neither certificates nor revocation lists")
    certificates: list[bytes] = []
    if optional and optional[0].tag == _CONTEXT_0:
        found = parse_all(optional[0].content, what=f"{what}: certificates")
        if len(found) > MAX_CERTIFICATES:
            raise FormatError(f"{what}: brings {len(found)} certificates, expected at most {MAX_CERTIFICATES}")
        certificates = [expect(item, SEQUENCE, what=f"{what}: certificate").raw for item in found]
    content = _read_encapsulated(encapsulated)
    infos = parse_all(expect(signers, SET, what=what).content, what=what)
    if len(infos) != 1:
        raise FormatError(f"{what}: has {len(infos)} signers, expected 1")
    return _read_signer(infos[0], content, certificates, (version.raw, algorithms.raw, encapsulated.raw))


def format_minimal(token: Token, certificates: list[bytes]) -> bytes:
    """The token again, with these certificates (DER) alone, and without what its signature does not cover."""
    *head, signer = token.parts
    bag = encode(_CONTEXT_0, *sorted(certificates))
    signed_data = encode(SEQUENCE, *head, bag, encode(SET, signer))
    return encode(SEQUENCE, _encode_oid_signed_data(), encode(_CONTEXT_0, signed_data))


def _encode_oid_signed_data() -> bytes:
    return bytes.fromhex("06092a864886f70d010702")


def _read_encapsulated(element: Element) -> bytes:
    what = "timestamp token: content"
    kind, explicit = _exactly(element, 2, what=what)
    _expect_oid(kind, _TST_INFO, what=what)
    return parse_one(expect(explicit, _CONTEXT_0, what=what).content, what=what, tag=OCTET_STRING).content


def _read_signer(
    element: Element, content: bytes, certificates: list[bytes], head: tuple[bytes, bytes, bytes]
) -> Token:
    what = "timestamp token: signer"
    fields = parse_all(expect(element, SEQUENCE, what=what).content, what=what)
    if not 6 <= len(fields) <= 7 or fields[3].tag != _CONTEXT_0:
        raise FormatError(f"{what}: has {len(fields)} fields, expected 6 or 7 with signed attributes")
    version, sid, digest, attributes, algorithm, signature, *unsigned = fields
    if parse_integer(version, what=what) != 1:
        raise UnavailableError(f"{what}: is named by its key, expected by issuer and serial number")
    issuer, serial = _exactly(sid, 2, what=what)
    expect(issuer, SEQUENCE, what=f"{what}: issuer")
    expect(algorithm, SEQUENCE, what=f"{what}: algorithm")
    expect(signature, OCTET_STRING, what=f"{what}: signature")
    for item in unsigned:
        expect(item, _CONTEXT_1, what=f"{what}: unsigned attributes")
    values = _read_attributes(attributes)
    _expect_oid(_attribute(values, _CONTENT_TYPE, what=what), _TST_INFO, what=f"{what}: content type")
    digest_value = expect(_attribute(values, _MESSAGE_DIGEST, what=what), OCTET_STRING, what=what).content
    hash_name, certificate_hash = _read_certificate_hash(values)
    return Token(
        info=parse_tst_info(content),
        content=content,
        certificates=tuple(certificates),
        issuer=issuer.raw,
        serial=parse_integer(serial, what=f"{what}: serial number"),
        digest_name=_hash_name(digest, what=f"{what}: digest algorithm"),
        message_digest=digest_value,
        certificate_hash_name=hash_name,
        certificate_hash=certificate_hash,
        parts=(*head, encode(SEQUENCE, *(item.raw for item in fields[:6]))),
    )


def _read_attributes(element: Element) -> dict[str, Element]:
    """The value of each signed attribute by its kind; none twice, as RFC 5652 section 5.3 wants for those read here."""
    what = "timestamp token: signed attributes"
    found: dict[str, Element] = {}
    for attribute in parse_all(element.content, what=what):
        kind, values = _exactly(attribute, 2, what=what)
        oid = parse_oid(kind, what=what)
        items = parse_all(expect(values, SET, what=what).content, what=what)
        if oid in found or not items:
            raise FormatError(f"{what}: {oid} is there twice, or has no value")
        if oid in {_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_CERTIFICATE, _SIGNING_CERTIFICATE_V2} and len(items) != 1:
            raise FormatError(f"{what}: {oid} has {len(items)} values, expected 1")
        found[oid] = items[0]
    return found


def _attribute(values: dict[str, Element], oid: str, *, what: str) -> Element:
    if oid not in values:
        raise FormatError(f"{what}: signed attributes lack {oid}")
    return values[oid]


def _read_certificate_hash(values: dict[str, Element]) -> tuple[str, bytes]:
    """Of the first certificate that ESSCertIDv2 (or ESSCertID, SHA-1) names, which is the signer's."""
    what = "timestamp token: signing certificate"
    if _SIGNING_CERTIFICATE_V2 not in values and _SIGNING_CERTIFICATE not in values:
        raise FormatError(f"{what}: is not named by the signed attributes")
    is_v2 = _SIGNING_CERTIFICATE_V2 in values
    value = values[_SIGNING_CERTIFICATE_V2 if is_v2 else _SIGNING_CERTIFICATE]
    certificates = parse_all(expect(value, SEQUENCE, what=what).content, what=what)
    ids = parse_all(expect(certificates[0], SEQUENCE, what=what).content, what=what) if certificates else []
    if not ids:
        raise FormatError(f"{what}: none is named")
    fields = parse_all(expect(ids[0], SEQUENCE, what=what).content, what=what)
    name = "sha256" if is_v2 else "sha1"
    if is_v2 and fields and fields[0].tag == SEQUENCE:
        name = _hash_name(fields[0], what=what)
        fields = fields[1:]
    if not fields:
        raise FormatError(f"{what}: has no hash")
    return name, expect(fields[0], OCTET_STRING, what=what).content


def parse_tst_info(data: bytes) -> TstInfo:
    """Read what an authority signs. Raises FormatError, and UnavailableError for extensions one must understand."""
    what = "timestamp"
    version, policy, imprint, serial, time, *rest = [*_least(parse_one(data, what=what), 5, what=what)]
    if parse_integer(version, what=what) != 1:
        raise FormatError(f"{what}: is not of version 1")
    algorithm, digest = _exactly(imprint, 2, what=f"{what}: imprint")
    tags = [item.tag for item in rest]
    if tags != sorted(set(tags), key=_ORDER.find) or not set(tags) <= set(_ORDER):
        raise FormatError(f"{what}: has unknown fields, or one in another place than its own")
    by_tag = {item.tag: item for item in rest}
    if BOOLEAN in by_tag and by_tag[BOOLEAN].content != b"\xff":
        raise FormatError(f"{what}: ordering is {by_tag[BOOLEAN].content.hex()}, expected ff or nothing")
    if _CONTEXT_1 in by_tag:
        _refuse_critical(by_tag[_CONTEXT_1], what=what)
    return TstInfo(
        policy=parse_oid(policy, what=f"{what}: policy"),
        imprint_algorithm=_algorithm_oid(algorithm, what=f"{what}: imprint"),
        imprint=expect(digest, OCTET_STRING, what=f"{what}: imprint").content,
        serial=parse_integer(serial, what=f"{what}: serial number"),
        time=_parse_time(expect(time, GENERALIZED_TIME, what=what).content),
        accuracy=_parse_accuracy(by_tag[SEQUENCE]) if SEQUENCE in by_tag else timedelta(),
        nonce=parse_integer(by_tag[INTEGER], what=f"{what}: nonce") if INTEGER in by_tag else None,
    )


_ORDER: Final = bytes([SEQUENCE, BOOLEAN, INTEGER, _CONTEXT_0, _CONTEXT_1])
"""Tags of the optional fields of TSTInfo: accuracy, ordering, nonce, tsa, extensions."""


def _refuse_critical(extensions: Element, *, what: str) -> None:
    for item in parse_all(extensions.content, what=what):
        fields = _least(item, 2, what=f"{what}: extension")
        if fields[1].tag == BOOLEAN:
            oid = parse_oid(fields[0], what=f"{what}: extension")
            raise UnavailableError(f"{what}: has the critical extension {oid}, which is not known here")


def _parse_time(content: bytes) -> datetime:
    if not _GENERALIZED.fullmatch(content):
        raise FormatError(f"timestamp: time {content[:32]!r} is not of the form 20261121081500.123Z")
    whole, _, fraction = content[:-1].decode().partition(".")
    try:
        at = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise FormatError(f"timestamp: time {content!r} is no date that exists") from error
    return at + timedelta(microseconds=int(fraction[:6].ljust(6, "0")) if fraction else 0)


def _parse_accuracy(element: Element) -> timedelta:
    what = "timestamp: accuracy"
    fields = parse_all(element.content, what=what)
    units = {INTEGER: "seconds", _PRIMITIVE_0: "milliseconds", _PRIMITIVE_1: "microseconds"}
    tags = [item.tag for item in fields]
    if tags != [tag for tag in units if tag in tags]:
        raise FormatError(f"{what}: has other fields than seconds, milliseconds and microseconds, in this order")
    given = {units[f.tag]: parse_integer(Element(INTEGER, f.content, f.raw), what=what) for f in fields}
    most = {"seconds": 86_400, "milliseconds": 999, "microseconds": 999}
    for unit, value in given.items():
        if not (0 if unit == "seconds" else 1) <= value <= most[unit]:
            raise FormatError(f"{what}: {value} {unit}, expected at most {most[unit]}")
    return timedelta(**given)


def _hash_name(element: Element, *, what: str) -> str:
    oid = _algorithm_oid(element, what=what)
    if oid not in _HASHES:
        raise UnavailableError(f"{what}: {oid} is not known here; known: {', '.join(_HASHES.values())}")
    return _HASHES[oid]


def _algorithm_oid(element: Element, *, what: str) -> str:
    fields = _least(element, 1, what=what)
    if len(fields) > 2 or (len(fields) == 2 and fields[1].raw != b"\x05\x00"):
        raise FormatError(f"{what}: hash algorithm has parameters")
    return parse_oid(fields[0], what=what)


def _exactly(element: Element, count: int, *, what: str) -> list[Element]:
    fields = parse_all(expect(element, SEQUENCE, what=what).content, what=what)
    if len(fields) != count:
        raise FormatError(f"{what}: has {len(fields)} fields, expected {count}")
    return fields


def _least(element: Element, count: int, *, what: str) -> list[Element]:
    fields = parse_all(expect(element, SEQUENCE, what=what).content, what=what)
    if len(fields) < count:
        raise FormatError(f"{what}: has {len(fields)} fields, expected at least {count}")
    return fields


def _expect_oid(element: Element, oid: str, *, what: str) -> None:
    found = parse_oid(element, what=what)
    if found != oid:
        raise FormatError(f"{what}: is of kind {found}, expected {oid}")
