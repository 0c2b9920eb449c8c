"""The handlers of audit events, called as the interpreter calls them. That it does so is in tests/integration."""

import os

import pytest

from wherefrom.capture import audit, current

READ = os.O_RDONLY | os.O_CLOEXEC


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(channel):
    return [(m["do"], m.get("path") or m.get("paths") or m.get("joined") or m.get("argv")) for m in channel.said]


def test_opening_for_reading_is_a_read_once(journal, channel):
    audit._hook("open", ("a.csv", "r", READ))
    audit._hook("open", ("a.csv", "r", READ))
    assert said(channel) == [("read", "a.csv")]


@pytest.mark.parametrize(
    ("flags", "is_there", "expected"),
    [
        (os.O_WRONLY | os.O_CREAT | os.O_TRUNC, True, ["write"]),
        (os.O_WRONLY | os.O_CREAT | os.O_EXCL, False, ["write"]),
        (os.O_RDWR | os.O_CREAT | os.O_TRUNC, True, ["write"]),
        (os.O_WRONLY | os.O_CREAT | os.O_APPEND, True, ["read", "write"]),
        (os.O_WRONLY | os.O_CREAT | os.O_APPEND, False, ["write"]),
        (os.O_RDWR, True, ["read", "write"]),
        (os.O_WRONLY, True, ["read", "write"]),
        (os.O_RDONLY | os.O_CREAT, True, ["read"]),
    ],
)
def test_flags_tell_what_a_file_is_opened_for(journal, channel, folder, flags, is_there, expected):
    if is_there:
        (folder / "a.csv").touch()
    audit._hook("open", ("a.csv", None, flags))
    assert [do for do, _ in said(channel)] == expected


def test_events_without_a_run_are_passed_over(channel):
    audit._hook("open", ("a.csv", "r", READ))
    audit._hook("os.remove", ("a.csv", -1))
    assert channel.said == []


def test_an_argument_of_any_type_is_survived(journal, channel):
    class Unhashable:
        __hash__ = None

    audit._hook("open", (Unhashable(), "r", READ))
    audit._hook("open", (3, "w", os.O_WRONLY | os.O_CREAT))
    audit._hook("open", ("too", "few"))
    assert channel.said == []


def test_renaming_and_removing(journal, channel, folder):
    (folder / "a").touch()
    audit._hook("os.rename", ("a", "b", -1, -1))
    audit._hook("os.remove", ("a", -1))
    audit._hook("shutil.rmtree", (str(folder), None))
    assert said(channel) == [("rename", str(folder / "a")), ("remove", str(folder / "a")), ("remove", str(folder))]


def test_paths_relative_to_an_open_folder_are_passed_over(journal, channel, folder):
    (folder / "a").touch()
    audit._hook("os.remove", ("a", 7))
    audit._hook("os.rename", ("a", "b", 7, 7))
    assert channel.said == []


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (":memory:", []),
        ("", []),
        ("file:x?mode=memory", []),
        ("a.db", ["read", "write"]),
        (b"a.db", ["read", "write"]),
        ("file:a.db?mode=ro", ["read"]),
        ("file:a.db?immutable=1", ["read"]),
        ("file:a.db", ["read", "write"]),
    ],
)
def test_sqlite_databases(journal, channel, folder, database, expected):
    (folder / "a.db").touch()
    audit._hook("sqlite3.connect", (database,))
    assert [do for do, _ in said(channel)] == expected


@pytest.mark.parametrize(
    ("event", "args", "argv"),
    [
        ("subprocess.Popen", ("curl", ["curl", "-O", "x"], None, None), ["curl", "-O", "x"]),
        ("subprocess.Popen", ("/bin/sh", "a text", None, None), ["a text"]),
        ("os.posix_spawn", ("/bin/cp", ["cp", "a", "b"], {}), ["cp", "a", "b"]),
        ("os.exec", ("/bin/cp", ["cp", "a", "b"], {}), ["cp", "a", "b"]),
        ("os.system", (b"cp a b",), ["/bin/sh", "-c", "cp a b"]),
    ],
)
def test_other_programs_are_children(journal, channel, event, args, argv):
    audit._hook(event, args)
    assert said(channel) == [("child", argv)]


def test_programs_that_only_report_about_the_machine_are_no_children(journal, channel):
    audit._hook("subprocess.Popen", ("lscpu", ["/usr/bin/lscpu"], None, None))
    assert channel.said == []


def test_truncating_and_linking(journal, channel, folder):
    (folder / "a").touch()
    audit._hook("os.truncate", ("a", 0))
    audit._hook("os.link", ("a", "b", -1, -1))
    assert [do for do, _ in said(channel)] == ["read", "write", "read", "write"]
    assert said(channel)[-1] == ("write", str(folder / "b"))


def test_what_was_read_before_a_change_of_folder_is_sent_before_it(journal, channel, folder):
    channel.is_shared = False
    audit._hook("open", ("a.csv", "r", READ))
    audit._hook("os.chdir", ("/",))
    assert said(channel) == [("read", "a.csv")]
    assert channel.said[0]["cwd"] == str(folder)


def test_a_hook_that_fails_never_reaches_the_program(journal, channel, monkeypatch):
    def fail(*_):
        raise ValueError("no")

    monkeypatch.setattr(type(journal), "read", fail)
    audit._hook("open", ("a.csv", "r", READ))
    assert channel.said[-1]["detail"] == "open: ValueError: no"
    monkeypatch.setitem(audit._EVENTS, "os.remove", fail)
    for _ in range(9):
        audit._hook("os.remove", ("a.csv", -1))
    assert len(channel.of("gap")) == 1 + 5


def test_the_main_program_is_announced_once(monkeypatch):
    announced = []
    monkeypatch.setattr(audit, "_on_main", [lambda event, args: announced.append((event, args))])
    audit._hook("cpython.run_file", ("train.py",))
    audit._hook("cpython.run_file", ("other.py",))
    assert announced == [("cpython.run_file", ("train.py",))]


def test_while_several_runs_are_under_way_each_keeps_what_it_has_seen(journal, channel):
    audit._hook("open", ("a.csv", "r", READ))
    inner = type(journal)(channel, "inner")
    current.enter(inner)
    try:
        audit._hook("open", ("a.csv", "r", READ))
        audit._hook("open", ("a.csv", "r", READ))
    finally:
        current.leave(inner)
    audit._hook("open", ("a.csv", "r", READ))
    assert [message["run"] for message in channel.said] == [journal.run_id, "inner"]
