"""Outside time: who, beside the ledger itself, says that statements were there by when.

An evidence file may bring checkpoints of its ledger with proofs of time. Each is led to the file's own checkpoint by a
consistency proof, so whatever entry the older tree has, the file's tree has at the same index: it existed by that time.
Whom to believe comes from the verifier alone. Source: docs/spec/anchors.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from wherefrom.anchors import AnchoredCheckpoint, BlockHeaders, Timestamp, verify_ots, verify_rfc3161
from wherefrom.anchors.bitcoin import MAINNET_LEAST_WORK
from wherefrom.anchors.carried import OPENTIMESTAMPS, RFC3161
from wherefrom.anchors.timestamp import WITNESS, ProvenTime, earliest_time
from wherefrom.errors import MismatchError, UnavailableError
from wherefrom.merkle import verify_consistency
from wherefrom.notes import (
    Checkpoint,
    Cosignature,
    TrustedCheckpoint,
    TrustPolicy,
    open_note,
    parse_checkpoint,
    parse_note,
)
from wherefrom.verify.findings import Findings

__all__ = ["WITNESS", "AnchorVerdict", "ProvenTime", "check_anchors", "earliest_time"]


@dataclass
class AnchorVerdict(Findings):
    """What became of each proof of time. `times`: those that hold."""

    times: list[ProvenTime] = field(default_factory=list)


def check_anchors(
    anchors: Sequence[AnchoredCheckpoint],
    trusted: TrustedCheckpoint,
    policy: TrustPolicy,
    *,
    roots: Sequence[bytes] = (),
    headers: BlockHeaders | None = None,
    least_work: int = MAINNET_LEAST_WORK,
) -> AnchorVerdict:
    """Check every proof of time. Never raises for anything in `anchors`.

    Args:
        anchors: from the file that is verified.
        trusted: the file's checkpoint, verified.
        policy: the logs and witnesses that the verifier trusts; a witness's cosignature is a third kind of time.
        roots: PEM of the time authorities that the verifier trusts; without any, RFC 3161 can't be checked.
        headers: where Bitcoin's block headers come from; without, OpenTimestamps can't be checked.
        least_work: as `verify_ots` has it.
    """
    verdict = AnchorVerdict()
    verdict.times += _witnessed(trusted.checkpoint, trusted.cosignatures)
    for anchor in anchors:
        size = -1
        with verdict.check("an older checkpoint is of the same ledger, which only grew since") as said:
            size = _check_grown(verdict, anchor, trusted.checkpoint, policy)
            said.append(f"{size} entries then, {trusted.checkpoint.size} now")
        if size < 0:
            continue
        digest = hashlib.sha256(parse_note(anchor.note).text.encode()).digest()
        for proof in anchor.proofs:
            with verdict.check(f"the first {size} entries were there when {_NAMES[proof.kind]} saw them") as said:
                if proof.kind == RFC3161 and roots:
                    timestamp = verify_rfc3161(proof.proof, digest, roots=roots)
                elif proof.kind == OPENTIMESTAMPS and headers is not None:
                    timestamp = verify_ots(proof.proof, digest, headers, least_work=least_work)
                else:
                    missing = "which time authorities you trust" if proof.kind == RFC3161 else "where block headers are"
                    raise UnavailableError(f"by way of {proof.authority}: say {missing}")
                verdict.times.append(ProvenTime(size, proof.kind, timestamp))
                said.append(f"{timestamp.authority}: {timestamp.time.isoformat(timespec='seconds')}")
    return verdict


_NAMES: Final = {RFC3161: "a time authority (RFC 3161)", OPENTIMESTAMPS: "Bitcoin (OpenTimestamps)"}


def _check_grown(verdict: AnchorVerdict, anchor: AnchoredCheckpoint, newer: Checkpoint, policy: TrustPolicy) -> int:
    """The size of the older tree, when it is the newer one's beginning; keeps what witnesses said of it then.

    That the log signed it matters little, as the newer one vouches for the older; but a wrong signature is no accident.
    """
    note = open_note(anchor.note, policy.known_keys)
    older = parse_checkpoint(note.text)
    if older.origin != newer.origin:
        raise MismatchError(f"it is of the ledger {older.origin}, the evidence is from {newer.origin}")
    verify_consistency(
        old_size=older.size, old_root=older.root, new_size=newer.size, new_root=newer.root, proof=anchor.consistency
    )
    witnesses = {witness.key.label for witness in policy.witnesses}
    verdict.times += _witnessed(older, [c for c in note.cosignatures if c.key.label in witnesses])
    return older.size


def _witnessed(checkpoint: Checkpoint, cosignatures: Iterable[Cosignature]) -> list[ProvenTime]:
    """Times that others named. A log's own second key may stand among the witnesses; its word is no outside time."""
    return [
        ProvenTime(checkpoint.size, WITNESS, Timestamp(c.time, c.key.name))
        for c in cosignatures
        if c.time is not None and c.key.name != checkpoint.origin
    ]
