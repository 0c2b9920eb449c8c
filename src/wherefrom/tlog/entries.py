"""Entry bundles: up to 256 entries, each behind its length in two bytes. Source: C2SP tlog-tiles, "Log entries"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wherefrom.errors import FormatError
from wherefrom.merkle import TILE_WIDTH

MAX_ENTRY_BYTES: Final = 0xFFFF
MAX_BUNDLE_BYTES: Final = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)

_LENGTH_BYTES: Final = 2


def format_entries(entries: Sequence[bytes]) -> bytes:
    """One bundle. Raises FormatError: no entry, more than 256, or one of more than 65,535 bytes."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise FormatError(f"entry bundle of {len(entries)} entries, expected 1 to {TILE_WIDTH}")
    parts = []
    for position, entry in enumerate(entries):
        if len(entry) > MAX_ENTRY_BYTES:
            raise FormatError(
                f"entry {position} of a bundle has {len(entry)} bytes, expected at most {MAX_ENTRY_BYTES}"
            )
        parts += [len(entry).to_bytes(_LENGTH_BYTES), entry]
    return b"".join(parts)


def parse_entries(data: bytes, *, what: str = "entry bundle") -> list[bytes]:
    """The inverse of `format_entries`; `what` names the bundle in errors. Raises FormatError."""
    entries: list[bytes] = []
    position, end = 0, len(data)
    while position < end:
        if len(entries) == TILE_WIDTH:
            raise FormatError(f"{what} has {end - position} bytes behind its {TILE_WIDTH} entries")
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start])
        if start > end or position > end:
            raise FormatError(f"{what} has {end} bytes, and ends inside its entry {len(entries)}")
        entries.append(data[start:position])
    if not entries:
        raise FormatError(f"{what} is empty, expected 1 to {TILE_WIDTH} entries")
    return entries
