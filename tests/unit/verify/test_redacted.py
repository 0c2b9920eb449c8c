"""Evidence about what was redacted or retired: said plainly, and never a way to leave something out."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from events import content, dataset, event, pipeline

from wherefrom.archive import Archive
from wherefrom.archive.erasing import record_as_ledger, redact, retire, set_retention
from wherefrom.archive.issuing import issue_evidence
from wherefrom.notes import parse_policy
from wherefrom.statements import Rule, make_correction_statement, make_redaction_statement
from wherefrom.verify import Outcome, verify_bundle

ACT = {"reason": "request 31", "by": "data protection officer", "basis": "GDPR Art. 17"}


def verdict_of(archive, data):
    return verify_bundle(data, parse_policy(archive.trust_file.read_bytes()))


def edited(data, change):
    value = json.loads(data)
    change(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def messages(verdict):
    return " | ".join(finding.message for finding in verdict.findings if finding.outcome is not Outcome.TRUE)


def plain(page):
    """The page's text without its marks, also those that let a line break."""
    return re.sub(r"<[^>]*>|\u200b", "", page)


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """Evidence of a model, one of whose makers was redacted: entries 0 key, 1 to 3 events, 4 redaction, 5 evidence."""
    archive = Archive.init(tmp_path_factory.mktemp("issued"), namespace="test", origin="example.com/test")
    receipts = archive.record(*pipeline())
    redact(archive, [receipts[1].statement_id], **ACT)
    data, report = issue_evidence(archive, "models/m.joblib")
    yield archive, data, report
    archive.close()


def test_evidence_says_redacted_by_whom_and_why_and_is_true(issued):
    archive, data, report = issued
    assert "statement 2 was redacted by data protection officer because request 31 (statement 4)" in plain(report)
    verdict = verdict_of(archive, data)
    assert verdict.outcome is Outcome.TRUE, verdict.findings
    assert verdict.remarks[0] == (
        "statement 2 (RunEvent) was redacted by data protection officer because request 31 (GDPR Art. 17); "
        "what it said is not in this answer"
    )
    assert any("redacted since, by the ledger's own statements: 1" in finding.message for finding in verdict.findings)
    assert {version[1] for version in verdict.versions} == {"models/m.joblib", "table.parquet"}
    assert b"raw.csv" not in data


def test_evidence_from_before_the_redaction_still_verifies(archive):
    receipts = archive.record(*pipeline())
    data, _ = issue_evidence(archive, "models/m.joblib")
    redact(archive, [receipts[1].statement_id], **ACT)
    verdict = verdict_of(archive, data)
    assert verdict.outcome is Outcome.TRUE, verdict.findings
    assert "raw.csv" in {version[1] for version in verdict.versions}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["statements"].pop(3), "statement 2 has no text here, and no redaction by the ledger names it"),
        (lambda v: [v["statements"][3].pop(key) for key in ("salt", "envelope")], "statement 2 has no text here"),
        (lambda v: [v["statements"][2].pop(key) for key in ("salt", "envelope")], "statement 3 has no text here"),
        (lambda v: [v["statements"][0].pop(key) for key in ("salt", "envelope")], "no signature by a known key"),
        (lambda v: [v["statements"][4].pop(key) for key in ("salt", "envelope")], "statement 5 has no text here"),
        (lambda v: v["statements"][1].update(salt="00" * 32), "$.statements[1].envelope: is missing"),
        (
            lambda v: v["statements"][1].update(envelope=v["statements"][2]["envelope"]),
            "$.statements[1].salt: is missing",
        ),
        (
            lambda v: v["statements"][1].update(envelope=v["statements"][2]["envelope"], salt="00" * 32),
            "statement 2: the statement is not the one that its ledger entry commits to",
        ),
        (lambda v: v["statements"].pop(1), "statement 2 is missing from the file"),
        (lambda v: v.update(anchors=[]), "$.anchors: is empty"),
        (lambda v: v.update(anchors=[{}]), "$.anchors[0].consistency: is missing"),
    ],
)
def test_no_text_can_be_left_out_or_put_back(issued, change, message):
    archive, data, _ = issued
    verdict = verdict_of(archive, edited(data, change))
    assert verdict.outcome is not Outcome.TRUE
    assert message in messages(verdict), messages(verdict)


