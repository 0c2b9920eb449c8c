"""Redaction, retention and retirement of an archive: recorded as the ledger's own word, and then carried out."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from wherefrom import ledger, lineage, verify
from wherefrom.archive.archive import Archive, Recorded, to_recorded
from wherefrom.archive.folder import ArchiveFolder
from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.ledger import Erased, Order, Orders, Period, Receipt, Shard
from wherefrom.ledger.shard_file import ShardFile, verify_shard, write_shard
from wherefrom.lineage import Answer
from wherefrom.notes import TrustedLog, TrustPolicy
from wherefrom.statements import (
    Rule,
    Scope,
    Statement,
    Subject,
    event_kind_of,
    event_of,
    format_statement,
    format_time,
    ledger_subject,
    make_hold_statement,
    make_redaction_statement,
    make_release_statement,
    make_retention_statement,
    parse_entry,
    parse_statement,
    run_subject,
    sign_envelope,
)
from wherefrom.store import ErasingTables, LedgerTables, LineageWriter, scrub

MAX_MENTIONS = 1000


@dataclass(frozen=True)
class Outcome:
    """What came of an order.

    Attributes:
        receipts: of what was recorded.
        erased: what was carried out, with anything that was still to do before.
        scrubbed: False when others use the database, so that erased bytes may still be in its files.
        mentions: indexes of other statements that speak of the same things; at most MAX_MENTIONS.
    """

    receipts: tuple[Receipt, ...]
    erased: Erased
    scrubbed: bool
    mentions: tuple[int, ...] = ()


def redact(archive: Archive, what: Sequence[str], *, reason: str, by: str, basis: str | None = None) -> Outcome:
    """Order that the texts of statements (index or id) are erased, and erase them.

    Raises NotFoundError, UnavailableError (of a kind that is never redacted, done already, held), and what
    `Archive.record` raises. When it is interrupted after the order was recorded, `erase_pending` finishes it.
    """
    targets: list[Recorded] = [archive.read_recorded(text) for text in what]
    with archive.reading() as (tables, _):
        orders = ledger.read_orders(tables)
        for target in targets:
            ledger.require_redactable(tables, orders, target.index)
        mentions = tuple(_find_mentions(tables, targets))
    made = [make_redaction_statement(t.statement_id, reason=reason, by=by, basis=basis) for t in targets]
    receipts = record_as_ledger(archive, *made)
    erased, scrubbed = erase_pending(archive)
    return Outcome(tuple(receipts), erased, scrubbed, mentions)


def retire(
    archive: Archive,
    span: tuple[int, int],
    *,
    reason: str,
    by: str,
    archive_to: Path | None = None,
    at: datetime | None = None,
) -> Outcome:
    """Order that the entries [begin, end) are erased, as the policy allows, and erase them.

    Args:
        archive_to: a shard file to write first; it is read back and verified before anything is ordered.
        at: the time that the policy is asked about; now by default.

    Raises UnavailableError, naming the first entry that something keeps, and what `Archive.record` raises.
    """
    with archive.reading() as (tables, _):
        now = format_time(at or datetime.now(UTC))
        planned = ledger.plan_retirement(tables, ledger.read_orders(tables), span, now=now, reason=reason, by=by)
        if archive_to is not None:
            _export(archive, tables, span, archive_to)
    receipts = record_as_ledger(archive, planned)
    erased, scrubbed = erase_pending(archive)
    return Outcome(tuple(receipts), erased, scrubbed)


def _export(archive: Archive, tables: LedgerTables, span: tuple[int, int], path: Path) -> None:
    """Write a shard file, all of it or nothing, durably, and verify what was written."""
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as file:
            write_shard(tables, span, file)
            file.flush()
            os.fsync(file.fileno())
        verdict = verify_shard(ShardFile(new), TrustPolicy((TrustedLog(archive.log_key),)))
        if verdict.outcome is not verify.Outcome.TRUE:
            problems = "; ".join(f.message for f in verdict.findings if f.outcome is not verify.Outcome.TRUE)
            raise UnavailableError(f"shard file {path} does not verify, so nothing is retired: {problems}")
        new.replace(path)
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)


def erase_pending(archive: Archive, *, rewrite: bool = False) -> tuple[Erased, bool]:
    """Carry out all orders that are not yet; what was erased, and whether the database's files are free of it.

    All of it is one transaction. Where the views rest on what goes, they are made again from what is left, which takes
    as long as `rebuild`. `rewrite` is for `scrub`.
    """
    with archive.writing() as connection:
        tables = LedgerTables(connection)
        erased = ledger.carry_out(tables)
        if erased.views_changed:
            ErasingTables(connection).clear_views()
            lineage.project_all(LineageWriter(connection), ledger.iter_statements(tables))
    with archive.outside_transactions() as connection:
        return erased, scrub(connection, rewrite=rewrite)


def list_pending(archive: Archive) -> list[int]:
    """The statements whose orders are not carried out."""
    with archive.reading() as (tables, _):
        return ledger.list_pending(tables)


def set_retention(archive: Archive, rules: Sequence[Rule], *, by: str) -> Receipt:
    """State how long each kind of statement is kept, from now on."""
    return record_as_ledger(archive, make_retention_statement(rules, by=by, ledger=_subject(archive)))[0]


def add_hold(archive: Archive, scope: Scope, *, reason: str, by: str) -> Receipt:
    """Keep what the scope names, whatever the policy says."""
    return record_as_ledger(archive, make_hold_statement(scope, reason=reason, by=by, ledger=_subject(archive)))[0]


def release_hold(archive: Archive, what: str, *, reason: str, by: str) -> Receipt:
    """End a hold, named by index or id. Raises NotFoundError when no such hold is in force."""
    target = archive.read_recorded(what)
    with archive.reading() as (tables, _):
        if target.statement_id not in {hold.statement_id for hold in ledger.read_orders(tables).in_force()}:
            hint = "`wherefrom ledger hold list` lists them"
            raise NotFoundError(f"statement {target.index} is no hold that is in force", hint=hint)
    return record_as_ledger(archive, make_release_statement(target.statement_id, reason=reason, by=by))[0]


def read_orders(archive: Archive) -> Orders:
    """Policies, holds, redactions and retirements that count."""
    with archive.reading() as (tables, _):
        return ledger.read_orders(tables)


def list_shards(archive: Archive, by: Period = "year") -> list[Shard]:
    with archive.reading() as (tables, _):
        return ledger.list_shards(tables, orders=ledger.read_orders(tables), by=by)


def find_span(archive: Archive, *, shard: str | None = None, until: datetime | None = None) -> tuple[int, int]:
    """The entries [begin, end) of a shard, or from the oldest that is not retired up to a time, it not included."""
    with archive.reading() as (tables, _):
        orders = ledger.read_orders(tables)
        if shard is not None:
            return ledger.find_shard(tables, shard, orders=orders)
        begin = orders.retired_until()
        end = tables.size_at(format_time(until or datetime.now(UTC)))
        if end <= begin:
            raise NotFoundError(f"no entry that is not retired was received before {until}")
        return begin, end


@dataclass(frozen=True)
class Missing:
    """What the ledger held once about an answer, and holds no longer.

    `redacted`: entries with the order that erased their text; `retired`: orders that erased older entries.
    """

    redacted: tuple[Recorded, ...] = ()
    retired: tuple[Order, ...] = ()
    remarks: tuple[str, ...] = field(default=())


def find_missing(archive: Archive, answer: Answer | None = None, *, digests: Iterable[str] = ()) -> Missing:
    """What concerns the versions and runs of an answer, or these digests (`algorithm:hex`), and was erased.

    Of what was redacted, entries still list the digests of their subjects; of what was retired, only that it was.
    """
    wanted, as_of = set(digests), answer.as_of if answer else None
    if answer:
        wanted |= {f"{a}:{h}" for version in answer.versions for a, h in version.digests.items()}
        wanted |= {f"{a}:{h}" for run in answer.runs for a, h in run_subject(run.run_id).digests.items()}
    with archive.reading() as (tables, _):
        found = []
        for stored in tables.read_entries(ErasingTables(tables.connection).find_redacted()):
            entry = parse_entry(stored.entry)
            unlisted = entry.subject_count > len(entry.subjects)
            if (as_of is None or stored.index < as_of) and (unlisted or wanted.intersection(entry.subjects)):
                found.append(to_recorded(stored, tables))
        orders = ledger.read_orders(tables, kind="retirement")
    retired = tuple(order for order in orders.retirements if as_of is None or order.span[0] < as_of)
    return Missing(tuple(found), retired, tuple(_say(found, retired)))


def _say(redacted: Iterable[Recorded], retired: Iterable[Order]) -> Iterable[str]:
    for item in redacted:
        order = item.redaction
        why = f"by {order.by} because {order.reason} (statement {order.index})" if order else "without an order"
        yield f"statement {item.index} was redacted {why}: what it said is not in this answer"
    for order in retired:
        begin, end = order.span
        when = order.statement.predicate["received"]
        times = f"received {when['first'][:10]} to {when['last'][:10]}"
        yield f"entries {begin} to {end - 1}, {times}, were retired (statement {order.index}): not in this answer"


def record_as_ledger(archive: Archive, *statements: Statement) -> list[Receipt]:
    """Record statements signed by the ledger's own key. Raises as `Archive.record` does."""
    key = ArchiveFolder(archive.folder).read_key("log")
    signers = {key.verifier_key.label: key}
    return archive.record_envelopes([sign_envelope(format_statement(statement), signers) for statement in statements])


