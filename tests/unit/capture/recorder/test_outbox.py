import fcntl
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from wherefrom.archive import Archive
from wherefrom.capture import drain_outbox, list_waiting
from wherefrom.capture.frames import format_frames
from wherefrom.capture.process import is_running
from wherefrom.capture.recorder.outbox import (
    PROJECT,
    OutboxSink,
    Spool,
    note_child,
    read_statements,
    take_children,
)
from wherefrom.errors import FormatError
from wherefrom.statements import make_event_statement, make_gap_statement, make_source_statement, name_of

RUN = "00000000-0000-4000-8000-000000000001"
AT = "2026-11-21T08:00:00.000000Z"
FACET = {"_producer": "https://example.com/p", "_schemaURL": "https://example.com/s"}


@pytest.fixture
def archive(tmp_path):
    opened = Archive.init(tmp_path, namespace="test")
    (tmp_path / ".wherefrom" / "outbox").mkdir(exist_ok=True)
    yield opened
    opened.close()


@pytest.fixture
def outbox(archive):
    return archive.folder / "outbox"


def event(namespace=PROJECT):
    fingerprint = {**FACET, "digests": {"sha256": "ab" * 32}, "known": "observed"}
    output = {"namespace": namespace, "name": "x", "facets": {"wherefrom_fingerprint": fingerprint}}
    return make_event_statement(
        {
            "eventType": "COMPLETE",
            "eventTime": AT,
            "producer": "https://example.com/p",
            "schemaURL": "https://example.com/s",
            "run": {"runId": RUN, "facets": {}},
            "job": {"namespace": namespace, "name": "job"},
            "inputs": [{"namespace": "file", "name": PROJECT}],
            "outputs": [output],
        }
    )


def recorded(archive):
    return [(name_of(r.statement.predicate_type), r.statement) for r in archive.iter_recorded(1)]


def frames(*messages, at=None):
    at = at or time.time_ns()
    return b"".join(
        frame
        for number, message in enumerate(messages)
        for frame in format_frames({"at": at, **message}, sender="a", sequence=number, frame_bytes=512)
    )


def test_statements_are_kept_for_an_archive_whose_namespace_is_not_known_and_recorded_later(archive, outbox):
    sink = OutboxSink(str(archive.root), "id")
    sink.record(event(), make_gap_statement(RUN, "what", "why", at=AT))
    sink.record(make_source_statement(PROJECT, "x", {"sha256": "ab" * 32}, licence="MIT"))
    assert [waiting.path for waiting in list_waiting(archive.root)] == [outbox / "id.statements"]
    drained = drain_outbox(archive)
    assert (drained.recorded, drained.left) == ((outbox / "id.statements",), ())
    assert list(outbox.iterdir()) == []
    names, statements = zip(*recorded(archive), strict=True)
    assert names == ("RunEvent", "gap", "source")
    assert statements[0].predicate["job"]["namespace"] == "test"
    assert statements[0].predicate["outputs"][0]["namespace"] == "test"
    assert statements[0].predicate["inputs"][0] == {"namespace": "file", "name": PROJECT}
    assert [subject.name for subject in statements[0].subjects] == [f"run:{RUN}", "test/x"]
    assert statements[2].subjects[0].name == "test/x"


def test_draining_twice_records_once(archive, outbox):
    OutboxSink(str(archive.root), "id").record(event("test"))
    kept = (outbox / "id.statements").read_bytes()
    drain_outbox(archive)
    size = archive.size()
    (outbox / "id.statements").write_bytes(kept)
    drain_outbox(archive)
    assert archive.size() == size


def test_what_the_archive_still_refuses_stays_and_does_not_hold_up_the_rest(archive, outbox):
    OutboxSink(str(archive.root), "a").record(event())
    (outbox / "b.statements").write_text("no statement\n")
    OutboxSink(str(archive.root), "c").record(make_gap_statement(RUN, "what", "why", at=AT))
    drained = drain_outbox(archive)
    assert [path.name for path in drained.recorded] == ["a.statements", "c.statements"]
    [(path, why)] = drained.left
    assert path.name == "b.statements" and why
    assert path.exists()
    with pytest.raises(FormatError):
        read_statements(path, namespace="test")


