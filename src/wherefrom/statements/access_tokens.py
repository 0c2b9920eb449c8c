"""The text of an API token: `wft_<id>_<secret><checksum>`.

The id is public and names the token in the ledger; the secret has 256 bits; the checksum tells a token that was
mistyped or cut off from a wrong one, and lets scanners for lost secrets be sure of what they found.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from wherefrom.errors import FormatError

PREFIX: Final = "wft_"
ID_BYTES: Final = 8
SECRET_BYTES: Final = 32
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_DIGITS: Final = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_DIGITS: Final = 6  # 62 ** 6 > 2 ** 32
_FORM = re.compile(r"wft_([0-9a-f]{16})_[0-9A-Za-z]{43}([0-9A-Za-z]{6})")


def format_token(token_id: bytes, secret: bytes) -> str:
    """The text of a token.

    Args:
        token_id: 8 random bytes.
        secret: 32 random bytes.
    """
    if len(token_id) != ID_BYTES or len(secret) != SECRET_BYTES:
        raise FormatError(
            f"token: id of {len(token_id)} and secret of {len(secret)} bytes, expected {ID_BYTES} and {SECRET_BYTES}"
        )
    text = f"{PREFIX}{token_id.hex()}_{_format_number(int.from_bytes(secret), _SECRET_DIGITS)}"
    return text + _checksum(text)


def parse_token(text: str) -> str:
    """The id of a token, in hex; whether there is such a token is for the ledger to say.

    Raises FormatError, whose message has nothing of the text in it.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        expected = f"{PREFIX}, 16 hex digits, an underscore and 49 letters or digits"
        raise FormatError(f"token of {len(text)} characters: expected {expected}")
    if _checksum(text[:-_CHECKSUM_DIGITS]) != found[2]:
        raise FormatError(f"token {found[1]}: its checksum is wrong, so it was mistyped or cut off")
    return found[1]


def _checksum(text: str) -> str:
    return _format_number(zlib.crc32(text.encode()), _CHECKSUM_DIGITS)


def _format_number(value: int, digits: int) -> str:
    found = ""
    for _ in range(digits):
        value, rest = divmod(value, len(_DIGITS))
        found = _DIGITS[rest] + found
    return found
