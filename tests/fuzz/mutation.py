"""Changing inputs at random: bytes, lines, JSON members, numbers and lengths; the same seed gives the same changes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

# fmt: off
_BYTES = [b"\0", b"\xff", b"\n", b"\n\n", b"\r\n", b" ", b"\t", b"+", b"=", b"/", b".", b"-", b'"', b"\\", b"\xc3",
  b"\xe2\x80\x94 "]
_NUMBERS = ["0", "00", "-0", "-1", "1", "255", "256", "65535", "65536", "2147483648", "9007199254740993",
  "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e999", "1e-5", "٣", "9" * 5000]
_VALUES: list[Any] = [None, True, False, 0, -1, 2**53, 2**64, 1.5, "", "\0", "é", "\ud800", "a" * 300, [], {}, [[]],
  {"": {}}, [None]]
# fmt: on


def mutate(dice: random.Random, data: bytes, others: Sequence[bytes], *, most: int) -> bytes:
    """`data` with one to four changes, perhaps crossed with one of the others; at most `most` bytes."""
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        change = dice.choice((_flip, _flip, _splice, _splice, _lines, _lines, _number, _json, _json, _cross, _length))
        data = change(dice, data, others)[:most]
    return data


def _flip(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]


def _splice(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Cut out, repeat or put in a few bytes; sometimes cut all that follows."""
    start = dice.randint(0, len(data))
    end = min(len(data), start + dice.choice((0, 1, 2, 4, 32, 33, 1000)))
    middle = dice.choice((b"", data[start:end] * 2, data[start:end] * 40, dice.choice(_BYTES), dice.randbytes(3)))
    return data[:start] + middle + (b"" if dice.random() < 0.1 else data[end:])


def _lines(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Drop, repeat, exchange or take over a line."""
    lines = data.split(b"\n")
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    match dice.randrange(5):
        case 0:
            del lines[one]
        case 1:
            lines.insert(two, lines[one])
        case 2:
            lines[one], lines[two] = lines[two], lines[one]
        case 3:
            lines[one] = dice.choice(dice.choice(others).split(b"\n"))
        case _:
            words = lines[one].split(b" ")
            words[dice.randrange(len(words))] = dice.choice(lines[two].split(b" "))
            lines[one] = b" ".join(words)
    return b"\n".join(lines)


def _number(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Put another number in the place of one."""
    places = [at for at, byte in enumerate(data) if 48 <= byte < 58 and (at == 0 or not 48 <= data[at - 1] < 58)]
    if not places:
        return data
    start = end = dice.choice(places)
    while end < len(data) and 48 <= data[end] < 58:
        end += 1
    return data[:start] + dice.choice(_NUMBERS).encode() + data[end:]


def _json(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Change one value of a JSON document, or of the JSON on one of its lines, and write it canonically."""
    lines = data.split(b"\n")
    held = [number for number, line in enumerate(lines) if line.startswith((b"{", b"["))]
    if not held:
        return data
    at = dice.choice(held)
    try:
        value = json.loads(lines[at])
    except (ValueError, RecursionError):
        return data
    changed = _change_value(dice, value)
    lines[at] = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
    return b"\n".join(lines)


def _change_value(dice: random.Random, value: Any) -> Any:
    place, key = None, None
    inside = value
    while isinstance(inside, dict | list) and inside and dice.random() < 0.8:
        place, key = inside, dice.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        inside = place[key]
    if place is None:
        return value if dice.random() < 0.9 else dice.choice(_VALUES)
    match dice.randrange(4):
        case 0:
            del place[key]
        case 1 if isinstance(place, list):
            place.append(inside)
        case 1:
            place[f"{key}x"] = inside
        case 2 if isinstance(inside, str) and inside:
            place[key] = _flip(dice, inside.encode(errors="replace"), ()).decode(errors="replace")
        case _:
            place[key] = dice.choice(_VALUES)
    return value


def _cross(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The start of one input with the end of another."""
    other = dice.choice(others)
    return data[: dice.randint(0, len(data))] + other[dice.randint(0, len(other)) :]


def _length(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Set one, two, four or eight bytes to an extreme, as a length or a count might be."""
    width = dice.choice((1, 2, 4, 8))
    at = dice.randint(0, max(0, len(data) - width))
    return data[:at] + dice.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * width + data[at + width :]
