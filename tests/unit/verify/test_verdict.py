import dataclasses
import json
from datetime import UTC, datetime

import pytest
from events import content, dataset, event, pipeline, run_id

from wherefrom.archive import Archive
from wherefrom.archive.issuing import issue_evidence
from wherefrom.archive.taking import take_events
from wherefrom.errors import UnavailableError
from wherefrom.ledger import Ledger
from wherefrom.notes import SigningKey, TrustedLog, TrustPolicy, parse_policy
from wherefrom.statements import make_correction_statement, make_gap_statement, make_source_statement
from wherefrom.verify import Outcome, verify_bundle


def policy_of(archive):
    return parse_policy(archive.trust_file.read_bytes())


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """A small evidence file, and the policy that trusts its ledger."""
    root = tmp_path_factory.mktemp("issued")
    archive = Archive.init(root, namespace="test", origin="example.com/test")
    archive.record(*pipeline()[1:], make_source_statement("test", "raw.csv", {"sha256": content("raw")}, licence="MIT"))
    data, _ = issue_evidence(archive, "models/m.joblib")
    policy = policy_of(archive)
    archive.close()
    return data, policy


def edited(data, change):
    """The evidence file with a change that keeps its form."""
    value = json.loads(data)
    change(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def false_findings(verdict):
    return [f.message for f in verdict.findings if f.outcome is not Outcome.TRUE]


def test_evidence_as_issued_is_true_and_says_what_it_is_about(issued):
    data, policy = issued
    verdict = verify_bundle(data, policy)
    assert verdict.outcome is Outcome.TRUE, false_findings(verdict)
    assert verdict.subject == ("test", "models/m.joblib", f"sha256:{content('model')}")
    assert {version[1] for version in verdict.versions} == {"raw.csv", "more.csv", "table.parquet", "models/m.joblib"}
    assert len(verdict.edges) == 5
    assert verdict.remarks[-1] == "where these come from was never stated: more.csv"
    assert "<html" in verdict.report


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["statements"].pop(1), "statement 1 is missing from the file"),
        (lambda v: v["statements"].pop(), "the last statement is of kind source, expected the evidence statement"),
        (lambda v: v.update(report=v["report"].replace("m.joblib", "n.joblib")), "the report has SHA-256"),
        (lambda v: v.update(keys=v["keys"][:1]), "the file names"),
        (lambda v: v["statements"][1].update(index=7), "not in index order"),
        (lambda v: v["statements"][3].update(index=8), "not in index order"),
        (lambda v: v["statements"][1]["proof"].pop(), "statement 1: inclusion proof"),
        (lambda v: v["statements"][1].update(salt="00" * 32), "statement 1: the statement is not the one"),
        (
            lambda v: v["statements"][1].update(v["statements"][2], index=1, proof=v["statements"][1]["proof"]),
            "statement 1:",
        ),
        (
            lambda v: v["statements"][1].update(entry=v["statements"][1]["entry"].replace("2026", "2025")),
            "statement 1: ",
        ),
        (lambda v: v.update(checkpoint=v["checkpoint"].replace("\n5\n", "\n6\n")), "signature by example.com/test"),
        (lambda v: v.update(type="wherefrom-bundle-2"), "$.type"),
        (lambda v: v.update(more=1), "$.more: unknown member"),
    ],
)
def test_evidence_that_was_edited_is_not_true_and_the_message_names_what(issued, change, message):
    data, policy = issued
    verdict = verify_bundle(edited(data, change), policy)
    assert verdict.outcome is not Outcome.TRUE
    assert any(message in found for found in false_findings(verdict)), false_findings(verdict)


def test_no_byte_can_be_changed(archive, monkeypatch):
    """Every byte carries a claim: the encoding is canonical, so there is none to list as free."""
    monkeypatch.setattr("wherefrom.evidence.render_report", lambda *_, **__: "<html>a short report</html>")
    archive.record(event("train", [dataset("table.parquet", "table")], [dataset("models/m.joblib", "model")]))
    data, _ = issue_evidence(archive, "models/m.joblib")
    policy = policy_of(archive)
    assert verify_bundle(data, policy).outcome is Outcome.TRUE
    for at in range(len(data)):
        # 1: another digit or letter; 32: the other case; 128: no ASCII.
        for flip in (1, 32, 128) if at % 5 == 0 else (1,):
            changed = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            verdict = verify_bundle(changed, policy)
            assert verdict.outcome is not Outcome.TRUE, (at, flip, data[max(at - 40, 0) : at + 40])


@pytest.mark.parametrize("cut", [0, 1, 100, 5000, -1])
def test_evidence_that_was_cut_short_could_not_be_checked(issued, cut):
    data, policy = issued
    verdict = verify_bundle(data[:cut], policy)
    assert verdict.outcome is Outcome.UNCHECKED
    assert "does not end with a newline: it is cut short" in false_findings(verdict)[0]


