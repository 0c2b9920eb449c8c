"""JSON read strictly: one meaning for each document, and the JSON path in each error.

What the standard parser lets through and we don't: duplicate keys, NaN and infinities, text that is not UTF-8, lone
surrogates, and nesting deeper than `MAX_DEPTH`.

Where `orjson` is installed, it reads what it can be shown to read as the standard library does; everything else, and
whatever is wrong, is read by the standard library. Nothing but time depends on it: tests/property/test_json_roads.py.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, NoReturn

from wherefrom.errors import FormatError

try:
    import orjson
except ImportError:  # the offline verifier needs nothing but one library for signatures
    orjson = None  # type: ignore[assignment]

MAX_DEPTH = 64


class _Duplicate:
    """Stands in for an object with a key twice, until the walk that knows the path reports it."""

    def __init__(self, key: str) -> None:
        self.key = key


def _object(pairs: list[tuple[str, Any]]) -> Any:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            return _Duplicate(key)
        value[key] = item
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise FormatError(f"number {text} has no JSON form")


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise FormatError(f"number {text[:60]} is beyond what a double holds")
    return value


class _Doubtful(Exception):  # noqa: N818 - never leaves this file
    """Perhaps not strict JSON: to be read again by the walk that knows what is wrong, and where."""


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Doubtful
    return value


# UTF-8 has no surrogates, so a lone one can only come from an escape.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_QUICK = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates, parse_constant=_refuse_constant, parse_float=_parse_float
)


def parse_json(data: bytes, *, what: str = "document", depth: int = 0) -> Any:
    """Parse one JSON document from UTF-8 bytes; `what` names it in errors. Raises FormatError.

    Args:
        depth: how deep the document lies in another one that it will be part of, which counts for its nesting.
    """
    levels = MAX_DEPTH - depth
    if orjson is not None:
        with contextlib.suppress(_Doubtful, ValueError):
            return _parse_with_orjson(data, levels)
    with contextlib.suppress(_Doubtful, ValueError, RecursionError):  # read again below, to say what is wrong and where
        value = _QUICK.decode(data.decode("utf-8"))
        # Few brackets can't be nested deep; most documents have few.
        is_flat = data.count(b"{") + data.count(b"[") <= levels or is_shallow(value, levels)
        if is_flat and not _SURROGATE.search(data):
            return value
    return _parse_and_name_errors(data, what=what, depth=depth)


# What orjson reads otherwise: integers beyond 64 bits, as floats. Each has 19 digits in a row, or more.
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * 19
# Written with indents, a document of so many bytes grows to a few MB at the very most.
_SMALL = 32768


def _parse_with_orjson(data: bytes, levels: int) -> Any:
    """The value, if all that is strict about it can be told cheaply. Raises _Doubtful or ValueError.

    orjson refuses what is not UTF-8, lone surrogates, NaN and numbers that are infinite as doubles. Of a key that is
    there twice it keeps the last, so that there are fewer texts in the value than in the bytes.
    """
    value = orjson.loads(data)
    is_small = len(data) <= _SMALL
    try:
        written = orjson.dumps(value, option=orjson.OPT_INDENT_2 if is_small else None)
    except TypeError as error:  # nested deeper than it writes
        raise _Doubtful from error
    is_deep = _is_indented(written, levels + 1) if is_small else not is_shallow(value, levels)
    if is_deep or _count_texts(written) != _count_texts(data) or _MANY_DIGITS in data.translate(_DIGITS_ALIKE):
        raise _Doubtful
    return value


def pack_json(value: Any) -> bytes | None:
    """Bytes that stand for a value that was JSON, and for no other; None when they can't be had quickly."""
    if orjson is not None:
        with contextlib.suppress(TypeError):  # integers beyond 64 bits
            return orjson.dumps(value)
    return None


def unpack_json(packed: bytes) -> Any:
    """The value again."""
    return orjson.loads(packed)


def _count_texts(data: bytes) -> int:
    """Twice the number of texts, keys among them, in a JSON document: the quotation marks that begin and end them."""
    if b"\\" not in data:
        return data.count(b'"')
    # Escapes are read from the left: without the escaped backslashes, each one that is left escapes what follows it.
    data = data.replace(b"\\\\", b"")
    return data.count(b'"') - data.count(b'\\"')


def _is_indented(written: bytes, levels: int) -> bool:
    """Whether something in a document, as OPT_INDENT_2 writes it, lies so many levels below its outermost value."""
    return b"\n" + b"  " * levels in written  # within texts, line ends are escaped


_CONTAINERS = (dict, list, tuple)
_PLAIN = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


def is_shallow(value: Any, levels: int) -> bool:
    """Whether no list or object lies `levels` or more levels below the value, itself at level 0."""
    if orjson is not None:
        with contextlib.suppress(TypeError):  # what it can't write, perhaps because it is nested too deep
            is_small = levels > 0 and len(orjson.dumps(value)) <= _SMALL
            if is_small and not _is_indented(orjson.dumps(value, option=orjson.OPT_INDENT_2), levels):
                return True
    row = [value] if isinstance(value, _CONTAINERS) else []
    while row and levels:
        levels -= 1
        inner = [item for one in row for item in (one.values() if isinstance(one, dict) else one)]
        row = [item for item in inner if isinstance(item, _CONTAINERS)]
    return not row


