"""One row as JSON, and its canonical bytes. Source: docs/spec/fingerprint-proofs-v1.md section 2.

The kernel of `wherefrom.fingerprints` makes the same bytes for millions of rows at once, and needs native libraries for
it; this is for the one row of a proof, and needs none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from wherefrom.commitments.identity import FilesFingerprint, KeyCommitment, RecordsFingerprint
from wherefrom.commitments.logical import Column, LogicalType
from wherefrom.errors import FormatError

_EPOCH: Final = date(1970, 1, 1).toordinal()
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?", re.ASCII)
_MOMENT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9:.]+)(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_SECONDS: Final = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]{1,9}))?", re.ASCII)
_CANONICAL_NAN: Final = bytes.fromhex("7ff8000000000000")
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def row_bytes(row: Mapping[str, Any], about: RecordsFingerprint | KeyCommitment | FilesFingerprint) -> bytes:
    """The bytes of a row given as JSON values: what the set that it belongs to would hash, but for prefix and salt.

    Keys are given as their form leaves them, files as path, size and sha256.

    Raises FormatError naming the column that is missing, unknown, or whose value does not fit its type.
    """
    if isinstance(about, FilesFingerprint):
        return _file_entry(row)
    _verify_names(row, [column.name for column in about.columns])
    cells = b"".join(_named_cell(column, row[column.name]) for column in about.columns)
    if isinstance(about, KeyCommitment) and not cells.strip(b"\0"):
        raise FormatError("the key is null in every column, which is no key")
    return cells


def leaf_of(row: bytes, *, salt: bytes | None) -> bytes:
    """The leaf hash of a row's bytes; `salt` (32 bytes) in private sets."""
    return hashlib.sha256(b"\x00" + (salt or b"") + row).digest()


