"""Instants: RFC 3339 text, always with a zone; ours are UTC with six fraction digits."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime

from wherefrom.errors import FormatError

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_OURS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@functools.lru_cache(maxsize=64)  # the entries of a batch have one time
def format_time(instant: datetime) -> str:
    """`2026-11-21T08:15:00.123456Z`. The instant must be aware."""
    # Not strftime, which writes the years before 1000 with fewer than four digits.
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parse_time(text: str, *, what: str, path: str = "$") -> datetime:
    """Read RFC 3339 in any zone, to the microsecond. Raises FormatError, also when there is no zone."""
    if not _RFC3339.fullmatch(text):
        raise FormatError(f"{what}: {path}: is {text!r}, expected a time with a zone such as 2026-11-21T08:15:00Z")
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper())).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{what}: {path}: {text!r} is no date that exists") from error


def parse_entry_time(text: str, *, what: str, path: str) -> datetime:
    """Read the one form that ledger entries use."""
    if not _OURS.fullmatch(text):
        raise FormatError(f"{what}: {path}: is {text!r}, expected the form 2026-11-21T08:15:00.123456Z")
    return parse_time(text, what=what, path=path)
