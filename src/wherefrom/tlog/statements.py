"""Statements beside a published log, each of which can be erased alone, and what lineage they give.

Source: docs/spec/publication.md. The log itself holds entries only, which name a statement by a salted commitment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wherefrom.errors import FormatError
from wherefrom.merkle import TILE_WIDTH, format_entries_path, parse_entries_path
from wherefrom.statements import SALT_SIZE
from wherefrom.strict import Fields, format_plain, parse_json, verify_canonical

LINEAGE: Final = "lineage.json"
LINEAGE_TYPE: Final = "wherefrom-lineage-1"
MAX_STATEMENTS_BYTES: Final = 1 << 28
MAX_LINEAGE_BYTES: Final = 1 << 20

_MAX_VIEWS: Final = 64
_TILES: Final = "tile/entries/"
_FOLDER: Final = "statements/"


@dataclass(frozen=True)
class PublishedStatement:
    """What lies beside the entry at `index`: the salt, 32 bytes, and the canonical bytes of the DSSE envelope."""

    index: int
    salt: bytes
    envelope: bytes


def format_statements_path(index: int) -> str:
    """`statements/x001/067`: what lies beside the entries of bundle 1067."""
    return _FOLDER + format_entries_path(index).removeprefix(_TILES)


def parse_statements_path(path: str) -> int:
    """The inverse of `format_statements_path`. Raises FormatError."""
    index, width = parse_entries_path(_TILES + path.removeprefix(_FOLDER))
    if not path.startswith(_FOLDER) or width != TILE_WIDTH:
        raise FormatError(f"path {path!r} is not 'statements/<index>'")
    return index


def format_statements(statements: Sequence[PublishedStatement]) -> bytes:
    """A line for each, in order; one that was erased has none. The envelope is JSON already, and stands as it is."""
    lines = (
        b'{"envelope":%b,"index":%d,"salt":"%b"}\n' % (s.envelope, s.index, s.salt.hex().encode()) for s in statements
    )
    return b"".join(lines)


def parse_statements(data: bytes, index: int, *, what: str = "statements") -> list[PublishedStatement]:
    """The statements beside the entries of bundle `index`, in entry order. Raises FormatError."""
    *lines, rest = data.split(b"\n")
    if rest:
        raise FormatError(f"{what}: does not end with a newline")
    if len(lines) > TILE_WIDTH:
        raise FormatError(f"{what}: has {len(lines)} lines, expected at most {TILE_WIDTH}")
    return list(_in_order((_parse_line(line, f"{what} line {n}") for n, line in enumerate(lines, 1)), index, what))


def _parse_line(line: bytes, what: str) -> PublishedStatement:
    value = parse_json(line, what=what)
    fields = Fields.of(value, what=what).only("envelope", "index", "salt")
    verify_canonical(line, value, what=what)
    index, salt = fields.integer("index"), fields.hex("salt", size=SALT_SIZE)
    return PublishedStatement(index, salt, format_plain(fields.object("envelope").value))


def _in_order(statements: Iterable[PublishedStatement], index: int, what: str) -> Iterable[PublishedStatement]:
    least = index * TILE_WIDTH
    for statement in statements:
        if not least <= statement.index < (index + 1) * TILE_WIDTH:
            raise FormatError(f"{what}: index {statement.index} is out of order, or of another bundle")
        least = statement.index + 1
        yield statement


@dataclass(frozen=True)
class ViewDigest:
    """How many rows a view has, and SHA-256 (hex) of their canonical text."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class PublishedLineage:
    """What the first `size` entries give."""

    size: int
    views: Mapping[str, ViewDigest]


def digest_rows(rows: Iterable[Sequence[Any]]) -> ViewDigest:
    """Of rows in the order of their key: each a JSON array of integers, text, bytes in hex and null, and a newline."""
    digest, count = hashlib.sha256(), 0
    for row in rows:
        text = json.dumps(list(row), separators=(",", ":"), ensure_ascii=False, default=bytes.hex)
        digest.update(text.encode() + b"\n")
        count += 1
    return ViewDigest(count, digest.hexdigest())


def format_lineage(lineage: PublishedLineage) -> bytes:
    views = {name: {"rows": view.rows, "sha256": view.sha256} for name, view in lineage.views.items()}
    value = {"size": lineage.size, "type": LINEAGE_TYPE, "views": views}
    return format_plain(value) + b"\n"


def parse_lineage(data: bytes) -> PublishedLineage:
    """The inverse of `format_lineage`. Raises FormatError with the JSON path."""
    what = LINEAGE
    if not data.endswith(b"\n"):
        raise FormatError(f"{what} does not end with a newline")
    value = parse_json(data[:-1], what=what)
    fields = Fields.of(value, what=what).only("size", "type", "views")
    fields.literal("type", LINEAGE_TYPE)
    verify_canonical(data[:-1], value, what=what)
    named = fields.object("views")
    if len(named.value) > _MAX_VIEWS:
        fields.fail("views", f"has {len(named.value)} members, expected at most {_MAX_VIEWS}")
    views = {}
    for name in named.value:
        view = named.object(name).only("rows", "sha256")
        views[name] = ViewDigest(view.integer("rows"), view.hex("sha256", size=32).hex())
    return PublishedLineage(fields.integer("size"), views)
