"""A shard on its own: entries [from, to) with all that a stranger needs to check them. Source: docs/spec/erasure.md.

Written before a shard is retired. The ledger keeps the tree, this file the leaves, so that each proof can still be made
from either. Read in two passes, a line at a time: a shard may be larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from wherefrom.errors import FormatError, InclusionError, MismatchError, NotFoundError, UnavailableError
from wherefrom.ledger.log import prove_entry, tile_reader
from wherefrom.merkle import CompactRange, hash_leaf, range_from_tiles
from wherefrom.merkle.hashing import hash_subtrees
from wherefrom.merkle.subtrees import inclusion_subtrees, perfect_subtrees
from wherefrom.notes import (
    TrustedCheckpoint,
    TrustPolicy,
    open_trusted,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
)
from wherefrom.statements import KEY, Entry, KeyBook, KeyEntry, format_canonical, parse_entry, parse_json
from wherefrom.store import ErasingTables, LedgerTables, StoredEntry
from wherefrom.strict import Fields, is_hex, verify_canonical
from wherefrom.verify import Exhibit, Findings, Outcome
from wherefrom.verify.bundle import read_exhibit, read_text
from wherefrom.verify.exhibits import (
    Clock,
    is_own_order,
    naming,
    place,
    read_entry,
    read_statement,
    require_redacted,
)

SHARD_TYPE = "wherefrom-shard-1"
MAX_LINE = 1 << 26
_WHAT = "shard file"
_BATCH = 4096


@dataclass
class ShardVerdict(Findings):
    """What became of each claim; `span` and counts as far as they hold."""

    span: tuple[int, int] | None = None
    redacted: int = 0


@dataclass(frozen=True)
class _Head:
    """The first line: a signed checkpoint, and the tree on both sides of the shard.

    `beside`: key statements from outside the shard, and redactions of what is in it, each with its proof.
    """

    checkpoint: bytes
    left: CompactRange
    right: CompactRange
    beside: tuple[Exhibit, ...]


@dataclass(frozen=True)
class ShardFile:
    """A shard file. Reading raises FormatError for what is not one, UnavailableError where it can't be read."""

    path: Path

    @cached_property
    def head(self) -> _Head:
        with self._open() as file:
            return _parse_head(_read_line(file, 1))

    @property
    def span(self) -> tuple[int, int]:
        return self.head.left.end, self.head.right.begin

    def iter_exhibits(self) -> Iterator[Exhibit]:
        """The shard's entries in order, without proofs."""
        begin, end = self.span
        with self._open() as file:
            _read_line(file, 1)
            for index in range(begin, end):
                number = index - begin + 2
                exhibit = _parse_line(_read_line(file, number), number)
                if exhibit.index != index:
                    raise FormatError(f"{_WHAT}: line {number} has index {exhibit.index}, expected {index}")
                yield exhibit
            if file.read(1):
                raise FormatError(f"{_WHAT}: has lines behind entry {end - 1}")

    def prove(self, index: int) -> list[bytes]:
        """The inclusion proof of one of its entries in the tree of its checkpoint; believes what the file says."""
        begin, end = self.span
        if not begin <= index < end:
            raise NotFoundError(f"no entry {index} in this shard, which has {begin} to {end - 1}")
        leaves = [hash_leaf(exhibit.entry) for exhibit in self.iter_exhibits()]
        size = self.head.right.end
        return [self._subtree(leaves, *span) for span in inclusion_subtrees(index, size)]

    def _subtree(self, leaves: Sequence[bytes], low: int, high: int) -> bytes:
        begin, end = self.span
        parts = [_within(self.head.left, low, high)]
        if max(low, begin) < min(high, end):
            first = max(low, begin)
            parts.append(CompactRange.of(leaves[first - begin : min(high, end) - begin], begin=first))
        parts.append(_within(self.head.right, low, high))
        merged: CompactRange | None = None
        for part in parts:
            if part is not None:
                merged = part if merged is None else merged.merge(part)
        return hash_subtrees(merged.hashes if merged else ())

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except FileNotFoundError as error:
            raise NotFoundError(f"no file {self.path}") from error
        except OSError as error:
            raise UnavailableError(f"cannot read {self.path}: {error.strerror}") from error


