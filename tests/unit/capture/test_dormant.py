import sys

import pytest

from wherefrom.capture.dormant import Dormant


@pytest.fixture
def woken(journal):
    """A stand-in, and how often it was woken."""
    times = []

    def awaken():
        times.append(1)
        return journal

    return Dormant(awaken), times


def test_the_interpreters_own_files_and_children_wake_nobody(woken):
    dormant, times = woken
    for path in ("x.py", f"{sys.prefix}/pyvenv.cfg", "/proc/cpuinfo", "/etc/hosts", "/usr/share/x", 3):
        dormant.read(path)
    dormant.child(["echo"])
    dormant.log(level="INFO")
    dormant.flush()
    assert not dormant.is_off("open")
    assert times == []


def test_the_first_data_file_begins_the_run_which_learns_what_was_said_before(woken, channel):
    dormant, times = woken
    dormant.say("seed", of="random", how="random.seed(1)")
    dormant.gap("not seen", "x was imported")
    assert times == []
    dormant.read("data.csv")
    assert times == [1]
    assert [message["do"] for message in channel.said] == ["seed", "gap", "read"]


@pytest.mark.parametrize("do", [("write", "out.csv"), ("update", "x.db"), ("read_data", ["x.parquet"])])
def test_so_do_writes_and_wrappers(woken, do, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dormant, times = woken
    getattr(dormant, do[0])(do[1], via="x")
    assert times == [1]


def test_a_fit_begins_the_run(woken, channel):
    dormant, times = woken
    dormant.say("fit", fit="1-1")
    assert times == [1]
    assert channel.said[-1]["do"] == "fit"


def test_when_no_run_can_begin_nothing_happens():
    dormant = Dormant(lambda: None)
    dormant.read("data.csv")
    dormant.write("out.csv", via="open")
