"""DER, read strictly and without recursion: one level at a time, each length bounded by the bytes that are there.

Only what certificates and timestamps use: tags below 31, definite lengths in their shortest form. Source: X.690.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wherefrom.errors import FormatError

BOOLEAN, INTEGER, OCTET_STRING, OID, GENERALIZED_TIME = 0x01, 0x02, 0x04, 0x06, 0x18
SEQUENCE, SET = 0x30, 0x31

_MAX_ITEMS: Final = 256


@dataclass(frozen=True, slots=True)
class Element:
    """One value. `tag`: the identifier octet, with class and constructed bit; `raw`: tag, length and content."""

    tag: int
    content: bytes
    raw: bytes


def parse_one(data: bytes, *, what: str, tag: int = SEQUENCE) -> Element:
    """The one element, of this tag, that `data` is. Raises FormatError, also for bytes after it."""
    items = parse_all(data, what=what)
    if len(items) != 1:
        raise FormatError(f"{what}: has {len(items)} DER elements, expected 1")
    return expect(items[0], tag, what=what)


def expect(element: Element, tag: int, *, what: str) -> Element:
    """The element itself. Raises FormatError unless it has this tag."""
    if element.tag != tag:
        raise FormatError(f"{what}: has DER tag {element.tag:#04x}, expected {tag:#04x}")
    return element


def parse_all(data: bytes, *, what: str) -> list[Element]:
    """The elements in a row that `data` is, at most 256: what is in a sequence or set, say. Raises FormatError."""
    items: list[Element] = []
    start = 0
    while start < len(data):
        if len(items) == _MAX_ITEMS:
            raise FormatError(f"{what}: has over {_MAX_ITEMS} DER elements")
        if data[start] & 0x1F == 0x1F:
            raise FormatError(f"{what}: byte {start} begins a DER tag over 30")
        begin, size = _parse_length(data, start + 1, what=what)
        if size > len(data) - begin:
            raise FormatError(f"{what}: DER element at byte {start} has {size} bytes, {len(data) - begin} are there")
        end = begin + size
        items.append(Element(data[start], data[begin:end], data[start:end]))
        start = end
    return items


def _parse_length(data: bytes, at: int, *, what: str) -> tuple[int, int]:
    """Where the content begins, and how long it is."""
    if at >= len(data):
        raise FormatError(f"{what}: ends in the middle of a DER element")
    if data[at] < 0x80:
        return at + 1, data[at]
    count = data[at] & 0x7F
    length = data[at + 1 : at + 1 + count]
    if not 1 <= count <= 4 or len(length) != count:
        raise FormatError(f"{what}: length at byte {at} is indefinite, over 4 bytes long or cut short")
    size = int.from_bytes(length)
    if length[0] == 0 or size < 0x80:
        raise FormatError(f"{what}: length at byte {at} is not in its shortest form")
    return at + 1 + count, size


def parse_integer(element: Element, *, what: str) -> int:
    """A whole number of at most 64 bytes. Raises FormatError."""
    content = expect(element, INTEGER, what=what).content
    if not 1 <= len(content) <= 64:
        raise FormatError(f"{what}: integer has {len(content)} bytes, expected 1 to 64")
    if len(content) > 1 and content[:1] in {b"\x00", b"\xff"} and (content[0] ^ content[1]) < 0x80:
        raise FormatError(f"{what}: integer is not in its shortest form")
    return int.from_bytes(content, signed=True)


def parse_oid(element: Element, *, what: str) -> str:
    """An object identifier in dots, `1.2.840.113549.1.7.2`. Raises FormatError."""
    content = expect(element, OID, what=what).content
    if not 1 <= len(content) <= 64 or content[-1] & 0x80:
        raise FormatError(f"{what}: object identifier has {len(content)} bytes, or is cut short")
    arcs, arc = [], 0
    for byte in content:
        if arc == 0 and byte == 0x80:
            raise FormatError(f"{what}: object identifier is not in its shortest form")
        arc = arc << 7 | byte & 0x7F
        if byte < 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def encode(tag: int, *parts: bytes) -> bytes:
    """An element with these parts, in this order, as its content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content
