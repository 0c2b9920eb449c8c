"""What the ledger itself says of erasing: policies, holds, redactions and retirements, and whose word counts.

What lets something be erased counts only when the ledger's own key signed it: else any producer could have the ledger
forget. A hold only keeps, so it counts by whatever known key it is. Source: docs/spec/erasure.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise

from wherefrom.errors import UnavailableError
from wherefrom.statements import (
    CORRECTION,
    ERASURE_KINDS,
    HOLD,
    KEY,
    REDACTION,
    RELEASE,
    RETENTION,
    RETIREMENT,
    Entry,
    Rule,
    Scope,
    Statement,
    name_of,
    parse_checked,
    parse_entry,
    parse_envelope,
    parse_statement,
    parse_time,
)
from wherefrom.store import ErasingTables, LedgerTables, StoredEntry

NEVER_REDACTED = ERASURE_KINDS | {KEY}
"""Without these nobody could tell what was erased on whose word."""

NEVER_RETIRED = NEVER_REDACTED | {CORRECTION}
"""What a correction took back must not come back, as long as it is there."""


@dataclass(frozen=True)
class Order:
    """A statement about erasing, where it lies, and what it says."""

    index: int
    statement_id: str
    kind: str
    received: datetime
    statement: Statement

    @property
    def reason(self) -> str:
        return str(self.statement.predicate["reason"])

    @property
    def by(self) -> str:
        return str(self.statement.predicate["by"])

    @property
    def scope(self) -> Scope:
        """Of a hold."""
        return Scope.of(self.statement.predicate)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Of a retention policy."""
        said = self.statement.predicate["rules"]
        return tuple(Rule(tuple(rule["kinds"]), rule["keepFor"], rule["basis"]) for rule in said)

    @property
    def span(self) -> tuple[int, int]:
        """The entries [begin, end) of a retirement."""
        return self.statement.predicate["from"], self.statement.predicate["to"]

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """Of the entries of a retirement, those that stay, in order."""
        return tuple(self.statement.predicate["kept"])

    @cached_property
    def _kept(self) -> frozenset[int]:
        return frozenset(self.kept)

    def retires(self, index: int) -> bool:
        """Whether a retirement lets an entry of its range be gone."""
        return index not in self._kept


def is_own(key_ids: Iterable[str], origin: str) -> bool:
    """Whether the ledger itself signed: with a key of its name."""
    return any(key_id.rpartition("+")[0] == origin for key_id in key_ids)


def counts(entry: Entry, origin: str) -> bool:
    return entry.kind == HOLD or is_own(entry.key_ids, origin)


@dataclass
class Orders:
    """The orders that count: redactions by the id of the statement they name, and the rest in ledger order."""

    redactions: dict[str, Order] = field(default_factory=dict)
    retirements: list[Order] = field(default_factory=list)
    policies: list[Order] = field(default_factory=list)
    holds: dict[str, Order] = field(default_factory=dict)
    released: dict[str, Order] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """Take a statement that counts, in ledger order."""
        predicate = order.statement.predicate
        if order.kind == REDACTION:
            self.redactions.setdefault(predicate["redacts"], order)
        elif order.kind == RETIREMENT:
            self.retirements.append(order)
        elif order.kind == RETENTION:
            self.policies.append(order)
        elif order.kind == HOLD:
            self.holds[order.statement_id] = order
        elif order.kind == RELEASE:
            self.released.setdefault(predicate["releases"], order)

    def redaction_of(self, entry: Entry, index: int, statement_id: str) -> Order | None:
        """The redaction that lets an entry's text be gone."""
        order = self.redactions.get(statement_id)
        return order if order and order.index > index and entry.kind not in NEVER_REDACTED else None

    def retirement_of(self, index: int) -> Order | None:
        """The retirement that lets an entry be gone: of several that speak of it, the last counts."""
        about = (order for order in reversed(self.retirements) if order.span[0] <= index < order.span[1])
        order = next(about, None)
        return order if order and order.retires(index) else None

    def iter_unexplained(self, begin: int, end: int) -> Iterator[int]:
        """Which of the entries [begin, end) no retirement lets be gone."""
        turns = {turn for order in self.retirements for turn in order.span}
        turns |= {turn for order in self.retirements for index in order.kept for turn in (index, index + 1)}
        edges = [begin, *sorted(turn for turn in turns if begin < turn < end), end]
        for low, high in pairwise(edges):  # between two of them, all are retired or none is
            if self.retirement_of(low) is None:
                yield from range(low, high)

    def in_force(self) -> list[Order]:
        """The holds that nobody released."""
        return [hold for statement_id, hold in self.holds.items() if statement_id not in self.released]

    def retired_until(self) -> int:
        """The least index from which on no entry was retired without those before it: C2SP's minimum index."""
        reached = 0
        for begin, end in sorted(order.span for order in self.retirements):
            if begin <= reached:
                reached = max(reached, end)
        return reached


