"""Canonical JSON: RFC 8785 (JCS), the one encoding of every value that we hash or sign."""

from __future__ import annotations

from typing import Any

from wherefrom.errors import FormatError


def format_canonical(value: Any) -> bytes:
    """Encode a JSON value as RFC 8785 has it. Raises FormatError for NaN and integers beyond 2^53."""
    import rfc8785  # here, so that the offline verifier, which only reads, needs no JCS library

    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise FormatError(f"value has no canonical JSON form: {error}") from error
    except (UnicodeError, RecursionError) as error:
        raise FormatError(f"value has no canonical JSON form: {type(error).__name__}: {error}") from error
