"""Checking a whole ledger against itself: every entry, payload, tile and checkpoint.

Each finding names what no longer matches, and at which entry. No finding means that the stored ledger is the one its
checkpoints sign, that every payload is the one its entry commits to, and that whatever is not there any more is gone
because a statement of the ledger's own ordered it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from wherefrom.errors import FormatError, NotFoundError, VerificationError, WherefromError
from wherefrom.ledger.keys import read_key_book
from wherefrom.ledger.log import tile_reader
from wherefrom.ledger.orders import Order, Orders, counts
from wherefrom.ledger.submission import hash_for_dedup
from wherefrom.merkle import (
    HASH_SIZE,
    TILE_WIDTH,
    CompactRange,
    append_to_tiles,
    hash_leaf,
    range_from_tiles,
    tile_widths,
)
from wherefrom.notes import VerifierKey, open_checkpoint, parse_verifier_key
from wherefrom.statements import (
    ERASURE_KINDS,
    KEY,
    Entry,
    KeyBook,
    check_statement,
    format_time,
    make_entry,
    parse_entry,
    parse_envelope,
    parse_statement,
    verify_commitment,
)
from wherefrom.store import ErasingTables, LedgerTables, StoredEntry

_BATCH = 256
_FINISH = "run `wherefrom ledger erase`"


@dataclass
class _Gone:
    """What was not found on the way; whether it may be gone is known at the end, when all orders are.

    `texts`: entries without their text; `spans`: entries [begin, end) that are not there.
    """

    texts: list[tuple[int, str, Entry]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    orders: Orders = field(default_factory=Orders)


def check_ledger(
    tables: LedgerTables, log_key: VerifierKey, *, progress: Callable[[int, int], None] | None = None
) -> Iterator[str]:
    """Yield a message for each thing that does not match; `progress` gets entries done and in all."""
    book, problems = _read_keys(tables, log_key)
    yield from problems
    log_keys = [key for r in book.records if r.role == "log" and isinstance(key := r.key, VerifierKey)]
    checkpoints = dict(tables.iter_checkpoints())
    tree, size = CompactRange.of([]), tables.size()
    tiles: dict[tuple[int, int], bytes] = {}
    gone = _Gone()
    yield from _check_checkpoint(checkpoints.pop(0, None), 0, tree.root(), log_keys)
    last_received, expected = "", 0
    pending: list[bytes] = []
    for stored in tables.iter_entries():
        if stored.index > expected:
            gone.spans.append((expected, stored.index))
        missing = _iter_leaf_hashes(tables, expected, stored.index)  # of what is gone, the tiles have the hash
        for index, leaf_hash in itertools.chain(missing, [(stored.index, hash_leaf(stored.entry))]):
            pending.append(leaf_hash)
            tree = tree.append(leaf_hash)
            if index + 1 in checkpoints:
                yield from _check_checkpoint(checkpoints.pop(index + 1), index + 1, tree.root(), log_keys)
            if len(pending) == _BATCH:
                yield from _check_tiles(tables, tiles, index + 1, pending)
        index, expected = stored.index, stored.index + 1
        if leaf_hash != stored.leaf_hash:
            yield f"entry {index}: its bytes hash to {leaf_hash.hex()}, the ledger says {stored.leaf_hash.hex()}"
        try:
            entry = parse_entry(stored.entry)
        except FormatError as error:
            yield f"entry {index}: {error}"
        else:
            received = format_time(entry.received)
            if received < last_received:
                yield f"entry {index} was received at {received}, before the entry ahead of it ({last_received})"
            last_received = max(received, last_received)
            yield from _check_beside(tables, stored, entry, book, gone)
        if progress:
            progress(index + 1, size)
    yield from _check_tiles(tables, tiles, expected, pending, is_last=True)
    there, wanted = tables.count_tiles(), sum(1 for _ in tile_widths(expected))
    if there != wanted:
        yield f"there are {there} tiles, {expected} entries have {wanted}"
    yield from _check_gone(tables, gone)
    if not tables.is_index_whole():
        yield "the index of hashes is not that of the entries: a statement may be missed, or recorded twice"
    newest = open_newest(tables, log_keys)
    if isinstance(newest, str):
        yield newest
    elif newest != expected:
        yield f"the newest checkpoint signs {newest} entries, there are {expected}"
    for beyond in sorted(checkpoints):
        if beyond > expected:
            yield f"checkpoint of size {beyond} signs entries that are gone: there are {expected}"


def open_newest(tables: LedgerTables, log_keys: Sequence[VerifierKey]) -> int | str:
    """The newest checkpoint's size, or what is wrong with it."""
    try:
        return open_checkpoint(tables.read_checkpoint(), log_keys).size
    except WherefromError as error:
        return f"newest checkpoint: {error}"


def _read_keys(tables: LedgerTables, log_key: VerifierKey) -> tuple[KeyBook, list[str]]:
    """All keys of the ledger, its own earlier ones among them; the log's key alone when they can't be read."""
    try:
        return read_key_book(tables, ErasingTables(tables.connection).find_kinds([KEY]), [log_key]), []
    except WherefromError as error:
        return KeyBook([log_key], parse_key=parse_verifier_key), [f"keys: {error}"]