def read_order(stored: StoredEntry, origin: str) -> Order | None:
    """The statement about erasing that an entry holds; None when it is none, or does not count."""
    entry = parse_entry(stored.entry)
    if entry.kind not in ERASURE_KINDS or not counts(entry, origin):
        return None
    if stored.envelope is None:
        raise UnavailableError(f"entry {stored.index}: the {name_of(entry.kind)} beside it is gone")
    statement = parse_statement(parse_envelope(stored.envelope).payload)
    return Order(stored.index, stored.leaf_hash.hex(), entry.kind, entry.received, statement)


def read_orders(tables: LedgerTables, *, before: int | None = None, kind: str | None = None) -> Orders:
    """The orders that count among the entries below `before` (None: all), by the view of them.

    `kind`: a short name, for the orders of one kind alone.
    """
    found = ErasingTables(tables.connection).find(kind)
    return _gather(tables, [row.entry for row in found if before is None or row.entry < before])


def find_redaction(tables: LedgerTables, stored: StoredEntry) -> Order | None:
    """The redaction that erased the text of an entry, if one that counts did."""
    about = [row.entry for row in ErasingTables(tables.connection).find_about(stored.index)]
    return _gather(tables, about).redaction_of(parse_entry(stored.entry), stored.index, stored.leaf_hash.hex())


def scan_orders(tables: LedgerTables) -> Orders:
    """The same from the entries themselves, for who makes the views: looks at the kind of each entry."""
    return _gather(tables, ErasingTables(tables.connection).find_kinds(ERASURE_KINDS))


def _gather(tables: LedgerTables, indexes: list[int]) -> Orders:
    orders, origin = Orders(), tables.read_setting("origin")
    for stored in tables.read_entries(indexes):
        if order := read_order(stored, origin):
            orders.add(order)
    return orders


def iter_statements(tables: LedgerTables) -> Iterator[tuple[int, str, Statement | Entry]]:
    """All that the ledger still holds, in order: index, id, and the statement, or the entry alone if it was redacted.

    Raises UnavailableError for an entry or a text that is gone without an order that lets it be.
    """
    orders, expected = scan_orders(tables), 0
    for stored in tables.iter_entries():
        for index in orders.iter_unexplained(expected, stored.index) if expected < stored.index else ():
            raise UnavailableError(f"entry {index} is missing")
        expected = stored.index + 1
        statement_id = stored.leaf_hash.hex()
        if stored.envelope is not None:
            yield stored.index, statement_id, parse_checked(parse_envelope(stored.envelope).payload)
            continue
        entry = parse_entry(stored.entry)
        if orders.redaction_of(entry, stored.index, statement_id) is None:
            raise UnavailableError(f"entry {stored.index}: the statement beside it is gone")
        yield stored.index, statement_id, entry


def parse_received(text: str) -> datetime:
    return parse_time(text, what="ledger entry")
