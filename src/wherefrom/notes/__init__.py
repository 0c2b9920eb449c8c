"""Signed notes and what is written as one: keys, checkpoints, and the policy saying which are believed. Pure; no I/O.

    key = SigningKey.generate("example.com/log")
    data = sign_checkpoint(Checkpoint("example.com/log", size, root), key)
    assert open_checkpoint(data, [key.verifier_key]).size == size

`docs/spec/ledger-formats.md` names the documents followed, and the choices made where they leave room.
"""

from wherefrom.notes.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from wherefrom.notes.keys import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    SigningKey,
    VerifierKey,
    format_signing_key,
    format_verifier_key,
    is_key_name,
    parse_signing_key,
    parse_verifier_key,
)
from wherefrom.notes.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    VerifiedNote,
    format_note,
    open_note,
    parse_note,
    sign_note,
)
from wherefrom.notes.policy import TrustedLog, TrustPolicy, format_policy, parse_policy

__all__ = [
    "ED25519",
    "ED25519_COSIGNATURE",
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "MAX_SIZE",
    "ML_DSA_44_COSIGNATURE",
    "Checkpoint",
    "Note",
    "NoteSignature",
    "SigningKey",
    "TrustPolicy",
    "TrustedLog",
    "VerifiedNote",
    "VerifierKey",
    "format_checkpoint",
    "format_note",
    "format_policy",
    "format_signing_key",
    "format_verifier_key",
    "is_key_name",
    "open_checkpoint",
    "open_note",
    "parse_checkpoint",
    "parse_note",
    "parse_policy",
    "parse_signing_key",
    "parse_verifier_key",
    "sign_checkpoint",
    "sign_note",
]