@pytest.mark.parametrize("who", ["producer", "ledger, of another statement", "ledger, of a key statement"])
def test_a_redaction_that_does_not_count_excuses_nothing(archive, who, monkeypatch):
    """The archive's owner erases by hand and shows a redaction beside it that is no order of the ledger's."""
    receipts = archive.record(*pipeline())
    target = receipts[1].statement_id
    if who == "producer":
        [order] = archive.record(make_redaction_statement(target, **ACT))
    else:
        wrong = receipts[0].statement_id if "another" in who else archive.read_recorded("0").statement_id
        [order] = record_as_ledger(archive, make_redaction_statement(wrong, **ACT))
    from wherefrom.archive import issuing

    monkeypatch.setattr(issuing.lineage, "list_entries", lambda *_: [0, 1, 2, 3, order.index])
    data, _ = issue_evidence(archive, "models/m.joblib")
    gone = 0 if "key" in who else 2
    assert verdict_of(archive, data).outcome is Outcome.TRUE
    hidden = edited(data, lambda v: [v["statements"][gone].pop(key) for key in ("salt", "envelope")])
    verdict = verdict_of(archive, hidden)
    assert verdict.outcome is Outcome.FALSE
    assert "no redaction by the ledger names it" in messages(verdict) or "no signature by a known key" in messages(
        verdict
    )


def test_a_redacted_correction_still_takes_back_what_it_corrected(archive):
    wrong = archive.record(*pipeline())[1]
    [correction] = archive.record(make_correction_statement(wrong.statement_id, reason="it names a person"))
    redact(archive, [correction.statement_id], **ACT)
    data, _ = issue_evidence(archive, "models/m.joblib")
    verdict = verdict_of(archive, data)
    assert verdict.outcome is Outcome.TRUE, verdict.findings
    assert {version[1] for version in verdict.versions} == {"models/m.joblib", "table.parquet"}


def test_what_was_redacted_elsewhere_is_not_in_the_evidence(archive):
    [other] = archive.record(event("elsewhere", [], [dataset("x", "x")]))
    archive.record(*pipeline())
    redact(archive, [other.statement_id], **ACT)
    data, _ = issue_evidence(archive, "models/m.joblib")
    assert not any("redacted" in remark for remark in verdict_of(archive, data).remarks)


def test_evidence_as_of_before_the_redaction_carries_it_all_the_same(archive):
    receipts = archive.record(*pipeline())
    redact(archive, [receipts[1].statement_id], **ACT)
    data, _ = issue_evidence(archive, "models/m.joblib", as_of=4)
    verdict = verdict_of(archive, data)
    assert verdict.outcome is Outcome.TRUE, verdict.findings
    assert "was redacted by" in verdict.remarks[0]


def test_evidence_says_that_older_history_was_retired(archive):
    clock = [datetime.now(UTC) + timedelta(days=1)]
    timed = Archive.open(archive.folder, clock=lambda: clock[0])
    set_retention(timed, [Rule(("*",), "P1Y", "test")], by="records office")
    timed.record(*pipeline()[:2])
    clock[0] += timedelta(days=500)
    last = timed.record(pipeline()[2])[0].index
    retire(timed, (0, last), at=clock[0], reason="a year is over", by="records office")
    data, _ = issue_evidence(timed, "models/m.joblib")
    verdict = verdict_of(timed, data)
    assert verdict.outcome is Outcome.TRUE, verdict.findings
    assert any("were retired by records office because a year is over" in remark for remark in verdict.remarks)
    assert verdict.subject == ("test", "models/m.joblib", f"sha256:{content('model')}")
    timed.close()
