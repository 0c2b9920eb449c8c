"""From the outbox to the server: in order, each statement recorded once, whatever the server does."""

import json
import os
import threading
import time

import pytest
from events import event

from wherefrom.capture.recorder import parcels
from wherefrom.capture.recorder.parcels import (
    list_parcels,
    list_refused,
    read_refused,
    sending,
    try_again,
    write_parcel,
)
from wherefrom.capture.recorder.sender import MAX_STATEMENTS, Courier, Sender
from wherefrom.capture.recorder.sink import RemoteSink, read_producer_key
from wherefrom.client import Sent, ServerBusyError
from wherefrom.errors import (
    Denied,
    FormatError,
    NotFoundError,
    SignatureError,
    Unauthenticated,
    UnavailableError,
)
from wherefrom.statements import parse_envelope, parse_statement

DEADLINE_S = 60


class FakeServer:
    """A ledger in memory. `trouble` is raised, or called with a request's envelopes, before anything is taken.

    Attributes:
        taken: job names, in the order of the ledger; once each.
        requests: how many envelopes each request had.
        refused: job name to the error that it gets.
    """

    url = "http://server"

    def __init__(self):
        self.taken = []
        self.requests = []
        self.refused = {}
        self.keys = None
        self.registered = []
        self.trouble = None
        self._ids = {}

    def send_formatted(self, envelopes):
        self.requests.append(len(envelopes))
        if callable(self.trouble):
            self.trouble(envelopes)
        elif self.trouble is not None:
            raise self.trouble
        return [self._take(envelope) for envelope in envelopes]

    def _take(self, data):
        envelope = parse_envelope(data)
        job = parse_statement(envelope.payload).predicate["job"]["name"].removesuffix(".py")
        if self.keys is not None and not {s.key_id for s in envelope.signatures} & self.keys:
            return Sent(None, error=SignatureError("no signature by a known key"))
        if job in self.refused:
            return Sent(None, error=self.refused[job])
        is_new = data not in self._ids
        if is_new:
            self._ids[data] = len(self.taken)
            self.taken.append(job)
        return Sent(self._ids[data], "ab" * 32, is_new)

    def register_key(self, key):
        self.registered.append(key.label)
        self.keys = (self.keys or set()) | {key.label}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def sink(root):
    return RemoteSink.open(str(root), namespace="test")


@pytest.fixture
def server():
    return FakeServer()


@pytest.fixture
def sender(root, server):
    return Sender(root, server, lambda: read_producer_key(root))


def record(sink, *names):
    sink.record(*(event(name) for name in names))


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_recorded_is_signed_durable_and_private_at_once(root, sink):
    record(sink, "a", "b")
    [parcel] = list_parcels(root)
    assert parcel.stat().st_mode & 0o777 == 0o600
    assert parcel.parent.stat().st_mode & 0o777 == 0o700
    assert (root / ".wherefrom" / ".gitignore").read_text() == "*\n"
    key = read_producer_key(root)
    for line in parcels.read_parcel(parcel):
        [signature] = parse_envelope(line).signatures
        assert signature.key_id == key.label
    assert not (root / ".wherefrom" / "archive.db").exists()


def test_the_key_is_made_once_and_kept(root, sink):
    assert read_producer_key(root) == read_producer_key(root)
    RemoteSink.open(str(root), namespace="other")
    assert read_producer_key(root).name.startswith("test/")


def test_nothing_recorded_leaves_nothing(root, sink):
    sink.record()
    assert list_parcels(root) == []


def test_all_is_sent_in_order_and_the_outbox_is_empty_then(root, sink, server, sender):
    names = [f"job-{number}" for number in range(7)]
    record(sink, *names[:3])
    record(sink, names[3])
    record(sink, *names[4:])
    delivery = sender.send()
    assert (delivery.sent, delivery.error, delivery.left, delivery.refused) == (7, None, [], [])
    assert server.taken == names
    assert server.requests == [7]
    assert list_parcels(root) == []


def test_parcels_are_in_order_even_when_the_clock_is_set_back(root, sink, server, sender, monkeypatch):
    monkeypatch.setattr(parcels, "_last_ns", 0)
    for number, now in enumerate([5000, 4000, 1, 6000, 5999]):
        monkeypatch.setattr(parcels.time, "time_ns", lambda now=now: now)
        record(sink, f"job-{number}")
    sender.send()
    assert server.taken == [f"job-{number}" for number in range(5)]


def test_many_statements_go_in_requests_of_bounded_size(root, sink, server, sender):
    names = [f"job-{number}" for number in range(2 * MAX_STATEMENTS + 50)]
    record(sink, *names)
    record(sink, "last")
    sender.send()
    assert server.taken == [*names, "last"]
    assert max(server.requests) == MAX_STATEMENTS


