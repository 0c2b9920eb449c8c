import os
import time

import pytest

from wherefrom.capture import journal as journals
from wherefrom.capture.journal import Journal
from wherefrom.capture.limits import limits


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_path_is_said_once_with_the_folder_it_is_relative_to(journal, channel, folder):
    journal.read("a.csv")
    journal.read("b.csv")
    assert "a.csv" in journal.seen
    assert channel.paths_read() == ["a.csv", "b.csv"]
    assert channel.said[0]["cwd"] == str(folder)
    assert abs(channel.said[0]["at"] - time.time_ns()) < 10**9


def test_code_descriptors_and_bytes(journal, channel):
    for path in ("x.py", "x.pyc", "x.so", 3):
        journal.read(path)
    assert channel.said == []
    journal.read(b"caf\xe9.csv")
    assert channel.paths_read() == [os.fsdecode(b"caf\xe9.csv")]


def test_in_the_main_process_paths_are_sent_in_batches_by_a_thread_that_ends(channel):
    channel.is_shared = False
    journal = Journal(channel, "run")
    for number in range(100):
        journal.read(f"{number}.csv")
    assert channel.paths_read() == ["0.csv"]  # the first one is sent at once
    deadline = time.monotonic() + 5
    while len(channel.paths_read()) < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert channel.paths_read() == [f"{number}.csv" for number in range(100)]
    while journal._naps and time.monotonic() < deadline:
        time.sleep(0.01)
    assert journal._naps == 0


def test_before_a_fork_everything_is_sent_and_no_thread_is_left(channel):
    channel.is_shared = False
    journal = Journal(channel, "run")
    journal.read("a.csv")
    journal.read("b.csv")
    assert journal._naps == 1
    journal.before_fork()
    assert channel.paths_read() == ["a.csv", "b.csv"]
    assert journal._naps == 0
    journal.read("c.csv")  # and it still works afterwards
    journal.flush()
    assert channel.paths_read() == ["a.csv", "b.csv", "c.csv"]


def test_a_forked_child_does_not_send_what_its_parent_had_to_send(channel):
    channel.is_shared = False
    journal = Journal(channel, "run")
    journal.read("a.csv")
    journal.read("b.csv")
    journal.after_fork()
    channel.is_shared = True
    journal.read("c.csv")
    assert channel.paths_read() == ["a.csv", "c.csv"]


def test_writing_a_new_file_does_not_wait_and_overwriting_an_old_one_does(journal, channel, folder):
    (folder / "old.csv").touch()
    journal.write("new.csv", via="open")
    journal.write("old.csv", via="open")
    assert [message["path"] for message in channel.said] == [str(folder / "new.csv"), str(folder / "old.csv")]
    assert [message["path"] for message in channel.asked] == [str(folder / "old.csv")]


def test_writing_the_same_file_again_is_not_said_again(journal, channel, folder):
    journal.write("a.csv", via="open")
    (folder / "a.csv").touch()
    journal.write(str(folder / "a.csv"), via="open")
    assert len(channel.said) == 1
    assert journal.written == {str(folder / "a.csv")}


@pytest.mark.parametrize("path", ["/dev/null", "/proc/self/oom_adj", "__pycache__/x.pyc", 7])
def test_what_is_certainly_no_data_is_not_said(journal, channel, path):
    journal.write(path, via="open")
    journal.update(path, via="open")
    journal.remove(path)
    assert channel.said == []


def test_reads_are_sent_before_a_later_write(journal, channel, folder):
    channel.is_shared = False
    journal.read("a.csv")
    journal.write("a.csv", via="open")
    assert [message["do"] for message in channel.said] == ["read", "write"]


def test_updating_says_what_is_there_as_an_input_and_waits_unless_it_is_large(journal, channel, folder, monkeypatch):
    (folder / "a.csv").write_text("x")
    journal.update("a.csv", via="open")
    assert [message["do"] for message in channel.said] == ["read", "write"]
    assert len(channel.asked) == 1
    monkeypatch.setattr(journals, "_WAIT_BYTES", 0)
    (folder / "b.csv").write_text("x")
    journal.update("b.csv", via="open")
    assert [message["do"] for message in channel.said] == ["read", "write"] * 2
    assert len(channel.asked) == 1
    journal.update("new.csv", via="open")
    assert channel.said[-1]["do"] == "write"
    assert channel.of("read")[-1]["paths"] == [str(folder / "b.csv")]


def test_renaming_what_the_run_wrote_to_a_new_name_does_not_wait(journal, channel, folder):
    journal.write("tmp", via="open")
    journal.rename("tmp", "final")
    assert channel.said[-1] == {
        **channel.said[-1],
        "do": "rename",
        "path": str(folder / "tmp"),
        "to": str(folder / "final"),
    }
    assert channel.asked == []
    assert journal.written == {str(folder / "final")}
    (folder / "final").touch()
    journal.write("tmp", via="open")
    journal.rename("tmp", "final")  # over its own earlier one: a checkpoint saved again
    assert channel.asked == []


def test_renaming_what_was_there_before_waits(journal, channel, folder):
    (folder / "old").touch()
    journal.rename("old", "new")
    (folder / "input").touch()
    journal.write("tmp", via="open")
    journal.rename("tmp", "input")
    assert [message["do"] for message in channel.asked] == ["rename", "rename"]


def test_removing_waits_unless_the_run_wrote_it_and_a_file_that_is_not_there_is_not_said(journal, channel, folder):
    journal.write("mine", via="open")
    for name in ("mine", "old"):
        (folder / name).touch()
        journal.remove(name)
    journal.remove("nothing")
    assert [message["path"] for message in channel.of("remove")] == [str(folder / "mine"), str(folder / "old")]
    assert [message["path"] for message in channel.asked] == [str(folder / "old")]
    assert journal.written == frozenset()


def test_what_a_wrapper_reads_is_said_once_and_folders_are_meant(journal, channel):
    journal.read_data(["folder"], via="pyarrow.dataset")
    journal.read_data(["folder"], via="pyarrow.dataset")
    [message] = channel.said
    assert (message["paths"], message["folders"], message["via"]) == (["folder"], True, "pyarrow.dataset")


def test_a_hook_that_fails_leaves_a_gap_and_is_switched_off_after_a_few(journal, channel):
    for _ in range(5):
        assert not journal.is_off("polars")
        journal.failed("polars", ValueError("no"))
    assert journal.is_off("polars")
    assert not journal.is_off("duckdb")
    assert channel.said[0]["what"] == "hook failed"
    assert channel.said[0]["detail"] == "polars: ValueError: no"


def test_log_records_beyond_the_limit_are_counted(journal, channel, monkeypatch):
    monkeypatch.setattr(limits, "log_max_records", 2)
    for number in range(5):
        journal.log(level="INFO", logger="root", message=str(number))
    journal.end(state="COMPLETE", reason="returned")
    assert [message.get("message") for message in channel.of("log")] == ["0", "1", None]
    assert channel.of("log")[-1]["dropped"] == 3
    assert channel.said[-1]["do"] == "end"


def test_a_child_is_said_as_text(journal, channel):
    journal.child([b"/bin/echo", "x", os.fspath("y")])
    assert channel.said[-1]["argv"] == ["/bin/echo", "x", "y"]