def write_shard(tables: LedgerTables, span: tuple[int, int], file: BinaryIO) -> int:
    """Write the entries [begin, end), which must all be there, and return how many bytes that were.

    Raises UnavailableError when one of them is gone.
    """
    begin, end = span
    note, read = tables.read_checkpoint(), tile_reader(tables)
    size = parse_checkpoint(parse_note(note).text).size
    head = {
        "type": SHARD_TYPE,
        "checkpoint": note.decode(),
        "from": begin,
        "to": end,
        "left": [value.hex() for value in range_from_tiles(0, begin, size, read).hashes],
        "right": [value.hex() for value in range_from_tiles(end, size, size, read).hashes],
        "beside": [
            _to_json(stored) | {"proof": [node.hex() for node in prove_entry(tables, index=stored.index, size=size)]}
            for stored in _list_beside(tables, span)
        ],
    }
    written = file.write(format_canonical(head) + b"\n")
    expected = begin
    for stored in tables.iter_entries(begin, end):
        if stored.index != expected:
            break
        written += file.write(format_canonical(_to_json(stored)) + b"\n")
        expected += 1
    if expected != end:
        raise UnavailableError(f"entry {expected} is gone, so entries {begin} to {end - 1} can't be kept whole")
    return written


def verify_shard(shard: ShardFile, policy: TrustPolicy) -> ShardVerdict:
    """Check a shard file against the logs that the policy trusts. Never raises for anything in the file."""
    verdict = ShardVerdict()
    with verdict.check("the file is a well-formed shard file") as said:
        begin, end = shard.span
        said.append(f"entries {begin} to {end - 1}")
        verdict.span = shard.span
    if verdict.span is None:
        return verdict
    trusted = None
    with verdict.check("the checkpoint is signed by a ledger you trust") as said:
        trusted = open_trusted(shard.head.checkpoint, policy)
        said.append(f"{trusted.log_key.label}, {trusted.checkpoint.size} entries")
    if trusted is None:
        return verdict
    keys: list[KeyEntry] = []
    with verdict.check("the entries are those of the ledger, none is missing and none was changed") as said:
        root = _hash_shard(shard, keys)
        if shard.head.right.end != trusted.checkpoint.size:
            raise MismatchError(f"it is of {shard.head.right.end} entries, the checkpoint of {trusted.checkpoint.size}")
        if root != trusted.checkpoint.root:
            raise InclusionError(f"they lead to root {root.hex()}, expected {trusted.checkpoint.root.hex()}")
        said.append(f"entries: {end - begin}")
    if verdict.outcome is Outcome.TRUE:
        with verdict.check("every statement is the one its entry commits to, signed by a known key") as said:
            verdict.redacted = _check_texts(shard, trusted, keys)
            said.append(f"redacted by the ledger's own statements: {verdict.redacted}")
    return verdict


def _hash_shard(shard: ShardFile, keys: list[KeyEntry]) -> bytes:
    """The root of the tree that the shard and what lies on both sides of it make; gathers its key statements."""
    middle, pending = CompactRange(shard.span[0], shard.span[0]), list[bytes]()
    for exhibit in shard.iter_exhibits():
        pending.append(hash_leaf(exhibit.entry))
        if len(pending) == _BATCH:
            middle = middle.merge(CompactRange.of(pending, begin=middle.end))
            pending.clear()
        entry = parse_entry(exhibit.entry)
        if entry.kind == KEY and exhibit.text:
            keys.append(KeyEntry(exhibit.index, entry.received, exhibit.text.envelope))
    middle = middle.merge(CompactRange.of(pending, begin=middle.end))
    return shard.head.left.merge(middle).merge(shard.head.right).root()


def _check_texts(shard: ShardFile, trusted: TrustedCheckpoint, keys: list[KeyEntry]) -> int:
    """Hold every text against its entry and the keys that counted, and every missing one against the redactions."""
    for exhibit in shard.head.beside:
        with naming(exhibit):
            _, _, entry = place(exhibit, trusted.checkpoint)
        if entry.kind == KEY and exhibit.text:
            keys.append(KeyEntry(exhibit.index, entry.received, exhibit.text.envelope))
    keys.sort(key=lambda key: key.index)
    book = KeyBook.read([trusted.log_key], keys, parse_key=parse_verifier_key)
    textless: dict[str, tuple[int, Entry]] = {}
    redacted: dict[str, int] = {}
    for exhibit in chain(shard.head.beside, shard.iter_exhibits()):
        with naming(exhibit):
            entry = read_entry(exhibit)
            if exhibit.text is None:
                textless[hash_leaf(exhibit.entry).hex()] = exhibit.index, entry
                continue
            statement = read_statement(exhibit.index, entry, exhibit.text, book, Clock())
            if is_own_order(statement, entry, trusted.log_key.name):
                redacted[statement.predicate["redacts"]] = exhibit.index
    for statement_id, (index, entry) in textless.items():
        require_redacted(index, entry, redacted.get(statement_id, -1))
    return len(textless)


