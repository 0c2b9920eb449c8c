"""Server-sent events, read as the standard has them, and taken up again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import scripted

from wherefrom.client import LiveEvent
from wherefrom.client.connection import Connection
from wherefrom.client.live import follow, parse_events
from wherefrom.errors import Denied, FormatError, NotFoundError

STREAM = {"Content-Type": "text/event-stream", "Connection": "close"}


def entry(index):
    return b'event: entry\nid: %d\ndata: {"index": %d}\n\n' % (index, index)


def connect(url):
    return Connection(url, "token", timeout_s=30, attempts=1)


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def test_events_are_read_as_the_standard_has_them():
    text = (
        b'retry: 2000\n: a comment\nevent: entry\nid: 7\ndata: {\ndata: "a": 1}\n\n'
        b"data:[2]\n\n"
        b"id: 9\n\n"
        b"event: nothing\n\n"
        b'data: {"torn":'
    )
    assert list(parse_events([text])) == [
        LiveEvent("7", "entry", {"a": 1}),
        LiveEvent("7", "message", [2]),
        LiveEvent("9", "", None),
    ]


@given(st.lists(st.integers(1, 9)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_where_the_network_cuts_makes_no_difference(lengths, newline):
    text = (entry(1) + b": beat\n\n" + entry(2) + 'data: "é"\n\n'.encode() + b"\n").replace(b"\n", newline)
    parts, rest = [], text
    for length in lengths:
        parts.append(rest[:length])
        rest = rest[length:]
    assert list(parse_events([*parts, rest])) == [
        LiveEvent("1", "entry", {"index": 1}),
        LiveEvent("2", "entry", {"index": 2}),
        LiveEvent("2", "message", "é"),
    ]


def test_a_line_without_end_is_refused():
    with pytest.raises(FormatError, match="a line has over"):
        list(parse_events(b"x" * 65536 for _ in range(1000)))


def test_data_that_is_no_json_is_refused():
    with pytest.raises(FormatError, match="no JSON"):
        list(parse_events([b"data: {\n\n"]))


def test_a_stream_that_breaks_off_is_taken_up_behind_the_last_event_and_its_own_words_are_passed_over():
    hello = b'event: hello\nid: 4\ndata: {"size": 5}\n\n'
    goodbye = b'event: goodbye\nid: 8\ndata: {"reason": "stopping"}\n\n'
    answers = (
        (200, hello + entry(5) + entry(6) + b"event: entry\nid: 7\ndata: {", STREAM),
        (503, b"", {"Retry-After": "3"}),
        lambda _: None,
        (200, hello + entry(7) + b"id: 8\n\n" + goodbye, STREAM),
        (200, entry(9), STREAM),
    )
    pauses = []
    with scripted(*answers) as server:
        events = follow(connect(server.url), "/v1/live", {"from": 5}, sleep=pauses.append)
        assert [event.id for event in take(events, 4)] == ["5", "6", "7", "9"]
        events.close()
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "6", "6", "6", "8"]
    assert [asked.path for asked in server.asked] == ["/v1/live?from=5"] * 5
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer token"}
    assert pauses[1] == 3


@pytest.mark.parametrize(("status", "kind"), [(403, Denied), (404, NotFoundError)])
def test_what_trying_again_would_not_mend_is_said(status, kind):
    body = json.dumps({"error": {"type": kind.__name__, "message": "no"}}).encode()
    with scripted((status, body)) as server, pytest.raises(kind, match="no"):
        next(follow(connect(server.url), "/v1/live"))


def test_a_token_that_counts_no_more_ends_the_stream_with_an_error():
    denied = b'event: denied\ndata: {"reason": "the token has expired"}\n\n'
    with scripted((200, entry(1) + denied, STREAM)) as server:
        events = follow(connect(server.url), "/v1/live")
        assert next(events).id == "1"
        with pytest.raises(Denied, match="expired"):
            next(events)
