"""Reading an evidence file, strictly: every byte of it carries a claim. Source: docs/spec/evidence-bundle.md."""

from __future__ import annotations

from dataclasses import dataclass

from wherefrom.anchors import AnchoredCheckpoint, parse_anchors
from wherefrom.errors import FormatError
from wherefrom.statements.dsse import Envelope, from_json
from wherefrom.statements.entry import SALT_SIZE
from wherefrom.strict import Fields, format_plain, is_hex, parse_json, verify_canonical

BUNDLE_TYPE = "wherefrom-bundle-1"
MAX_SIZE = 1 << 30
_WHAT = "evidence file"


@dataclass(frozen=True)
class Shown:
    """The text of a statement, and the 32 bytes that are hashed before it in its entry's commitment."""

    salt: bytes
    envelope: Envelope
    envelope_bytes: bytes


@dataclass(frozen=True)
class Exhibit:
    """One statement with all that proves it.

    Attributes:
        index: of its entry in the ledger.
        entry: the leaf's bytes.
        text: None where it was redacted.
        proof: inclusion proof in the tree of the bundle's checkpoint, 32 bytes each, leaf end first.
    """

    index: int
    entry: bytes
    text: Shown | None
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class Bundle:
    """An evidence file, read but not yet believed.

    `keys`: verifier keys of the log and of the producers, as text; `anchors`: checkpoints with proofs of their time.
    """

    checkpoint: bytes
    exhibits: tuple[Exhibit, ...]
    keys: tuple[str, ...]
    report: str
    anchors: tuple[AnchoredCheckpoint, ...] = ()


def parse_bundle(data: bytes) -> Bundle:
    """Read an evidence file. Raises FormatError, with the JSON path, for anything but the one canonical form."""
    if len(data) > MAX_SIZE:
        raise FormatError(f"{_WHAT}: has {len(data)} bytes, expected at most {MAX_SIZE}")
    if not data.endswith(b"\n"):
        raise FormatError(f"{_WHAT}: does not end with a newline: it is cut short, or no evidence file")
    value = parse_json(data[:-1], what=_WHAT)
    fields = Fields.of(value, what=_WHAT).only("anchors", "checkpoint", "keys", "report", "statements", "type")
    fields.literal("type", BUNDLE_TYPE)
    verify_canonical(data[:-1], value, what=_WHAT)
    exhibits = tuple(read_exhibit(item) for item in fields.objects("statements"))
    if [e.index for e in exhibits] != sorted({e.index for e in exhibits}) or not exhibits:
        fields.fail("statements", "are not in index order without repeats, at least one")
    keys = fields.items("keys")
    if not all(isinstance(key, str) for key in keys):
        fields.fail("keys", f"is {keys!r}, expected verifier keys")
    anchors = parse_anchors(fields) if "anchors" in fields else ()
    if "anchors" in fields and not anchors:
        fields.fail("anchors", "is empty, expected at least one, or no such member")
    return Bundle(fields.text("checkpoint").encode(), exhibits, tuple(keys), fields.text("report"), anchors)


def read_exhibit(fields: Fields) -> Exhibit:
    """Read one of the file's statements. Raises FormatError."""
    fields.only("entry", "envelope", "index", "proof", "salt")
    proof = fields.items("proof")
    for position, item in enumerate(proof):
        if not isinstance(item, str) or not is_hex(item, size=32):
            fields.fail(f"proof[{position}]", f"is {item!r}, expected 64 lower-case hex digits")
    text = read_text(fields) if "envelope" in fields or "salt" in fields else None
    entry = fields.text("entry").encode()
    return Exhibit(fields.integer("index"), entry, text, tuple(bytes.fromhex(item) for item in proof))


def read_text(fields: Fields) -> Shown:
    """Read salt and envelope, which stand together. The envelope has text, lists and objects only."""
    envelope = fields.object("envelope")
    read = from_json(envelope.value, what=fields.what, path=envelope.path)
    return Shown(fields.hex("salt", size=SALT_SIZE), read, format_plain(envelope.value))
