"""Carrying out what the ledger orders to be erased: recorded first, and repeatable after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field

from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.ledger.log import tile_reader
from wherefrom.ledger.orders import (
    NEVER_REDACTED,
    NEVER_RETIRED,
    Order,
    Orders,
    parse_received,
    read_orders,
)
from wherefrom.ledger.retention import find_hold, find_keeper
from wherefrom.merkle import range_from_tiles
from wherefrom.statements import EVIDENCE, GAP, Entry, Statement, make_retirement_statement, name_of, parse_entry
from wherefrom.store import ErasingTables, LedgerTables


@dataclass
class Erased:
    """What was erased: texts of `redacted` entries, `retired` spans with the number of entries that went.

    `refused`: orders that are not carried out, and why. `views_changed`: whether the views rest on what is gone.
    """

    redacted: list[int] = field(default_factory=list)
    retired: list[tuple[int, int, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    views_changed: bool = False


def require_redactable(tables: LedgerTables, orders: Orders, index: int) -> Entry:
    """The entry, if its text is there and may be redacted.

    Raises UnavailableError: it is of a kind that is never redacted, redacted or retired already, or held.
    """
    try:
        [stored] = tables.read_entries([index])
    except NotFoundError as error:
        if orders.retirement_of(index):
            raise UnavailableError(say_gone(orders, index)) from error
        raise
    entry = parse_entry(stored.entry)
    if entry.kind in NEVER_REDACTED:
        message = f"entry {index} is a {name_of(entry.kind)} statement, which is never redacted"
        raise UnavailableError(message, hint="without it nobody could tell what was erased, and on whose word")
    if order := orders.redactions.get(stored.leaf_hash.hex()):
        raise UnavailableError(f"entry {index} was redacted already by statement {order.index}, {order.by}")
    if hold := find_hold(orders.in_force(), index, entry, stored.envelope):
        message = f"entry {index} is held by statement {hold.index}, {hold.by}: {hold.reason}"
        raise UnavailableError(message, hint=f"`wherefrom ledger hold release {hold.statement_id[:12]}` ends that hold")
    return entry


def plan_retirement(
    tables: LedgerTables, orders: Orders, span: tuple[int, int], *, now: str, reason: str, by: str
) -> Statement:
    """The statement that retires the entries [begin, end). `now` is as entries write times.

    Raises UnavailableError: there is no policy, nothing to erase, or something that keeps one, the first of which it
    names.
    """
    if not orders.policies:
        hint = "`wherefrom ledger retention set` states one"
        raise UnavailableError("the ledger states no retention policy, so nothing may be retired", hint=hint)
    policy = orders.policies[-1]
    if kept := find_keeper(tables, span, orders=orders, policy=policy, at=parse_received(now)):
        raise UnavailableError(kept)
    rows = list(ErasingTables(tables.connection).iter_columns(*span))
    staying = [row.idx for row in rows if row.kind in NEVER_RETIRED]
    if len(staying) == len(rows):
        raise UnavailableError(f"entries {span[0]} to {span[1] - 1} hold nothing that could be retired")
    return make_retirement_statement(
        span,
        hashes=range_from_tiles(*span, tables.size(), tile_reader(tables)).hashes,
        kept=staying,
        received=(parse_received(rows[0].received), parse_received(rows[-1].received)),
        policy=policy.statement_id,
        reason=reason,
        by=by,
    )


def list_pending(tables: LedgerTables) -> list[int]:
    """The entries of orders that are not, or not wholly, carried out."""
    erasing, orders = ErasingTables(tables.connection), read_orders(tables)
    redactions = set(erasing.find_unerased())
    pending = [order.index for order in orders.redactions.values() if order.index in redactions]
    return sorted(pending + [order.index for order in orders.retirements if _left_of(erasing, orders, order)])


def carry_out(tables: LedgerTables) -> Erased:
    """Erase all that is ordered and still there, in the caller's transaction, who sees to the views.

    A retirement is looked at once more: what was recorded before it, a hold say, may forbid it.
    """
    erasing, orders, done = ErasingTables(tables.connection), read_orders(tables), Erased()
    unerased = set(erasing.find_unerased())
    for statement_id, order in orders.redactions.items():
        if order.index not in unerased:
            continue
        [stored] = tables.read_entries([tables.find_leaf(bytes.fromhex(statement_id))])
        entry = parse_entry(stored.entry)
        if orders.redaction_of(entry, stored.index, statement_id) is None:
            done.refused.append(f"statement {order.index} redacts a {name_of(entry.kind)} statement: it does not count")
            continue
        done.redacted.append(stored.index)
        # A gap is one row that nothing else counts on; evidence gives none.
        done.views_changed |= entry.kind not in {EVIDENCE, GAP}
    erasing.erase_payloads(done.redacted)
    erasing.erase_gaps(done.redacted)
    for order in orders.retirements:
        begin, end = order.span
        before = len(_left_of(erasing, orders, order))
        if not before:
            continue
        if problem := _object(tables, order):
            done.refused.append(f"statement {order.index} retires entries {begin} to {end - 1}, but {problem}")
            continue
        erasing.erase_entries(begin, end, kept=order.kept)
        done.retired.append((begin, end, before))
        done.views_changed = True
    return done


def _left_of(erasing: ErasingTables, orders: Orders, order: Order) -> list[int]:
    """The entries that a retirement orders to go and that are still there."""
    if erasing.count(*order.span) <= len(order.kept):
        return []
    rows = erasing.iter_columns(*order.span)
    return [row.idx for row in rows if order.retires(row.idx) and orders.retirement_of(row.idx)]


def _object(tables: LedgerTables, order: Order) -> str | None:
    """What forbids a retirement, by what the ledger had said when it was recorded."""
    orders, (begin, end) = read_orders(tables, before=order.index), order.span
    if end > order.index:
        return "some of them came after it"
    policy = orders.policies[-1] if orders.policies else None
    if policy is None or policy.statement_id != order.statement.predicate["policy"]:
        return "under a policy that was not the ledger's then"
    hashes = range_from_tiles(begin, end, tables.size(), tile_reader(tables)).hashes
    if [value.hex() for value in hashes] != order.statement.predicate["hashes"]:
        return "with other hashes than the tree has"
    rows = ErasingTables(tables.connection).iter_columns(begin, end)
    if [row.idx for row in rows if row.kind in NEVER_RETIRED and order.retires(row.idx)]:
        return "does not keep all that is never retired"
    return find_keeper(tables, (begin, end), orders=orders, policy=policy, at=order.received)


def say_gone(orders: Orders, index: int) -> str:
    """Why an entry is not there, in words."""
    order = orders.retirement_of(index)
    if order is None:
        return f"entry {index} is missing"
    begin, end = order.span
    return f"entry {index} was retired with entries {begin} to {end - 1} (statement {order.index}): {order.reason}"
