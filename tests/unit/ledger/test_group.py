"""Group commit: who comes meanwhile goes together, and each gets its own answer."""

import os
import threading

import pytest

from wherefrom.archive import group
from wherefrom.archive.group import GroupCommit
from wherefrom.errors import FormatError, UnavailableError

DEADLINE_S = 60


class Gate:
    """A commit that waits at its first call until it is let go, so that others gather; `failing` items raise."""

    def __init__(self, failing=None):
        self.groups = []
        self.failing = failing or {}
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, items):
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.entered.set()
            assert self.open.wait(DEADLINE_S)
        for item in items:
            if item in self.failing:
                raise self.failing[item]
        return [f"receipt of {item}" for item in items]


def gather(gate, items, *, alone=()):
    """Submit "first", and while it is being committed the items, in order; gives what each got."""
    commit = GroupCommit(gate)
    got = {}

    def submit(item):
        try:
            got[item] = commit.submit(item, count=1, size=1, alone=item in alone)
        except Exception as error:  # noqa: BLE001 - the test looks at whatever it is
            got[item] = error

    threads = [threading.Thread(target=submit, args=("first",))]
    threads[0].start()
    assert gate.entered.wait(DEADLINE_S)
    for number, item in enumerate(items, start=1):
        threads.append(threading.Thread(target=submit, args=(item,)))
        threads[-1].start()
        wait_until(lambda number=number: len(commit._waiting) == number + 1)
    gate.open.set()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    assert commit._waiting == []
    return got


def wait_until(is_so):
    pause, waited = threading.Event(), 0.0
    while not is_so():
        assert waited < DEADLINE_S
        pause.wait(0.005)
        waited += 0.005


def test_those_who_come_during_a_commit_are_committed_together_in_order():
    gate = Gate()
    got = gather(gate, ["a", "b", "c"])
    assert gate.groups == [["first"], ["a", "b", "c"]]
    assert got == {item: f"receipt of {item}" for item in ("first", "a", "b", "c")}


def test_one_wrong_item_fails_alone():
    gate = Gate({"b": FormatError("b is wrong")})
    got = gather(gate, ["a", "b", "c"])
    assert gate.groups == [["first"], ["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert isinstance(got.pop("b"), FormatError)
    assert got == {item: f"receipt of {item}" for item in ("first", "a", "c")}


def test_when_the_database_is_gone_all_of_a_group_hear_it_without_trying_again():
    gate = Gate({"a": UnavailableError("gone", hint="wait")})
    got = gather(gate, ["a", "b"])
    assert gate.groups == [["first"], ["a", "b"]]
    assert [(str(got[item]), got[item].hint) for item in ("a", "b")] == [("gone", "wait")] * 2
    assert got["a"] is not got["b"]


def test_an_item_that_wants_to_be_alone_is():
    gate = Gate()
    gather(gate, ["a", "key", "b", "c"], alone=["key"])
    assert gate.groups == [["first"], ["a"], ["key"], ["b", "c"]]


def test_a_group_is_bounded_by_count_and_by_bytes(monkeypatch):
    monkeypatch.setattr(group, "MAX_GROUP_STATEMENTS", 2)
    gate = Gate()
    gather(gate, ["a", "b", "c"])
    assert gate.groups == [["first"], ["a", "b"], ["c"]]
    monkeypatch.setattr(group, "MAX_GROUP_STATEMENTS", 100)
    monkeypatch.setattr(group, "MAX_GROUP_BYTES", 1)
    gate = Gate()
    gather(gate, ["a", "b"])
    assert gate.groups == [["first"], ["a"], ["b"]]


def test_who_is_interrupted_while_committing_for_others_strands_nobody():
    gate = Gate()
    interrupted = []

    def commit(items):
        if "b" in items and not interrupted:
            interrupted.append(items)
            raise KeyboardInterrupt
        return gate(items)

    commits = GroupCommit(commit)
    got = {}

    def submit(item):
        try:
            got[item] = commits.submit(item, count=1, size=1)
        except KeyboardInterrupt:
            got[item] = "interrupted"

    threads = [threading.Thread(target=submit, args=(item,)) for item in ("first", "a", "b", "c")]
    threads[0].start()
    assert gate.entered.wait(DEADLINE_S)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(commits._waiting) == 4)
    gate.open.set()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    # Whoever had the turn was interrupted; the others were answered by the next one.
    assert sorted(got) == ["a", "b", "c", "first"]
    assert list(got.values()).count("interrupted") == 1
    assert sum(str(value).startswith("receipt") for value in got.values()) == 3
    assert commits._waiting == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_threads_it_does_not_have():
    gate = Gate()
    commit = GroupCommit(gate)
    thread = threading.Thread(target=lambda: commit.submit("first", count=1, size=1))
    thread.start()
    assert gate.entered.wait(DEADLINE_S)
    child = os.fork()
    if child == 0:
        ok = False
        try:
            ok = commit.submit("child", count=1, size=1) == "receipt of child"
        finally:
            os._exit(0 if ok else 1)
    gate.open.set()
    thread.join(DEADLINE_S)
    assert os.waitpid(child, 0)[1] == 0
