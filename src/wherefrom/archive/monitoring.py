"""Monitoring a ledger of ours as a stranger: what its entries and statements say, and whether its lineage follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from wherefrom import lineage
from wherefrom.archive.publishing import read_lineage_digests
from wherefrom.errors import FormatError, MismatchError, NotFoundError, SignatureError, UnavailableError
from wherefrom.ledger.orders import Order, Orders, counts
from wherefrom.merkle import TILE_WIDTH, hash_leaf
from wherefrom.notes import TrustPolicy, parse_checkpoint, parse_note, parse_verifier_key
from wherefrom.statements import (
    ERASURE_KINDS,
    KEY,
    Entry,
    Envelope,
    KeyBook,
    KeyEntry,
    Statement,
    check_statement,
    format_time,
    parse_entry,
    parse_envelope,
    parse_statement,
    verify_commitment,
)
from wherefrom.store import Database, LineageTables, LineageWriter
from wherefrom.tlog.mirror import Mirror
from wherefrom.tlog.source import LogSource, read_ahead
from wherefrom.tlog.statements import (
    LINEAGE,
    MAX_LINEAGE_BYTES,
    MAX_STATEMENTS_BYTES,
    PublishedLineage,
    PublishedStatement,
    format_statements_path,
    parse_lineage,
    parse_statements,
)
from wherefrom.verify import Findings


@dataclass(frozen=True)
class LedgerInspector:
    """A `tlog.monitor.Inspector` for ledgers of Wherefrom."""

    policy: TrustPolicy

    def inspect_entries(self, entries: Sequence[bytes], *, first: int, before: bytes | None) -> datetime | None:
        last = parse_entry(before).received if before is not None else None
        for index, data in enumerate(entries, start=first):
            try:
                entry = parse_entry(data)
            except FormatError as error:
                raise MismatchError(f"entry {index}: {error}") from error
            if last is not None and entry.received < last:
                raise MismatchError(
                    f"entry {index} was received at {format_time(entry.received)}, "
                    f"the one before it at {format_time(last)}"
                )
            last = entry.received
        return last

    def inspect_beside(self, source: LogSource, mirror: Mirror, size: int, found: Findings) -> None:
        try:
            published = parse_lineage(source.read(LINEAGE, max_bytes=MAX_LINEAGE_BYTES))
        except NotFoundError:
            found.remarks.append("the log publishes no statements: only its tree and entries were looked at")
            return
        except FormatError as error:
            with found.check("what it publishes beside its entries can be read"):
                raise MismatchError(str(error)) from error
            return
        with found.check("its statements are those of its entries, and give the lineage that it says") as said:
            if published.size != size:
                raise UnavailableError(
                    f"{LINEAGE} is of {published.size} entries, the checkpoint of {size}", hint="look again"
                )
            reading = _Reading(source, mirror, size, self.policy)
            _compare(published, reading)
            rows = sum(view.rows for view in published.views.values())
            said.append(f"{reading.told:,} statements, {reading.redacted:,} redacted; {rows:,} rows")


def _compare(published: PublishedLineage, reading: _Reading) -> None:
    """Rebuild the views from the statements, and compare digests."""
    database = Database.in_memory()
    try:
        with database.writing() as connection:
            lineage.project_all(LineageWriter(connection), reading.iter_told())
            made = read_lineage_digests(LineageTables(connection), published.size)
    finally:
        database.close()
    if made.views.keys() != published.views.keys():
        theirs, ours = ", ".join(sorted(published.views)), ", ".join(sorted(made.views))
        raise UnavailableError(f"the log has views {theirs}; this wherefrom makes {ours}")
    for name, view in made.views.items():
        if view != published.views[name]:
            there = published.views[name]
            raise MismatchError(
                f"view {name} is said to have {there.rows} rows with digest {there.sha256}, "
                f"the statements give {view.rows} with {view.sha256}"
            )


@dataclass
class _Reading:
    """The statements of a log, in order, held against its entries and its keys."""

    source: LogSource
    mirror: Mirror
    size: int
    policy: TrustPolicy
    told: int = 0
    redacted: int = 0

    def iter_told(self) -> Iterator[tuple[int, str, Statement | Entry]]:
        """As `lineage.project_all` takes it. Raises MismatchError, SignatureError, FormatError for what is wrong."""
        book, orders = self._read_rules()
        for index, data, there in self._iter_pairs(range(-(-self.size // TILE_WIDTH))):
            if there is None and orders.retirement_of(index) is not None:
                continue
            entry, statement_id = parse_entry(data), hash_leaf(data).hex()
            if there is None:
                if orders.redaction_of(entry, index, statement_id) is None:
                    raise MismatchError(f"entry {index}: its statement is not published, and no redaction says why")
                self.redacted += 1
                yield index, statement_id, entry
                continue
            envelope, statement = _open(index, entry, there)
            if tuple(book.verify(envelope, index=index)) != entry.key_ids:
                raise SignatureError(f"entry {index} says that it is signed by {', '.join(entry.key_ids)}, it is not")
            self.told += 1
            yield index, statement_id, statement

    def _read_rules(self) -> tuple[KeyBook, Orders]:
        """Whose signatures count, and what was erased on whose word: from the few statements that say so."""
        wanted, bundles = {KEY, *ERASURE_KINDS}, []
        for index in range(-(-self.size // TILE_WIDTH)):
            entries = self.mirror.read_entries(index, self.size)
            if not entries:
                raise UnavailableError(
                    f"entries from {index * TILE_WIDTH} on were not published any more when this monitor began"
                )
            if any(parse_entry(data).kind in wanted for data in entries):
                bundles.append(index)
        keys, orders = [], Orders()
        origin = self._origin()
        for index, data, there in self._iter_pairs(bundles):
            entry = parse_entry(data)
            if entry.kind not in wanted:
                continue
            if there is None:
                raise UnavailableError(f"entry {index}: its statement is not published, and others rest on it")
            envelope, statement = _open(index, entry, there)
            if entry.kind == KEY:
                keys.append(KeyEntry(index, entry.received, envelope))
            elif counts(entry, origin):
                orders.add(Order(index, hash_leaf(data).hex(), entry.kind, entry.received, statement))
        return KeyBook.read(self.policy.log_keys, keys, parse_key=parse_verifier_key), orders

    def _iter_pairs(self, bundles: Sequence[int]) -> Iterator[tuple[int, bytes, PublishedStatement | None]]:
        """Each entry with what is published beside it."""
        for bundle, got in read_ahead(self._read_statements, bundles, parallel=self.source.parallel):
            beside = {statement.index: statement for statement in got()}
            entries = self.mirror.read_entries(bundle, self.size)
            for index, data in enumerate(entries, start=bundle * TILE_WIDTH):
                yield index, data, beside.get(index)

    def _read_statements(self, bundle: int) -> list[PublishedStatement]:
        path = format_statements_path(bundle)
        try:
            return parse_statements(self.source.read(path, max_bytes=MAX_STATEMENTS_BYTES), bundle, what=path)
        except NotFoundError as error:
            raise UnavailableError(f"{path} is not published") from error

    def _origin(self) -> str:
        note = self.mirror.read_checkpoint()
        if note is None:
            raise UnavailableError("nothing is mirrored yet")
        return parse_checkpoint(parse_note(note).text).origin


def _open(index: int, entry: Entry, there: PublishedStatement) -> tuple[Envelope, Statement]:
    try:
        verify_commitment(entry, salt=there.salt, envelope=there.envelope)
        envelope = parse_envelope(there.envelope)
        statement = parse_statement(envelope.payload)
        check_statement(statement)
    except (MismatchError, FormatError) as error:
        raise MismatchError(f"entry {index}: {error}") from error
    if statement.predicate_type != entry.kind:
        raise MismatchError(f"entry {index} is of kind {entry.kind}, its statement of {statement.predicate_type}")
    return envelope, statement
