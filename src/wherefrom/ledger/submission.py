"""What is appended: a statement in its signed envelope, with all that the ledger and the views need to know of it.

A `Signed` is small and plain, so that reading and signing can be done in another process than recording.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from wherefrom.notes import Signer
from wherefrom.statements import (
    Envelope,
    Reading,
    Statement,
    format_envelope,
    format_statement,
    list_subjects,
    parse_checked,
    reading_of,
    sign_envelope,
)


class Signed(NamedTuple):
    """A statement in its envelope. Whether the signatures hold and count is not said.

    Attributes:
        kind: the predicate type.
        subjects, subject_count: as `list_subjects` gives them.
        digest: SHA-256 of the payload.
        envelope: in its canonical form.
        labels: of the keys that signed it, as it says.
        reading: what the views are made from.
    """

    kind: str
    subjects: tuple[str, ...]
    subject_count: int
    digest: bytes
    envelope: bytes
    labels: tuple[str, ...]
    reading: Reading


def make_signed(statement: Statement, envelope: Envelope) -> Signed:
    """Put together what an envelope holds, and the statement that was read of its payload, or that it was made from."""
    digest, data = hashlib.sha256(envelope.payload).digest(), format_envelope(envelope)
    labels = tuple([signature.key_id for signature in envelope.signatures])
    return Signed(statement.predicate_type, *list_subjects(statement), digest, data, labels, reading_of(statement))


def sign_statement(statement: Statement, keys: Sequence[Signer]) -> Signed:
    """Sign with each key. Raises FormatError for a statement that breaks its kind's form."""
    payload = format_statement(statement)
    if statement.checked is None:  # nobody vouches that it says what its bytes say
        statement = parse_checked(payload)
    return make_signed(statement, sign_envelope(payload, {key.verifier_key.label: key for key in keys}))


@dataclass(frozen=True)
class Submission:
    """A statement whose signatures were verified as being by `key_ids`."""

    signed: Signed
    key_ids: tuple[str, ...]

    @cached_property
    def dedup(self) -> bytes:
        """`hash_for_dedup` of it."""
        return hash_for_dedup(self.signed.digest, self.key_ids)


def hash_for_dedup(digest: bytes, key_ids: Sequence[str]) -> bytes:
    """The same for payloads of the same SHA-256 by the same keys, and for nothing else."""
    return hashlib.sha256(digest + "\n".join(sorted(key_ids)).encode()).digest()
