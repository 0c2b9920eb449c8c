"""Each denial is covered by a statement, and whoever knocks without end fills no ledger."""

import logging
import threading
import time
from collections import Counter

from wherefrom.errors import UnavailableError
from wherefrom.server.access import denials
from wherefrom.server.access.denials import MAX_NAMESPACES, Denials
from wherefrom.statements import DENIAL

NEVER_S = 1e6  # a period that no test sees the end of


def recorded(archive):
    return [one.statement.predicate for one in archive.iter_recorded() if one.entry.kind == DENIAL]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_first_of_a_kind_is_recorded_at_once_and_the_others_together(archive):
    counting = Denials(archive, period_s=NEVER_S)
    counting.count("user:ada", "read", "hr", "GET /x")
    wait_for(lambda: len(recorded(archive)) == 1)
    for _ in range(1000):
        counting.count("user:ada", "read", "hr", "GET /x")
    counting.count("user:ada", "write", "hr", "GET /x")
    wait_for(lambda: len(recorded(archive)) == 2)
    assert [(one["action"], one["count"]) for one in recorded(archive)] == [("read", 1), ("write", 1)]
    counting.close()
    assert [(one["action"], one["count"]) for one in recorded(archive)] == [("read", 1), ("write", 1), ("read", 1000)]
    last = recorded(archive)[-1]
    assert last["from"] <= last["to"]


def test_who_goes_on_is_recorded_once_in_each_period_with_every_denial_counted(archive):
    counting = Denials(archive, period_s=0.3)
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < 1.5:
        counting.count("user:ada", "read", "hr", "GET /x")
        sent += 1
        time.sleep(0.002)
    counting.close()
    periods = (time.monotonic() - began) / 0.3
    assert sum(one["count"] for one in recorded(archive)) == sent
    assert 2 <= len(recorded(archive)) <= periods + 3


def test_who_tries_every_name_makes_few_statements(archive):
    counting = Denials(archive, period_s=NEVER_S)
    for number in range(500):
        counting.count("user:eve", "read", f"guess-{number}", "GET /x")
    counting.close()
    said = recorded(archive)
    assert len({one["namespace"] for one in said}) == MAX_NAMESPACES + 1
    assert len(said) <= 2 * (MAX_NAMESPACES + 1)
    assert sum(one["count"] for one in said) == 500
    assert {one["namespace"] for one in said} >= {None, "guess-0"}


def test_a_name_of_ten_megabytes_takes_no_such_room_and_no_name_does_harm(archive):
    counting = Denials(archive, period_s=NEVER_S)
    for name in ("x" * 10_000_000, "a\0b", "\ud800", "a\nb"):
        counting.count("user:eve", "read", name, "GET /x")
    counting.count(None, "authenticate", None, "")
    counting.close()
    names = [one["namespace"] for one in recorded(archive)]
    assert len(names) == 5
    assert all(len(name or "") <= denials.MAX_CHARACTERS + 1 for name in names)
    assert [problem for _, found in archive.check() for problem in found] == []


def test_many_threads_lose_no_denial(archive):
    counting = Denials(archive, period_s=0.05)

    def knock(number):
        for step in range(200):
            counting.count(f"user:{number}", "read", f"n{step % 3}", "GET /x")

    threads = [threading.Thread(target=knock, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counting.close()
    counts = Counter()
    for one in recorded(archive):
        counts[one["principal"]] += one["count"]
    assert counts == {f"user:{number}": 200 for number in range(4)}


def test_what_can_t_be_recorded_now_is_recorded_later(archive, monkeypatch, caplog):
    failures = [UnavailableError("disk full"), UnavailableError("disk full")]
    record = denials.record_denials

    def fail_first(*given):
        if failures:
            raise failures.pop()
        return record(*given)

    monkeypatch.setattr(denials, "record_denials", fail_first)
    with caplog.at_level(logging.WARNING):
        counting = Denials(archive, period_s=0.05)
        counting.count("user:ada", "read", "hr", "GET /x")
        counting.count("user:ada", "read", "hr", "GET /x")
        wait_for(lambda: recorded(archive))
        counting.close()
    assert sum(one["count"] for one in recorded(archive)) == 2
    assert "disk full" in caplog.text


def test_after_closing_nothing_is_counted_and_no_thread_is_left(archive):
    counting = Denials(archive)
    counting.count("user:ada", "read", "hr", "GET /x")
    counting.close()
    counting.count("user:ada", "read", "hr", "GET /x")
    counting.close()
    assert [one["count"] for one in recorded(archive)] == [1]
    assert "wherefrom-denials" not in {thread.name for thread in threading.enumerate()}
    Denials(archive).close()  # one that counted nothing
