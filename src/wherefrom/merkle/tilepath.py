"""Where tiles and entry bundles lie: `tile/<level>/<index>[.p/<width>]`. Source: C2SP tlog-tiles.

A path is relative to the log's prefix and has one spelling; whatever else would name the same tile is refused.
"""

from __future__ import annotations

import re
from typing import Final

from wherefrom.errors import FormatError

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 2**TILE_HEIGHT
MAX_LEVEL: Final = 63
MAX_INDEX: Final = 2**63 - 1

_INDEX: Final = r"(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
_TILE: Final = re.compile(r"tile/(?P<level>[0-9]{1,2})/" + _INDEX)
_ENTRIES: Final = re.compile(r"tile/entries/" + _INDEX)


TileId = tuple[int, int, int]
"""Level, index, width: level 0 holds leaf hashes, each level above the roots of full tiles below; the index counts from
the left; the width is 1 to 256 hashes, less than 256 only at the right edge of a tree."""


def format_tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """`tile/0/x001/x234/067.p/8` for level 0, index 1234067, width 8. Raises FormatError: a value out of range."""
    if not 0 <= level <= MAX_LEVEL:
        raise FormatError(f"tile level {level} is not between 0 and {MAX_LEVEL}")
    return f"tile/{level}/{_format_index(index, width)}"


def parse_tile_path(path: str) -> TileId:
    """The inverse of `format_tile_path`. Raises FormatError: another spelling, or a value out of range."""
    match = _TILE.fullmatch(path)
    if not match:
        raise FormatError(f"tile path {path!r} is not 'tile/<level>/<index>' with an optional '.p/<width>'")
    tile = (int(match["level"]), _parse_index(match["index"]), _parse_width(match["width"]))
    _check_spelling(path, format_tile_path(*tile))
    return tile


def format_entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """`tile/entries/x001/x234/067.p/8`: the bundle with the entries below a tile of level 0."""
    return f"tile/entries/{_format_index(index, width)}"


def parse_entries_path(path: str) -> tuple[int, int]:
    """Index and width, the inverse of `format_entries_path`. Raises FormatError."""
    match = _ENTRIES.fullmatch(path)
    if not match:
        raise FormatError(f"entries path {path!r} is not 'tile/entries/<index>' with an optional '.p/<width>'")
    index, width = _parse_index(match["index"]), _parse_width(match["width"])
    _check_spelling(path, format_entries_path(index, width))
    return index, width


def _format_index(index: int, width: int) -> str:
    if not 0 <= index <= MAX_INDEX:
        raise FormatError(f"tile index {index} is not between 0 and {MAX_INDEX}")
    if not 1 <= width <= TILE_WIDTH:
        raise FormatError(f"tile width {width} is not between 1 and {TILE_WIDTH}")
    parts = f"{index:,}".split(",")  # groups of three digits
    *folders, name = (part.zfill(3) for part in parts)
    path = "".join(f"x{folder}/" for folder in folders) + name
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def _parse_index(text: str) -> int:
    return int(text.replace("x", "").replace("/", ""))


def _parse_width(text: str | None) -> int:
    return TILE_WIDTH if text is None else int(text)


def _check_spelling(path: str, expected: str) -> None:
    if path != expected:  # leading zeroes, an empty folder x000, or a full tile written as a partial one
        raise FormatError(f"tile path {path!r} is not the only spelling, expected {expected!r}")