def test_a_request_has_no_more_bytes_than_servers_take(root, sink, server, sender, monkeypatch):
    monkeypatch.setattr("wherefrom.capture.recorder.sender.MAX_BYTES", 5000)
    for number in range(4):
        record(sink, *(f"{number}-{more}-{'x' * 1500}" for more in range(3)))
    sender.send()
    assert len(server.taken) == 12
    assert max(server.requests) < 3


def test_while_the_server_is_away_all_waits_and_is_sent_once_it_is_back(root, sink, server, sender):
    record(sink, "a")
    record(sink, "b")
    server.trouble = ServerBusyError("connection refused")
    assert sender.send().error is server.trouble
    assert len(list_parcels(root)) == 2
    server.trouble = None
    record(sink, "c")
    assert sender.send().sent == 3
    assert server.taken == ["a", "b", "c"]


def test_an_answer_that_is_lost_makes_nothing_twice(root, sink, server, sender):
    def take_and_vanish(envelopes):
        for envelope in envelopes:
            server._take(envelope)
        raise ServerBusyError("connection reset")

    record(sink, "a", "b")
    server.trouble = take_and_vanish
    assert sender.send().error is not None
    assert len(list_parcels(root)) == 1
    server.trouble = None
    assert sender.send().sent == 2
    assert server.taken == ["a", "b"]


def test_a_slow_server_is_given_less_at_once(root, sink, server, sender):
    def too_much(envelopes):
        if len(envelopes) > 3:
            raise ServerBusyError("timed out")

    server.trouble = too_much
    for number in range(20):
        record(sink, f"job-{number}")
    rounds = 0
    while list_parcels(root):
        sender.send()
        rounds += 1
        assert rounds < 50
    assert server.taken == [f"job-{number}" for number in range(20)]


@pytest.mark.parametrize("error", [FormatError("bad"), NotFoundError("no such"), SignatureError("key was retired")])
def test_what_is_refused_is_set_aside_with_the_reason_and_holds_up_nothing(root, sink, server, sender, error):
    server.refused = {"bad": error}
    record(sink, "a")
    record(sink, "b", "bad", "c")
    record(sink, "d")
    delivery = sender.send()
    assert server.taken == ["a", "b", "c", "d"]
    assert delivery.sent == 4
    assert list_parcels(root) == []
    [path] = list_refused(root)
    assert delivery.refused == [(path, f"{type(error).__name__}: {error}")]
    [(envelope, reason)] = read_refused(path)
    assert parse_statement(parse_envelope(envelope).payload).predicate["job"]["name"] == "bad.py"
    assert reason == f"{type(error).__name__}: {error}"
    assert json.loads(path.read_text().splitlines()[0])["reason"] == reason


def test_what_was_refused_may_be_tried_again(root, sink, server, sender):
    server.refused = {"bad": FormatError('odd ,"reason":" text\n')}
    record(sink, "a", "bad")
    sender.send()
    server.refused = {}
    assert try_again(root) == 1
    assert list_refused(root) == []
    assert sender.send().sent == 1
    assert server.taken == ["a", "bad"]


def test_a_request_that_is_refused_whole_is_taken_apart(root, sink, server, sender):
    def refuse(envelopes):
        if any(b"poison" in parse_envelope(envelope).payload for envelope in envelopes):
            raise FormatError("request: $.statements[1]")

    server.trouble = refuse
    record(sink, "a")
    record(sink, "poison")
    record(sink, "b")
    assert sender.send().sent == 2
    assert server.taken == ["a", "b"]
    assert len(list_refused(root)) == 1


@pytest.mark.parametrize(
    "error", [Unauthenticated("token expired"), Denied("no role"), NotFoundError("another server")]
)
def test_when_nobody_may_send_all_waits(root, sink, server, sender, error):
    server.trouble = error
    record(sink, "a")
    record(sink, "b")
    assert sender.send().error is error
    assert server.requests == [2]
    assert len(list_parcels(root)) == 2
    assert list_refused(root) == []


def test_what_one_may_not_record_waits_and_the_rest_is_sent(root, sink, server, sender):
    server.refused = {"secret": Denied("not in this namespace")}
    record(sink, "a")
    record(sink, "secret")
    record(sink, "b")
    delivery = sender.send()
    assert server.taken == ["a", "b"]
    [(path, why)] = delivery.left
    assert (list_parcels(root), why) == ([path], "not in this namespace")
    server.refused = {}
    assert sender.send().sent == 1


def test_a_statement_that_breaks_the_server_holds_up_nothing(root, sink, server, sender):
    def break_on_poison(envelopes):
        if any(b"poison" in parse_envelope(envelope).payload for envelope in envelopes):
            raise UnavailableError("the server answered 500")

    server.trouble = break_on_poison
    for name in ("a", "poison", "b"):
        record(sink, name)
    delivery = sender.send()
    assert server.taken == ["a", "b"]
    assert (delivery.error, len(delivery.left), len(list_parcels(root))) == (None, 1, 1)


