"""The ledger entry: the small header whose hash is a leaf of the tree. Source: docs/spec/statements.md, section 3."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from wherefrom.errors import FormatError, MismatchError
from wherefrom.statements.digests import check_digests, format_digest
from wherefrom.statements.statement import Statement
from wherefrom.statements.times import format_time, parse_entry_time
from wherefrom.strict import Fields, format_text, parse_json, verify_canonical

ENTRY_TYPE = "wherefrom-entry-1"
SALT_SIZE = 32
MAX_ENTRY_SIZE = 65535  # C2SP tlog-tiles writes an entry's length in two bytes
MAX_LISTED_SUBJECTS = 256


@dataclass(frozen=True)
class Entry:
    """What the tree commits to.

    Attributes:
        kind: the statement's predicate type.
        commitment: SHA-256(salt ‖ envelope), 32 bytes. Salt and envelope lie beside the entry; when both are erased
            the commitment gives no way to guess what they were.
        key_ids: of the keys whose signatures the ledger checked when it took the statement.
        subjects: the statement's subject digests as `algorithm:hex`, sorted, without repeats; the first 256 of them.
        subject_count: how many there are in all.
        received: when the ledger took it, by the ledger's clock.
    """

    kind: str
    commitment: bytes
    key_ids: tuple[str, ...]
    subjects: tuple[str, ...]
    subject_count: int
    received: datetime


def commit(salt: bytes, envelope: bytes) -> bytes:
    if len(salt) != SALT_SIZE:
        raise FormatError(f"salt has {len(salt)} bytes, expected {SALT_SIZE}")
    return hashlib.sha256(salt + envelope).digest()


def make_entry(
    statement: Statement, envelope: bytes, *, salt: bytes, key_ids: Sequence[str], received: datetime
) -> Entry:
    listed, count = list_subjects(statement)
    return Entry(statement.predicate_type, commit(salt, envelope), tuple(key_ids), listed, count, received)


def list_subjects(statement: Statement) -> tuple[tuple[str, ...], int]:
    """What an entry says of a statement's subjects: their digests, as many as are listed, and how many there are."""
    digests = {format_digest(a, h) for subject in statement.subjects for a, h in subject.digests.items()}
    return tuple(sorted(digests)[:MAX_LISTED_SUBJECTS]), len(digests)


def verify_commitment(entry: Entry, *, salt: bytes, envelope: bytes) -> None:
    """Raise MismatchError unless the envelope is the one that the entry commits to."""
    if commit(salt, envelope) != entry.commitment:
        raise MismatchError("the statement beside the entry is not the one that the entry commits to")


def format_entry(entry: Entry) -> bytes:
    """The leaf's bytes. Raises FormatError above 65,535 bytes."""
    # Canonical JSON, put together from its parts: encoding it as a whole takes three times as long.
    data = b'{"commitment":"%b","keys":%b,"kind":%b,"received":"%b","subjectCount":%d,"subjects":%b,"type":"%b"}' % (
        entry.commitment.hex().encode(),
        _format_texts(entry.key_ids),
        format_text(entry.kind),
        format_time(entry.received).encode(),
        entry.subject_count,
        _format_texts(entry.subjects),
        ENTRY_TYPE.encode(),
    )
    if len(data) > MAX_ENTRY_SIZE:
        raise FormatError(f"entry has {len(data)} bytes, a ledger takes at most {MAX_ENTRY_SIZE}")
    return data


def _format_texts(texts: Sequence[str]) -> bytes:
    return b"[%b]" % b",".join(map(format_text, texts))


def parse_entry(data: bytes) -> Entry:
    """Read a leaf's bytes. Raises FormatError with the JSON path."""
    what = "ledger entry"
    value = parse_json(data, what=what)
    fields = Fields.of(value, what=what)
    fields.only("commitment", "keys", "kind", "received", "subjectCount", "subjects", "type")
    fields.literal("type", ENTRY_TYPE)
    keys, subjects = fields.items("keys"), fields.items("subjects")
    if not keys or not all(isinstance(key, str) and key for key in keys):
        fields.fail("keys", f"is {keys!r}, expected key ids")
    for position, subject in enumerate(subjects):
        algorithm, _, text = subject.partition(":") if isinstance(subject, str) else ("", "", "")
        check_digests({algorithm: text}, what=what, path=f"$.subjects[{position}]")
    if list(subjects) != sorted(set(subjects)):
        fields.fail("subjects", "are not sorted without repeats")
    count = fields.integer("subjectCount", least=len(subjects))
    if len(subjects) != min(count, MAX_LISTED_SUBJECTS):
        fields.fail("subjects", f"lists {len(subjects)} of {count}, expected {min(count, MAX_LISTED_SUBJECTS)}")
    received = parse_entry_time(fields.text("received"), what=what, path="$.received")
    verify_canonical(data, value, what=what)
    commitment = fields.hex("commitment", size=32)
    return Entry(fields.text("kind"), commitment, tuple(keys), tuple(subjects), count, received)
