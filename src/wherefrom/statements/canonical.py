"""Canonical JSON: RFC 8785 (JCS), the one encoding of every value that we hash or sign."""

from __future__ import annotations

import contextlib
from typing import Any

from wherefrom.errors import FormatError
from wherefrom.strict import format_plain

try:
    import orjson
except ImportError:  # the offline verifier, which only reads, does without
    orjson = None  # type: ignore[assignment]

_MOST_VALUES = 1_000_000


def format_canonical(value: Any) -> bytes:
    """Encode a JSON value as RFC 8785 has it. Raises FormatError for NaN and integers beyond 2^53."""
    try:
        if _is_plain(value):
            if (
                orjson is not None
            ):  # the same bytes for such values, ten times as fast: tests/property/test_json_roads.py
                with contextlib.suppress(TypeError):  # nested deeper than it writes, or a lone surrogate
                    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
            return format_plain(value)
    except (UnicodeError, RecursionError) as error:
        raise FormatError(f"value has no canonical JSON form: {type(error).__name__}: {error}") from error
    import rfc8785  # here, so that the offline verifier, which only reads, needs no JCS library

    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise FormatError(f"value has no canonical JSON form: {error}") from error
    except (UnicodeError, RecursionError) as error:
        raise FormatError(f"value has no canonical JSON form: {type(error).__name__}: {error}") from error


def _is_plain(value: Any) -> bool:
    """Whether the standard library's encoder gives RFC 8785's bytes: no floats, ASCII keys, integers within 2^53.

    Keys of ASCII sort alike by code points and by UTF-16 units. Subclasses of the plain types are left to the library.
    """
    values = [value]
    for one in values:  # grows while we walk
        kind = type(one)
        if kind is dict:
            if not all(type(key) is str and key.isascii() for key in one):
                return False
            values.extend(one.values())
        elif kind is list:
            values.extend(one)
        elif kind is int:
            if not -(2**53) < one < 2**53:
                return False
        elif kind is not str and kind is not bool and one is not None:
            return False
        if len(values) > _MOST_VALUES:  # a list that holds itself, perhaps
            return False
    return True
