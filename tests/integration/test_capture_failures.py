"""Whatever goes wrong with capture: the program runs on, what is lost is said, and the rest is recorded later."""

import signal
import subprocess
import sys
import time

import pytest

from wherefrom.archive import Archive
from wherefrom.capture import drain_outbox, list_waiting

RECORDER = """
def recorder():
    "Process id of our recorder: the one whose standard input is a pipe that only we and it have."
    import glob, os, time
    ours = {os.readlink(f"/proc/self/fd/{n}") for n in range(100, 110) if os.path.exists(f"/proc/self/fd/{n}")}
    for _ in range(500):
        for folder in glob.glob("/proc/[0-9]*"):
            try:
                words = open(f"{folder}/cmdline", "rb").read().split(b"\\0")
                is_recorder = words[1:4] == [b"-P", b"-m", b"wherefrom.capture.recorder"]
                if is_recorder and os.readlink(f"{folder}/fd/0") in ours:
                    return int(folder.split("/")[2])
            except OSError:
                continue
        time.sleep(0.02)
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    Archive.init(folder, namespace="test").close()
    (folder / "in.txt").write_text("in")
    return folder


def run(root, text):
    (root / "script.py").write_text("import wherefrom; wherefrom.autolog()\n" + text)
    command = [sys.executable, "script.py"]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=120)


def runs(root):
    archive = Archive.find(root)
    try:
        return archive.list_runs(100)
    finally:
        archive.close()


def drained(root):
    archive = Archive.find(root)
    try:
        return drain_outbox(archive)
    finally:
        archive.close()


def data(root, run):
    archive = Archive.find(root)
    try:
        event = archive.read_recorded(str(run.entries[-1])).statement.predicate
        return {d["name"] for d in event["inputs"]}, {d["name"] for d in event["outputs"]}
    finally:
        archive.close()


def wait_for(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("moment", ["early", "late"])
def test_when_the_recorder_is_killed_the_program_goes_on_and_all_of_it_is_recorded_later(root, moment):
    text = f"""
{RECORDER}
import os, signal, time
open("in.txt").read()
open("before.txt", "w").write("b")
if {moment!r} == "late":
    time.sleep(2)
os.kill(recorder(), signal.SIGKILL)
time.sleep(0.2)
open("after.txt", "w").write("a")
wherefrom.log_metric("m", 1)
print("goes on")
"""
    done = run(root, text)
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert done.stderr.count("wherefrom: warning: the recorder is gone") == 1
    assert len(list_waiting(root)) == 1
    assert drained(root).left == ()
    assert list_waiting(root) == []
    [recorded] = runs(root)
    assert recorded.state == "COMPLETE"
    inputs, outputs = data(root, recorded)
    assert inputs == {"in.txt"}
    assert {"before.txt", "after.txt"} == outputs
    assert len(recorded.facets["wherefrom_metrics"]["metrics"]) == 1
    assert recorded.gaps == ()


def test_when_the_program_is_killed_the_recorder_records_what_it_did(root):
    (root / "script.py").write_text(
        "import time, wherefrom; wherefrom.autolog()\n"
        "open('in.txt').read(); open('out.txt', 'w').write('x'); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "script.py"], cwd=root, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.kill()
    wait_for(lambda: runs(root) and runs(root)[0].state == "ABORT")
    [recorded] = runs(root)
    assert recorded.facets["wherefrom_end"]["reason"] == "killed"
    assert data(root, recorded) == ({"in.txt"}, {"out.txt"})
    wait_for(lambda: list_waiting(root) == [])


def test_when_both_are_killed_what_was_said_is_recorded_later(root):
    text = f"""
{RECORDER}
import glob, os, signal, time
open("in.txt").read()
open("out.txt", "w").write("x")
while not any(b"out.txt" in open(name, "rb").read() for name in glob.glob(".wherefrom/outbox/*")):
    time.sleep(0.05)  # until the recorder has written it down