def test_evidence_of_a_ledger_that_is_not_trusted_could_not_be_checked(issued):
    data, _ = issued
    other = TrustPolicy((TrustedLog(SigningKey.generate("example.com/other").verifier_key),))
    verdict = verify_bundle(data, other)
    assert verdict.outcome is Outcome.UNCHECKED
    assert "it is signed by example.com/test+" in false_findings(verdict)[0]


def test_evidence_of_a_ledger_with_the_same_name_and_another_key_is_not_true(issued):
    data, _ = issued
    imposter = TrustPolicy((TrustedLog(SigningKey.generate("example.com/test").verifier_key),))
    assert verify_bundle(data, imposter).outcome is not Outcome.TRUE


def test_an_answer_that_does_not_follow_from_the_statements_is_false(archive, monkeypatch):
    """The archive's owner signs an answer that leaves an edge out; the verifier traces again and sees it."""
    archive.record(*pipeline())
    honest = archive.trace

    def dishonest(what, **options):
        answer = honest(what, **options)
        return dataclasses.replace(answer, edges=answer.edges[:-1])

    monkeypatch.setattr(archive, "trace", dishonest)
    data, _ = issue_evidence(archive, "models/m.joblib")
    verdict = verify_bundle(data, policy_of(archive))
    assert verdict.outcome is Outcome.FALSE
    assert any("the answer lacks run" in message for message in false_findings(verdict))


def test_what_a_reader_should_know_is_remarked_and_does_not_make_it_false(archive):
    archive.record(
        event("one", [dataset("s")], [dataset("t", "1")], at="2020-01-01T00:00:00Z"),
        event("two", [dataset("t")], [dataset("m", "2")], at="2999-01-01T00:00:00Z"),
        make_gap_statement(run_id("two"), "subprocess", "started `make`", at="2026-11-21T08:00:00Z"),
    )
    data, _ = issue_evidence(archive, "m")
    verdict = verify_bundle(data, policy_of(archive))
    assert verdict.outcome is Outcome.TRUE, false_findings(verdict)
    said = "\n".join(verdict.remarks)
    for expected in (
        "says 2020-01-01",
        "later",
        "after it was received",
        "not seen: started `make`",
        "is inferred, not seen: t",
    ):
        assert expected in said


def test_evidence_that_rests_on_a_marked_event_is_true_and_says_so(archive):
    made, used = dataset("m", "model"), dataset("t", "table")
    base = {"eventTime": "2026-11-21T08:00:00", "inputs": [used, 7], "outputs": [made]}
    run = {**base, "run": {"runId": "my run"}, "job": {"namespace": "n", "name": "j"}}
    others = [{**base, "job": run["job"]}, {"eventTime": "2026-11-21T08:00:00Z", "dataset": made}]
    taken = take_events(archive, [json.dumps(event).encode() for event in (run, *others)])
    assert all(one.receipt and one.problems for one in taken)
    data, _ = issue_evidence(archive, "m")
    verdict = verify_bundle(data, policy_of(archive))
    assert verdict.outcome is Outcome.TRUE, false_findings(verdict)
    assert {version[1] for version in verdict.versions} == {"m", "t"}
    assert any(remark.startswith("statement 1 is marked: $.eventTime: ") for remark in verdict.remarks)


def test_corrections_come_with_the_evidence_and_count(archive):
    receipts = archive.record(*pipeline())
    archive.record(make_correction_statement(receipts[1].statement_id, reason="the wrong file was given"))
    data, _ = issue_evidence(archive, "models/m.joblib")
    verdict = verify_bundle(data, policy_of(archive))
    assert verdict.outcome is Outcome.TRUE, false_findings(verdict)
    assert {version[1] for version in verdict.versions} == {"models/m.joblib", "table.parquet"}


def test_evidence_as_of_an_earlier_entry_is_true(archive):
    archive.record(*pipeline())
    archive.record(event("again", [dataset("x", "x")], [dataset("models/m.joblib", "model")]))
    data, _ = issue_evidence(archive, "models/m.joblib", as_of=4)
    verdict = verify_bundle(data, policy_of(archive))
    assert verdict.outcome is Outcome.TRUE, false_findings(verdict)
    assert {version[1] for version in verdict.versions} == {"models/m.joblib", "table.parquet", "raw.csv", "more.csv"}


def test_no_evidence_is_issued_of_content_that_was_never_seen(archive):
    archive.record(event("one", [dataset("s")]))
    with pytest.raises(UnavailableError, match="the content of s was never seen"):
        issue_evidence(archive, "s")


def test_times_that_go_back_are_false(archive, monkeypatch):
    """A ledger whose owner lets the clock go back signs entries that no honest ledger has."""
    times = iter([datetime(2030, 1, 2, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 3, tzinfo=UTC)])
    monkeypatch.setattr(Ledger, "_received", lambda *_: next(times))
    archive.record(event("one", [dataset("s", "s")], [dataset("t", "t")]))
    archive.record(event("two", [dataset("t", "t")], [dataset("m", "m")]))
    data, _ = issue_evidence(archive, "m")
    verdict = verify_bundle(data, policy_of(archive))
    assert any(f"before statement 1 ({'2030-01-02'}" in message for message in false_findings(verdict))
