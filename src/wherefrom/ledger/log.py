"""Appending: statements become entries, leaves, tiles and one signed checkpoint, inside the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wherefrom.errors import ConflictError, UnavailableError, VerificationError
from wherefrom.ledger.submission import Submission
from wherefrom.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    TILE_WIDTH,
    ReadTile,
    append_to_tiles,
    hash_leaf,
    prove_consistency_from_tiles,
    prove_inclusion_from_tiles,
    root_from_tiles,
    verify_consistency,
)
from wherefrom.notes import Checkpoint, Signer, VerifierKey, open_checkpoint, sign_checkpoint
from wherefrom.statements import SALT_SIZE, Entry, commit, format_entry, format_time, parse_time
from wherefrom.store import Edge, LedgerTables, NewEntry

# A clock that steps back by less than this is taken to be adjusting; the entry then gets the time of the one before it.
MAX_STEP_BACK = timedelta(seconds=2)


@dataclass(frozen=True)
class Receipt:
    """Where a statement lies in the ledger.

    Attributes:
        index: of its entry, from 0.
        statement_id: the entry's leaf hash, 64 hex digits.
        is_new: False when the statement had been recorded before.
    """

    index: int
    statement_id: str
    is_new: bool


def tile_reader(tables: LedgerTables) -> ReadTile:
    """Reads `width` hashes of a tile; what is stored may have grown beyond that since."""
    return lambda level, index, width: tables.read_tile(level, index)[: width * HASH_SIZE]


def _tiles_of_edge(size: int, above: int | None = None) -> dict[tuple[int, int], bytes]:
    """The tiles that growing a tree of this size needs, and proving the leaf `above`; empty."""
    wanted: dict[tuple[int, int], bytes] = {}
    level, hashes, node = 0, size, above
    while hashes:
        wanted[level, (hashes - 1) // TILE_WIDTH] = b""
        if node is not None:
            node //= TILE_WIDTH
            wanted[level, node] = b""
        level, hashes = level + 1, hashes // TILE_WIDTH
    return wanted


def _reader_of(tables: LedgerTables, ahead: Mapping[tuple[int, int], bytes]) -> ReadTile:
    """Reads as `tile_reader` does, but not again what was read ahead."""

    def read(level: int, index: int, width: int) -> bytes:
        data = ahead[level, index] if (level, index) in ahead else tables.read_tile(level, index)
        return data[: width * HASH_SIZE]

    return read


@dataclass(frozen=True)
class Ledger:
    """The log's name and key. One writer at a time: the caller's transaction sees to that."""

    signing_key: Signer
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    beside: tuple[Signer, ...] = ()  # keys of the same name that sign each checkpoint, too

    @property
    def verifier_key(self) -> VerifierKey:
        return self.signing_key.verifier_key

    @property
    def origin(self) -> str:
        return self.verifier_key.name

    def start(self, tables: LedgerTables) -> None:
        """Sign the empty tree, before anything is recorded."""
        tables.write_checkpoint(0, self._sign(Checkpoint(self.origin, 0, EMPTY_ROOT)))

    def append(
        self, tables: LedgerTables, submissions: Sequence[Submission], *, edge: Edge | None = None
    ) -> tuple[list[Receipt], bytes]:
        """Append what is not recorded yet, and sign the new tree.

        Returns receipts in the order given, and the newest signed checkpoint.

        Args:
            edge: where the ledger ends, for who has read it in this transaction.

        Raises ConflictError when the stored tree is not the one last signed (nothing is signed then), and
        UnavailableError when the clock is behind the last entry.
        """
        edge = edge or tables.read_edge()
        size = edge.size
        wanted = _tiles_of_edge(size)
        there, known = tables.read_ahead(wanted, [submission.dedup for submission in submissions], size=size)
        new: dict[bytes, Submission] = {s.dedup: s for s in submissions if s.dedup not in known}
        read_tile = _reader_of(tables, wanted | there)
        self._verify_head(edge, read_tile)
        note = edge.note
        if new:
            rows = _new_entries(size, new.values(), self._received(edge))
            changed, root = append_to_tiles(size, [row.leaf_hash for row in rows], read_tile)
            grown = size + len(rows)
            note = self._sign(Checkpoint(self.origin, grown, root))
            tables.add_entries(rows, changed, (grown, note))
            known.update((row.dedup, (row.index, row.leaf_hash)) for row in rows)
        found = [(*known[s.dedup], s.dedup in new) for s in submissions]
        return [Receipt(index, leaf_hash.hex(), is_new) for index, leaf_hash, is_new in found], note

    def _sign(self, checkpoint: Checkpoint) -> bytes:
        return sign_checkpoint(checkpoint, self.signing_key, *self.beside)

    def _verify_head(self, edge: Edge, read_tile: ReadTile) -> None:
        """The tree that we are about to extend must be the one that we signed last."""
        size, signed = edge.size, open_checkpoint(edge.note, [self.verifier_key])
        hint = "run `wherefrom doctor`; nothing more is recorded until the archive is restored from a copy"
        if signed.size != size:
            raise ConflictError(f"the ledger has {size} entries, its last checkpoint signs {signed.size}", hint=hint)
        if root_from_tiles(size, read_tile) != signed.root:
            raise ConflictError(f"the ledger's {size} entries are not those its last checkpoint signs", hint=hint)

    def _received(self, edge: Edge) -> datetime:
        now, last_text = self.clock(), edge.received
        if last_text is None:
            return now
        last = parse_time(last_text, what="ledger entry")
        if now < last - MAX_STEP_BACK:
            raise UnavailableError(
                f"the clock says {format_time(now)}, but the last entry was received at {last_text}, "
                f"{(last - now).total_seconds():.0f} s later",
                hint="set the clock right; entries must not go back in time",
            )
        return max(now, last)


def _new_entries(size: int, submissions: Collection[Submission], received: datetime) -> list[NewEntry]:
    rows, time = [], format_time(received)
    salts = secrets.token_bytes(SALT_SIZE * len(submissions))  # asking the system for each costs as much as hashing
    for position, submission in enumerate(submissions):
        index, salt = size + position, salts[SALT_SIZE * position : SALT_SIZE * (position + 1)]
        signed, keys = submission.signed, submission.key_ids
        commitment = commit(salt, signed.envelope)
        data = format_entry(Entry(signed.kind, commitment, keys, signed.subjects, signed.subject_count, received))
        rows.append(NewEntry(index, data, hash_leaf(data), submission.dedup, signed.kind, time, salt, signed.envelope))
    return rows


def prove_entry(tables: LedgerTables, *, index: int, size: int) -> list[bytes]:
    """The inclusion proof of an entry in the tree of this size."""
    wanted = _tiles_of_edge(size, index)
    return prove_inclusion_from_tiles(index, size, _reader_of(tables, wanted | tables.read_tiles(wanted)))


def verify_grown(tables: LedgerTables, old: Checkpoint) -> None:
    """Raise VerificationError unless the tree of this checkpoint, seen before, is a prefix of the stored one."""
    size, read = tables.size(), tile_reader(tables)
    if old.size > size:
        raise VerificationError(f"the ledger has {size} entries, a checkpoint it signed before has {old.size}")
    proof = prove_consistency_from_tiles(old.size, size, read)
    new_root = root_from_tiles(size, read)
    verify_consistency(old_size=old.size, old_root=old.root, new_size=size, new_root=new_root, proof=proof)
