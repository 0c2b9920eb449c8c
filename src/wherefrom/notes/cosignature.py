r"""What a key's line under a note says, and of which bytes its signature is. Source: C2SP tlog-cosignature.

    0x01  Ed25519    signature of the note's text
    0x04  Ed25519    time (8 bytes) ‖ signature of "cosignature/v1\ntime <time>\n" ‖ text of a checkpoint
    0x06  ML-DSA-44  time (8 bytes) ‖ signature of label, own name, time, and a checkpoint's origin, size and root

A cosigner says: as of this time, this is the largest tree that I saw of this log, and it grew out of all I saw before.
Without a time (zero) it says that the tree is one of the log's, and nothing about the largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from wherefrom.errors import FormatError, SignatureError
from wherefrom.notes.checkpoint import parse_checkpoint
from wherefrom.notes.keys import ED25519, ED25519_COSIGNATURE, VerifierKey

if TYPE_CHECKING:
    from wherefrom.notes.keys import Signer

MAX_COSIGNED_NAME: Final = 255
"""Bytes in the name of a log or cosigner that ML-DSA-44 cosignatures can commit to."""

_TIME_SIZE: Final = 8
_MAX_TIME: Final = 253402300799  # the last second of year 9999; the document goes on to 2^63 - 1
_SUBTREE_LABEL: Final = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified statement by a cosigner. `time`, UTC, whole seconds, is what it says; None where it names no time."""

    key: VerifierKey
    time: datetime | None


def sign_line(signer: Signer, text: str, *, time_s: int = 0) -> bytes:
    """What stands behind the key id in the signer's line under this text.

    Args:
        time_s: seconds since 1970-01-01 UTC that a cosigner names; 0 names none. Other keys name no time.

    Raises FormatError: a cosigner is to sign what is no checkpoint, or a name it can't commit to. UnavailableError: the
    key can't be reached.
    """
    key = signer.verifier_key
    if key.key_type == ED25519:
        return signer.sign(text.encode())
    if not 0 <= time_s <= _MAX_TIME:
        raise FormatError(f"time {time_s} of a cosignature by {key.label} is not between 0 and {_MAX_TIME}")
    return time_s.to_bytes(_TIME_SIZE) + signer.sign(_format_cosigned(key, text, time_s))


def verify_line(key: VerifierKey, text: str, signature: bytes) -> datetime | None:
    """Check what stands behind the key id in a line by this key; the time that a cosigner names, None if it names none.

    Raises SignatureError: it does not fit. FormatError: a cosigner's line under what is no checkpoint.
    UnavailableError: ML-DSA-44 where `cryptography` is without it.
    """
    if key.key_type == ED25519:
        key.verify(text.encode(), signature)
        return None
    if len(signature) < _TIME_SIZE:
        raise SignatureError(f"cosignature by {key.label} has {len(signature)} bytes, expected a time and a signature")
    time_s = int.from_bytes(signature[:_TIME_SIZE])
    if time_s > _MAX_TIME:
        raise SignatureError(f"cosignature by {key.label} has time {time_s}, expected at most {_MAX_TIME}")
    key.verify(_format_cosigned(key, text, time_s), signature[_TIME_SIZE:])
    return datetime.fromtimestamp(time_s, UTC) if time_s else None


def _format_cosigned(key: VerifierKey, text: str, time_s: int) -> bytes:
    """The message that a cosigner signs for the checkpoint with this text."""
    checkpoint = parse_checkpoint(text)
    if key.key_type == ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time_s}\n{text}".encode()
    return b"".join(
        (
            _SUBTREE_LABEL,
            _format_opaque(key.name, what="key name"),
            time_s.to_bytes(8),
            _format_opaque(checkpoint.origin, what="checkpoint origin"),
            bytes(8),
            checkpoint.size.to_bytes(8),
            checkpoint.root,
        )
    )


def _format_opaque(name: str, *, what: str) -> bytes:
    """`opaque<1..2^8-1>` of RFC 8446: a byte for the length, then the bytes."""
    data = name.encode()
    if not 1 <= len(data) <= MAX_COSIGNED_NAME:
        raise FormatError(
            f"{what} {name[:60]!r} has {len(data)} bytes, ML-DSA-44 cosignatures take {MAX_COSIGNED_NAME}"
        )
    return bytes([len(data)]) + data
