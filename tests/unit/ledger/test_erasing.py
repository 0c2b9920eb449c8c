"""Redaction and retirement: what goes, what stays, and what nobody may excuse."""

import base64
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from events import content, dataset, event, pipeline, run_id

from wherefrom.archive import Archive
from wherefrom.archive.erasing import (
    add_hold,
    erase_pending,
    find_missing,
    find_span,
    list_pending,
    list_shards,
    record_as_ledger,
    redact,
    release_hold,
    retire,
    set_retention,
)
from wherefrom.archive.issuing import issue_evidence
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.ledger import prove_entry
from wherefrom.ledger.log import tile_reader
from wherefrom.merkle import prove_consistency_from_tiles, verify_consistency, verify_inclusion
from wherefrom.notes import open_checkpoint
from wherefrom.statements import (
    Rule,
    Scope,
    make_correction_statement,
    make_gap_statement,
    make_redaction_statement,
    make_source_statement,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
BECAUSE = {"reason": "asked for", "by": "data protection officer"}


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed(archive, clock):
    """An archive whose first statement is older than the clock's start would allow: its own time goes on from there."""
    clock.now = datetime.now(UTC) + timedelta(days=1)
    opened = Archive.open(archive.folder, clock=clock)
    yield opened
    opened.close()


def problems(archive):
    return [problem for _, found in archive.check() for problem in found]


def bytes_of(archive):
    """All that the database's files hold."""
    return b"".join(path.read_bytes() for path in sorted(archive.folder.glob("archive.db*")))


def assert_gone(archive, text):
    held = bytes_of(archive)
    assert text.encode() not in held
    for skip in range(3):  # payloads are base64: the text may begin at any of three places
        middle = base64.b64encode(text.encode()[skip:])[: (len(text) - skip) // 3 * 4]
        assert middle not in held


def assert_proofs(archive):
    """Every entry that ever was is still provable, and every checkpoint still grows into the next."""
    with archive.reading() as (tables, _):
        notes = [open_checkpoint(note, [archive.log_key]) for _, note in tables.iter_checkpoints()]
        newest, read = notes[-1], tile_reader(tables)
        leaves = b"".join(tables.read_tile(0, tile) for tile in range(newest.size // 256 + 1))
        for index in range(newest.size):
            proof = prove_entry(tables, index=index, size=newest.size)
            leaf = leaves[32 * index : 32 * index + 32]
            verify_inclusion(leaf, index=index, size=newest.size, proof=proof, root=newest.root)
        for old in notes:
            proof = prove_consistency_from_tiles(old.size, newest.size, read)
            sizes = {"old_size": old.size, "new_size": newest.size}
            verify_consistency(**sizes, old_root=old.root, new_root=newest.root, proof=proof)


# --- redaction -------------------------------------------------------------------------------------------------------


def test_a_redacted_statement_is_gone_from_the_files_and_everything_else_stays(archive):
    name = "people/erika-mustermann-4711.csv"
    receipts = archive.record(event("ingest", [dataset(name, "rows")], [dataset("t", "t")]), *pipeline())
    assert name.encode() in bytes_of(archive)
    outcome = redact(archive, [receipts[0].statement_id], basis="GDPR Art. 17(1)(b)", **BECAUSE)
    assert outcome.erased.redacted == [receipts[0].index]
    assert outcome.scrubbed
    assert_gone(archive, name)
    assert_proofs(archive)
    assert problems(archive) == []
    assert archive.rebuild() == []
    with pytest.raises(NotFoundError):
        archive.trace(name)
    with pytest.raises(UnavailableError, match="redacted by data protection officer because asked for"):
        _ = archive.read_recorded(str(receipts[0].index)).statement


def test_the_other_statements_about_the_same_things_are_named(archive):
    a, _, c, d = archive.record(*pipeline(), make_source_statement("test", "raw.csv", {"sha256": content("raw")}))
    outcome = redact(archive, [str(c.index)], **BECAUSE)
    assert set(outcome.mentions) == {c.index - 1}, "which made what the redacted statement read"
    outcome = redact(archive, [str(d.index)], **BECAUSE)
    assert outcome.mentions == (c.index - 1,)
    assert a.index not in outcome.mentions


def test_gaps_and_evidence_are_redacted_without_making_the_views_again(archive):
    archive.record(*pipeline())
    at = "2026-11-21T08:00:00Z"
    [gap] = archive.record(make_gap_statement(run_id("train"), "file", "erika.csv was unreadable", at=at))
    issue_evidence(archive, "models/m.joblib")
    outcome = redact(archive, [str(gap.index), str(gap.index + 1)], **BECAUSE)
    assert (outcome.erased.redacted, outcome.erased.views_changed) == ([gap.index, gap.index + 1], False)
    assert_gone(archive, "erika.csv")
    assert archive.rebuild() == []
    assert problems(archive) == []


@pytest.mark.parametrize("name", ["größe 7.csv", 'quoted "name".csv', "data/a.csv", "s3://bucket/x/", "\\\\server\\x"])
def test_mentions_are_found_however_json_writes_the_name(archive, name):
    [first] = archive.record(event("one", [], [dataset(name, "1")]))
    [second] = archive.record(event("two", [dataset(name)], [dataset("t", "t")]))
    archive.record(event("three", [dataset("other")]))
    assert redact(archive, [first.statement_id], **BECAUSE).mentions == (second.index,)


def test_an_interrupted_redaction_is_named_by_the_doctor_and_finished_later(archive, monkeypatch):
    [receipt] = archive.record(event("one", [dataset("s", "s")]))
    monkeypatch.setattr("wherefrom.archive.erasing.erase_pending", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        redact(archive, [str(receipt.index)], **BECAUSE)
    assert list_pending(archive) == [receipt.index + 1]
    assert any("was redacted by statement 2, but is still there" in problem for problem in problems(archive))
    erased, _ = erase_pending(archive)
    assert erased.redacted == [receipt.index]
    assert list_pending(archive) == []
    assert problems(archive) == []
    again, _ = erase_pending(archive)
    assert (again.redacted, again.views_changed) == ([], False)


def test_what_a_redacted_correction_took_back_stays_taken_back(archive):
    wrong = archive.record(*pipeline())[1]
    [correction] = archive.record(make_correction_statement(wrong.statement_id, reason="it names a person"))
    before = archive.trace("models/m.joblib")
    redact(archive, [correction.statement_id], **BECAUSE)
    after = archive.trace("models/m.joblib")
    assert {v.name for v in after.versions} == {v.name for v in before.versions} == {"models/m.joblib", "table.parquet"}
    assert archive.rebuild() == []
    assert problems(archive) == []


def test_keys_redactions_holds_and_what_is_held_are_not_redacted(archive):
    [receipt] = archive.record(event("one", [dataset("s", "s")], [dataset("t", "t")]))
    with pytest.raises(UnavailableError, match="entry 0 is a key statement, which is never redacted"):
        redact(archive, ["0"], **BECAUSE)
    hold = add_hold(archive, Scope(subjects=frozenset({f"sha256:{content('s')}"})), reason="case 1", by="legal")
    with pytest.raises(UnavailableError, match="entry 1 is held by statement 2, legal: case 1"):
        redact(archive, [receipt.statement_id], **BECAUSE)
    with pytest.raises(UnavailableError, match="is a hold statement, which is never redacted"):
        redact(archive, [hold.statement_id], **BECAUSE)
    release_hold(archive, hold.statement_id, reason="closed", by="legal")
    done = redact(archive, [receipt.statement_id], **BECAUSE)
    with pytest.raises(UnavailableError, match="entry 1 was redacted already by statement 4"):
        redact(archive, [receipt.statement_id], **BECAUSE)
    with pytest.raises(UnavailableError, match="is a redaction statement"):
        redact(archive, [done.receipts[0].statement_id], **BECAUSE)
    with pytest.raises(NotFoundError):
        redact(archive, ["99"], **BECAUSE)


def forget(archive, index):
    with sqlite3.connect(archive.folder / "archive.db") as database:
        database.execute("DELETE FROM payloads WHERE idx = ?", [index])
        database.execute("UPDATE entries SET dedup = NULL WHERE idx = ?", [index])


class TestWhatExcusesNothing:
    """A text that is gone without the ledger's own word is an error, for the doctor and for who rebuilds the views."""

    def assert_noticed(self, archive, index):
        forget(archive, index)
        assert any(f"entry {index}: the statement beside it is gone, and no" in p for p in problems(archive))
        with pytest.raises(UnavailableError, match=f"entry {index}: the statement beside it is gone"):
            archive.rebuild()

    def test_nothing_said(self, archive):
        archive.record(*pipeline())
        self.assert_noticed(archive, 2)

    def test_a_redaction_that_a_producer_signed(self, archive):
        receipts = archive.record(*pipeline())
        archive.record(make_redaction_statement(receipts[1].statement_id, **BECAUSE))
        erased, _ = erase_pending(archive)
        assert erased.redacted == []
        assert list_pending(archive) == []
        assert problems(archive) == []
        self.assert_noticed(archive, 2)

    def test_a_redaction_of_another_statement(self, archive):
        receipts = archive.record(*pipeline())
        record_as_ledger(archive, make_redaction_statement(receipts[0].statement_id, **BECAUSE))
        erase_pending(archive)
        self.assert_noticed(archive, 2)

    def test_a_redaction_of_a_key_statement(self, archive):
        key_id = archive.read_recorded("0").statement_id
        record_as_ledger(archive, make_redaction_statement(key_id, **BECAUSE))
        erased, _ = erase_pending(archive)
        assert erased.redacted == []
        assert "it does not count" in erased.refused[0]
        forget(archive, 0)
        assert any("entry 0: the statement beside it is gone" in p for p in problems(archive))

    def test_a_redaction_that_names_nothing_is_not_recorded(self, archive):
        with pytest.raises(NotFoundError):
            record_as_ledger(archive, make_redaction_statement("ab" * 32, **BECAUSE))

    def test_what_tells_a_guessed_statement_must_be_gone_too(self, archive):
        [receipt] = archive.record(event("one"))
        redact(archive, [receipt.statement_id], **BECAUSE)
        with sqlite3.connect(archive.folder / "archive.db") as database:
            database.execute("UPDATE entries SET dedup = x'00' WHERE idx = ?", [receipt.index])
        assert any("column dedup is still there" in problem for problem in problems(archive))


def test_the_database_is_written_anew_when_asked_and_is_the_same(archive):
    archive.record(*(event(f"run {number}") for number in range(300)))
    redact(archive, [str(number) for number in range(1, 251)], **BECAUSE)
    before = len(bytes_of(archive))
    assert erase_pending(archive, rewrite=True)[1]
    assert len(bytes_of(archive)) < before
    assert problems(archive) == []


def test_the_same_statement_may_be_recorded_again_after_its_redaction(archive):
    [first] = archive.record(event("one"))
    redact(archive, [first.statement_id], **BECAUSE)
    [second] = archive.record(event("one"))
    assert second.is_new
    assert second.statement_id != first.statement_id
    assert problems(archive) == []


def test_what_is_missing_from_an_answer_is_told(archive):
    receipts = archive.record(*pipeline())
    redact(archive, [receipts[1].statement_id], **BECAUSE)
    missing = find_missing(archive, archive.trace("models/m.joblib"))
    assert [item.index for item in missing.redacted] == [receipts[1].index]
    assert "was redacted by data protection officer because asked for (statement 4)" in missing.remarks[0]
    assert find_missing(archive, digests=["sha256:" + content("elsewhere")]).remarks == ()


# --- retirement ------------------------------------------------------------------------------------------------------


def short(archive, **periods):
    rules = [Rule((kind,), period, "test") for kind, period in periods.items()]
    return set_retention(archive, rules or [Rule(("*",), "P1Y", "test")], by="records office")


def test_a_shard_is_retired_when_its_time_is_over_and_not_a_moment_before(timed, clock):
    short(timed)
    timed.record(*pipeline())
    clock.now = clock.now.replace(microsecond=0) + timedelta(days=300)
    last = timed.record(event("later", [dataset("s", "s")]))[0]
    span = (0, last.index + 1)
    with pytest.raises(UnavailableError, match=r"entry 2 \(RunEvent, received .*\) is kept until"):
        retire(timed, span, at=clock.now, reason="over", by="records office")
    clock.now += timedelta(days=80)
    with pytest.raises(UnavailableError, match=rf"entry {last.index} \(RunEvent"):
        retire(timed, span, at=clock.now, reason="over", by="records office")
    outcome = retire(timed, (0, last.index), at=clock.now, reason="over", by="records office")
    assert outcome.erased.retired == [(0, last.index, 3)]
    assert problems(timed) == []
    assert timed.rebuild() == []
    assert_proofs(timed)
    assert_gone(timed, "table.parquet")
    with pytest.raises(NotFoundError, match="entry 3 was retired with entries 0 to 4"):
        timed.read_recorded("3")
    assert [r.index for r in timed.iter_recorded()] == [0, 1, last.index, last.index + 1]
    remarks = find_missing(timed, timed.trace("s")).remarks
    assert remarks[0].startswith("entries 0 to 4, received ")
    assert timed.record(event("goes on"))[0].is_new
    assert problems(timed) == []


def test_without_a_policy_nothing_is_retired(timed):
    timed.record(*pipeline())
    with pytest.raises(UnavailableError, match="states no retention policy"):
        retire(timed, (0, 3), reason="over", by="records office")


def test_kinds_that_no_rule_speaks_of_are_kept_for_ever(timed, clock):
    short(timed, source="P1D")
    timed.record(event("one"))
    clock.now += timedelta(days=5000)
    with pytest.raises(UnavailableError, match=r"entry 2 .* is kept for ever by the policy of statement 1"):
        retire(timed, (0, 3), at=clock.now, reason="over", by="records office")


@pytest.mark.parametrize(
    "scope",
    [
        Scope(entries=(0, None)),
        Scope(entries=(3, 4)),
        Scope(runs=frozenset({run_id("clean")})),
        Scope(subjects=frozenset({f"sha256:{content('raw')}"})),
        Scope(subjects=frozenset({f"sha256:{content('table')}"})),
    ],
    ids=["everything", "an entry", "a run", "what a run read", "what a run made"],
)
def test_what_is_held_is_not_retired_until_it_is_released(timed, clock, scope):
    short(timed)
    timed.record(*pipeline())
    hold = add_hold(timed, scope, reason="case 7", by="legal")
    clock.now += timedelta(days=500)
    with pytest.raises(UnavailableError, match=r"entry [234] \(RunEvent\) is held by statement 5, legal: case 7"):
        retire(timed, (0, 5), at=clock.now, reason="over", by="records office")
    assert {shard.state for shard in list_shards(timed)} == {"held"}
    with pytest.raises(NotFoundError, match="statement 1 is no hold"):
        release_hold(timed, "1", reason="closed", by="legal")
    release_hold(timed, hold.statement_id, reason="closed", by="legal")
    assert retire(timed, (0, 5), at=clock.now, reason="over", by="records office").erased.retired == [(0, 5, 3)]


def test_a_hold_that_came_just_before_the_retirement_still_wins(timed, clock, monkeypatch):
    """Between looking and recording somebody else may have held it."""
    short(timed)
    timed.record(*pipeline())
    clock.now += timedelta(days=500)
    honest = record_as_ledger

    def record_late(archive, *statements):
        monkeypatch.undo()
        add_hold(archive, Scope(entries=(0, None)), reason="case 7", by="legal")
        return honest(archive, *statements)

    monkeypatch.setattr("wherefrom.archive.erasing.record_as_ledger", record_late)
    outcome = retire(timed, (0, 5), at=clock.now, reason="over", by="records office")
    assert outcome.erased.retired == []
    assert (
        "statement 6 retires entries 0 to 4, but entry 2 (RunEvent) is held by statement 5" in outcome.erased.refused[0]
    )
    assert timed.trace("models/m.joblib").edges


def test_an_interrupted_retirement_is_finished_later(timed, clock, monkeypatch):
    short(timed)
    timed.record(*pipeline())
    clock.now += timedelta(days=500)
    monkeypatch.setattr("wherefrom.archive.erasing.erase_pending", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        retire(timed, (0, 5), at=clock.now, reason="over", by="records office")
    assert list_pending(timed) == [5]
    assert any("entry 2 was retired by statement 5, and is still there" in problem for problem in problems(timed))
    assert erase_pending(timed)[0].retired == [(0, 5, 3)]
    assert problems(timed) == []


def test_an_entry_that_is_missing_without_a_retirement_is_found(timed, clock):
    short(timed)
    timed.record(*pipeline())
    clock.now += timedelta(days=500)
    retire(timed, (0, 4), at=clock.now, reason="over", by="records office")
    assert problems(timed) == []
    with sqlite3.connect(timed.folder / "archive.db") as database:
        database.execute("DELETE FROM payloads WHERE idx = 4")
        database.execute("DELETE FROM entries WHERE idx = 4")
    assert any("entry 4 is missing: no retirement by the ledger" in problem for problem in problems(timed))
    with sqlite3.connect(timed.folder / "archive.db") as database:
        database.execute("DELETE FROM payloads WHERE idx = 1")
        database.execute("DELETE FROM entries WHERE idx = 1")
    assert any("entry 1 is missing: no retirement" in problem for problem in problems(timed)), "the policy, which stays"


def test_a_retired_range_with_a_changed_tile_is_found(timed, clock):
    short(timed)
    timed.record(*pipeline())
    clock.now += timedelta(days=500)
    retire(timed, (0, 5), at=clock.now, reason="over", by="records office")
    with sqlite3.connect(timed.folder / "archive.db") as database:
        database.execute("UPDATE tiles SET data = CAST(zeroblob(96) || substr(data, 97) AS BLOB) WHERE level = 0")
    found = problems(timed)
    assert any("the entries below it have root" in problem for problem in found)
    assert any("with other hashes than the tree has" in problem for problem in found)


def test_corrections_stay_and_what_they_name_may_go(timed, clock):
    short(timed)
    wrong = timed.record(*pipeline())[1]
    timed.record(make_correction_statement(wrong.statement_id, reason="wrong file"))
    clock.now += timedelta(days=500)
    retire(timed, (0, 6), at=clock.now, reason="over", by="records office")
    assert [r.index for r in timed.iter_recorded()][:3] == [0, 1, 5]
    assert problems(timed) == []
    assert timed.rebuild() == []


def test_shards_are_listed_by_the_calendar_with_when_they_may_go(timed, clock):
    short(timed, RunEvent="P6M", gap="P1M")
    clock.now = datetime(clock.now.year + 2, 2, 27, tzinfo=UTC)
    year = clock.now.year
    timed.record(event("one"), event("two"))
    clock.now = datetime(year, 5, 31, tzinfo=UTC)
    timed.record(make_gap_statement(run_id("one"), "x", "y", at="2026-11-21T08:00:00Z"))
    clock.now = datetime(year + 1, 1, 2, tzinfo=UTC)
    timed.record(event("three"))
    years = list_shards(timed)
    assert [shard.name for shard in years][-2:] == [f"{year}", f"{year + 1}"]
    assert [(s.name, s.begin, s.end, s.entries, s.state) for s in list_shards(timed, "quarter")][-3:] == [
        (f"{year}-Q1", 2, 4, 2, "kept"),
        (f"{year}-Q2", 4, 5, 1, "kept"),
        (f"{year + 1}-Q1", 5, 6, 1, "kept"),
    ]
    february, may = list_shards(timed, "month")[-3:-1]
    assert february.name == f"{year}-02"
    assert (february.retirable.month, february.retirable.day) == (8, 27)
    assert (may.retirable.month, may.retirable.day) == (7, 1), "31 June is the first of July"
    assert find_span(timed, shard=f"{year}-Q1") == (2, 4)
    clock.now = datetime(year + 2, 1, 2, tzinfo=UTC)
    retire(timed, (2, 4), at=clock.now, reason="over", by="records office")
    assert [(s.name, s.entries, s.state) for s in list_shards(timed, "quarter")][-4:-1] == [
        (f"{year}-Q1", 0, "retired"),
        (f"{year}-Q2", 1, "kept"),
        (f"{year + 1}-Q1", 1, "kept"),
    ]
    with pytest.raises(NotFoundError, match="was retired already"):
        find_span(timed, shard=f"{year}-Q1")
    with pytest.raises(NotFoundError, match="has no entries"):
        find_span(timed, shard="1999")
    with pytest.raises(FormatError, match="is no name of a shard"):
        find_span(timed, shard="2026-Q5")
    assert find_span(timed, until=datetime(year + 1, 6, 1, tzinfo=UTC)) == (0, 6)
