"""How long entries are kept: by the policy that the ledger states, and by holds, which win."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.ledger.orders import NEVER_RETIRED, Order, Orders, parse_received
from wherefrom.statements import (
    FOREVER,
    Entry,
    Rule,
    Statement,
    event_kind_of,
    format_digest,
    format_time,
    keep_until,
    name_of,
    parse_entry,
    parse_envelope,
    parse_statement,
    read_event,
)
from wherefrom.statements.entry import MAX_LISTED_SUBJECTS
from wherefrom.store import ErasingTables, LedgerTables

Period = Literal["month", "quarter", "year"]
_SHARD_NAME = re.compile(r"(\d{4})(?:-Q([1-4])|-(0[1-9]|1[0-2]))?", re.ASCII)

ANNEX_IV = "Regulation (EU) 2024/1689 Art. 18(1): technical documentation, 10 years"
LOGS = "Regulation (EU) 2024/1689 Art. 19(1), 26(6): logs, at least six months"
LOG_KINDS = ("RunEvent", "JobEvent", "DatasetEvent", "gap")
DEFAULT_RULES = (Rule(("*",), "P10Y", ANNEX_IV),)
"""Events of runs are both logs and, as the record of what a model was made from, documentation: the longer time."""


@dataclass(frozen=True)
class Shard:
    """A run of consecutive entries received in one period of the calendar (UTC).

    Attributes:
        name: `2026`, `2026-Q1` or `2026-03`; several retired in one have the same.
        begin, end: entries [begin, end).
        first, last: when the first and the last of them were received.
        entries: how many are there.
        total_bytes: of these entries and the statements beside them.
        state: "kept"; "held" by a hold in force; "retired".
        retirable: from when on the policy lets them go; None for never, and where nothing of it may go.
    """

    name: str
    begin: int
    end: int
    first: datetime
    last: datetime
    entries: int
    total_bytes: int
    state: Literal["kept", "held", "retired"]
    retirable: datetime | None


def keep_for(rules: Sequence[Rule], kind: str) -> str:
    """How long statements of a kind are kept; for ever when no rule speaks of them, or nothing may erase them."""
    if kind in NEVER_RETIRED:
        return FOREVER
    by_kind = {name: rule.keep_for for rule in rules for name in rule.kinds}
    return by_kind.get(name_of(kind), by_kind.get("*", FOREVER))


def find_hold(holds: Sequence[Order], index: int, entry: Entry, envelope: bytes | None) -> Order | None:
    """The first hold that keeps an entry: by its index, or by what it or the statement beside it is about."""
    for hold in holds:
        scope = hold.scope
        if scope.has_index(index):
            return hold
        if not scope.digests:
            continue
        # An entry lists only so many subjects; one that may have another is taken to have it.
        if entry.subject_count > MAX_LISTED_SUBJECTS or scope.digests.intersection(entry.subjects):
            return hold
        if envelope is not None:
            statement = parse_statement(parse_envelope(envelope).payload)
            if scope.digests.intersection(list_digests(statement)):
                return hold
    return None


def list_digests(statement: Statement) -> set[str]:
    """The digests of all that a statement is about, and, for an event, of what its run read and wrote."""
    found = {format_digest(a, h) for subject in statement.subjects for a, h in subject.digests.items()}
    if event_kind_of(statement.predicate_type):
        event = read_event(statement.predicate)
        datasets = (*event.inputs, *event.outputs)
        found |= {format_digest(a, h) for dataset in datasets for a, h in dataset.digests.items()}
    return found


def find_keeper(
    tables: LedgerTables, span: tuple[int, int], *, orders: Orders, policy: Order, at: datetime
) -> str | None:
    """Why the entries [begin, end) can't be retired at an instant: the first entry that is kept, and by what.

    None when nothing keeps them. Entries that are never retired don't count: they stay when the others go.
    """
    rules, holds = policy.rules, orders.in_force()

    @lru_cache(maxsize=64)  # what was recorded together was received together
    def until_of(kind: str, received: str) -> datetime | None:
        return keep_until(parse_received(received), keep_for(rules, kind))

    for row in ErasingTables(tables.connection).iter_columns(*span):
        if row.kind in NEVER_RETIRED:
            continue
        until = until_of(row.kind, row.received)
        if until is None or until > at:
            long = "for ever" if until is None else f"until {format_time(until)}"
            what = f"entry {row.idx} ({name_of(row.kind)}, received {row.received})"
            return f"{what} is kept {long} by the policy of statement {policy.index}"
    if holds:
        for stored in tables.iter_entries(*span):
            entry = parse_entry(stored.entry)
            if entry.kind in NEVER_RETIRED:
                continue
            if hold := find_hold(holds, stored.index, entry, stored.envelope):
                what = f"entry {stored.index} ({name_of(entry.kind)})"
                return f"{what} is held by statement {hold.index}, {hold.by}: {hold.reason}"
    return None


def list_shards(tables: LedgerTables, *, orders: Orders, by: Period = "year") -> list[Shard]:
    """The ledger's entries by when they were received, the oldest first; what was retired by its retirements."""
    erasing, size = ErasingTables(tables.connection), tables.size()
    shards: list[Shard] = []
    gone = sorted((order for order in orders.retirements if _is_done(erasing, order)), key=lambda order: order.span)
    index = 0
    while index < size:
        order = next((order for order in gone if order.span[0] <= index < order.span[1]), None)
        if order:
            first, last = (parse_received(order.statement.predicate["received"][key]) for key in ("first", "last"))
            there = erasing.summarize(*order.span)
            counted = sum(row.count for row in there), sum(row.total_bytes for row in there)
            shards.append(Shard(_name(first, by), index, order.span[1], first, last, *counted, "retired", None))
            index = order.span[1]
            continue
        [row] = [row for row, _ in zip(erasing.iter_columns(index, size), range(1), strict=False)]
        first = parse_received(row.received)
        name = _name(first, by)
        limit = min((order.span[0] for order in gone if order.span[0] > index), default=size)
        end = min(tables.size_at(format_time(_period(name)[1] - timedelta(microseconds=1))), limit)
        shards.append(_shard(tables, name, index, end, orders))
        index = end
    return shards