def test_a_server_that_breaks_on_everything_is_left_alone_soon(root, sink, server, sender):
    server.trouble = UnavailableError("the server answered 500")
    for number in range(20):
        record(sink, f"job-{number}")
    assert sender.send().error is server.trouble
    assert len(server.requests) < 6
    assert len(list_parcels(root)) == 20


def test_the_server_is_told_of_a_key_that_it_does_not_know_once(root, sink, server, sender):
    server.keys = {"somebody else"}
    record(sink, "a")
    record(sink, "b")
    assert sender.send().sent == 2
    record(sink, "c")
    assert sender.send().sent == 1
    assert server.registered == [read_producer_key(root).label]
    assert server.taken == ["a", "b", "c"]


def test_a_key_that_may_not_be_registered_leaves_all_waiting(root, sink, server, sender, monkeypatch):
    def deny(key):
        raise Denied("stewards register keys")

    server.keys = set()
    monkeypatch.setattr(server, "register_key", deny)
    record(sink, "a")
    assert str(sender.send().error) == "stewards register keys"
    assert len(list_parcels(root)) == 1
    assert list_refused(root) == []


def test_only_one_sends_at_a_time(root, sink, server, sender):
    record(sink, "a")
    with sending(root) as is_mine:
        assert is_mine
        assert sender.send().is_others
    assert server.requests == []
    assert sender.send().sent == 1


def test_an_outbox_that_can_not_be_written_is_said(root, sink):
    (root / ".wherefrom" / "outbox").write_text("in the way")
    with pytest.raises(UnavailableError, match="can't write the outbox"):
        record(sink, "a")


def test_what_a_killed_writer_left_half_done_is_not_sent(root, sink, server, sender):
    record(sink, "a")
    (list_parcels(root)[0].parent / ".1-1-1.envelopes.ff").write_bytes(b'{"payload":')
    assert sender.send().sent == 1
    assert server.taken == ["a"]


# In the background


def test_a_courier_sends_what_was_left_and_what_comes_in_order(root, sink, server, sender):
    record(sink, "left")
    courier = Courier(sender, url=server.url)
    wait_for(lambda: server.taken == ["left"])
    RemoteSink.open(str(root), namespace="test", on_kept=courier.notify).record(event("new"))
    wait_for(lambda: server.taken == ["left", "new"])
    assert courier.finish(DEADLINE_S)
    assert list_parcels(root) == []


def test_a_courier_goes_on_while_the_server_is_away_and_says_so_once(root, sink, server, sender, monkeypatch, capfd):
    monkeypatch.setattr("wherefrom.capture.recorder.sender._FIRST_PAUSE_S", 0.001)
    server.trouble = ServerBusyError("POST http://server/v1/statements: refused")
    record(sink, "a")
    courier = Courier(sender, url=server.url)
    wait_for(lambda: len(server.requests) > 3)
    server.trouble = None
    assert courier.finish(DEADLINE_S)
    assert server.taken == ["a"]
    said = capfd.readouterr().err
    assert said.count("warning") == 1
    assert "statements wait in the outbox" in said


def test_a_courier_has_no_more_time_than_it_is_given(root, sink, server, sender, capfd):
    released = threading.Event()
    server.trouble = lambda _: released.wait(DEADLINE_S)
    record(sink, "a")
    courier = Courier(sender, url=server.url)
    wait_for(lambda: server.requests)
    assert not courier.finish(0.01)
    assert len(list_parcels(root)) == 1
    released.set()
    assert courier.finish(DEADLINE_S)


def test_a_courier_does_not_wait_for_what_somebody_must_mend(root, sink, server, sender, capfd):
    server.trouble = Unauthenticated("the token has expired", hint="ask for another one")
    record(sink, "a")
    courier = Courier(sender, url=server.url)
    assert not courier.finish(DEADLINE_S)
    assert not courier._thread.is_alive()
    assert "the token has expired (ask for another one)" in capfd.readouterr().err


def test_a_courier_waits_for_its_turn(root, sink, server, sender):
    record(sink, "a")
    with sending(root):
        courier = Courier(sender, url=server.url)
        assert not courier.finish(0.05)
        assert server.requests == []
    assert courier.finish(DEADLINE_S)
    assert server.taken == ["a"]


def test_a_refusal_is_said_with_its_file_and_reason(root, sink, server, sender, capfd):
    server.refused = {"bad": FormatError("statement: unknown predicateType")}
    record(sink, "bad")
    assert Courier(sender, url=server.url).finish(DEADLINE_S)
    [path] = list_refused(root)
    assert f"refused what is now in '{path}': FormatError: statement: unknown predicateType" in capfd.readouterr().err


def test_two_processes_name_their_parcels_apart(root):
    names = [write_parcel(root, [b"{}"]).name for _ in range(3)]
    assert len(set(names)) == 3
    assert names == sorted(names)
    assert all(f"-{os.getpid():x}-" in name for name in names)