def test_messages_are_recorded_as_if_they_had_just_come(archive, outbox, tmp_path):
    (tmp_path / "in.txt").write_text("in")
    begin = {"do": "begin", "run": RUN, "job": "job", "kind": "RUN", "process": {"id": "1", "script": None}}
    read = {"do": "read", "run": RUN, "paths": ["in.txt"], "cwd": str(tmp_path), "via": "open"}
    end = {"do": "end", "run": RUN, "state": "COMPLETE", "reason": "returned"}
    (outbox / "id.messages").write_bytes(frames(begin, read, end, {"do": "bye"}) + b"torn frame")
    assert drain_outbox(archive).left == ()
    assert list(outbox.iterdir()) == []
    [run] = archive.list_runs(5)
    assert run.state == "COMPLETE"
    assert [gap["what"] for gap in run.gaps] == []


def test_a_process_that_was_killed_with_its_recorder_is_an_aborted_run_that_ended_with_its_last_word(
    archive, outbox, tmp_path
):
    (tmp_path / "in.txt").write_text("changed since")
    said = time.time_ns() - 10**9
    begin = {"do": "begin", "run": RUN, "job": "job", "kind": "RUN", "process": {"id": "1", "script": None}}
    read = {"do": "read", "run": RUN, "paths": ["in.txt"], "cwd": str(tmp_path), "via": "open"}
    (outbox / "id.messages").write_bytes(frames(begin, read, at=said))
    drain_outbox(archive)
    [run] = archive.list_runs(5)
    assert run.state == "ABORT"
    assert run.facets["wherefrom_end"] | {"durationMs": 0, "reason": "killed"} == run.facets["wherefrom_end"]
    assert [gap["what"] for gap in run.gaps] == ["changed while read"]


def test_what_a_live_recorder_writes_is_left_to_it(archive, outbox):
    spool = Spool(str(archive.root), "id.messages")
    spool.write(frames({"do": "early"}))
    assert list_waiting(archive.root) == []
    spool.open()
    spool.write(frames({"do": "late"}))
    [waiting] = list_waiting(archive.root)
    assert waiting.is_live
    drained = drain_outbox(archive)
    assert (drained.recorded, drained.left) == ((), ())
    assert b"early" in spool.path.read_bytes() and b"late" in spool.path.read_bytes()
    spool.remove()
    assert not spool.path.exists()


def test_what_a_process_says_that_still_runs_is_not_recorded_before_it_has_ended(archive, outbox):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        described = {"id": f"{process.pid}-{time.time_ns()}", "script": None}
        begin = {"do": "begin", "run": RUN, "job": "job", "kind": "RUN", "process": described}
        (outbox / "id.messages").write_bytes(frames(begin))
        assert (drain_outbox(archive).recorded, archive.list_runs(5)) == ((), [])
        process.communicate(b"\n")
    assert len(drain_outbox(archive).recorded) == 1
    assert [run.state for run in archive.list_runs(5)] == ["ABORT"]


def test_a_number_that_another_process_has_got_since_is_not_the_process():
    assert is_running(f"{os.getpid()}-{time.time_ns()}")
    assert not is_running(f"{os.getpid()}-{time.time_ns() - 10**9 * 3600 * 24 * 365}")
    assert not is_running("1")


def test_a_spool_that_can_not_be_written_is_done_without(tmp_path):
    (tmp_path / ".wherefrom").write_text("a file")
    spool = Spool(str(tmp_path), "id.messages")
    spool.open()
    spool.write(b"x")
    spool.remove()


def test_frames_that_come_while_the_spool_is_opened_are_all_there(archive):
    spool = Spool(str(archive.root), "id.messages")
    lines = [b"%d\n" % number for number in range(2000)]
    writer = threading.Thread(target=lambda: [spool.write(line) for line in lines])
    writer.start()
    spool.open()
    writer.join()
    assert spool.path.read_bytes() == b"".join(lines)
    spool.remove()


def test_an_empty_file_is_one_that_a_recorder_is_about_to_write(archive, outbox):
    (outbox / "id.messages").touch()
    assert list_waiting(archive.root) == []


def test_a_lock_shows_who_is_alive(archive, outbox):
    (outbox / "id.messages").write_bytes(b"x")
    with (outbox / "id.messages").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert [waiting.is_live for waiting in list_waiting(archive.root)] == [True]
    assert [waiting.is_live for waiting in list_waiting(archive.root)] == [False]


def test_children_leave_word_once(archive, outbox):
    assert take_children(str(archive.root), RUN) == []
    note_child(str(archive.root), RUN, ["python", "a b.py"])
    note_child(str(archive.root), RUN, ["python", "c.py"])
    assert json.loads((outbox / f"{RUN}.children").read_text().splitlines()[0]) == ["python", "a b.py"]
    assert take_children(str(archive.root), RUN) == [["python", "a b.py"], ["python", "c.py"]]
    assert take_children(str(archive.root), RUN) == []
