"""Evidence that a log showed two histories: two checkpoints that it signed, of which one tree can't have both.

Anybody can check it, offline, with the log's key. Source: docs/spec/split-view.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wherefrom.errors import FormatError, MismatchError, UnavailableError, VerificationError
from wherefrom.merkle import HASH_SIZE, ReadTile, prove_consistency_from_tiles, root_from_tiles, verify_consistency
from wherefrom.notes import Checkpoint, TrustPolicy, VerifierKey, open_checkpoint, parse_checkpoint, parse_note
from wherefrom.strict import Fields, format_plain, is_hex, parse_json, verify_canonical
from wherefrom.verify import Findings

SPLIT_VIEW_TYPE: Final = "wherefrom-split-view-1"
MAX_SPLIT_VIEW_BYTES: Final = 4 << 20

_WHAT: Final = "split view"
_MAX_HASHES: Final = 64


class SplitViewError(VerificationError):
    """The log showed two histories; `evidence` is the file that proves it."""

    def __init__(self, message: str, evidence: bytes) -> None:
        super().__init__(message, hint="keep the evidence, and show it to whoever else relies on this log")
        self.evidence = evidence


@dataclass(frozen=True)
class SplitView:
    """Two signed checkpoints, by size, those of one size by root.

    Attributes:
        root: what the tree of the larger one has as its root at the smaller one's size, 32 bytes; None for one size.
        proof: consistency proof from that root to the larger checkpoint's.
    """

    smaller: bytes
    larger: bytes
    root: bytes | None = None
    proof: tuple[bytes, ...] = ()


def make_split_view(one: bytes, other: bytes, read_tile: ReadTile) -> SplitView:
    """Evidence from two signed checkpoints that contradict each other.

    Args:
        read_tile: reads the tree of the larger one; not used where both are of one size.
    """
    smaller, larger = sorted((one, other), key=lambda note: (_read(note).size, _read(note).root))
    old, new = _read(smaller), _read(larger)
    if old.size == new.size:
        return SplitView(smaller, larger)
    proof = prove_consistency_from_tiles(old.size, new.size, read_tile)
    return SplitView(smaller, larger, root_from_tiles(old.size, read_tile), tuple(proof))


def format_split_view(view: SplitView) -> bytes:
    """Canonical JSON, and a newline."""
    value: dict[str, object] = {
        "larger": view.larger.decode(),
        "smaller": view.smaller.decode(),
        "type": SPLIT_VIEW_TYPE,
    }
    if view.root is not None:
        value |= {"proof": [node.hex() for node in view.proof], "root": view.root.hex()}
    return format_plain(value) + b"\n"


def parse_split_view(data: bytes) -> SplitView:
    """The inverse of `format_split_view`; nothing is verified. Raises FormatError with the JSON path."""
    if len(data) > MAX_SPLIT_VIEW_BYTES:
        raise FormatError(f"{_WHAT}: has {len(data)} bytes, expected at most {MAX_SPLIT_VIEW_BYTES}")
    if not data.endswith(b"\n"):
        raise FormatError(f"{_WHAT}: does not end with a newline")
    value = parse_json(data[:-1], what=_WHAT)
    fields = Fields.of(value, what=_WHAT)
    fields.literal("type", SPLIT_VIEW_TYPE)
    verify_canonical(data[:-1], value, what=_WHAT)
    smaller, larger = fields.text("smaller").encode(), fields.text("larger").encode()
    old, new = _read(smaller), _read(larger)
    if (old.size, old.root) > (new.size, new.root):
        fields.fail("smaller", "is not the checkpoint of the smaller size, or root")
    if old.size == new.size:
        fields.only("larger", "smaller", "type")
        return SplitView(smaller, larger)
    fields.only("larger", "proof", "root", "smaller", "type")
    hashes = fields.items("proof")
    if len(hashes) > _MAX_HASHES or not all(isinstance(h, str) and is_hex(h, size=HASH_SIZE) for h in hashes):
        fields.fail("proof", f"is not at most {_MAX_HASHES} hashes in lower-case hex")
    return SplitView(smaller, larger, fields.hex("root", size=HASH_SIZE), tuple(map(bytes.fromhex, hashes)))


def verify_split_view(data: bytes, policy: TrustPolicy) -> Findings:
    """Whether a log that the policy names has signed two checkpoints of which one tree can't have both.

    Asks for the log's own signatures only: a log that shows some people another history has no witnesses for it.
    """
    found = Findings()
    with found.check("the file is evidence of a split view") as said:
        view = parse_split_view(data)
        old, new = _read(view.smaller), _read(view.larger)
        said.append(f"checkpoints of {old.size:,} and {new.size:,} entries")
    if found.findings[-1].outcome.name != "TRUE":
        return found
    with found.check("one log, which you trust, signed both checkpoints") as said:
        said.append(f"signed by {_verify_signed(view, policy.log_keys).label}")
    with found.check("no tree has both") as said:
        _verify_contradiction(view, old, new)
        roots = f"{(view.root or new.root).hex()} and {old.root.hex()}"
        said.append(f"two roots for the first {old.size:,} entries: {roots}")
    return found


def _verify_signed(view: SplitView, log_keys: Sequence[VerifierKey]) -> VerifierKey:
    """The trusted key that signed both. Raises SignatureError, UnavailableError: no trusted log is named in both."""
    labels = [{signature.label for signature in parse_note(note).signatures} for note in (view.smaller, view.larger)]
    for key in log_keys:
        if all(key.label in named for named in labels):
            for note in (view.smaller, view.larger):
                open_checkpoint(note, [key])
            return key
    known = ", ".join(key.label for key in log_keys)
    raise UnavailableError(f"no log that you trust is named as having signed both; your trust file names {known}")


def _verify_contradiction(view: SplitView, old: Checkpoint, new: Checkpoint) -> None:
    if old.origin != new.origin:
        raise MismatchError(f"the checkpoints are of two logs, {old.origin} and {new.origin}")
    if view.root is None:
        if old.root == new.root:
            raise MismatchError(f"both checkpoints have root {old.root.hex()}")
        return
    if view.root == old.root:
        raise MismatchError(f"the larger tree begins with the smaller: both have root {old.root.hex()} there")
    verify_consistency(old_size=old.size, old_root=view.root, new_size=new.size, new_root=new.root, proof=view.proof)


def _read(note: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)
