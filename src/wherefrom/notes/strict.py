"""One spelling for each value: whatever decodes to the same number or bytes in another way is refused.

A lenient parser gives one signed text several readings, or several texts to one value; both have been used to cheat.
"""

from __future__ import annotations

import base64
import binascii

from wherefrom.errors import FormatError


def parse_decimal(text: str, *, what: str, most: int) -> int:
    """ASCII digits without sign, separators or leading zeroes, 0 <= number <= most; `what` names it in errors."""
    if not (text.isascii() and text.isdecimal()):
        raise FormatError(f"{what} {_shorten(text)} is not a decimal number")
    if len(text) > len(str(most)) or int(text) > most:
        raise FormatError(f"{what} {_shorten(text)} is more than {most}")
    number = int(text)
    if str(number) != text:
        raise FormatError(f"{what} {text!r} has a leading zero")
    return number


def parse_base64(text: str, *, what: str, is_secret: bool = False) -> bytes:
    """Standard base64 (RFC 4648 section 4) with its padding, and no stray bits at the end.

    Errors quote the text, unless it is secret.
    """
    named = what if is_secret else f"{what} {_shorten(text)}"
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"{named} is not standard base64") from error
    if format_base64(data) != text:
        raise FormatError(f"{named} is not the only base64 of its {len(data)} bytes")
    return data


def format_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
