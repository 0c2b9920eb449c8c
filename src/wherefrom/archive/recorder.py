"""Recording: statements are signed and checked, then appended and projected, all in one transaction of the database.

What one thread can do alone is done before it waits for its turn: signing, verifying, reading. Threads that record at
the same time share a transaction (`GroupCommit`); processes take turns by the database's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from wherefrom import ledger, lineage
from wherefrom.archive.folder import ArchiveFolder
from wherefrom.archive.group import GroupCommit
from wherefrom.archive.keyring import Keyring
from wherefrom.errors import SignatureError
from wherefrom.ledger import Ledger, Receipt, Signed, Submission, make_signed
from wherefrom.notes import VerifierKey, open_checkpoint
from wherefrom.statements import (
    KEY,
    Envelope,
    KeyBook,
    Statement,
    named_by,
    parse_checked,
    parse_envelope,
)
from wherefrom.store import Database, Edge, LedgerTables, LineageTables, LineageWriter

_LATER_THAN_ALL = datetime.max.replace(tzinfo=UTC)
# Rows of the views; some hundred bytes each.
MOST_REMEMBERED = 200_000


@dataclass(frozen=True)
class KnownKeys:
    """Whose signatures count, as the archive's key statements say at some moment.

    Attributes:
        entries: indexes of the key statements.
        book: what they add up to, starting with the key that signs the ledger's checkpoints.
    """

    log_key: VerifierKey
    entries: tuple[int, ...]
    book: KeyBook

    @classmethod
    def read(cls, connection: sa.Connection, log_key: VerifierKey, before: KnownKeys | None = None) -> KnownKeys:
        """As the database has them now; `before`, the same object, when nothing changed since."""
        entries = tuple(LineageTables(connection).list_key_entries())
        if before and (before.log_key, before.entries) == (log_key, entries):
            return before
        return cls(log_key, entries, ledger.read_key_book(LedgerTables(connection), entries, [log_key]))

    def counts_same_as(self, other: KnownKeys) -> bool:
        return (self.log_key, self.entries) == (other.log_key, other.entries)

    @property
    def next_index(self) -> int:
        """One above the newest key statement: what counts there counts in all entries to come."""
        return self.entries[-1] + 1 if self.entries else 0

    def verify(self, envelope: Envelope) -> tuple[str, ...]:
        """Labels of the keys that signed. Raises SignatureError."""
        signed = self.book.verify(envelope, index=self.next_index)
        self.book.judge(signed, index=self.next_index, received=_LATER_THAN_ALL)
        return tuple(signed)

    def check(self, submissions: Sequence[Submission], *, received: datetime) -> None:
        """Raise SignatureError or FormatError for a key statement that the ledger must not take."""
        book = self.book.copy()
        for index, submission in enumerate(submissions, self.next_index):
            statement = submission.signed.reading
            if isinstance(statement, Statement) and statement.predicate_type == KEY:
                book.add(statement, index=index, received=received, signed_by=submission.key_ids)


@dataclass(frozen=True)
class _Call:
    """What one caller records, whole or not at all. Its signatures were verified by the keys `known`."""

    submissions: tuple[Submission, ...]
    known: KnownKeys

    def verified_by(self, known: KnownKeys) -> _Call:
        """The same, verified again where keys have come or gone since. Raises SignatureError."""
        if known.counts_same_as(self.known):
            return self
        signed = [submission.signed for submission in self.submissions]
        again = (Submission(one, known.verify(parse_envelope(one.envelope))) for one in signed)
        return _Call(tuple(again), known)


@dataclass(frozen=True)
class _Memory:
    """What a recorder knows of the database after a commit; all of it holds until somebody else writes there.

    Attributes:
        note, making: the checkpoint and the views' making then; whoever writes changes one of them.
    """

    note: bytes
    making: str
    known: KnownKeys
    views: LineageWriter

    def holds_at(self, edge: Edge, log_key: VerifierKey) -> bool:
        return (self.note, self.making, self.known.log_key) == (edge.note, edge.making, log_key)


class Recorder:
    """Records into one archive. Safe for many threads and processes; writers take turns."""

    def __init__(self, database: Database, folder: ArchiveFolder, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.folder = folder
        self.keys = Keyring(folder)
        self.clock = clock
        self._group: GroupCommit[_Call, list[Receipt]] = GroupCommit(self._commit)
        self._known: KnownKeys | None = None
        self._memory: _Memory | None = None  # of who commits, and only one does at a time
        self._counted: tuple[KnownKeys | None, dict[tuple[str, ...], tuple[str, ...]]] = (None, {})

    def record(self, signed: Sequence[Signed]) -> list[Receipt]:
        """Record statements that whoever gives them signed himself, with keys that the archive knows.

        Raises SignatureError for other keys.
        """
        return self._record(lambda known: [Submission(one, self._count(known, one)) for one in signed])

    def record_envelopes(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Record statements that are signed already, by keys the archive knows."""

        def submit(known: KnownKeys) -> list[Submission]:
            return [Submission(_read_envelope(envelope), known.verify(envelope)) for envelope in envelopes]

        return self._record(submit)

    def _count(self, known: KnownKeys, signed: Signed) -> tuple[str, ...]:
        """Labels of keys that sign here: what holds for their first signature holds for each, until keys change."""
        counted = self._counted
        if counted[0] is not known:
            counted = self._counted = (known, {})
        if signed.labels not in counted[1]:
            counted[1][signed.labels] = known.verify(parse_envelope(signed.envelope))
        return counted[1][signed.labels]

    def _record(self, submit: Callable[[KnownKeys], Sequence[Submission]]) -> list[Receipt]:
        known = self._known or self._read_known()
        try:
            submissions = submit(known)
        except SignatureError:
            newest = self._read_known()  # another process may have recorded the key since
            if newest is known:
                raise
            submissions, known = submit(newest), newest
        call = _Call(tuple(submissions), known)
        # A key statement changes which signatures count behind it, so nobody's statements share its transaction.
        alone = any(submission.signed.kind == KEY for submission in submissions)
        size = sum(len(submission.signed.envelope) for submission in submissions)
        return self._group.submit(call, count=len(submissions), size=size, alone=alone)

    def _read_known(self) -> KnownKeys:
        log_key = self.keys.read_key("log").verifier_key
        with self.database.reading() as connection:
            self._known = KnownKeys.read(connection, log_key, self._known)
        return self._known

    def _commit(self, calls: Sequence[_Call]) -> list[list[Receipt]]:
        with self.database.writing() as connection:
            # Read within the lock: whoever changes the log's key knows that all who come later see it.
            signer, *beside = self.keys.read_keys("log")
            log = Ledger(signer, self.clock, tuple(beside))
            tables = LedgerTables(connection)
            # The head that the folder remembers is the newest checkpoint, as a rule: the tree's growth verifies it.
            edge = tables.read_edge()
            if self.folder.read_head() != edge.note:
                self.verify_not_rolled_back(tables, log.verifier_key)
            memory, self._memory = self._memory, None  # until this is committed too, nobody knows what is stored
            if memory and not memory.holds_at(edge, log.verifier_key):
                memory = None
            known = memory.known if memory else KnownKeys.read(connection, log.verifier_key, calls[0].known)
            calls = [call.verified_by(known) for call in calls]
            submissions = [submission for call in calls for submission in call.submissions]
            changes_keys = any(submission.signed.kind == KEY for submission in submissions)
            if changes_keys:
                there = tables.find_duplicates([submission.dedup for submission in submissions])
                known.check([s for s in submissions if s.dedup not in there], received=self.clock())
            receipts, note = log.append(tables, submissions, edge=edge)
            new = {r.index: s for r, s in zip(receipts, submissions, strict=True) if r.is_new}
            views = memory.views if memory else LineageWriter(connection)
            views.go_on(connection)
            _project(tables, views, new)
        if not changes_keys and views.count_remembered() <= MOST_REMEMBERED:
            self._memory = _Memory(note, edge.making, known, views)
        self.folder.write_head(note)
        return _by_call(calls, receipts)

    def verify_not_rolled_back(self, tables: LedgerTables, log_key: VerifierKey) -> None:
        """Raise VerificationError when the stored tree did not grow out of the one that the folder saw signed last."""
        if note := self.folder.read_head():
            ledger.verify_grown(tables, open_checkpoint(note, [log_key]))


def _read_envelope(envelope: Envelope) -> Signed:
    """What is appended for an envelope. Raises FormatError for a statement that breaks its kind's form."""
    return make_signed(parse_checked(envelope.payload), envelope)


def _project(tables: LedgerTables, views: LineageWriter, new: dict[int, Submission]) -> None:
    lineage.prepare(views, [submission.signed.reading for submission in new.values()])
    for index, submission in new.items():
        reading = submission.signed.reading
        named = named_by(reading) if isinstance(reading, Statement) else None
        index_of = {named: tables.find_leaf(bytes.fromhex(named))} if named else None
        lineage.project(views, index, reading, index_of=index_of)
    views.flush()


def _by_call(calls: Sequence[_Call], receipts: Sequence[Receipt]) -> list[list[Receipt]]:
    """Each caller's receipts; of several who sent the same statement, it is new to the first alone."""
    found: list[list[Receipt]] = []
    seen: set[int] = set()
    rest = iter(receipts)
    for call in calls:
        mine = [next(rest) for _ in call.submissions]
        found.append([replace(r, is_new=False) if r.is_new and r.index in seen else r for r in mine])
        seen.update(r.index for r in mine)
    return found