os.kill(recorder(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(root, text).returncode == -signal.SIGKILL
    wait_for(lambda: [waiting.is_live for waiting in list_waiting(root)] == [False])
    assert drained(root).left == ()
    [recorded] = runs(root)
    assert recorded.state == "ABORT"
    assert data(root, recorded) == ({"in.txt"}, {"out.txt"})


def test_what_changed_between_the_run_and_its_recording_has_no_digest_and_a_gap(root):
    text = f"""
{RECORDER}
import os, signal, time
open("in.txt").read()
open("out.txt", "w").write("x")
os.kill(recorder(), signal.SIGKILL)
"""
    assert run(root, text).returncode == 0
    (root / "in.txt").write_text("changed")
    (root / "out.txt").write_text("changed")
    drained(root)
    [recorded] = runs(root)
    assert {gap["path"] for gap in recorded.gaps} == {"in.txt", "out.txt"}
    assert data(root, recorded) == ({"in.txt"}, {"out.txt"})


def test_an_archive_that_refuses_keeps_finished_statements_in_the_outbox(root):
    database = root / ".wherefrom" / "archive.db"
    kept = database.read_bytes()
    database.write_bytes(b"no database" * 100)
    done = run(root, "open('out.txt', 'w').write('x'); print('goes on')")
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert done.stderr.count("wherefrom: warning: the archive takes no records now: ") == 1
    [waiting] = list_waiting(root)
    assert waiting.path.suffix == ".statements"
    database.write_bytes(kept)
    (root / "out.txt").write_text("changed since: the digest was taken in time")
    assert drained(root).recorded == (waiting.path,)
    [recorded] = runs(root)
    assert (recorded.state, recorded.job_namespace) == ("COMPLETE", "test")
    [version] = Archive.find(root).versions_of("out.txt")
    assert version.namespace == "test"
    assert version.digests["sha256"].startswith("2d711642b726b04")  # of "x"


def test_an_outbox_that_is_a_file_is_said_once_and_stops_nothing(root):
    (root / ".wherefrom" / "outbox").write_text("in the way")
    (root / ".wherefrom" / "archive.db").write_bytes(b"no database" * 100)
    done = run(root, "open('out.txt', 'w').write('x'); print('goes on')")
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert done.stderr.count("warning: this run is not recorded") == 1
    assert done.stderr.count("warning") == 1


def test_a_program_that_closes_all_of_its_files_is_recorded_later(root):
    text = """
import os
os.closerange(3, 256)
handle = open("own.txt", "w")
for number in range(20):
    os.dup(handle.fileno())
handle.write("mine"); handle.close()
open("in.txt").read()
print("goes on")
"""
    done = run(root, text)
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert (root / "own.txt").read_text() == "mine"
    assert "the recorder is gone" in done.stderr
    wait_for(lambda: not any(waiting.is_live for waiting in list_waiting(root)))
    drained(root)
    assert {recorded.state for recorded in runs(root)} <= {"COMPLETE", "ABORT"}


def test_interrupting_the_wait_at_the_end_leaves_the_recorder_at_work(root):
    with (root / "large.bin").open("wb") as file:
        file.truncate(3 * 1024**3)
    (root / "script.py").write_text(
        "import wherefrom; wherefrom.autolog()\nopen('large.bin', 'rb').read(1); print('done', flush=True)"
    )
    command = [sys.executable, "script.py"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert "not waiting any longer; the recorder goes on by itself" in said
    assert "Traceback" not in said
    wait_for(lambda: runs(root) and runs(root)[0].state == "COMPLETE")
    [recorded] = runs(root)
    assert data(root, recorded)[0] == {"large.bin"}


def test_waiting_for_long_is_said_with_file_and_size(root):
    with (root / "large.bin").open("wb") as file:
        file.truncate(6 * 1024**3)
    done = run(root, "open('large.bin', 'rb').read(1)")
    assert f"waiting for '{root / 'large.bin'}' (6,442,450,944 bytes)" in done.stderr
    [recorded] = runs(root)
    assert recorded.gaps == ()


def test_two_programs_that_make_the_archive_at_once_both_are_recorded(tmp_path):
    root = tmp_path.resolve()
    (root / "script.py").write_text("import sys, wherefrom; wherefrom.autolog(); open(sys.argv[1], 'w').write('x')")
    processes = [subprocess.Popen([sys.executable, "script.py", f"{n}.txt"], cwd=root) for n in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert [recorded.state for recorded in runs(root)] == ["COMPLETE"] * 3
    assert {name for recorded in runs(root) for name in data(root, recorded)[1]} == {"0.txt", "1.txt", "2.txt"}
