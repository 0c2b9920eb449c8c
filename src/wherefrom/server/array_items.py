"""The items of a JSON array, each with its own bytes: what a batch brings is kept as it came, item by item."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TypeVar

from wherefrom.errors import FormatError

# Strict reading comes later, item by item; here only where each one ends has to be right.
_DECODER = json.JSONDecoder(parse_int=float)  # Python refuses to convert very long integers, which nobody needs here
_SPACE = re.compile(r"[ \t\n\r]*")
_BLANK = b" \t\n\r"
_OPENING = re.compile(rb'\{[ \t\n\r]*"[^"\\]{1,64}"')
Read = TypeVar("Read")


def read_array(data: bytes, read: Callable[[bytes], Read], *, what: str, most: int) -> list[Read]:
    """What each item of an array says. Raises as `split_array`.

    Args:
        read: reads an item's bytes, or gives a FormatError when they are no JSON; it may be asked for an item twice.
    """
    # Items mostly begin alike, so cutting before each such beginning cuts between them. If every piece is JSON by
    # itself, there is no other way to read the whole; if one is not, the array is read as slowly as needed.
    if pieces := _cut_quickly(data, most):
        quick = [read(piece) for piece in pieces]
        if not any(isinstance(one, FormatError) for one in quick):
            return quick
    return [read(item) for item in split_array(data, what=what, most=most)]


def _cut_quickly(data: bytes, most: int) -> list[bytes]:
    """The items, perhaps; none when they don't look alike."""
    inner = data.strip(_BLANK)
    if not (inner.startswith(b"[") and inner.endswith(b"]")):
        return []
    inner = inner[1:-1].strip(_BLANK)
    opening = _OPENING.match(inner)
    if opening is None:
        return []
    pieces = re.split(rb",[ \t\n\r]*(?=" + re.escape(opening[0]) + rb")", inner, maxsplit=most)
    return [piece.rstrip(_BLANK) for piece in pieces] if len(pieces) <= most else []


def split_array(data: bytes, *, what: str, most: int) -> list[bytes]:
    """Each item's bytes, exactly as they stand between the commas but for the space around.

    Raises FormatError: no JSON array, not UTF-8, nested deeper than the parser goes.
    Raises OverflowError with the number found so far when there are more than `most` items.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{what}: not UTF-8 at byte {error.start}") from error
    plain = text.isascii()  # then characters are bytes, and nothing has to be encoded again
    items: list[bytes] = []
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise FormatError(f"{what}: is no JSON array")
    at = _skip(text, at + 1)
    closed = text[at : at + 1] == "]"
    while not closed:
        if len(items) >= most:
            raise OverflowError(len(items) + 1)
        try:
            _, end = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _malformed(what, text, error.pos, error.msg, len(items)) from error
        except RecursionError as error:
            raise FormatError(f"{what}: $[{len(items)}]: nested too deep") from error
        items.append(data[at:end] if plain else text[at:end].encode())
        at = _skip(text, end)
        closed = text[at : at + 1] == "]"
        if not closed:
            if text[at : at + 1] != ",":
                raise _malformed(what, text, at, "Expecting ',' or ']'", len(items))
            at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise _malformed(what, text, at + 1, "Extra data", len(items))
    return items


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _malformed(what: str, text: str, position: int, problem: str, item: int) -> FormatError:
    return FormatError(f"{what}: $[{item}]: not JSON at byte {len(text[:position].encode())}: {problem}")