def _parse_and_name_errors(data: bytes, *, what: str, depth: int) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{what}: not UTF-8 at byte {error.start}") from error
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_parse_float)
    except json.JSONDecodeError as error:
        raise FormatError(f"{what}: not JSON at byte {len(text[: error.pos].encode())}: {error.msg}") from error
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from error
    except RecursionError as error:
        raise FormatError(f"{what}: nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise FormatError(f"{what}: {error}") from error
    _check(value, "$", what, depth)
    return value


def _check(value: Any, path: str, what: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FormatError(f"{what}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, _Duplicate):
        raise FormatError(f"{what}: {path}.{value.key}: key appears twice")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, f"{path} (a key)", what)
            _check(item, f"{path}.{key}", what, depth + 1)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _check(item, f"{path}[{position}]", what, depth + 1)
    elif isinstance(value, str):
        _check_text(value, path, what)


def _check_text(value: str, path: str, what: str) -> None:
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise FormatError(f"{what}: {path}: text has a lone surrogate, expected Unicode text")


def format_plain(value: Any) -> bytes:
    """Encode text, integers to 2^53, booleans, null, lists and objects with ASCII keys as RFC 8785 has them.

    Of nothing else, so that it needs no JCS library. The caller sees to it that there is nothing else.
    """
    return _PLAIN.encode(value).encode()


def format_text(text: str) -> bytes:
    """Encode one text as `format_plain` does, some times faster. Raises TypeError for what is no text."""
    return encode_basestring(text).encode()


def verify_canonical(data: bytes, value: Any, *, what: str) -> None:
    """Raise FormatError unless `data` is the one canonical encoding of `value`, which `format_plain` can encode."""
    plain = format_plain(value)
    if plain != data:
        differs = next(
            (i for i, (a, b) in enumerate(zip(data, plain, strict=False)) if a != b), min(len(data), len(plain))
        )
        raise FormatError(f"{what}: byte {differs} is not as canonical JSON (RFC 8785) has it")


@dataclass(slots=True, eq=False)  # not frozen: one is made for each object of a document, and freezing costs most of it
class Fields:
    """A JSON object whose members are taken out by name and kind; whatever is wrong is named by its JSON path."""

    value: dict[str, Any]
    path: str
    what: str

    @classmethod
    def of(cls, value: Any, *, what: str, path: str = "$") -> Fields:
        if not isinstance(value, dict):
            raise FormatError(f"{what}: {path}: is {_kind(value)}, expected an object")
        return cls(value, path, what)

    def fail(self, key: str, problem: str) -> NoReturn:
        raise FormatError(f"{self.what}: {self.path}.{key}: {problem}")

    def only(self, *keys: str) -> Fields:
        """Refuse members beyond these."""
        for key in self.value:
            if key not in keys:
                self.fail(key, f"unknown member, expected one of {', '.join(sorted(keys))}")
        return self

    def _get(self, key: str, kind: type, expected: str) -> Any:
        if key not in self.value:
            self.fail(key, f"is missing, expected {expected}")
        value = self.value[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(key, f"is {_kind(value)}, expected {expected}")
        return value

    def text(self, key: str, *, least: int = 1) -> str:
        value: str = self._get(key, str, "text")
        if len(value) < least:
            self.fail(key, "is empty")
        if "\0" in value:  # PostgreSQL can't keep it in text, and an archive must be able to move there
            self.fail(key, "has the character U+0000")
        return value

    def literal(self, key: str, *allowed: str) -> str:
        value = self.text(key)
        if value not in allowed:
            self.fail(key, f"is {value!r}, expected {' or '.join(repr(a) for a in allowed)}")
        return value

    def integer(self, key: str, *, least: int = 0) -> int:
        value: int = self._get(key, int, "an integer")
        if not least <= value < 2**53:
            self.fail(key, f"is {value}, expected an integer from {least} to 2^53 - 1")
        return value

    def items(self, key: str) -> list[Any]:
        value: list[Any] = self._get(key, list, "an array")
        return value

    def objects(self, key: str) -> Iterator[Fields]:
        for position, item in enumerate(self.items(key)):
            yield Fields.of(item, what=self.what, path=f"{self.path}.{key}[{position}]")

    def object(self, key: str) -> Fields:
        return Fields.of(self._get(key, dict, "an object"), what=self.what, path=f"{self.path}.{key}")

    def hex(self, key: str, *, size: int) -> bytes:
        """`size` bytes in lower-case hex."""
        value = self.text(key)
        if not is_hex(value, size=size):
            self.fail(key, f"is {value!r}, expected {2 * size} lower-case hex digits")
        return bytes.fromhex(value)

    def __contains__(self, key: str) -> bool:
        return key in self.value


def is_hex(value: str, *, size: int) -> bool:
    return len(value) == 2 * size and not value.strip("0123456789abcdef")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "text", int: "a number", float: "a number", bool: "a boolean"}
    return names.get(type(value), "null")
