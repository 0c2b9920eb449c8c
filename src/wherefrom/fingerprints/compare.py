"""What differs between two tables, row by row, from their kept leaves; no data is read for the counts.

Only to show rows, and to tell a changed row from one removed and one added, are the tables read again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from wherefrom.commitments import RecordsFingerprint, Secret
from wherefrom.errors import FormatError
from wherefrom.fingerprints.rows import hash_rows_of, iter_chunks, validate_batch
from wherefrom.fingerprints.sources import Reread, open_table
from wherefrom.merkle import HASH_SIZE, TILE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from wherefrom.fingerprints.kept import KeptTree

    Leaves = npt.NDArray[np.uint8]

_BLOCK_TILES: Final = 2**12
MAX_DIFFERENCES: Final = 10**7
"""Differing leaves that are kept in memory to find their rows by: 320 MB."""


@dataclass
class Comparison:
    """How the rows of one table (`before`) became those of another (`after`), as multisets."""

    common: int = 0
    removed: int = 0
    added: int = 0
    removed_leaves: list[Leaves] = field(default_factory=list)
    """Distinct leaf hashes, (n, 32) each, of at most `MAX_DIFFERENCES`."""
    added_leaves: list[Leaves] = field(default_factory=list)


def compare_trees(before: KeptTree, after: KeptTree) -> Comparison:
    """Count the rows that only one of two tables has.

    Raises FormatError: sets that can't be compared: keys, a sequence, other columns, another secret.
    """
    verify_comparable(before, after)
    found = Comparison()
    for ours, theirs in _iter_ranges(before, after):
        common, removed, added = _compare_range(ours, theirs)
        found.common += common
        found.removed += len(ours) - common
        found.added += len(theirs) - common
        for leaves, kept in ((removed, found.removed_leaves), (added, found.added_leaves)):
            if len(leaves) and sum(map(len, kept)) + len(leaves) <= MAX_DIFFERENCES:
                kept.append(leaves)
    return found


def compare_rows(
    before: KeptTree,
    after: KeptTree,
    *,
    sources: Sequence[object | None],
    key: Sequence[str],
    samples: int,
    secret: Secret | None = None,
) -> dict[str, Any]:
    """Counts of rows that both have, and that were removed and added; with samples where a source can be read.

    Args:
        sources: the two tables, to be read for rows that differ; None for one that can't be.
        key: columns that tell which row is which: then a removed and an added row of one key are one changed row. Needs
            both sources. Empty: `changed` is None.

    Raises FormatError: what `compare_trees` raises, an unknown key column, a key without both sources, or too many
    differences to hold in memory.
    """
    found = compare_trees(before, after)
    names = [column.name for column in before.identity.columns]
    if unknown := [name for name in key if name not in names]:
        raise FormatError(f"no column {unknown[0]!r}; there are {', '.join(map(repr, names))}")
    if key and None in sources:
        raise FormatError("which rows changed can only be told where both tables can be read")
    if key and max(found.removed, found.added) > MAX_DIFFERENCES:
        raise FormatError(f"{max(found.removed, found.added):,} rows differ, more than can be matched by key")
    sides = []
    for source, leaves in zip(sources, (found.removed_leaves, found.added_leaves), strict=True):
        wanted = leaves if key else _first(leaves, samples)
        sides.append({} if source is None else find_rows(source, names, wanted, secret=secret))
    changed = _match(sides[0], sides[1], key) if key else []
    old, new = ({id(row) for row in side} for side in zip(*changed, strict=True)) if changed else (set(), set())
    removed = [row for row in sides[0].values() if id(row) not in old]
    added = [row for row in sides[1].values() if id(row) not in new]
    return {
        "common": found.common,
        "removed": found.removed - len(changed),
        "added": found.added - len(changed),
        "changed": len(changed) if key else None,
        "removedRows": removed[:samples],
        "addedRows": added[:samples],
        "changedRows": [list(pair) for pair in changed[:samples]],
    }


def _first(leaves: list[Leaves], count: int) -> list[Leaves]:
    return [np.concatenate(leaves)[:count]] if leaves and count else []


def _match(
    removed: Mapping[bytes, dict[str, Any]], added: Mapping[bytes, dict[str, Any]], key: Sequence[str]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of rows with one key: for each added row, a removed one that is not taken yet."""
    by_key: dict[str, list[dict[str, Any]]] = {}
    for row in removed.values():
        by_key.setdefault(json.dumps([row[name] for name in key]), []).append(row)
    pairs = []
    for row in added.values():
        olds = by_key.get(json.dumps([row[name] for name in key]), [])
        pairs += [(olds.pop(), row)] if olds else []
    return pairs


