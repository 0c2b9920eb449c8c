"""Checkpoints signed and opened: by keys that one names, or by all that a trust policy asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wherefrom.errors import FormatError, SignatureError
from wherefrom.notes.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from wherefrom.notes.keys import ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE
from wherefrom.notes.note import VerifiedNote, open_note, parse_note, sign_note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wherefrom.notes.cosignature import Cosignature
    from wherefrom.notes.keys import Signer, VerifierKey
    from wherefrom.notes.policy import TrustPolicy


@dataclass(frozen=True, slots=True)
class TrustedCheckpoint:
    """A checkpoint that satisfies a policy.

    Attributes:
        log_key: by which a log of the policy signed it.
        cosignatures: all that were verified, by witnesses of the policy: the quorum, and maybe more.
    """

    checkpoint: Checkpoint
    log_key: VerifierKey
    cosignatures: tuple[Cosignature, ...]


def sign_checkpoint(checkpoint: Checkpoint, *signers: Signer, time_s: int = 0) -> bytes:
    """The signed note. Raises FormatError unless one of the keys has the origin as its name.

    Args:
        signers: the log's Ed25519 key first, its ML-DSA-44 key after it where it has both.
        time_s: the time that an ML-DSA-44 key names, in seconds since 1970-01-01 UTC; 0: none.

    Whoever signs answers for it that the tree grew out of every tree signed before; nothing here can know that.
    """
    if not any(signer.verifier_key.name == checkpoint.origin for signer in signers):
        names = ", ".join(signer.verifier_key.name for signer in signers) or "nobody"
        raise FormatError(f"checkpoint of {checkpoint.origin} would be signed by {names}, expected a key of that name")
    return sign_note(format_checkpoint(checkpoint), *signers, time_s=time_s)


def open_checkpoint(data: bytes, verifier_keys: Iterable[VerifierKey]) -> Checkpoint:
    """Read a signed checkpoint and verify it: a known key that is named like the origin must have signed.

    Raises what `open_note` raises, and SignatureError if only keys with other names signed: a key that is trusted for
    one log must not speak for another.
    """
    note = open_note(data, verifier_keys)
    checkpoint = parse_checkpoint(note.text)
    _find_log_keys(checkpoint, note, note.signed_by)
    return checkpoint


def open_trusted(data: bytes, policy: TrustPolicy) -> TrustedCheckpoint:
    """Read a signed checkpoint and hold it against a policy.

    Every signature by a key of the policy must verify, also one that the quorum could do without.

    Raises FormatError: no signed checkpoint, or no log of the policy is named as having signed it, so nothing was
    checked. SignatureError: a signature of a log or witness is wrong, the log that signed is another than the origin's,
    or the quorum is not met. UnavailableError: ML-DSA-44 where `cryptography` is without it.
    """
    named = [signature.label for signature in parse_note(data).signatures]
    if not any(key.label in named for key in policy.log_keys):
        logs = ", ".join(key.label for key in policy.log_keys)
        signers = ", ".join(dict.fromkeys(named))
        raise FormatError(f"checkpoint: it is signed by {signers}; your trust file names {logs}")
    note = open_note(data, policy.known_keys)
    checkpoint = parse_checkpoint(note.text)
    log_key, *_ = _find_log_keys(checkpoint, note, [key for key in note.signed_by if key in policy.log_keys])
    witness_keys = {witness.key for witness in policy.witnesses}
    cosignatures = tuple(c for c in note.cosignatures if c.key in witness_keys)
    if not policy.is_quorum(c.key for c in cosignatures):
        quorum = policy.quorum.decode("utf-8", "backslashreplace")
        by = ", ".join(c.key.label for c in cosignatures) or "no witness of the policy"
        raise SignatureError(f"checkpoint of {checkpoint.origin} lacks the quorum {quorum!r}: cosigned by {by}")
    return TrustedCheckpoint(checkpoint, log_key, cosignatures)


def _find_log_keys(checkpoint: Checkpoint, note: VerifiedNote, candidates: Iterable[VerifierKey]) -> list[VerifierKey]:
    """Those of the keys by which the checkpoint's own log signed all of it: at least one."""
    keys = [key for key in candidates if key.name == checkpoint.origin and key.key_type != ED25519_COSIGNATURE]
    if not keys:
        signed_by = ", ".join(key.label for key in note.signed_by)
        raise SignatureError(f"checkpoint of {checkpoint.origin} is signed by {signed_by}, expected a key of that name")
    if checkpoint.extensions and all(key.key_type == ML_DSA_44_COSIGNATURE for key in keys):
        # Its message has origin, size and root alone: any extension lines would pass.
        raise SignatureError(f"checkpoint of {checkpoint.origin} has extension lines, which {keys[0].label} can't sign")
    return keys
