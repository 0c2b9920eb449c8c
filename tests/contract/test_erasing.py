"""Erasing, on SQLite and on PostgreSQL: what goes is gone from the tables, and all else is as it was."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from events import dataset, event, pipeline

from wherefrom.archive import Archive
from wherefrom.archive.erasing import add_hold, list_shards, redact, retire, set_retention
from wherefrom.archive.issuing import issue_evidence
from wherefrom.errors import UnavailableError
from wherefrom.ledger import prove_entry
from wherefrom.merkle import verify_inclusion
from wherefrom.notes import parse_policy
from wherefrom.statements import Rule, Scope
from wherefrom.store.schema import VIEWS, entries, hash_index, payloads
from wherefrom.verify import Outcome, verify_bundle

ACT = {"reason": "asked", "by": "office"}


def problems(archive):
    return [problem for _, found in archive.check() for problem in found]


def everything(archive):
    """All text and bytes of the tables that erasing touches, as one."""
    with archive.reading() as (tables, _):
        tables_ = (entries, payloads, hash_index, *VIEWS)
        rows = [row for table in tables_ for row in tables.connection.execute(sa.select(table))]
    return "\n".join(
        bytes(value).decode("latin-1") if isinstance(value, bytes) else str(value) for r in rows for value in r
    )


def test_a_redaction_takes_the_text_from_every_table(archive):
    [receipt] = archive.record(event("ingest", [dataset("erika.csv", "rows")]))
    archive.record(*pipeline())
    assert "erika.csv" in everything(archive)
    outcome = redact(archive, [receipt.statement_id], **ACT)
    assert (outcome.erased.redacted, outcome.scrubbed) == ([receipt.index], True)
    assert "erika.csv" not in everything(archive)
    assert problems(archive) == []
    assert archive.rebuild() == []
    assert archive.record(event("ingest", [dataset("erika.csv", "rows")]))[0].is_new
    data, _ = issue_evidence(archive, "models/m.joblib")
    assert verify_bundle(data, parse_policy(archive.trust_file.read_bytes())).outcome is Outcome.TRUE


def test_a_retirement_takes_the_entries_and_leaves_the_proofs(archive):
    clock = [datetime.now(UTC) + timedelta(days=1)]
    timed = Archive.open(archive.folder, clock=lambda: clock[0])
    set_retention(timed, [Rule(("*",), "P1Y", "test")], by="office")
    timed.record(*pipeline())
    clock[0] += timedelta(days=500)
    hold = add_hold(timed, Scope(entries=(3, 4)), **ACT)
    with pytest.raises(UnavailableError, match=r"entry 3 .* is held by statement 5"):
        retire(timed, (0, 5), at=clock[0], **ACT)
    outcome = retire(timed, (0, 3), at=clock[0], **ACT)
    assert outcome.erased.retired == [(0, 3, 1)]
    oldest, *_ = list_shards(timed)
    assert (oldest.begin, oldest.end, oldest.state) == (0, 3, "retired")
    assert problems(timed) == []
    assert timed.rebuild() == []
    signed, _ = timed.checkpoint()
    with timed.reading() as (tables, _):
        leaf = tables.read_tile(0, 0)[64:96]
        proof = prove_entry(tables, index=2, size=signed.size)
    verify_inclusion(leaf, index=2, size=signed.size, proof=proof, root=signed.root)
    assert hold.index == 5
    timed.close()


def test_while_others_read_the_files_are_not_free_yet_and_that_is_said(archive, monkeypatch):
    monkeypatch.setattr("wherefrom.store.erasing_tables.WAIT_MS", 100)
    [receipt] = archive.record(event("one"))
    with archive.reading() as (tables, _):
        assert tables.size() == 2
        outcome = redact(archive, [receipt.statement_id], **ACT)
        assert outcome.erased.redacted == [receipt.index]
        assert not outcome.scrubbed
    monkeypatch.undo()
    assert redact(archive, [archive.record(event("two"))[0].statement_id], **ACT).scrubbed
