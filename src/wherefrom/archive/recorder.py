"""Recording: statements are signed and checked, then appended and projected, all in one transaction of the database.

What one thread can do alone is done before it waits for its turn: signing, verifying, reading. Threads that record at
the same time share a transaction (`GroupCommit`); processes take turns by the database's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from wherefrom import ledger, lineage
from wherefrom.archive.folder import ArchiveFolder
from wherefrom.archive.group import GroupCommit
from wherefrom.errors import SignatureError
from wherefrom.ledger import Ledger, Receipt, Submission
from wherefrom.notes import Signer, VerifierKey, open_checkpoint
from wherefrom.statements import (
    KEY,
    Envelope,
    KeyBook,
    Statement,
    format_envelope,
    format_statement,
    named_by,
    parse_checked,
    sign_envelope,
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
            if submission.statement.predicate_type == KEY:
                book.add(submission.statement, index=index, received=received, signed_by=submission.key_ids)


@dataclass(frozen=True)
class _Call:
    """What one caller records, whole or not at all. Its signatures were verified by the keys `known`."""

    submissions: tuple[Submission, ...]
    envelopes: tuple[Envelope, ...]
    known: KnownKeys

    def verified_by(self, known: KnownKeys) -> _Call:
        """The same, verified again where keys have come or gone since. Raises SignatureError."""
        if known is self.known:
            return self
        pairs = zip(self.submissions, self.envelopes, strict=True)
        again = tuple(replace(submission, key_ids=known.verify(envelope)) for submission, envelope in pairs)
        return _Call(again, self.envelopes, known)


@dataclass(frozen=True)
class _Memory:
    """What a recorder knows of the database after a commit; all of it holds until somebody else writes there.

    Attributes:
        size, making: of the ledger then; whoever writes changes one of them.
    """

    size: int
    making: str
    known: KnownKeys
    views: LineageWriter

    def holds_at(self, edge: Edge, log_key: VerifierKey) -> bool:
        return (self.size, self.making, self.known.log_key) == (edge.size, edge.making, log_key)


class Recorder:
    """Records into one archive. Safe for many threads and processes; writers take turns."""

    def __init__(self, database: Database, folder: ArchiveFolder, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.folder = folder
        self.clock = clock
        self._group: GroupCommit[_Call, list[Receipt]] = GroupCommit(self._commit)
        self._known: KnownKeys | None = None
        self._memory: _Memory | None = None  # of who commits, and only one does at a time
        self._counted: tuple[KnownKeys, Sequence[Signer], tuple[str, ...]] | None = None
        self._keys: dict[str, tuple[tuple[int, ...], Signer]] = {}

    def read_keys(self, name: str) -> tuple[Signer, ...]:
        """A secret key of the archive, `log` or `producer`, and after it those that sign whatever it signs."""
        key = self.read_key(name)
        beside = [self.read_key(other) for other in self.folder.list_beside(name, key.verifier_key)]
        # A change of keys that was interrupted leaves one of them under two names.
        return tuple({signer.verifier_key.label: signer for signer in (key, *beside)}.values())

    def read_key(self, name: str) -> Signer:
        """A secret key of the archive, read again when its file is another one. Raises as `ArchiveFolder.read_key`."""
        try:
            found = os.stat(f"{self.folder.path}/keys/{name}")  # noqa: PTH116 - pathlib takes longer than the system
        except OSError:
            return self.folder.read_key(name)  # which says what is wrong
        mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        if name not in self._keys or self._keys[name][0] != mark:
            self._keys[name] = (mark, self.folder.read_key(name))
        return self._keys[name][1]

    def record(self, statements: Sequence[Statement], *keys: Signer) -> list[Receipt]:
        """Sign statements with keys that the archive knows, and record them."""
        signers = {key.verifier_key.label: key for key in keys}
        envelopes = [sign_envelope(format_statement(statement), signers) for statement in statements]

        def submit(known: KnownKeys) -> list[Submission]:
            key_ids = self._count(known, keys, envelopes[0]) if envelopes else ()
            return [
                _submission(envelope, key_ids, statement)
                for envelope, statement in zip(envelopes, statements, strict=True)
            ]

        return self._record(envelopes, submit)

    def record_envelopes(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Record statements that are signed already, by keys the archive knows."""
        return self._record(
            envelopes, lambda known: [_submission(envelope, known.verify(envelope)) for envelope in envelopes]
        )

    def _count(self, known: KnownKeys, keys: Sequence[Signer], first: Envelope) -> tuple[str, ...]:
        """Labels of keys that sign here: what holds for their first signature holds for each, until keys change."""
        counted = self._counted
        if counted is None or counted[0] is not known or counted[1] != keys:
            counted = self._counted = (known, keys, known.verify(first))
        return counted[2]

    def _record(
        self, envelopes: Sequence[Envelope], submit: Callable[[KnownKeys], Sequence[Submission]]
    ) -> list[Receipt]:
        known = self._known or self._read_known()
        try:
            submissions = submit(known)
        except SignatureError:
            newest = self._read_known()  # another process may have recorded the key since
            if newest is known:
                raise
            submissions, known = submit(newest), newest
        call = _Call(tuple(submissions), tuple(envelopes), known)
        # A key statement changes which signatures count behind it, so nobody's statements share its transaction.
        alone = any(submission.statement.predicate_type == KEY for submission in submissions)
        size = sum(len(submission.envelope) for submission in submissions)
        return self._group.submit(call, count=len(submissions), size=size, alone=alone)

    def _read_known(self) -> KnownKeys:
        log_key = self.read_key("log").verifier_key
        with self.database.reading() as connection:
            self._known = KnownKeys.read(connection, log_key, self._known)
        return self._known

    def _commit(self, calls: Sequence[_Call]) -> list[list[Receipt]]:
        with self.database.writing() as connection:
            # Read within the lock: whoever changes the log's key knows that all who come later see it.
            signer, *beside = self.read_keys("log")
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
            changes_keys = any(submission.statement.predicate_type == KEY for submission in submissions)
            if changes_keys:
                there = tables.find_duplicates([submission.dedup for submission in submissions])
                known.check([s for s in submissions if s.dedup not in there], received=self.clock())
            receipts, note = log.append(tables, submissions, edge=edge)
            new = {r.index: s for r, s in zip(receipts, submissions, strict=True) if r.is_new}
            views = memory.views if memory else LineageWriter(connection)
            views.go_on(connection)
            _project(tables, views, new)
        if not changes_keys and views.count_remembered() <= MOST_REMEMBERED:
            self._memory = _Memory(edge.size + len(new), edge.making, known, views)
        self.folder.write_head(note)
        return _by_call(calls, receipts)

    def verify_not_rolled_back(self, tables: LedgerTables, log_key: VerifierKey) -> None:
        """Raise VerificationError when the stored tree did not grow out of the one that the folder saw signed last."""
        if note := self.folder.read_head():
            ledger.verify_grown(tables, open_checkpoint(note, [log_key]))


def _submission(envelope: Envelope, key_ids: tuple[str, ...], statement: Statement | None = None) -> Submission:
    """What is appended for an envelope. Raises FormatError for a statement that breaks its kind's form.

    `statement` is what the payload was made of; it is read again from the payload unless somebody vouches for it.
    """
    if statement is None or statement.checked is None:
        statement = parse_checked(envelope.payload)
    return Submission(statement, envelope.payload, format_envelope(envelope), key_ids)


def _project(tables: LedgerTables, views: LineageWriter, new: dict[int, Submission]) -> None:
    lineage.prepare(views, [submission.statement for submission in new.values()])
    for index, submission in new.items():
        named = named_by(submission.statement)
        index_of = {named: tables.find_leaf(bytes.fromhex(named))} if named else None
        lineage.project(views, index, submission.statement, index_of=index_of)
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