def _is_done(erasing: ErasingTables, order: Order) -> bool:
    return erasing.count(*order.span) <= len(order.kept)


def _shard(tables: LedgerTables, name: str, begin: int, end: int, orders: Orders) -> Shard:
    rows = ErasingTables(tables.connection).summarize(begin, end)
    first, last = parse_received(min(row.first for row in rows)), parse_received(max(row.last for row in rows))
    counted = sum(row.count for row in rows), sum(row.total_bytes for row in rows)
    going = [row for row in rows if row.kind not in NEVER_RETIRED]
    retirable: datetime | None = None
    if orders.policies:
        rules = orders.policies[-1].rules
        ends = [keep_until(parse_received(row.last), keep_for(rules, row.kind)) for row in going]
        known = [until for until in ends if until is not None]
        retirable = max(known) if known and len(known) == len(ends) else None
    holds = orders.in_force()
    held = bool(holds) and any(
        find_hold(holds, stored.index, entry, stored.envelope)
        for stored in tables.iter_entries(begin, end)
        if (entry := parse_entry(stored.entry)).kind not in NEVER_RETIRED
    )
    return Shard(name, begin, end, first, last, *counted, "held" if held else "kept", retirable)


def find_shard(tables: LedgerTables, name: str, *, orders: Orders) -> tuple[int, int]:
    """The entries [begin, end) of a shard that was not retired, by its name. Raises FormatError, NotFoundError."""
    found = _SHARD_NAME.fullmatch(name)
    if not found:
        raise FormatError(f"{name!r} is no name of a shard, such as 2026, 2026-Q1 or 2026-03")
    by: Period = "quarter" if found[2] else "month" if found[3] else "year"
    shards = [shard for shard in list_shards(tables, orders=orders, by=by) if shard.name == name]
    kept = [shard for shard in shards if shard.state != "retired"]
    if not kept:
        problem = "was retired already" if shards else "has no entries"
        raise NotFoundError(f"shard {name} {problem}", hint="`wherefrom ledger shards` lists them")
    return kept[0].begin, kept[0].end


def _name(at: datetime, by: Period) -> str:
    return {"year": f"{at:%Y}", "quarter": f"{at:%Y}-Q{(at.month + 2) // 3}", "month": f"{at:%Y-%m}"}[by]


def _period(name: str) -> tuple[datetime, datetime]:
    """From when up to, not including, when a shard of this name goes."""
    found = _SHARD_NAME.fullmatch(name)
    if not found:
        raise FormatError(f"{name!r} is no name of a shard")
    year, quarter, month = int(found[1]), found[2], found[3]
    first = int(month) if month else 3 * int(quarter) - 2 if quarter else 1
    months = 1 if month else 3 if quarter else 12
    begin = datetime(year, first, 1, tzinfo=UTC)
    last = first - 1 + months
    if year + last // 12 > 9999:
        return begin, datetime.max.replace(tzinfo=UTC)
    return begin, datetime(year + last // 12, last % 12 + 1, 1, tzinfo=UTC)
