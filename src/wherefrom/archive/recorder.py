"""Recording: statements are signed, checked, appended and projected, all in one transaction of the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from wherefrom import ledger, lineage
from wherefrom.archive.folder import ArchiveFolder
from wherefrom.ledger import Ledger, Receipt, Submission
from wherefrom.notes import SigningKey, VerifierKey, open_checkpoint, parse_verifier_key
from wherefrom.statements import (
    CORRECTION,
    Envelope,
    Statement,
    check_statement,
    format_envelope,
    format_statement,
    parse_statement,
    sign_envelope,
    verify_envelope,
)
from wherefrom.store import Database, LedgerTables, LineageTables, LineageWriter


@dataclass(frozen=True)
class Recorder:
    """Records into one archive. Safe for many threads and processes; writers take turns."""

    database: Database
    folder: ArchiveFolder
    clock: Callable[[], datetime]

    def record(self, statements: Sequence[Statement], key: SigningKey) -> list[Receipt]:
        """Sign statements with a key that the archive knows, and record them."""
        signers = {key.verifier_key.label: key}
        return self.record_envelopes([sign_envelope(format_statement(statement), signers) for statement in statements])

    def record_envelopes(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Record statements that are signed already, by keys the archive knows."""
        log = Ledger(self.folder.read_key("log"), self.clock)
        with self.database.writing() as connection:
            tables, views = LedgerTables(connection), LineageWriter(connection)
            self.verify_not_rolled_back(tables, log.verifier_key)
            verifiers = _verifiers(LineageTables(connection), log.verifier_key)
            submissions = [_submission(envelope, verifiers) for envelope in envelopes]
            receipts = log.append(tables, submissions)
            done: set[int] = set()
            for receipt, submission in zip(receipts, submissions, strict=True):
                if receipt.is_new and receipt.index not in done:
                    done.add(receipt.index)
                    statement = submission.statement
                    lineage.project(views, receipt.index, statement, index_of=_corrected(tables, statement))
            views.flush()
            note = tables.read_checkpoint()
        self.folder.write_head(note)
        return receipts

    def verify_not_rolled_back(self, tables: LedgerTables, log_key: VerifierKey) -> None:
        """Raise VerificationError when the stored tree did not grow out of the one that the folder saw signed last."""
        if note := self.folder.read_head():
            ledger.verify_grown(tables, open_checkpoint(note, [log_key]))


def _submission(envelope: Envelope, verifiers: dict[str, VerifierKey]) -> Submission:
    signed = verify_envelope(envelope, verifiers)
    statement = parse_statement(envelope.payload)
    check_statement(statement)
    return Submission(statement, envelope.payload, format_envelope(envelope), tuple(signed))


def _verifiers(views: LineageTables, log_key: VerifierKey) -> dict[str, VerifierKey]:
    producers = [parse_verifier_key(text) for text in views.read_producers().values()]
    return {key.label: key for key in (log_key, *producers)}


def _corrected(tables: LedgerTables, statement: Statement) -> dict[str, int]:
    if statement.predicate_type != CORRECTION:
        return {}
    target = statement.predicate["corrects"]
    return {target: tables.find_leaf(bytes.fromhex(target))}