def _list_beside(tables: LedgerTables, span: tuple[int, int]) -> list[StoredEntry]:
    """What is needed to believe the shard and lies outside it: all key statements, and redactions of its entries."""
    erasing = ErasingTables(tables.connection)
    wanted = set(erasing.find_kinds([KEY]))
    wanted |= {row.entry for row in erasing.find("redaction") if row.target is not None and _is_in(row.target, span)}
    return tables.read_entries(index for index in wanted if not _is_in(index, span))


def _is_in(index: int, span: tuple[int, int]) -> bool:
    return span[0] <= index < span[1]


def _to_json(stored: StoredEntry) -> dict[str, Any]:
    value: dict[str, Any] = {"index": stored.index, "entry": stored.entry.decode()}
    if stored.salt is not None and stored.envelope is not None:
        value |= {"salt": stored.salt.hex(), "envelope": parse_json(stored.envelope, what="envelope")}
    return value


def _read_line(file: BinaryIO, number: int) -> bytes:
    try:
        line = file.readline(MAX_LINE + 1)
    except OSError as error:
        raise UnavailableError(f"cannot read {file.name}: {error.strerror}") from error
    if len(line) > MAX_LINE:
        raise FormatError(f"{_WHAT}: line {number} has over {MAX_LINE} bytes")
    if not line.endswith(b"\n"):
        raise FormatError(f"{_WHAT}: line {number} does not end with a newline: it is cut short, or no shard file")
    return line[:-1]


def _parse_head(line: bytes) -> _Head:
    value = parse_json(line, what=_WHAT)
    fields = Fields.of(value, what=_WHAT)
    fields.only("beside", "checkpoint", "from", "left", "right", "to", "type")
    fields.literal("type", SHARD_TYPE)
    verify_canonical(line, value, what=_WHAT)
    begin = fields.integer("from")
    end = fields.integer("to", least=begin + 1)
    checkpoint = fields.text("checkpoint").encode()
    size = parse_checkpoint(parse_note(checkpoint).text).size
    if size < end:
        fields.fail("to", f"is {end}, but the checkpoint has {size} entries")
    beside = tuple(read_exhibit(item) for item in fields.objects("beside"))
    indexes = [exhibit.index for exhibit in beside]
    if indexes != sorted(set(indexes)) or any(_is_in(index, (begin, end)) for index in indexes):
        fields.fail("beside", "are not entries from outside the shard, in order without repeats")
    left = CompactRange(0, begin, _read_hashes(fields, "left"))
    return _Head(checkpoint, left, CompactRange(end, size, _read_hashes(fields, "right")), beside)


def _read_hashes(fields: Fields, key: str) -> tuple[bytes, ...]:
    items = fields.items(key)
    for position, item in enumerate(items):
        if not isinstance(item, str) or not is_hex(item, size=32):
            fields.fail(f"{key}[{position}]", f"is {item!r}, expected 64 lower-case hex digits")
    return tuple(bytes.fromhex(item) for item in items)


def _parse_line(line: bytes, number: int) -> Exhibit:
    what = f"{_WHAT}: line {number}"
    value = parse_json(line, what=what)
    fields = Fields.of(value, what=what).only("entry", "envelope", "index", "salt")
    verify_canonical(line, value, what=what)
    text = read_text(fields) if "envelope" in fields or "salt" in fields else None
    return Exhibit(fields.integer("index"), fields.text("entry").encode(), text, ())


def _within(side: CompactRange, low: int, high: int) -> CompactRange | None:
    """Those perfect subtrees of a side that lie in [low, high); None when there are none."""
    spans = zip(perfect_subtrees(side.begin, side.end), side.hashes, strict=True)
    inside = [(span, value) for span, value in spans if low <= span[0] and span[1] <= high]
    if not inside:
        return None
    return CompactRange(inside[0][0][0], inside[-1][0][1], tuple(value for _, value in inside))
