"""Having witnesses cosign the ledger's newest checkpoint, and keeping what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wherefrom.archive.archive import Archive
from wherefrom.errors import SignatureError, UnavailableError
from wherefrom.ledger.cosigned import read_cosigned_checkpoint
from wherefrom.ledger.log import tile_reader
from wherefrom.merkle import prove_consistency_from_tiles
from wherefrom.notes import (
    Checkpoint,
    Cosignature,
    TrustPolicy,
    VerifierKey,
    open_checkpoint,
    open_note,
    parse_note,
    parse_policy,
    verify_line,
)
from wherefrom.store import AttestationTables
from wherefrom.tlog.witness_client import TIMEOUT_S, WitnessAddress, WitnessAnswer, ask_witnesses, list_addresses


@dataclass(frozen=True)
class Cosigning:
    """What asking the witnesses of a policy came to.

    Attributes:
        note: the checkpoint with every cosignature kept of it, from this time and before.
        cosignatures: those by the policy's witnesses, each with its time.
        witnessed: names of the policy's witnesses and groups that are satisfied.
        is_quorum: whether the policy's quorum is among them, or none is asked for.
    """

    checkpoint: Checkpoint
    note: bytes
    answers: list[WitnessAnswer]
    cosignatures: tuple[Cosignature, ...]
    witnessed: frozenset[bytes]
    is_quorum: bool


def cosign(archive: Archive, policy: TrustPolicy | None = None, *, timeout_s: float = TIMEOUT_S) -> Cosigning:
    """Ask every witness of the policy that has a URL, at once, and keep the cosignatures that verify: each key's first.

    The policy is the archive's own trust file unless another is given. Nothing is locked while witnesses think; what
    is recorded meanwhile waits for the next time. A witness that fails is told of in its answer and hinders no other.

    Raises UnavailableError: the policy has no witness with a URL.
    """
    policy = policy or parse_policy(archive.trust_file.read_bytes())
    addresses = list_addresses(policy)
    if not addresses:
        raise UnavailableError(
            "the policy names no witness with a URL", hint="add a line: witness <name> <verifier key> <URL>"
        )
    with archive.reading() as (tables, _):
        note = tables.read_checkpoint()
        attestations = AttestationTables(tables.connection)
        newest = attestations.newest_cosigned() or 0
        cosigned_newest = set(attestations.read_cosignatures(newest))

    def old_size(address: WitnessAddress) -> int:
        return newest if cosigned_newest & {key.label for key in address.keys} else 0

    def prove(old: int, new: int) -> Sequence[bytes]:
        with archive.reading() as (tables, _):
            return prove_consistency_from_tiles(old, new, tile_reader(tables))

    checkpoint = open_checkpoint(note, [archive.log_key])
    answers = ask_witnesses(addresses, note, old_size=old_size, prove=prove, timeout_s=timeout_s)
    text = parse_note(note).text
    known = {key.label: key for address in addresses for key in address.keys}
    with archive.writing() as connection:
        attestations = AttestationTables(connection)
        kept = attestations.read_cosignatures(checkpoint.size)
        for line in (line for answer in answers for line in answer.signatures):
            if not _holds(known[line.label], text, kept.get(line.label)):
                attestations.write_cosignature(checkpoint.size, line.label, line.signature)
    with archive.reading() as (tables, _):
        cosigned = read_cosigned_checkpoint(tables, AttestationTables(tables.connection), checkpoint.size)
    labels = {witness.key.label for witness in policy.witnesses}
    opened = open_note(cosigned, {key.label: key for key in (*policy.known_keys, archive.log_key)}.values())
    cosignatures = tuple(c for c in opened.cosignatures if c.key.label in labels)
    keys = [c.key for c in cosignatures]
    return Cosigning(checkpoint, cosigned, answers, cosignatures, policy.find_witnessed(keys), policy.is_quorum(keys))


def _holds(key: VerifierKey, text: str, signature: bytes | None) -> bool:
    """Whether a cosignature kept from before is one. It names an earlier time than a new one would, so it stays."""
    try:
        return signature is not None and verify_line(key, text, signature) is not None
    except SignatureError:
        return False