def _subject(archive: Archive) -> Subject:
    return ledger_subject(archive.origin, archive.log_key.public)


def _find_mentions(tables: LedgerTables, targets: Sequence[Recorded]) -> Iterable[int]:
    """Other statements with a subject or a data set in common; looks at every statement."""
    wanted = {thing for target in targets for thing in _list_things(target.statement)}
    own, found = {target.index for target in targets}, 0
    looks_like = _compile(wanted)
    for stored in tables.iter_entries():
        if stored.envelope is None or stored.index in own:
            continue
        # The envelope is canonical: {"payload":"…base64…",…}. Reading it whole would take a hundred times as long.
        payload = base64.b64decode(stored.envelope.split(b'"', 4)[3])
        if looks_like.search(payload) and not wanted.isdisjoint(_list_things(parse_statement(payload))):
            yield stored.index
            found += 1
            if found == MAX_MENTIONS:
                return


def _compile(things: Iterable[str]) -> re.Pattern[bytes]:
    """Matches all bytes in which one of these is written, and some others: JSON may escape what is not plain."""
    plain = (re.match(r"[\w .:-]*", thing.rsplit("/", 1)[-1], re.ASCII) for thing in things)
    return re.compile(b"|".join({re.escape(found[0].encode()) for found in plain if found}))


def _list_things(statement: Statement) -> set[str]:
    """Names and digests of all that a statement speaks of."""
    things = {subject.name for subject in statement.subjects}
    things |= {digits for subject in statement.subjects for digits in subject.digests.values()}
    if event_kind_of(statement.predicate_type):
        event = event_of(statement)
        for dataset in (*event.inputs, *event.outputs):
            things |= {f"{dataset.namespace}/{dataset.name}", *dataset.digests.values()}
    return things