def _iter_leaf_hashes(tables: LedgerTables, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The leaf hashes of entries that are not there, as the tiles have them."""
    index = begin
    while index < end:
        tile, first = divmod(index, TILE_WIDTH)
        data = tables.read_tile(0, tile)
        for position in range(first, min(TILE_WIDTH, first + end - index)):
            yield index, data[position * HASH_SIZE : (position + 1) * HASH_SIZE].ljust(HASH_SIZE, b"\0")
            index += 1


def _check_checkpoint(note: bytes | None, size: int, root: bytes, log_keys: Sequence[VerifierKey]) -> Iterator[str]:
    if note is None:
        yield f"there is no checkpoint of size {size}"
        return
    try:
        signed = open_checkpoint(note, log_keys)
    except WherefromError as error:
        yield f"checkpoint of size {size}: {error}"
        return
    if signed.size != size:
        yield f"checkpoint of size {size} signs {signed.size} entries"
    elif signed.root != root:
        yield (
            f"checkpoint of size {size} signs root {signed.root.hex()}, the entries below it have root {root.hex()}: "
            f"an entry before {size} was changed, removed or added"
        )


def _check_beside(tables: LedgerTables, stored: StoredEntry, entry: Entry, book: KeyBook, gone: _Gone) -> Iterator[str]:
    """The columns that queries use repeat what the entry says, and the statement is the one that it commits to."""
    index, columns = stored.index, tables.read_columns(stored.index)
    if columns.kind != entry.kind:
        yield f"entry {index}: column kind is {columns.kind!r}, the entry says {entry.kind!r}"
    if columns.received != format_time(entry.received):
        said = format_time(entry.received)
        yield f"entry {index}: column received is {columns.received}, the entry says {said}"
    if stored.salt is None or stored.envelope is None:
        gone.texts.append((index, stored.leaf_hash.hex(), entry))
        if columns.dedup is not None:
            yield f"entry {index}: column dedup is still there, the statement beside it is gone"
        return
    try:
        verify_commitment(entry, salt=stored.salt, envelope=stored.envelope)
        envelope = parse_envelope(stored.envelope)
        signed = book.verify(envelope, index=index)
        statement = parse_statement(envelope.payload)
        check_statement(statement)
    except (VerificationError, FormatError) as error:
        yield f"entry {index}: {error}"
        return
    again = make_entry(statement, stored.envelope, salt=stored.salt, key_ids=signed, received=entry.received)
    if again != entry:
        yield f"entry {index}: its kind, keys or subjects are not those of the statement beside it"
    if columns.dedup != hash_for_dedup(hashlib.sha256(envelope.payload).digest(), signed):
        yield f"entry {index}: column dedup is not that of the statement beside it"
    if entry.kind in ERASURE_KINDS and counts(entry, tables.read_setting("origin")):
        gone.orders.add(Order(index, stored.leaf_hash.hex(), entry.kind, entry.received, statement))


def _check_gone(tables: LedgerTables, gone: _Gone) -> Iterator[str]:
    """Whatever is gone was ordered to go, and whatever was ordered to go is gone."""
    orders, erasing = gone.orders, ErasingTables(tables.connection)
    for index, statement_id, entry in gone.texts:
        if orders.redaction_of(entry, index, statement_id) is None:
            yield f"entry {index}: the statement beside it is gone, and no redaction by the ledger names it"
    for statement_id, order in orders.redactions.items():
        with contextlib.suppress(NotFoundError):  # retired since
            [stored] = tables.read_entries([tables.find_leaf(bytes.fromhex(statement_id))])
            entry = parse_entry(stored.entry)
            if stored.envelope is not None and orders.redaction_of(entry, stored.index, statement_id):
                yield f"entry {stored.index} was redacted by statement {order.index}, but is still there: {_FINISH}"
    for begin, end in gone.spans:
        for index in orders.iter_unexplained(begin, end):
            yield f"entry {index} is missing: no retirement by the ledger has it in its range"
    policies = {order.statement_id for order in orders.policies}
    for order in orders.retirements:
        begin, end = order.span
        if end > order.index:
            yield f"statement {order.index} retires entries up to {end - 1}, which came after it"
            continue
        hashes = range_from_tiles(begin, end, tables.size(), tile_reader(tables)).hashes
        if [value.hex() for value in hashes] != order.statement.predicate["hashes"]:
            yield f"statement {order.index} retires entries {begin} to {end - 1} with other hashes than the tree has"
        if order.statement.predicate["policy"] not in policies:
            yield f"statement {order.index} retires under a policy that the ledger does not state"
        left = (row.idx for row in erasing.iter_columns(begin, end) if orders.retirement_of(row.idx))
        if (still := next(left, None)) is not None:
            yield f"entry {still} was retired by statement {order.index}, and is still there: {_FINISH}"


def _check_tiles(
    tables: LedgerTables, tiles: dict[tuple[int, int], bytes], size: int, pending: list[bytes], *, is_last: bool = False
) -> Iterator[str]:
    """Make the tiles again for the leaves seen since, and compare those that will not grow any more."""
    changed, _ = append_to_tiles(
        size - len(pending), pending, lambda level, index, width: tiles.get((level, index), b"")[: width * HASH_SIZE]
    )
    tiles.update(changed)
    pending.clear()
    for (level, index), data in list(tiles.items()):
        is_full = len(data) == TILE_WIDTH * HASH_SIZE
        if (is_full or is_last) and tables.read_tile(level, index) != data:
            yield f"tile {level}/{index} does not hold the hashes of the entries below it"
        if is_full:
            del tiles[level, index]
