"""Key forms: what is done to a key's value before it is committed to or asked for.

Source: docs/spec/fingerprint-records-v1.md section 7.1. Whoever asks for a key applies the same form to it, so these
functions are the committer's and the asker's alike.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final

from wherefrom.commitments.unassigned import UNASSIGNED
from wherefrom.errors import FormatError, UnavailableError

# Unicode's property White_Space, spelled out: `\s` of Python's takes U+001C to U+001F too.
_WHITE_SPACE: Final = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_MAX_SHOWN: Final = 200


def text_form(text: str) -> str:
    """Text without the differences that people don't see: letter case, compatibility characters, white space.

    By the rules of Unicode 14.0, whatever version Python brings: a code point unassigned there stands for itself.
    """
    # Such characters neither compose nor fold, and have combining class 0, so what lies between them is on its own.
    folded = "".join(piece if index % 2 else _fold(piece) for index, piece in enumerate(UNASSIGNED.split(text)))
    return _WHITE_SPACE.sub(" ", folded).strip(" ")


def url_form(text: str) -> str:
    """A URL as browsers write it, without its fragment: WHATWG URL Standard, parsed without a base.

    Raises FormatError: no URL. UnavailableError: the library for URLs is not installed.
    """
    require_form("url")
    import ada_url

    try:
        url = ada_url.URL(text)
    except ValueError as error:
        shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
        raise FormatError(f"{shown!r} is not an absolute URL") from error
    url.hash = ""
    return url.href


def document_form(text: str) -> dict[str, str]:
    """What stands for a document in a proof: its SHA-256, computed, or given as `sha256:` and 64 hex digits."""
    digits = text.removeprefix("sha256:")
    if digits != text and len(digits) == 64 and not digits.strip("0123456789abcdef"):
        return {"sha256": digits}
    return {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def form_value(value: Any, form: str) -> Any:
    """A key's value as JSON, brought into a form; what is no text is for the set's type to accept or refuse."""
    return _OF_TEXT[form](value) if isinstance(value, str) and form in _OF_TEXT else value


def require_form(form: str) -> None:
    """Make sure that what a form needs is installed, before anything is read; UnavailableError naming the extra."""
    if form != "url":
        return
    try:
        import ada_url  # noqa: F401
    except ImportError as error:
        raise UnavailableError("key form 'url' needs an extra: pip install 'wherefrom[url]'") from error


_OF_TEXT: Final[dict[str, Callable[[str], Any]]] = {"text": text_form, "url": url_form, "document": document_form}


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
