"""Checking a whole ledger against itself: every entry, payload, tile and checkpoint.

Each finding names what no longer matches, and at which entry. No finding means that the stored ledger is the one its
checkpoints sign, and that every payload is the one its entry commits to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wherefrom.errors import FormatError, VerificationError, WherefromError
from wherefrom.ledger.log import hash_for_dedup
from wherefrom.merkle import HASH_SIZE, TILE_WIDTH, CompactRange, append_to_tiles, hash_leaf, tile_widths
from wherefrom.notes import VerifierKey, open_checkpoint, parse_verifier_key
from wherefrom.statements import (
    KEY,
    Entry,
    check_statement,
    format_time,
    make_entry,
    parse_entry,
    parse_envelope,
    parse_statement,
    verify_commitment,
    verify_envelope,
)
from wherefrom.store import LedgerTables, StoredEntry

_BATCH = 256


def check_ledger(
    tables: LedgerTables, log_key: VerifierKey, *, progress: Callable[[int, int], None] | None = None
) -> Iterator[str]:
    """Yield a message for each thing that does not match; `progress` gets entries done and in all."""
    keys = {log_key.label: log_key}
    checkpoints = dict(tables.iter_checkpoints())
    tree, size = CompactRange.of([]), tables.size()
    tiles: dict[tuple[int, int], bytes] = {}
    yield from _check_checkpoint(checkpoints.pop(0, None), 0, tree.root(), log_key)
    last_received, index = "", -1
    pending: list[bytes] = []
    for index, stored in enumerate(tables.iter_entries()):
        if stored.index != index:
            yield f"entry {index} is missing: the next one there is {stored.index}"
            return
        leaf_hash = hash_leaf(stored.entry)
        pending.append(leaf_hash)
        tree = tree.append(leaf_hash)
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
            yield from _check_columns(tables, stored, entry)
            yield from _check_payload(tables, stored, entry, keys)
        if index + 1 in checkpoints:
            yield from _check_checkpoint(checkpoints.pop(index + 1), index + 1, tree.root(), log_key)
        if len(pending) == _BATCH:
            yield from _check_tiles(tables, tiles, index + 1, pending)
        if progress:
            progress(index + 1, size)
    yield from _check_tiles(tables, tiles, index + 1, pending, is_last=True)
    there, expected = tables.count_tiles(), sum(1 for _ in tile_widths(index + 1))
    if there != expected:
        yield f"there are {there} tiles, {index + 1} entries have {expected}"
    newest = open_newest(tables, log_key)
    if isinstance(newest, str):
        yield newest
    elif newest != index + 1:
        yield f"the newest checkpoint signs {newest} entries, there are {index + 1}"
    for beyond in sorted(checkpoints):
        if beyond > index + 1:
            yield f"checkpoint of size {beyond} signs entries that are gone: there are {index + 1}"


def open_newest(tables: LedgerTables, log_key: VerifierKey) -> int | str:
    """The newest checkpoint's size, or what is wrong with it."""
    try:
        return open_checkpoint(tables.read_checkpoint(), [log_key]).size
    except WherefromError as error:
        return f"newest checkpoint: {error}"


def _check_checkpoint(note: bytes | None, size: int, root: bytes, log_key: VerifierKey) -> Iterator[str]:
    if note is None:
        yield f"there is no checkpoint of size {size}"
        return
    try:
        signed = open_checkpoint(note, [log_key])
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


def _check_columns(tables: LedgerTables, stored: StoredEntry, entry: Entry) -> Iterator[str]:
    """The columns that queries use repeat what the entry says."""
    columns = tables.read_columns(stored.index)
    if columns.kind != entry.kind:
        yield f"entry {stored.index}: column kind is {columns.kind!r}, the entry says {entry.kind!r}"
    if columns.received != format_time(entry.received):
        said = format_time(entry.received)
        yield f"entry {stored.index}: column received is {columns.received}, the entry says {said}"


def _check_payload(
    tables: LedgerTables, stored: StoredEntry, entry: Entry, keys: dict[str, VerifierKey]
) -> Iterator[str]:
    if stored.salt is None or stored.envelope is None:
        yield f"entry {stored.index}: the statement beside it is gone"
        return
    try:
        verify_commitment(entry, salt=stored.salt, envelope=stored.envelope)
        envelope = parse_envelope(stored.envelope)
        signed = verify_envelope(envelope, keys)
        statement = parse_statement(envelope.payload)
        check_statement(statement)
    except (VerificationError, FormatError) as error:
        yield f"entry {stored.index}: {error}"
        return
    again = make_entry(statement, stored.envelope, salt=stored.salt, key_ids=signed, received=entry.received)
    if again != entry:
        yield f"entry {stored.index}: its kind, keys or subjects are not those of the statement beside it"
    if tables.read_columns(stored.index).dedup != hash_for_dedup(envelope.payload, signed):
        yield f"entry {stored.index}: column dedup is not that of the statement beside it"
    if statement.predicate_type == KEY:
        key = parse_verifier_key(statement.predicate["verifierKey"])
        keys[key.label] = key


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