def verify_comparable(before: KeptTree, after: KeptTree) -> None:
    """Raise FormatError unless both are sorted tables with the same columns and salts."""
    one, other = before.identity, after.identity
    if not isinstance(one, RecordsFingerprint) or not isinstance(other, RecordsFingerprint):
        raise FormatError("rows of tables can be compared, not keys")
    if "sequence" in (one.order, other.order):
        raise FormatError("a table in sequence order has no row-by-row comparison; fingerprint it sorted")
    if one.salt != other.salt:
        raise FormatError("the tables were fingerprinted with different secrets: their leaves can't be compared")
    names = [{column.name for column in side.columns} for side in (one, other)]
    if names[0] != names[1]:
        gone, new = (", ".join(sorted(part)) or "none" for part in (names[0] - names[1], names[1] - names[0]))
        raise FormatError(f"every row differs, as the columns do: removed {gone}; added {new}")


def _iter_ranges(before: KeptTree, after: KeptTree) -> Iterator[tuple[Leaves, Leaves]]:
    """Both trees' leaves in matching ranges: equal leaves fall into the same."""
    start = [0, 0]
    while start[0] < before.size or start[1] < after.size:
        step = min(start[0] + _BLOCK_TILES * TILE_WIDTH, before.size)
        if step < before.size:
            pivot = before.leaf(step)
            # Cut before the first leaf like the pivot in both, so that its copies stay together.
            ends = (max(before.find(pivot)[0], start[0]), after.find(pivot)[0])
            if ends[0] == start[0]:  # the whole block is one leaf repeated
                above = (int.from_bytes(pivot) + 1).to_bytes(HASH_SIZE)
                ends = (before.find(above)[0], after.find(above)[0])
        else:
            ends = (before.size, after.size)
        yield _read(before, start[0], ends[0]), _read(after, start[1], ends[1])
        start = list(ends)


def _read(tree: KeptTree, begin: int, end: int) -> Leaves:
    if begin == end:
        return np.empty((0, HASH_SIZE), np.uint8)
    parts = []
    for index in range(begin // TILE_WIDTH, -(-end // TILE_WIDTH)):
        width = min(TILE_WIDTH, tree.size - index * TILE_WIDTH)
        parts.append(tree.read_tile(0, index, width))
    first = begin - begin // TILE_WIDTH * TILE_WIDTH
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, HASH_SIZE)[first : first + end - begin]


def _compare_range(ours: Leaves, theirs: Leaves) -> tuple[int, Leaves, Leaves]:
    """How many leaves both have, and the distinct ones that one has more of. Both ascend."""
    (one, one_counts), (other, other_counts) = _distinct(ours), _distinct(theirs)
    merged = np.concatenate([one, other])
    order = np.lexsort(merged.view(">u8").astype(np.uint64).reshape(-1, 4).T[::-1])
    is_second = order >= len(one)
    ordered = merged[order]
    # Each side is distinct, so a leaf that both have comes out as two neighbours.
    pairs = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1)) if len(ordered) > 1 else np.empty(0, np.intp)
    left, right = order[pairs], order[pairs + 1]
    swapped = is_second[pairs]
    mine = np.where(swapped, right, left)
    yours = np.where(swapped, left, right) - len(one)
    shared = np.minimum(one_counts[mine], other_counts[yours])
    has_more, has_less = one_counts.copy(), other_counts.copy()
    has_more[mine] -= shared
    has_less[yours] -= shared
    return int(shared.sum()), one[has_more > 0], other[has_less > 0]


def _distinct(leaves: Leaves) -> tuple[Leaves, npt.NDArray[np.int64]]:
    if not len(leaves):
        return leaves, np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], (leaves[1:] != leaves[:-1]).any(axis=1))))
    return leaves[starts], np.diff(np.append(starts, len(leaves)))


def find_rows(
    source: object, columns: list[str], leaves: Sequence[Leaves], *, secret: Secret | None = None
) -> dict[bytes, dict[str, Any]]:
    """Read a table's columns again for the rows with these leaf hashes: rows as JSON, by leaf hash.

    Raises what reading a table raises; a leaf that the table does not have is not in the answer.
    """
    from wherefrom.fingerprints.json_rows import iter_json_rows

    if not leaves:
        return {}
    wanted = np.concatenate(leaves)
    first_words = np.sort(_first_words(wanted))
    known = {leaf.tobytes() for leaf in wanted}
    rows: dict[bytes, dict[str, Any]] = {}
    for chunk, hashes in _iter_hashed(source, columns, secret):
        near = np.flatnonzero(np.isin(_first_words(hashes), first_words))
        chosen = [int(row) for row in near if hashes[row].tobytes() in known]
        for row, values in zip(chosen, iter_json_rows(chunk.take(pa.array(chosen, pa.int64()))), strict=True):
            rows[hashes[row].tobytes()] = values
    return rows


def _iter_hashed(source: object, columns: list[str], secret: Secret | None) -> Iterator[tuple[pa.RecordBatch, Leaves]]:
    table = open_table(source)
    while True:
        try:
            for batch in table.iter_batches():
                part = batch.select(columns)
                validate_batch(part)
                for chunk in iter_chunks(part):
                    yield chunk, hash_rows_of(chunk, secret=secret).leaf_hashes
            return
        except Reread:  # what was misread had other leaves, or the right ones
            continue


def _first_words(leaves: Leaves) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(leaves).view(">u8").reshape(-1, 4)[:, 0].astype(np.uint64)
