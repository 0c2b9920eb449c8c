"""Reading an evidence file, strictly: every byte of it carries a claim. Source: docs/spec/evidence-bundle.md."""

from __future__ import annotations

import json
from dataclasses import dataclass

from wherefrom.errors import FormatError
from wherefrom.statements.dsse import Envelope, from_json
from wherefrom.statements.entry import SALT_SIZE
from wherefrom.strict import Fields, is_hex, parse_json, verify_canonical

BUNDLE_TYPE = "wherefrom-bundle-1"
MAX_SIZE = 1 << 30


@dataclass(frozen=True)
class Exhibit:
    """One statement with all that proves it.

    Attributes:
        index: of its entry in the ledger.
        entry: the leaf's bytes.
        salt: 32 bytes, hashed before the envelope in the entry's commitment.
        proof: inclusion proof in the tree of the bundle's checkpoint, 32 bytes each, leaf end first.
    """

    index: int
    entry: bytes
    salt: bytes
    envelope: Envelope
    envelope_bytes: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class Bundle:
    """An evidence file, read but not yet believed. `keys`: verifier keys of the log and of the producers, as text."""

    checkpoint: bytes
    exhibits: tuple[Exhibit, ...]
    keys: tuple[str, ...]
    report: str


def parse_bundle(data: bytes) -> Bundle:
    """Read an evidence file. Raises FormatError, with the JSON path, for anything but the one canonical form."""
    what = "evidence file"
    if len(data) > MAX_SIZE:
        raise FormatError(f"{what}: has {len(data)} bytes, expected at most {MAX_SIZE}")
    if not data.endswith(b"\n"):
        raise FormatError(f"{what}: does not end with a newline: it is cut short, or no evidence file")
    value = parse_json(data[:-1], what=what)
    fields = Fields.of(value, what=what).only("checkpoint", "keys", "report", "statements", "type")
    fields.literal("type", BUNDLE_TYPE)
    verify_canonical(data[:-1], value, what=what)
    exhibits = tuple(_exhibit(item) for item in fields.objects("statements"))
    if [e.index for e in exhibits] != sorted({e.index for e in exhibits}) or not exhibits:
        fields.fail("statements", "are not in index order without repeats, at least one")
    keys = fields.items("keys")
    if not all(isinstance(key, str) for key in keys):
        fields.fail("keys", f"is {keys!r}, expected verifier keys")
    return Bundle(fields.text("checkpoint").encode(), exhibits, tuple(keys), fields.text("report"))


def _exhibit(fields: Fields) -> Exhibit:
    fields.only("entry", "envelope", "index", "proof", "salt")
    proof = fields.items("proof")
    for position, item in enumerate(proof):
        if not isinstance(item, str) or not is_hex(item, size=32):
            fields.fail(f"proof[{position}]", f"is {item!r}, expected 64 lower-case hex digits")
    envelope = fields.object("envelope")
    return Exhibit(
        index=fields.integer("index"),
        entry=fields.text("entry").encode(),
        salt=fields.hex("salt", size=SALT_SIZE),
        envelope=from_json(envelope.value, what=fields.what, path=envelope.path),
        envelope_bytes=_plain(envelope),
        proof=tuple(bytes.fromhex(item) for item in proof),
    )


def _plain(envelope: Fields) -> bytes:
    """The envelope's own bytes: text and lists only, so sorting and no spaces make them canonical."""
    return json.dumps(envelope.value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
