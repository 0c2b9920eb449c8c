import os
import signal
import subprocess
import sys

import pytest

from wherefrom.capture import channel as channels
from wherefrom.capture.channel import Channel
from wherefrom.capture.frames import FrameReader


@pytest.fixture
def recorder():
    """The other ends: (pipe to read from, replies to write to), and those that a channel attaches."""
    theirs, pipe = os.pipe()
    replies, ours = os.pipe()
    ends = {"read": theirs, "reply": ours, "pipe": pipe, "replies": replies}
    yield ends
    for end in ends.values():
        try:
            os.close(end)
        except OSError:
            continue


@pytest.fixture
def channel(tmp_path, recorder):
    made = Channel(str(tmp_path), "run")
    made.attach(recorder["pipe"], recorder["replies"])
    return made


def messages_in(data):
    reader = FrameReader()
    return [message for frame in data.splitlines() if (message := reader.feed(frame))]


def spooled(tmp_path):
    return messages_in((tmp_path / ".wherefrom" / "outbox" / "run.messages").read_bytes())


def test_what_is_sent_arrives_and_nothing_is_written_to_disk(channel, recorder, tmp_path):
    channel.send({"do": "a"})
    channel.send({"do": "b", "text": "x" * 10_000})
    assert messages_in(os.read(recorder["read"], 65536)) == [{"do": "a"}, {"do": "b", "text": "x" * 10_000}]
    assert list(tmp_path.iterdir()) == []


def test_when_the_recorder_dies_everything_it_may_not_have_read_is_in_the_spool_file(
    channel, recorder, tmp_path, capfd
):
    channel.send({"do": "a"})
    os.close(recorder["read"])
    channel.send({"do": "b"})
    channel.send({"do": "c"})
    assert [message["do"] for message in spooled(tmp_path)] == ["a", "b", "c"]
    said = capfd.readouterr().err
    assert said.count("wherefrom: warning: the recorder is gone") == 1
    assert "run.messages" in said


def test_what_the_recorder_has_long_read_is_not_kept_for_ever(channel, recorder, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(channels, "_KEEP_BYTES", 200)
    for number in range(50):
        channel.send({"do": f"a{number}"})
        os.read(recorder["read"], 65536)
    os.close(recorder["read"])
    channel.send({"do": "last"})
    kept = [message["do"] for message in spooled(tmp_path)]
    assert kept[-1] == "last"
    assert "a0" not in kept


def test_a_program_that_closed_our_pipe_and_opened_its_own_file_in_its_place_is_not_written_into(
    channel, recorder, tmp_path, capfd
):
    own = tmp_path / "own.txt"
    own.touch()
    number = os.open(own, os.O_WRONLY)
    os.dup2(number, recorder["pipe"])
    channel.send({"do": "a"})
    assert own.read_bytes() == b""
    assert [message["do"] for message in spooled(tmp_path)] == ["a"]
    assert "its pipe was closed" in capfd.readouterr().err
    assert channel.finish() == {}
    os.write(recorder["pipe"], b"still the program's own")
    assert own.read_bytes() == b"still the program's own"
    os.close(number)


def test_nor_is_its_own_file_read_from_in_the_place_of_replies(channel, recorder, tmp_path, capfd):
    own = tmp_path / "own.txt"
    own.write_bytes(b'{"answer": 1}\n')
    number = os.open(own, os.O_RDONLY)
    os.dup2(number, recorder["replies"])
    channel.ask({"do": "write"})
    assert os.read(number, 100) == b'{"answer": 1}\n'
    assert [message["do"] for message in spooled(tmp_path)] == ["write"]
    os.close(number)


def test_a_recorder_that_reads_nothing_holds_the_program_up_for_a_while_only(channel, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(channels, "_STALL_S", 0.01)
    while not channel._is_dead and channel._pipe is not None:
        channel.send({"do": "a", "text": "x" * 4000})
    assert "it read nothing for" in capfd.readouterr().err
    assert spooled(tmp_path)


def test_without_pipe_and_without_a_folder_to_write_to_it_says_once_that_nothing_is_recorded(
    channel, recorder, tmp_path, capfd
):
    (tmp_path / ".wherefrom").write_text("a file where the folder should be")
    os.close(recorder["read"])
    channel.send({"do": "a"})
    channel.send({"do": "b"})
    assert channel.finish() == {}
    assert capfd.readouterr().err.count("this run is not recorded") == 1


def test_asking_waits_for_its_own_answer(channel, recorder):
    os.write(recorder["reply"], b'{"answer": 1}\n{"answer": 2}\n')
    channel.ask({"do": "write"})
    channel.ask({"do": "write"})
    assert [m["ask"] for m in messages_in(os.read(recorder["read"], 65536))] == [1, 2]


def test_asking_a_recorder_that_dies_goes_on(channel, recorder, tmp_path, capfd):
    os.close(recorder["reply"])
    channel.ask({"do": "write"})
    assert [message["do"] for message in spooled(tmp_path)] == ["write"]


def test_a_forked_child_does_not_wait_for_answers_which_are_its_parents(channel, recorder):
    channel.adopt_fork()
    channel.ask({"do": "write"})
    [message] = messages_in(os.read(recorder["read"], 65536))
    assert "ask" not in message


def test_finishing_gives_what_the_recorder_says_last(channel, recorder):
    os.write(recorder["reply"], b'{"done": true, "hashing_s": 1.5}\n')
    assert channel.finish()["hashing_s"] == 1.5
    assert messages_in(os.read(recorder["read"], 65536)) == [{"do": "bye"}]
    channel.send({"do": "late"})
    assert os.read(recorder["read"], 65536) == b""


def test_finishing_without_a_recorder_leaves_the_bye_in_the_spool_file(channel, recorder, tmp_path, capfd):
    os.close(recorder["read"])
    assert channel.finish() == {}
    assert [message["do"] for message in spooled(tmp_path)] == ["bye"]


def test_a_program_that_set_sigpipe_to_its_default_survives_the_death_of_the_recorder(tmp_path):
    program = f"""
import os, signal
from wherefrom.capture.channel import Channel
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
theirs, pipe = os.pipe()
replies, ours = os.pipe()
channel = Channel({str(tmp_path)!r}, "run")
channel.attach(pipe, replies)
os.close(theirs)
channel.send({{"do": "a"}})
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n")
    default = "import os, signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)"
    bare = f"{default}; r, w = os.pipe(); os.close(r); os.write(w, b'x')"
    assert subprocess.run([sys.executable, "-c", bare], check=False).returncode == -signal.SIGPIPE


def test_a_python_that_does_not_know_itself_can_not_start_a_recorder(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "executable", "")
    channel = Channel(str(tmp_path), "run")
    channel.start_recorder(str(tmp_path))
    channel.send({"do": "a"})
    assert [message["do"] for message in spooled(tmp_path)] == ["a"]
    assert "can't start the recorder" in capfd.readouterr().err
