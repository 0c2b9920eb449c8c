"""Signed notes and what is written as one: keys, checkpoints, and the policy saying which are believed. Pure; no I/O.

    key = SigningKey.generate("example.com/log")
    data = sign_checkpoint(Checkpoint("example.com/log", size, root), key)
    assert open_checkpoint(data, [key.verifier_key]).size == size
    assert open_trusted(data, TrustPolicy((TrustedLog(key.verifier_key),))).log_key == key.verifier_key

`docs/spec/ledger-formats.md` names the documents followed, and the choices made where they leave room.
"""

from wherefrom.notes.checkpoint import MAX_SIZE, Checkpoint, format_checkpoint, parse_checkpoint
from wherefrom.notes.cosignature import MAX_COSIGNED_NAME, Cosignature, sign_line, verify_line
from wherefrom.notes.keys import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    Signer,
    SigningKey,
    VerifierKey,
    format_signing_key,
    format_verifier_key,
    is_key_name,
    parse_label,
    parse_signing_key,
    parse_verifier_key,
)
from wherefrom.notes.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    VerifiedNote,
    add_signatures,
    format_note,
    format_signatures,
    make_signatures,
    open_note,
    parse_note,
    parse_signatures,
    sign_note,
)
from wherefrom.notes.policy import (
    NO_QUORUM,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    WitnessGroup,
    format_policy,
    parse_policy,
)
from wherefrom.notes.signed_checkpoint import TrustedCheckpoint, open_checkpoint, open_trusted, sign_checkpoint

__all__ = [
    "ED25519",
    "ED25519_COSIGNATURE",
    "MAX_COSIGNED_NAME",
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "MAX_SIZE",
    "ML_DSA_44_COSIGNATURE",
    "NO_QUORUM",
    "Checkpoint",
    "Cosignature",
    "Note",
    "NoteSignature",
    "Signer",
    "SigningKey",
    "TrustPolicy",
    "TrustedCheckpoint",
    "TrustedLog",
    "TrustedWitness",
    "VerifiedNote",
    "VerifierKey",
    "WitnessGroup",
    "add_signatures",
    "format_checkpoint",
    "format_note",
    "format_policy",
    "format_signatures",
    "format_signing_key",
    "format_verifier_key",
    "is_key_name",
    "make_signatures",
    "open_checkpoint",
    "open_note",
    "open_trusted",
    "parse_checkpoint",
    "parse_label",
    "parse_note",
    "parse_policy",
    "parse_signatures",
    "parse_signing_key",
    "parse_verifier_key",
    "sign_checkpoint",
    "sign_line",
    "sign_note",
    "verify_line",
]
