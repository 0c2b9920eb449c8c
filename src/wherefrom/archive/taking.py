"""Taking events as they come: OpenLineage from any producer, by HTTP, Kafka or file, kept byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from wherefrom.archive.archive import Archive
from wherefrom.archive.keyring import Keyring
from wherefrom.errors import FormatError
from wherefrom.ledger import Receipt, Signed
from wherefrom.statements import Event, Problem, Statement, event_of, parse_event_statement

MAX_LINE_BYTES = 64 << 20
_BATCH_LINES, _BATCH_BYTES = 500, 8 << 20


@dataclass(frozen=True)
class Taken:
    """What became of one event.

    Attributes:
        receipt: where it lies; None when it was refused.
        problems: where it breaks OpenLineage's specification.
        error: why it was refused; None when it was taken.
        event: what was read of it; None when it is no event.
    """

    receipt: Receipt | None
    problems: tuple[Problem, ...] = ()
    error: FormatError | None = None
    event: Event | None = None


def take_events(archive: Archive, bodies: Sequence[bytes], *, strict: bool = False) -> list[Taken]:
    """Record events, each one JSON object in UTF-8; the answers come in the same order.

    All that can be taken is recorded in one transaction, durably; what can't is refused by itself. An event that breaks
    the specification is taken and marked; `strict`, it is refused, and core and standard facets are held against the
    published schemas too (that needs the extra `server`). An event recorded before gets the receipt it got then.

    Raises as `Archive.record` when nothing could be recorded: UnavailableError above all. Asking again is safe.
    """
    return record_read(archive, sign_read([read_one(body, strict=strict) for body in bodies], archive.keys))


def sign_read(read: Sequence[Statement | Taken], keys: Keyring) -> list[Signed | Taken]:
    """The second step of `take_events`: sign what `read_one` read; what it refused stays so."""
    signed = iter(keys.sign([one for one in read if isinstance(one, Statement)]))
    return [one if isinstance(one, Taken) else next(signed) for one in read]


def record_read(archive: Archive, read: Sequence[Signed | Taken]) -> list[Taken]:
    """The last step of `take_events`: record what was read and signed; what was refused stays so."""
    signed = [one for one in read if isinstance(one, Signed)]
    receipts = _told_once(archive.record_signed(signed) if signed else [])
    return [one if isinstance(one, Taken) else _taken(one, next(receipts)) for one in read]


def _told_once(receipts: Sequence[Receipt]) -> Iterator[Receipt]:
    """Of several events that are the same, the first is new, and the others were there."""
    seen: set[int] = set()
    for receipt in receipts:
        yield replace(receipt, is_new=False) if receipt.index in seen else receipt
        seen.add(receipt.index)


def _taken(signed: Signed, receipt: Receipt) -> Taken:
    event = signed.reading
    if not isinstance(event, Event):
        raise TypeError(f"{signed.kind} is no event")
    return Taken(receipt, event.problems, None, event)


def read_one(body: bytes, *, strict: bool) -> Statement | Taken:
    """The first step of `take_events`: the statement that an event makes, or why it is refused; needs no archive."""
    try:
        statement = parse_event_statement(body)
    except FormatError as error:
        return Taken(None, (), error)
    if strict:
        from wherefrom.archive.published_schemas import list_departures

        event = event_of(statement)
        if problems := event.problems or list_departures(statement.predicate, event.kind):
            return Taken(None, problems, problems[0].to_error(), event)
    return statement


def take_lines(archive: Archive, lines: BinaryIO, *, strict: bool = False) -> Iterator[tuple[int, Taken]]:
    """Record the events of a JSON Lines file, some hundred at a time; yields each line's number, from 1, and outcome.

    Empty lines are passed over, and so is a byte order mark at the beginning of the file. What was yielded is recorded
    when an error ends it: those of `take_events`, and those of reading the file.
    """
    for batch in _iter_batches(lines):
        taken = iter(take_events(archive, [line for _, line in batch if isinstance(line, bytes)], strict=strict))
        for number, line in batch:
            yield number, line if isinstance(line, Taken) else next(taken)


def _iter_batches(lines: BinaryIO) -> Iterator[list[tuple[int, bytes | Taken]]]:
    batch: list[tuple[int, bytes | Taken]] = []
    size = 0
    try:
        for number, line in _iter_lines(lines):
            batch.append((number, line))
            size += len(line) if isinstance(line, bytes) else 0
            if len(batch) >= _BATCH_LINES or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    except Exception:  # reading broke off: what was read before is whole
        yield batch
        raise
    yield batch


def _iter_lines(lines: BinaryIO) -> Iterator[tuple[int, bytes | Taken]]:
    """Lines that say something, without their ends; a refusal in place of one that is too long."""
    number = 0
    while line := lines.readline(MAX_LINE_BYTES + 1):
        number += 1
        is_too_long = len(line) > MAX_LINE_BYTES
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = lines.readline(MAX_LINE_BYTES + 1) or b"\n"
        if is_too_long:
            yield number, Taken(None, (), FormatError(f"line {number} has more than {MAX_LINE_BYTES} bytes"))
            continue
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, line
