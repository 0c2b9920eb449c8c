"""A short run of what bench/faults.py does at length: each system call that writes fails, and kills."""

import pytest
from injection import CALLS, FAULTS, Subject, assert_kept, count_calls, in_folder, inject, spread
from workers import may_trace

BATCHES = 2
MOST = {"EIO": 12, "ENOSPC": 12, "SIGKILL": 4}

pytestmark = pytest.mark.skipif(not may_trace(), reason="needs strace, and the right to trace one's processes")


@pytest.fixture(scope="module")
def counts(worker, tmp_path_factory):
    """How often a task without any fault makes each call."""
    subject = Subject(in_folder(tmp_path_factory.mktemp("counted") / "archive"))
    return count_calls(worker, "record", {"where": subject.where, "name": "count", "batches": BATCHES})


def test_recording_makes_calls_that_can_fail(counts):
    assert counts["openat"] and counts["pwrite64"] and counts["rename"]
    assert counts["fdatasync"] + counts["fsync"] >= BATCHES, "each transaction waits for the disk"


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_failed_call_all_that_was_acknowledged_is_there_and_recording_goes_on(
    worker, tmp_path, counts, call, fault
):
    subject = Subject(in_folder(tmp_path / "archive"))
    times = spread(counts[call], MOST[fault])
    tried = assert_kept(inject(worker, subject, call, fault, times, batches=BATCHES))
    assert bool(tried) == bool(counts[call])


def test_a_disk_that_fails_for_good_is_said_and_what_was_acknowledged_before_is_there(worker, tmp_path):
    subject = Subject(in_folder(tmp_path / "archive"))
    [tried] = assert_kept(inject(worker, subject, "fdatasync", "EIO", [3], batches=6, lasting=True))
    assert tried.told.gave_up
    assert all(said.startswith("UnavailableError: ") for said in tried.told.gave_up)
