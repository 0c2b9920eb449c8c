"""Whose signatures count, and for which entries: what the ledger's key statements add up to.

Nothing here believes a statement for being there: the book starts with keys that the reader trusts (the log's, from a
trust policy), and everything else in it was stated by a key of the log, in ledger order. What is learned about a key
only ever takes away: a key that was retired or revoked never comes back. Source: docs/spec/statements.md, section 5.

    book = KeyBook.read(policy_keys, key_entries, parse_key=parse_verifier_key)
    key_ids = book.verify(envelope, index=entry_index)
    book.judge(key_ids, index=entry_index, received=entry.received)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol, Self

from wherefrom.errors import FormatError, SignatureError, UnavailableError, VerificationError
from wherefrom.statements.dsse import Envelope, verify_envelope
from wherefrom.statements.kinds import KEY, check_statement
from wherefrom.statements.statement import Statement, parse_statement
from wherefrom.statements.times import format_time, parse_time

_ED25519, _ML_DSA_44 = 0x01, 0x06
_BEFORE_ALL = -1

Status = Literal["active", "retired", "compromised"]


class Key(Protocol):
    """A public key, as `notes.VerifierKey` is one."""

    @property
    def name(self) -> str: ...
    @property
    def key_type(self) -> int: ...
    @property
    def public(self) -> bytes: ...
    @property
    def label(self) -> str: ...
    def verify(self, message: bytes, signature: bytes, /) -> None: ...


@dataclass(frozen=True)
class KeyEntry:
    """A key statement where it lies in the ledger, its place already proven."""

    index: int
    received: datetime
    envelope: Envelope


@dataclass(frozen=True)
class KeyRecord:
    """What is known of one key.

    Attributes:
        also: its second key: a statement counts only with signatures by both.
        since: index of the entry that states the key; its signatures count above that. -1 for a key trusted beforehand.
        stated_at, stated_by: when the ledger took that entry, and the label of the log's key that signed it.
        until: index of the entry that retires or revokes it; its signatures count below that. None while it is active.
        revoked_by: index of the entry that says it was compromised.
        compromised_at: the earliest time at which somebody else may have held it.
        identities: indexes of the entries that state who holds it (sigstore bundles).
    """

    key: Key
    role: str
    also: Key | None = None
    since: int = _BEFORE_ALL
    stated_at: datetime | None = None
    stated_by: str = ""
    until: int | None = None
    revoked_by: int | None = None
    compromised_at: datetime | None = None
    identities: tuple[int, ...] = ()

    @property
    def status(self) -> Status:
        return "compromised" if self.compromised_at else "active" if self.until is None else "retired"

    def counts_at(self, index: int) -> bool:
        """Whether the ledger may take a signature by this key in the entry of this index."""
        return self.since < index and (self.until is None or index < self.until)

    def ended(self, index: int, compromised_at: datetime | None) -> KeyRecord:
        """The record with one more end: the earliest of all entries and times holds."""
        until = index if self.until is None else min(index, self.until)
        if compromised_at is None:
            return replace(self, until=until)
        earliest = min(compromised_at, self.compromised_at or compromised_at)
        revoked_by = index if self.revoked_by is None else min(index, self.revoked_by)
        return replace(self, until=until, revoked_by=revoked_by, compromised_at=earliest)


class KeyBook:
    """All keys of one ledger, by label."""

    def __init__(self, log_keys: Iterable[Key], *, parse_key: Callable[[str], Key]) -> None:
        """Start with the log's keys that the reader trusts, and nobody else's.

        Args:
            parse_key: reads a verifier key; raises FormatError.
        """
        self._parse_key = parse_key
        self._records = {key.label: KeyRecord(key, "log") for key in log_keys}
        self._owners: dict[str, str] = {}  # label of a second key -> label of the key that it goes with

    @classmethod
    def read(cls, log_keys: Sequence[Key], entries: Sequence[KeyEntry], *, parse_key: Callable[[str], Key]) -> Self:
        """The book of everything known today, from all key statements in ledger order.

        A reader who trusts the newest of the log's keys alone believes it when it says which key was the log's before.
        Raises SignatureError, FormatError: an entry that the ledger would not have taken.
        """
        book = cls(log_keys, parse_key=parse_key)
        book._admit_predecessors(entries)
        for entry in entries:
            signed = book.verify(entry.envelope, index=entry.index)
            statement = parse_statement(entry.envelope.payload)
            book.add(statement, index=entry.index, received=entry.received, signed_by=signed)
        return book

    def copy(self) -> Self:
        """Another book of the same content, to try statements on."""
        book = type(self)((), parse_key=self._parse_key)
        book._records, book._owners = dict(self._records), dict(self._owners)  # noqa: SLF001 - our own class
        return book

    @property
    def records(self) -> tuple[KeyRecord, ...]:
        """In the order in which the keys came in."""
        return tuple(self._records.values())

    def find(self, label: str) -> KeyRecord | None:
        """The record of a key, or of the one that it is the second key of."""
        return self._records.get(self._owners.get(label, label))

    def verifiers(self, index: int) -> dict[str, Key]:
        """Label to key, of everyone whose signature the ledger may take in the entry of this index."""
        found: dict[str, Key] = {}
        for record in self._records.values():
            if record.counts_at(index):
                found[record.key.label] = record.key
                if record.also:
                    found[record.also.label] = record.also
        return found

    def verify(self, envelope: Envelope, *, index: int) -> list[str]:
        """The labels of the keys that signed, in the envelope's order: what the entry of this index says in `keys`.

        Nothing that was learned later matters here; `judge` is for that. Raises SignatureError: a signature that is
        wrong, none by a key that counts at this index, one of a pair of keys alone, or two by one key.
        """
        keys = self._verifiers_of(envelope, index)
        if not keys and any(reasons := [self._explain(s.key_id, index) for s in envelope.signatures]):
            raise SignatureError("; ".join(filter(None, reasons)))
        signed = verify_envelope(envelope, keys or self.verifiers(index))
        for label in signed:
            if signed.count(label) > 1:
                raise SignatureError(f"it is signed twice by {label}")
            record = self.find(label)
            if record and record.also and not {record.key.label, record.also.label} <= set(signed):
                raise SignatureError(
                    f"it is signed by {label} alone; {record.key.label} and {record.also.label} sign together"
                )
        return signed

    def judge(
        self,
        key_ids: Sequence[str],
        *,
        index: int,
        received: datetime,
        shown_at: datetime | None = None,
        needs_time: bool = False,
    ) -> None:
        """Say whether, with all that is known today, one of the signatures that `verify` found still counts.

        Args:
            received: when the ledger took the entry, by its own clock.
            shown_at: when somebody outside the ledger saw a checkpoint that holds the entry, at the latest.
            needs_time: the ledger's clock is not enough to show that a signature is older than a compromise.

        A key counts while it was not compromised, and neither was the key of the log that vouched for it when it did.
        Raises SignatureError: none still counts. UnavailableError: for one of them it can't be told, because nothing
        outside shows that it is older.
        """
        problems: list[VerificationError | UnavailableError] = []
        for label in key_ids:
            record = self.find(label)
            if record is None:
                problems.append(SignatureError(f"no key {label} is stated in this ledger"))
                continue
            problem = self._doubt(record, received, shown_at, needs_time=needs_time)
            if problem is None:
                return
            problems.append(problem)
        raise next(
            (p for p in problems if isinstance(p, UnavailableError)),
            next(iter(problems), SignatureError(f"entry {index} names no key that signed")),
        )

    def add(self, statement: Statement, *, index: int, received: datetime, signed_by: Sequence[str]) -> None:
        """Take in the key statement of an entry; `signed_by` as `verify` gave it.

        Raises SignatureError when no key of the log signed. FormatError: the statement is no key statement, a key is of
        the wrong type or label, or the statement says what can't be: that a key comes back, changes its role or its
        second key, or ends without having been there. Nothing changes then.
        """
        what = f"key statement {index}"
        if statement.predicate_type != KEY:
            raise FormatError(f"{what}: predicateType is {statement.predicate_type!r}, expected {KEY!r}")
        check_statement(statement)
        vouching = [label for label in signed_by if (r := self._records.get(label)) and r.role == "log"]
        if not vouching:
            raise SignatureError(f"{what} is signed by {', '.join(signed_by) or 'nobody'}, expected a key of the log")
        predicate = statement.predicate
        role, status, key = predicate["role"], predicate["status"], self._parse(predicate["verifierKey"], what)
        if [dict(s.digests) for s in statement.subjects] != [{"sha256": hashlib.sha256(key.public).hexdigest()}]:
            raise FormatError(f"{what}: its subject is not the SHA-256 of the public key {key.label}")
        self._check_name(key, role, self._records[vouching[0]].key, what)
        known = self._records.get(key.label)
        if known and known.key.public != key.public:
            raise FormatError(f"{what}: {key.label} is the label of another key already")
        if key.label in self._owners:
            raise FormatError(f"{what}: {key.label} is the second key of {self._owners[key.label]} already")
        if status == "active":
            also = self._parse_also(predicate["alsoKey"], key, what) if "alsoKey" in predicate else None
            identities = (index,) if "identity" in predicate else ()
            new = KeyRecord(key, role, also, index, received, vouching[0], identities=identities)
            self._activate(known, new, what)
        elif known is None:
            raise FormatError(f"{what}: {key.label} is {status} by it, but was never stated")
        else:
            self._records[key.label] = known.ended(index, _compromised_at(predicate))

    def _check_name(self, key: Key, role: str, log_key: Key, what: str) -> None:
        """Who signs what tells the log from others by its name alone."""
        if (role == "log") != (key.name == log_key.name):
            raise FormatError(
                f"{what}: {key.label} is of role {role}; keys of the log, and no others, are called {log_key.name}"
            )

    def _activate(self, known: KeyRecord | None, new: KeyRecord, what: str) -> None:
        label = new.key.label
        if known is None:
            self._records[label] = new
            if new.also:
                self._owners[new.also.label] = label
            return
        if known.until is not None and new.since >= known.until:
            raise FormatError(f"{what}: {label} was {known.status} by entry {known.until}, and does not come back")
        if known.also != new.also:
            hint = "rotate to a new pair of keys"
            raise FormatError(f"{what}: {label} is known with another second key, or none", hint=hint)
        self._records[label] = replace(known, identities=known.identities + new.identities)

    def _admit_predecessors(self, entries: Sequence[KeyEntry]) -> None:
        """Keys that were the log's before, on the word of one of its keys that is trusted; from the newest entry on."""
        believed = {label: (record.key, entries[-1].index + 1) for label, record in self._records.items() if entries}
        for entry in reversed(entries):
            keys = {label: key for label, (key, below) in believed.items() if entry.index < below}
            statement = parse_statement(entry.envelope.payload)
            check_statement(statement)
            is_end = statement.predicate.get("role") == "log" and statement.predicate["status"] != "active"
            if is_end and any(signature.key_id in keys for signature in entry.envelope.signatures):
                signed = verify_envelope(entry.envelope, keys)
                key = self._parse(statement.predicate["verifierKey"], f"key statement {entry.index}")
                self._check_name(key, "log", keys[signed[0]], f"key statement {entry.index}")
                if believed.setdefault(key.label, (key, entry.index))[0].public != key.public:
                    raise FormatError(f"key statement {entry.index}: {key.label} is the label of another key already")
                self._records.setdefault(key.label, KeyRecord(key, "log"))

    def _doubt(
        self, record: KeyRecord, received: datetime, shown_at: datetime | None, *, needs_time: bool
    ) -> SignatureError | UnavailableError | None:
        """What speaks against a signature by this key, and against those who vouched for it, one after the other."""
        subject = "this"
        while True:
            if at := record.compromised_at:
                said = f"{record.key.label} was compromised at {format_time(at)}, as entry {record.revoked_by} says"
                if received >= at:
                    return SignatureError(f"{said}; the ledger received {subject} at {format_time(received)}")
                if needs_time and shown_at is None:
                    return UnavailableError(f"{said}; no outside time shows that {subject} was recorded before")
                if needs_time and shown_at is not None and shown_at > at:
                    shown = format_time(shown_at)
                    return UnavailableError(f"{said}; outside times show only that {subject} was recorded by {shown}")
            stated_at = record.stated_at
            if stated_at is None:
                return None
            # A checkpoint that holds an entry holds those before it too, so `shown_at` is good for them.
            subject = f"the statement of {record.key.label}"
            record, received = self._records[record.stated_by], stated_at

    def _parse(self, text: str, what: str) -> Key:
        key = self._parse_key(text)
        if key.key_type != _ED25519:
            raise FormatError(
                f"{what}: verifierKey {key.label} is of type {key.key_type:#04x}, expected {_ED25519:#04x}"
            )
        return key

    def _parse_also(self, text: str, key: Key, what: str) -> Key:
        also = self._parse_key(text)
        if also.key_type != _ML_DSA_44 or also.name != key.name:
            raise FormatError(
                f"{what}: alsoKey {also.label} is of type {also.key_type:#04x}, "
                f"expected {_ML_DSA_44:#04x} (ML-DSA-44) and the name {key.name}"
            )
        if also.label in self._records or self._owners.get(also.label, key.label) != key.label:
            raise FormatError(f"{what}: alsoKey {also.label} is the label of another key already")
        return also

    def _verifiers_of(self, envelope: Envelope, index: int) -> dict[str, Key]:
        """Those of `verifiers` that an envelope names, however many there are."""
        found: dict[str, Key] = {}
        for label in {signature.key_id for signature in envelope.signatures}:
            record = self.find(label)
            if record and record.counts_at(index):
                found[label] = record.also if record.also and record.also.label == label else record.key
        return found

    def _explain(self, label: str, index: int) -> str | None:
        """Why a key that the book knows does not count at an index."""
        record = self.find(label)
        if record is None or record.counts_at(index):
            return None
        if record.until is not None and index >= record.until:
            word = "revoked as compromised" if record.revoked_by == record.until else "retired"
            return f"it is signed by {label}, which entry {record.until} has {word}"
        return f"it is signed by {label}, which is stated only later, by entry {record.since}"


def _compromised_at(predicate: Mapping[str, Any]) -> datetime | None:
    if predicate["status"] != "compromised":
        return None
    return parse_time(predicate["compromisedAt"], what="key statement", path="$.predicate.compromisedAt")
