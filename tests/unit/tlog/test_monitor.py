"""Monitors: each new checkpoint against all that was seen before."""

from datetime import UTC, datetime, timedelta

import pytest
from tiled_logs import KEY, make_log

from wherefrom.errors import MismatchError, UnavailableError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    SigningKey,
    TrustedLog,
    TrustPolicy,
    VerifierKey,
    format_verifier_key,
    parse_policy,
)
from wherefrom.tlog.monitor import Monitor
from wherefrom.tlog.source import MemorySource
from wherefrom.tlog.split_view import verify_split_view
from wherefrom.verify import Outcome

POLICY = TrustPolicy((TrustedLog(KEY.verifier_key),))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Inspector:
    """Remembers what it was shown; finds fault with one entry."""

    def __init__(self, bad=None, received=NOW):
        self.seen, self.bad, self.received = [], bad, received

    def inspect_entries(self, entries, *, first, before):
        self.seen += [(first + i, entry) for i, entry in enumerate(entries)]
        assert (before is None) == (first == 0)
        if self.bad in entries:
            raise MismatchError("that is no entry")
        return self.received

    def inspect_beside(self, source, mirror, size, found):
        found.remarks.append(f"looked beside {size}")


def look(tmp_path, log, **options):
    return Monitor(MemorySource(log), tmp_path, POLICY, **options).observe(NOW)


def problem(seen):
    [finding] = [f for f in seen.found.findings if f.outcome is not Outcome.TRUE]
    return finding


def test_a_growing_log_is_followed_and_each_entry_is_looked_at_once(tmp_path):
    inspector = Inspector()
    for size in (0, 1, 200, 256, 300, 777):
        seen = look(tmp_path, make_log(size), inspector=inspector)
        assert seen.holds(), seen.found
        assert seen.is_new == (size > 0)
        assert seen.checkpoint.size == size
    assert [index for index, _ in inspector.seen] == list(range(777))
    again = look(tmp_path, make_log(777), inspector=inspector)
    assert again.holds()
    assert not again.is_new
    assert [index for index, _ in inspector.seen[777:]] == [776]


def test_a_log_that_went_back_is_false_without_evidence(tmp_path):
    assert look(tmp_path, make_log(300)).holds()
    seen = look(tmp_path, make_log(200))
    assert problem(seen).outcome is Outcome.FALSE
    assert "it went back" in problem(seen).message
    assert seen.evidence is None


@pytest.mark.parametrize(("size", "fork_at"), [(300, 5), (200, 5), (777, 5)])
def test_two_histories_are_false_with_evidence_on_disk(tmp_path, size, fork_at):
    assert look(tmp_path, make_log(300)).holds()
    seen = look(tmp_path, make_log(size, fork_at=fork_at))
    assert problem(seen).outcome is Outcome.FALSE
    assert verify_split_view(seen.evidence.read_bytes(), POLICY).outcome is Outcome.TRUE
    assert look(tmp_path, make_log(301)).holds()  # what was seen first stays what the log is held to


def test_a_second_history_without_the_witnesses_is_evidence_as_well(tmp_path):
    """The quorum is not met, so nothing more is looked at; but the log has signed it."""
    witness = SigningKey("example.com/witness", bytes(32)).verifier_key
    witness = VerifierKey(witness.name, ED25519_COSIGNATURE, witness.public)
    text = f"log {format_verifier_key(KEY.verifier_key)}\nwitness w {format_verifier_key(witness)}\nquorum w\n"
    strict = parse_policy(text.encode())
    assert look(tmp_path, make_log(300)).holds()
    for log, has_evidence in ((make_log(301), False), (make_log(301, fork_at=7), True)):
        seen = Monitor(MemorySource(log), tmp_path, strict).observe(NOW)
        assert seen.found.outcome is Outcome.FALSE
        assert "lacks the quorum" in seen.found.findings[0].message
        assert (seen.evidence is not None) == has_evidence
    assert verify_split_view(seen.evidence.read_bytes(), strict).outcome is Outcome.TRUE


def test_entries_that_are_not_right_are_said_until_they_are(tmp_path):
    log = make_log(300)
    for _ in range(2):
        seen = look(tmp_path, log, inspector=Inspector(bad=b"entry 280 "))
        assert problem(seen).message == "that is no entry"
        assert not seen.holds()
    inspector = Inspector()
    assert look(tmp_path, log, inspector=inspector).holds()
    assert len(inspector.seen) == 300


def test_a_signature_that_is_wrong_or_a_stranger_s_goes_no_further(tmp_path):
    log = make_log(5)
    for changed, outcome in (
        (log["checkpoint"].replace(b"example.com/tiled\n5", b"example.com/tiled\n6"), Outcome.FALSE),
        (log["checkpoint"].replace("— example.com/tiled".encode(), "— example.com/other".encode()), Outcome.UNCHECKED),
        (b"no note", Outcome.UNCHECKED),
    ):
        seen = look(tmp_path, log | {"checkpoint": changed})
        assert seen.found.outcome is outcome
        assert seen.checkpoint is None
    assert not list(tmp_path.iterdir())


def test_a_log_that_does_not_answer_is_could_not_check(tmp_path):
    seen = look(tmp_path, {})
    assert problem(seen).outcome is Outcome.UNCHECKED
    log = make_log(300)
    del log["tile/entries/001.p/44"]
    assert problem(look(tmp_path, log)).outcome is Outcome.UNCHECKED


@pytest.mark.parametrize(("age", "outcome"), [(59, Outcome.TRUE), (61, Outcome.FALSE)])
def test_a_log_that_fell_silent_is_said(tmp_path, age, outcome):
    inspector = Inspector(received=NOW - timedelta(minutes=age))
    seen = look(tmp_path, make_log(5), inspector=inspector, max_age=timedelta(hours=1))
    assert seen.found.outcome is outcome
    again = look(tmp_path, make_log(5), inspector=inspector, max_age=timedelta(hours=1))
    assert again.found.outcome is outcome


def test_without_any_time_freshness_could_not_be_checked(tmp_path):
    seen = look(tmp_path, make_log(5), max_age=timedelta(hours=1))
    assert problem(seen).outcome is Outcome.UNCHECKED


def test_an_inspector_that_can_t_look_leaves_it_to_the_next_time(tmp_path):
    class Later(Inspector):
        def inspect_entries(self, entries, *, first, before):
            raise UnavailableError("not now")

    assert look(tmp_path, make_log(5), inspector=Later()).found.outcome is Outcome.UNCHECKED
    inspector = Inspector()
    assert look(tmp_path, make_log(5), inspector=inspector).is_new
    assert len(inspector.seen) == 5
