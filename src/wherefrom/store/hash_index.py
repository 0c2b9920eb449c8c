"""Finding an entry by a hash: its statement's leaf hash, or what tells the same statement sent twice.

Hashes are random, so in a plain index each new one lands on a page of its own, and a commit of a thousand statements
writes thousands of pages once there are millions of them. Here keys go into a small level first, whose pages are
shared by many of a commit, and move on to levels each 16 times larger, a range of neighbouring keys at a time: what a
commit writes then grows with the number of levels, not with the ledger. (A log-structured merge tree, in one table.)

A key is the first 8 bytes of the hash. It says where to look, not what is there: who asks compares the whole hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import sqlalchemy as sa

from wherefrom.store.bulk import Rows, bulk_insert
from wherefrom.store.matching import find_rows
from wherefrom.store.schema import hash_index

FIRST_LEVEL = 2**14
GROWTH = 16
# So many keys move at once, so that a ledger which takes one statement at a time does not move two each time.
MOVE = 1024
_ALL_LEVELS = range(13)  # 2**16 * 16**12 keys and more
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: its multiples, modulo 2**64, are spread evenly

_c = hash_index.c
_RANGE = sa.select(_c.idx).where(
    _c.level.in_(sa.bindparam("levels", expanding=True)), _c.key.between(sa.bindparam("low"), sa.bindparam("high"))
)
_NEXT = (
    sa.select(_c.key, _c.idx)
    .where(_c.level == sa.bindparam("at"), _c.key >= sa.bindparam("low"))
    .order_by(_c.key, _c.idx)
    .limit(sa.bindparam("count"))
)
_CUT = hash_index.delete().where(
    _c.level == sa.bindparam("at"),
    sa.tuple_(_c.key, _c.idx) >= sa.tuple_(sa.bindparam("low"), sa.bindparam("low_idx")),
    sa.tuple_(_c.key, _c.idx) <= sa.tuple_(sa.bindparam("high"), sa.bindparam("high_idx")),
)


def key_of(start: bytes) -> int:
    """The key of a hash, or of its first bytes; keys sort as hashes do."""
    return int.from_bytes(start[:8].ljust(8, b"\0")) + _LOWEST


def add(connection: sa.Connection, found: Sequence[tuple[bytes, int]], *, before: int) -> None:
    """Add hashes, each with the index of its entry, to the `before` hashes that were added up to now."""
    bulk_insert(connection, hash_index, rows_of(found))
    make_room(connection, before, len(found))


def rows_of(found: Iterable[tuple[bytes, int]]) -> Rows:
    """The rows to insert for hashes, each with the index of its entry; for who inserts more, and calls `make_room`."""
    return sorted((0, key_of(found_by), index) for found_by, index in found)


def make_room(connection: sa.Connection, before: int, added: int) -> None:
    """Move on what no longer fits, after so many were added to `before` hashes.

    `before` may be too high, by those that were forgotten; levels then hold a few less.
    """
    if _has_levels(connection):
        _move(connection, before, before + added)


def find(connection: sa.Connection, hashes: Sequence[bytes], *, total: int) -> list[int]:
    """Indexes of the entries that may have one of these hashes, among `total` hashes."""
    return [row[2] for row in find_rows(connection, *query(connection, hashes, total=total))]


def query(
    connection: sa.Connection, hashes: Sequence[bytes], *, total: int
) -> tuple[sa.Table, tuple[str, ...], list[tuple[int, int]]]:
    """What `find` asks for, for who asks for more at once; the index of the entry is the last value of a row."""
    keys = sorted({key_of(one) for one in hashes})
    return hash_index, ("level", "key"), [(level, key) for level in _levels(connection, total) for key in keys]


def find_prefix(connection: sa.Connection, start: bytes, *, total: int) -> list[int]:
    """Indexes of the entries that may have a hash which begins with these bytes, at most 8."""
    low, high = key_of(start), key_of(start.ljust(8, b"\xff"))
    return list(connection.scalars(_RANGE, {"levels": _levels(connection, total), "low": low, "high": high}))


def forget(connection: sa.Connection, found: Sequence[tuple[bytes, int]]) -> None:
    """Take hashes away, each with the index of its entry."""
    for found_by, index in found:
        at = (_c.level.in_(_ALL_LEVELS), _c.key == key_of(found_by), _c.idx == index)
        connection.execute(hash_index.delete().where(*at))


def iter_keys(connection: sa.Connection) -> Iterator[tuple[int, int]]:
    """Every key with the index of its entry, by index."""
    query = sa.select(_c.idx, _c.key).order_by(_c.idx, _c.key).execution_options(yield_per=1000)
    with connection.execute(query) as found:
        yield from map(tuple, found)


def fill(connection: sa.Connection, found: Iterable[tuple[bytes, int]]) -> None:
    """Make the index anew, from hashes in the order of their entries."""
    connection.execute(hash_index.delete())
    rest, before = iter(found), 0
    while batch := list(islice(rest, MOVE)):
        add(connection, batch, before=before)
        before += len(batch)


def _levels(connection: sa.Connection, total: int) -> list[int]:
    """The levels that hold something."""
    return [0, *(level + 1 for level, _ in _capacities(total))] if _has_levels(connection) else [0]


def _has_levels(connection: sa.Connection) -> bool:
    # On PostgreSQL a row that moves leaves a dead one behind, and the server's buffers take what is written meanwhile.
    return connection.dialect.name == "sqlite"


def _capacities(total: int) -> Iterator[tuple[int, int]]:
    """Each level that is full, with the number of keys that have gone beyond it."""
    level, capacity = 0, FIRST_LEVEL
    while total > capacity:
        total -= capacity
        yield level, total
        level, capacity = level + 1, capacity * GROWTH


def _move(connection: sa.Connection, before: int, after: int) -> None:
    """Move on what no longer fits: as many keys from each level, in steps of `MOVE`, as its overflow has grown."""
    gone = dict(_capacities(before))
    for level, beyond in _capacities(after):
        for step in range(gone.get(level, 0) // MOVE, beyond // MOVE):
            _move_range(connection, level, start=(step * _GOLDEN) % 2**64 + _LOWEST)


def _move_range(connection: sa.Connection, level: int, *, start: int) -> None:
    """Move the next keys from `start` on, and from the lowest on when there are not enough."""
    wanted = MOVE
    for low in (start, _LOWEST):
        rows = connection.execute(_NEXT, {"at": level, "low": low, "count": wanted}).all()
        if rows:
            (first, first_index), (last, last_index) = rows[0], rows[-1]
            edges = {"low": first, "low_idx": first_index, "high": last, "high_idx": last_index}
            connection.execute(_CUT, {"at": level, **edges})
            bulk_insert(connection, hash_index, [(level + 1, key, index) for key, index in rows])
        wanted -= len(rows)
        if not wanted:
            return
