"""Anchors as an evidence file carries them: read strictly, and written. Source: docs/spec/anchors.md, section 5."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from wherefrom.anchors.ots import MAX_PROOF_BYTES
from wherefrom.errors import FormatError
from wherefrom.notes import parse_checkpoint, parse_note
from wherefrom.strict import Fields, is_hex

RFC3161, OPENTIMESTAMPS = "rfc3161", "opentimestamps"
MAX_ANCHORS: Final = 64
MAX_PROOFS: Final = 16
MAX_HASHES: Final = 128

AUTHORITY: Final = re.compile(r"[!-~]{1,2048}")  # printed to terminals


@dataclass(frozen=True)
class AnchorProof:
    """A proof of time by a kind of authority. `authority`: the URL it was asked at, by which nothing is believed."""

    kind: str
    authority: str
    proof: bytes


@dataclass(frozen=True)
class AnchoredCheckpoint:
    """A signed checkpoint with proofs of the time of its text, and of its tree being in the bundle's tree."""

    note: bytes
    consistency: tuple[bytes, ...]
    proofs: tuple[AnchorProof, ...]

    @property
    def size(self) -> int:
        """Of the tree, as the checkpoint claims. Raises FormatError."""
        return parse_checkpoint(parse_note(self.note).text).size


def parse_anchors(fields: Fields, key: str = "anchors") -> tuple[AnchoredCheckpoint, ...]:
    """Read the member of an evidence file. Raises FormatError with the JSON path."""
    if len(fields.items(key)) > MAX_ANCHORS:
        fields.fail(key, f"has {len(fields.items(key))} checkpoints, expected at most {MAX_ANCHORS}")
    anchors = tuple(_parse_anchor(item) for item in fields.objects(key))
    sizes = [anchor.size for anchor in anchors]
    if sizes != sorted(set(sizes)):
        fields.fail(key, "are not in order of their checkpoints' sizes, each once")
    return anchors


def to_json(anchor: AnchoredCheckpoint) -> dict[str, object]:
    """The inverse of what `parse_anchors` does with each."""
    return {
        "checkpoint": anchor.note.decode(),
        "consistency": [item.hex() for item in anchor.consistency],
        "proofs": [
            {"authority": p.authority, "kind": p.kind, "proof": base64.b64encode(p.proof).decode()}
            for p in anchor.proofs
        ],
    }


def _parse_anchor(fields: Fields) -> AnchoredCheckpoint:
    fields.only("checkpoint", "consistency", "proofs")
    hashes, proofs = fields.items("consistency"), fields.items("proofs")
    if len(hashes) > MAX_HASHES or not all(isinstance(item, str) and is_hex(item, size=32) for item in hashes):
        fields.fail("consistency", f"is not a list of at most {MAX_HASHES} times 64 lower-case hex digits")
    if not 1 <= len(proofs) <= MAX_PROOFS:
        fields.fail("proofs", f"are {len(proofs)}, expected 1 to {MAX_PROOFS}")
    found = tuple(_parse_proof(item) for item in fields.objects("proofs"))
    names = [(proof.kind, proof.authority) for proof in found]
    if names != sorted(set(names)):
        fields.fail("proofs", "are not in order of kind and authority, each once")
    anchor = AnchoredCheckpoint(
        fields.text("checkpoint").encode(), tuple(bytes.fromhex(item) for item in hashes), found
    )
    try:
        _ = anchor.size
    except FormatError as error:
        fields.fail("checkpoint", str(error))
    return anchor


def _parse_proof(fields: Fields) -> AnchorProof:
    fields.only("authority", "kind", "proof")
    kind, authority = fields.literal("kind", RFC3161, OPENTIMESTAMPS), fields.text("authority")
    if not AUTHORITY.fullmatch(authority):
        fields.fail("authority", "is not 1 to 2,048 printable ASCII characters without spaces")
    encoded = fields.text("proof")
    try:
        proof = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        fields.fail("proof", "is not base64")
    if base64.b64encode(proof).decode() != encoded or len(proof) > MAX_PROOF_BYTES:
        fields.fail("proof", f"is not base64 in its one spelling, of at most {MAX_PROOF_BYTES} bytes")
    return AnchorProof(kind, authority, proof)
