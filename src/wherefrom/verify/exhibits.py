"""The statements of an evidence file: each in the ledger, unchanged, and signed by a key that counted then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from wherefrom.errors import MismatchError, WherefromError
from wherefrom.merkle import hash_leaf, verify_inclusion
from wherefrom.notes import Checkpoint, VerifierKey, parse_verifier_key
from wherefrom.statements.entry import Entry, commit, list_subjects, parse_entry
from wherefrom.statements.erasure import ERASURE_KINDS, REDACTION
from wherefrom.statements.keybook import KeyBook, KeyEntry
from wherefrom.statements.kinds import KEY, name_of, parse_checked
from wherefrom.statements.statement import Statement
from wherefrom.verify.anchors import ProvenTime, earliest_time
from wherefrom.verify.bundle import Exhibit, Shown


@dataclass(frozen=True)
class Stated:
    """A statement whose place in the tree, text and signature hold; without its text where it was redacted."""

    index: int
    statement_id: str
    entry: Entry
    statement: Statement | None
    redaction: Statement | None = None


@dataclass(frozen=True)
class Clock:
    """What is known of time, and whether it must be known, when a key was compromised: see `KeyBook.judge`."""

    times: Sequence[ProvenTime] = ()
    needs_time: bool = False

    def shown_at(self, index: int) -> datetime | None:
        """By when an entry existed, at the latest, as somebody outside says."""
        earliest = earliest_time(self.times, index)
        return earliest.timestamp.latest if earliest else None


def read_exhibits(
    exhibits: Sequence[Exhibit], checkpoint: Checkpoint, log_key: VerifierKey, clock: Clock
) -> tuple[list[Stated], KeyBook]:
    """Every exhibit, or an error that names the first that does not hold. Raises VerificationError, FormatError."""
    placed: list[tuple[Exhibit, bytes, Entry]] = []
    for exhibit in exhibits:
        with naming(exhibit):
            placed.append(place(exhibit, checkpoint))
    stated_keys = [
        KeyEntry(exhibit.index, entry.received, exhibit.text.envelope)
        for exhibit, _, entry in placed
        if entry.kind == KEY and exhibit.text
    ]
    book = KeyBook.read([log_key], stated_keys, parse_key=parse_verifier_key)
    stated: list[Stated] = []
    redactions: dict[str, tuple[int, Statement]] = {}
    for exhibit, leaf_hash, entry in placed:
        with naming(exhibit):
            statement = read_statement(exhibit.index, entry, exhibit.text, book, clock) if exhibit.text else None
        stated.append(Stated(exhibit.index, leaf_hash.hex(), entry, statement))
        if statement and is_own_order(statement, entry, log_key.name):
            redactions.setdefault(statement.predicate["redacts"], (exhibit.index, statement))
    return [item if item.statement else _excuse(item, redactions) for item in stated], book


def is_own_order(statement: Statement, entry: Entry, origin: str) -> bool:
    """Whether this is a redaction that the ledger itself signed: nobody else's lets it forget."""
    return statement.predicate_type == REDACTION and any(k.rpartition("+")[0] == origin for k in entry.key_ids)


def place(exhibit: Exhibit, checkpoint: Checkpoint) -> tuple[Exhibit, bytes, Entry]:
    """The exhibit, its leaf hash and its entry, which is in the tree and commits to the text, if that is there."""
    leaf_hash = hash_leaf(exhibit.entry)
    tree = {"size": checkpoint.size, "root": checkpoint.root}
    verify_inclusion(leaf_hash, index=exhibit.index, proof=exhibit.proof, **tree)  # type: ignore[arg-type]
    return exhibit, leaf_hash, read_entry(exhibit)


def read_entry(exhibit: Exhibit) -> Entry:
    """The entry, which commits to the text, if that is there."""
    entry = parse_entry(exhibit.entry)
    if exhibit.text and commit(exhibit.text.salt, exhibit.text.envelope_bytes) != entry.commitment:
        raise MismatchError("the statement is not the one that its ledger entry commits to")
    return entry


def read_statement(index: int, entry: Entry, text: Shown, book: KeyBook, clock: Clock) -> Statement:
    """The statement of an entry that commits to this text, with its signatures and form checked."""
    signed = tuple(book.verify(text.envelope, index=index))
    if entry.kind != KEY:  # one by a stolen key of the log vouches for nobody: the book sees to that
        shown_at = clock.shown_at(index)
        book.judge(signed, index=index, received=entry.received, shown_at=shown_at, needs_time=clock.needs_time)
    statement = parse_checked(text.envelope.payload)
    said = (statement.predicate_type, signed, *list_subjects(statement))
    if (entry.kind, entry.key_ids, entry.subjects, entry.subject_count) != said:
        raise MismatchError("its ledger entry names another kind, signer or subject than the statement has")
    return statement


def list_keys(book: KeyBook) -> list[VerifierKey]:
    """All keys of a book that `parse_verifier_key` read."""
    keys = [key for record in book.records for key in (record.key, record.also)]
    return [key for key in keys if isinstance(key, VerifierKey)]


def _excuse(item: Stated, redactions: dict[str, tuple[int, Statement]]) -> Stated:
    """A statement without its text, with the redaction that explains it."""
    by, redaction = redactions.get(item.statement_id, (-1, None))
    require_redacted(item.index, item.entry, by)
    return Stated(item.index, item.statement_id, item.entry, None, redaction)


def require_redacted(index: int, entry: Entry, redaction: int) -> None:
    """Raise MismatchError unless the statement of entry `redaction` may have erased this one's text; -1 is none."""
    if redaction < index:
        raise MismatchError(f"statement {index} has no text here, and no redaction by the ledger names it")
    if entry.kind == KEY or entry.kind in ERASURE_KINDS:
        raise MismatchError(f"statement {index} is a {name_of(entry.kind)}, which nobody may redact")


@contextlib.contextmanager
def naming(exhibit: Exhibit) -> Iterator[None]:
    """Errors say which statement they are about."""
    try:
        yield
    except WherefromError as error:
        raise type(error)(f"statement {exhibit.index}: {error}") from error
