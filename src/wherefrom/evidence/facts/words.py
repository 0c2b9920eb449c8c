"""Numbers, times and names as people read them; the same on every machine, whatever its locale and time zone."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len

from wherefrom.errors import FormatError
from wherefrom.statements import parse_time

_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def visible(text: str, *, keep: str = "") -> str:
    r"""Text with what can't be seen written out: `\x1b`, `\u202e`.

    A file's name may hold terminal commands, or marks that turn the reading direction round.

    Args:
        keep: characters to leave alone, such as line ends in a log.
    """
    if text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _INVISIBLE else _written_out(c) for c in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def format_number(number: int) -> str:
    """`246,912`."""
    return f"{number:,}"


def format_plural(number: int, noun: str, plural: str = "") -> str:
    """`1 run`, `2 runs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_bytes(number: int) -> str:
    """Three digits and a decimal unit: `1.23 MB`."""
    if number < 1000:
        return f"{number} B"
    value, units = float(number), iter(("kB", "MB", "GB", "TB", "PB", "EB"))
    unit = ""
    while value >= 999.5 and (following := next(units, "")):
        value, unit = value / 1000, following
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def format_duration(milliseconds: int) -> str:
    """`45 ms`, `12.3 s`, `4 min 5 s`, `2 h 3 min`."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = (milliseconds + 500) // 1000
    if seconds < 60:
        return f"{milliseconds / 1000:.1f} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def format_instant(text: str) -> str:
    """An RFC 3339 time in UTC, to the second: `2026-11-20 08:15:07 UTC`. Other text comes back as it is."""
    try:
        return f"{parse_time(text, what='time'):%Y-%m-%d %H:%M:%S} UTC"
    except FormatError:
        return text


def milliseconds_between(start: str, end: str) -> int | None:
    """None unless both are RFC 3339 times, in this order."""
    try:
        elapsed = parse_time(end, what="time") - parse_time(start, what="time")
    except FormatError:
        return None
    milliseconds = round(elapsed.total_seconds() * 1000)
    return milliseconds if milliseconds >= 0 else None


def shorten_middle(text: str, width: int, *, mark: str = "…") -> str:
    """At most `width` columns: what stands at the ends of a name tells more than what stands between them."""
    if cell_len(text) <= width:
        return text
    room = max(width - cell_len(mark), 0)
    head, tail = _fitting(text, room * 2 // 5), ""
    for character in reversed(text):
        if cell_len(head) + cell_len(character + tail) > room:
            break
        tail = character + tail
    return head + mark + tail


def _fitting(text: str, width: int) -> str:
    taken = ""
    for character in text:
        if cell_len(taken + character) > width:
            break
        taken += character
    return taken


def short_digest(algorithm: str, text: str, *, mark: str = "…") -> str:
    """`sha256:1f0c2d3e4b5a…`: twelve hex digits, enough to tell versions apart at sight."""
    return f"{algorithm}:{text[:12]}{mark if len(text) > 12 else ''}"
