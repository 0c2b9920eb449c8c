"""What somebody means who asks for the ledger as it was: an entry, a time, or a day."""

from __future__ import annotations

import re
from datetime import timedelta

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.statements import format_time, parse_time
from wherefrom.store import LedgerTables

_MOST_DIGITS = 15


def parse_as_of(tables: LedgerTables, text: str, *, size: int) -> int:
    """A tree size, of `ENTRY`, an index, that entry included; or `TIME`, RFC 3339 or a day (UTC, to its end).

    Args:
        size: of the ledger now.

    Raises NotFoundError when there is no such entry yet, FormatError for what is neither.
    """
    if text.isascii() and text.isdecimal():
        if len(text) > _MOST_DIGITS or int(text) >= size:
            raise NotFoundError(f"no entry {text[:100]} in this archive, which has {size}")
        return int(text) + 1
    is_day = re.fullmatch(r"\d{4}-\d\d-\d\d", text)
    try:
        at = parse_time(f"{text}T00:00:00Z" if is_day else text, what="as of")
    except FormatError as error:
        expected = "an entry's index, a day, or a time with a zone (RFC 3339)"
        raise FormatError(f"as of {text[:100]!r}: expected {expected}") from error
    return tables.size_at(format_time(at + timedelta(days=1, microseconds=-1) if is_day else at))