def _verify_names(row: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in row:
        if name not in known:
            raise FormatError(f"the row has a column {name!r}; the set has {_listed(known)}")
    for name in known:
        if name not in row:
            raise FormatError(f"the row lacks the column {name!r}; the set has {_listed(known)}")


def _file_entry(row: Mapping[str, Any]) -> bytes:
    _verify_names(row, ["path", "sha256", "size"])
    path, sha256, size = row["path"], row["sha256"], row["size"]
    digest = _digest({"sha256": sha256})
    if not isinstance(path, str) or digest is None or type(size) is not int or not 0 <= size < 2**63:
        raise _wrong(row, "a file: path (text), sha256 (64 hex digits), size (bytes)")
    name = path.encode()
    return len(name).to_bytes(4) + name + size.to_bytes(8) + digest


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _named_cell(column: Column, value: Any) -> bytes:
    try:
        return cell_bytes(value, column.type)
    except FormatError as error:
        raise FormatError(f"column {column.name!r}: {error}") from error


def cell_bytes(value: Any, kind: LogicalType) -> bytes:
    """The cell of a JSON value of a type. Raises FormatError with the value and what was expected."""
    if value is None:
        return b"\x00"
    if kind.kind in _NESTED:
        return _NESTED[kind.kind](value, kind)
    return _FLAT[kind.kind](value)


def _wrong(value: Any, expected: str) -> FormatError:
    return FormatError(f"{value!r} is not {expected}")


def _null(value: Any) -> bytes:
    raise _wrong(value, "null, and the column has no other values")


def _boolean(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return b"\x01" + bytes([value])


def _number(value: Any) -> bytes:
    expected = 'a number, as JSON has it, digits as text, "NaN", "Infinity" or "-Infinity"'
    if isinstance(value, str):
        if not re.fullmatch(r"-?[0-9]{1,20}", value, re.ASCII) and value not in _SPECIAL:
            raise _wrong(value, expected)
        value = _SPECIAL[value] if value in _SPECIAL else int(value)
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _wrong(value, expected)
    if isinstance(value, float) and math.isnan(value):
        return b"\x04" + _CANONICAL_NAN
    if isinstance(value, float) and (not value.is_integer() or not -(2**63) <= value < 2**64):
        return b"\x04" + struct.pack(">d", value)
    number = int(value)
    if -(2**63) <= number < 2**63:
        return b"\x02" + number.to_bytes(8, signed=True)
    if 0 <= number < 2**64:
        return b"\x03" + number.to_bytes(8)
    raise _wrong(value, "an integer from -2^63 to 2^64 - 1")


def _decimal(value: Any) -> bytes:
    try:
        if not isinstance(value, str) or not (number := Decimal(value)).is_finite():
            raise _wrong(value, 'a decimal as text, such as "1.50"')
    except InvalidOperation as error:
        raise _wrong(value, 'a decimal as text, such as "1.50"') from error
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    exponent = int(exponent) + len(text) - len(short) if short else 0
    if len(short) > 76 or not -(2**31) <= exponent < 2**31:
        raise _wrong(value, "a decimal of at most 76 digits")
    coefficient = int(short or "0") * (-1 if sign else 1)
    return b"\x05" + exponent.to_bytes(4, signed=True) + coefficient.to_bytes(32, signed=True)


def _digest(value: Any) -> bytes | None:
    """The payload of a value that is given by its SHA-256, {"sha256": "…"}."""
    if isinstance(value, dict) and value.keys() == {"sha256"}:
        text = value["sha256"]
        if isinstance(text, str) and len(text) == 64 and not text.strip("0123456789abcdef"):
            return bytes.fromhex(text)
    return None


def _text(value: Any) -> bytes:
    if payload := _digest(value):
        return b"\x06" + payload
    if not isinstance(value, str):
        raise _wrong(value, 'text, or {"sha256": "64 hex digits"} for it')
    try:
        return b"\x06" + hashlib.sha256(value.encode()).digest()
    except UnicodeEncodeError as error:
        raise _wrong(value, "Unicode text: it has a lone surrogate") from error


def _binary(value: Any) -> bytes:
    if payload := _digest(value):
        return b"\x07" + payload
    expected = 'binary: {"base64": "…"}, or {"sha256": "64 hex digits"} for it'
    if not isinstance(value, dict) or value.keys() != {"base64"} or not isinstance(value["base64"], str):
        raise _wrong(value, expected)
    try:
        return b"\x07" + hashlib.sha256(base64.b64decode(value["base64"], validate=True)).digest()
    except (binascii.Error, ValueError) as error:
        raise _wrong(value, expected) from error


def _date(value: Any) -> bytes:
    if isinstance(value, str):
        value = _day(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise _wrong(value, 'a date: "2013-01-31", or days since 1970-01-01')
    return b"\x08" + value.to_bytes(8, signed=True)


def _day(text: str) -> int:
    try:
        if len(text) == 10:
            return date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError:
        raise _wrong(text, 'a date: "2013-01-31", or days since 1970-01-01') from None
    raise _wrong(text, 'a date: "2013-01-31", or days since 1970-01-01')


def _time(value: Any) -> bytes:
    expected = 'a time of day: "05:15:00.25", or nanoseconds since midnight'
    nanoseconds = _clock(value, expected) if isinstance(value, str) else value
    if isinstance(nanoseconds, bool) or not isinstance(nanoseconds, int) or not -(2**63) <= nanoseconds < 2**63:
        raise _wrong(value, expected)
    return b"\x09" + nanoseconds.to_bytes(8, signed=True)


def _clock(text: str, expected: str) -> int:
    match = _CLOCK.fullmatch(text)
    if not match:
        raise _wrong(text, expected)
    hours, minutes, seconds = (int(part) for part in match.groups()[:3])
    return (hours * 3600 + minutes * 60 + seconds) * 10**9 + int((match[4] or "").ljust(9, "0"))


def _datetime(value: Any) -> bytes:
    return b"\x0a" + _moment(value, 'a datetime without a zone: "2013-01-31T05:15:00.25", or [seconds, nanoseconds]')


def _instant(value: Any) -> bytes:
    expected = 'an instant: "2013-01-31T05:15:00.25Z" or with another zone, or [seconds, nanoseconds]'
    return b"\x0b" + _moment(value, expected, is_zoned=True)


def _moment(value: Any, expected: str, *, is_zoned: bool = False) -> bytes:
    if not isinstance(value, str):
        return _seconds_and_nanoseconds(value, expected)
    match = _MOMENT.fullmatch(value)
    if not match or bool(match[3]) != is_zoned:
        raise _wrong(value, expected)
    try:
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{match[3] or 'Z'}").utcoffset()
    except ValueError as error:
        raise _wrong(value, expected) from error
    seconds, nanoseconds = divmod(_clock(match[2], expected), 10**9)
    seconds += _day(match[1]) * 86_400 - (int(zone.total_seconds()) if zone else 0)
    return seconds.to_bytes(8, signed=True) + nanoseconds.to_bytes(4)


def _seconds_and_nanoseconds(value: Any, expected: str) -> bytes:
    is_pair = isinstance(value, list) and [type(part) for part in value] == [int, int]
    if not is_pair or not 0 <= value[1] < 10**9 or not -(2**63) <= value[0] < 2**63:
        raise _wrong(value, expected)
    return int(value[0]).to_bytes(8, signed=True) + int(value[1]).to_bytes(4)


def _duration(value: Any) -> bytes:
    expected = 'a duration: seconds as text, "-1.5", or [seconds, nanoseconds]'
    if isinstance(value, str):
        match = _SECONDS.fullmatch(value)
        if not match:
            raise _wrong(value, expected)
        nanoseconds = int(match[2]) * 10**9 + int((match[3] or "").ljust(9, "0"))
        value = list(divmod(-nanoseconds if match[1] else nanoseconds, 10**9))
    return b"\x0c" + _seconds_and_nanoseconds(value, expected)


def _interval(value: Any) -> bytes:
    if isinstance(value, list) and [type(part) for part in value] == [int, int, int]:
        try:
            return b"\x0d" + struct.pack(">iiq", *value)
        except struct.error as error:
            raise _wrong(value, "an interval: [months, days, nanoseconds] of 32, 32 and 64 bits") from error
    raise _wrong(value, "an interval: [months, days, nanoseconds]")


def _list(value: Any, kind: LogicalType) -> bytes:
    if (payload := _digest(value)) is None:
        if not isinstance(value, list):
            raise _wrong(value, f"an array, for a {kind}")
        payload = hashlib.sha256(b"".join(cell_bytes(item, kind.fields[0].type) for item in value)).digest()
    return b"\x0e" + payload


def _struct(value: Any, kind: LogicalType) -> bytes:
    if not isinstance(value, dict) or value.keys() != {field.name for field in kind.fields}:
        raise _wrong(value, f"an object with the members of a {kind}")
    cells = b"".join(_named_cell(field, value[field.name]) for field in kind.fields)
    return b"\x0f" + hashlib.sha256(cells).digest()


def _map(value: Any, kind: LogicalType) -> bytes:
    if (payload := _digest(value)) is None:
        if not isinstance(value, list) or not all(isinstance(entry, list) and len(entry) == 2 for entry in value):
            raise _wrong(value, f"an array of [key, value], for a {kind}")
        key, item = (field.type for field in kind.fields)
        entries = sorted(cell_bytes(entry[0], key) + cell_bytes(entry[1], item) for entry in value)
        payload = hashlib.sha256(b"".join(entries)).digest()
    return b"\x10" + payload


_FLAT: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "null": _null,
    "boolean": _boolean,
    "number": _number,
    "decimal": _decimal,
    "text": _text,
    "binary": _binary,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "instant": _instant,
    "duration": _duration,
    "interval": _interval,
}
_NESTED: Final[Mapping[str, Callable[[Any, LogicalType], bytes]]] = {"list": _list, "struct": _struct, "map": _map}
