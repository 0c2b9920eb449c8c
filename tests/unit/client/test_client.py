"""The client against a server that answers as it is told to."""

import json

import pytest
from events import event
from scripted_server import scripted

import wherefrom
from wherefrom.client import Client, ServerBusyError
from wherefrom.client.connection import Connection
from wherefrom.errors import (
    ConflictError,
    Denied,
    FormatError,
    NotFoundError,
    SignatureError,
    Unauthenticated,
    UnavailableError,
)
from wherefrom.notes import SigningKey
from wherefrom.statements import parse_envelope

KEY = SigningKey.generate("example.com/producer")


def refusal(kind, message, hint=None):
    return {"error": {"type": kind, "message": message, "hint": hint, "requestId": "r"}}


def connect(url, *, attempts=5, **options):
    """A connection, and the list of the pauses that it makes without making them."""
    pauses = []
    return Connection(url, None, timeout_s=30, attempts=attempts, sleep=pauses.append, **options), pauses


def test_the_client_is_at_the_top_of_the_package():
    assert wherefrom.Client is Client


def test_url_and_token_come_from_the_environment_and_the_token_goes_to_no_other_url(monkeypatch):
    with scripted((200, {})) as ours, scripted((200, {})) as other:
        monkeypatch.setenv("WHEREFROM_URL", ours.url + "/")
        monkeypatch.setenv("WHEREFROM_TOKEN", "wft_secret")
        Client().entities()
        Client(ours.url + "/").entities()
        Client(ours.url, "wft_given").entities()
        Client(other.url).entities()
    assert [asked.headers.get("authorization") for asked in ours.asked] == [
        "Bearer wft_secret",
        "Bearer wft_secret",
        "Bearer wft_given",
    ]
    assert [asked.headers.get("authorization") for asked in other.asked] == [None]


@pytest.mark.parametrize("url", [None, "", "lineage.example.com", "ftp://lineage.example.com"])
def test_what_is_no_url_is_refused_at_once(url, monkeypatch):
    monkeypatch.delenv("WHEREFROM_URL", raising=False)
    with pytest.raises(FormatError, match="server URL is"):
        Client(url)


def test_questions_go_where_they_belong_with_names_quoted():
    with scripted((200, {"ok": 1})) as server:
        client = Client(server.url)
        assert client.lineage("dataset:a b/c&d", depth=3, direction="up") == {"ok": 1}
        client.impact("job:x:y", as_of="2026-03-31")
        client.path("a", "b", columns=True)
        client.diff("a", 12, max_nodes=3)
        client.search("tx pe")
        client.entity("dataset:ns/a?b")
        client.run("r/1")
        client.statement(12)
    assert [asked.path for asked in server.asked] == [
        "/v1/lineage?node=dataset%3Aa+b%2Fc%26d&direction=up&depth=3",
        "/v1/impact?node=job%3Ax%3Ay&asOf=2026-03-31",
        "/v1/path?from=a&to=b&columns=true",
        "/v1/diff?node=a&from=12&maxNodes=3",
        "/v1/search?q=tx+pe",
        "/v1/entities/dataset%3Ans%2Fa%3Fb",
        "/v1/runs/r%2F1",
        "/v1/statements/12",
    ]
    assert len(server.connections) == 1, "connections are kept"


def test_statements_are_signed_and_each_has_its_receipt_or_its_reason():
    receipts = {
        "receipts": [
            {"index": 7, "statementId": "ab" * 32, "isNew": True},
            refusal("Denied", "not in this namespace"),
            refusal("SomethingNew", "of a later version"),
        ]
    }
    with scripted((200, receipts)) as server:
        sent = Client(server.url).record([event("a"), event("b"), event("c")], key=KEY)
    assert (sent[0].index, sent[0].statement_id, sent[0].is_new, sent[0].error) == (7, "ab" * 32, True, None)
    assert (sent[1].index, type(sent[1].error), str(sent[1].error)) == (None, Denied, "not in this namespace")
    assert type(sent[2].error) is UnavailableError
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/statements")
    for item in json.loads(asked.body)["statements"]:
        envelope = parse_envelope(json.dumps(item, separators=(",", ":")).encode())
        assert [signature.key_id for signature in envelope.signatures] == [KEY.verifier_key.label]


@pytest.mark.parametrize("answer", [{}, {"receipts": []}, {"receipts": [{"index": "7"}]}, [], "hello"])
def test_an_answer_that_is_no_receipt_is_not_taken_for_one(answer):
    with scripted((200, answer)) as server, pytest.raises(UnavailableError, match="expected"):
        Client(server.url).record([event("a")], key=KEY)


def test_events_are_sent_as_they_are_in_one_batch():
    with scripted((200, {"status": "success"})) as server:
        Client(server.url).send_events([b'{"b": 1, "a":2 }', {"c": "é"}])
    assert server.asked[0].path == "/api/v1/lineage/batch"
    assert server.asked[0].body.startswith(b'[{"b": 1, "a":2 },{')


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, refusal("FormatError", "bad: $.job: missing"), FormatError),
        (422, refusal("RequestError", "depth"), FormatError),
        (413, b"<html>nginx</html>", FormatError),
        (401, refusal("Unauthenticated", "expired"), Unauthenticated),
        (403, refusal("Denied", "no role"), Denied),
        (403, b"<html>proxy</html>", Denied),
        (404, refusal("NotFoundError", "no such run"), NotFoundError),
        (404, b"<html>another server</html>", UnavailableError),
        (409, refusal("ConflictError", "somebody was first"), ConflictError),
        (409, refusal("SignatureError", "no known key"), SignatureError),
        (500, refusal("Oops", "bug"), UnavailableError),
        (301, b"", UnavailableError),
    ],
)
def test_each_kind_of_failure_keeps_its_meaning_and_is_not_tried_again(status, body, expected):
    with scripted((status, body)) as server:
        connection, pauses = connect(server.url)
        with pytest.raises(expected) as caught:
            connection.post("/v1/keys", b"{}")
    assert type(caught.value) is expected
    assert (len(server.asked), pauses) == (1, [])
    if isinstance(body, dict) and status != 500:
        assert str(caught.value) == body["error"]["message"]


def test_a_server_that_is_busy_is_asked_again_after_the_time_that_it_names():
    with scripted((503, b"", {"Retry-After": "2"}), (429, b"", {"Retry-After": "7"}), (200, {"a": 1})) as server:
        connection, pauses = connect(server.url)
        assert connection.get("/v1/x") == {"a": 1}
    assert pauses == [2, 7]


def test_a_date_to_come_again_is_understood_and_a_long_wait_is_the_callers_to_make():
    with scripted((503, b"", {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})) as server:
        connection, pauses = connect(server.url)
        with pytest.raises(ServerBusyError) as caught:
            connection.get("/v1/x")
    assert caught.value.retry_after_s > 10**9
    assert (len(server.asked), pauses) == (1, [])


def test_a_cut_connection_is_tried_again_with_growing_pauses_and_not_for_ever():
    with scripted(lambda _: None) as server:
        connection, pauses = connect(server.url, attempts=4)
        with pytest.raises(ServerBusyError):
            connection.get("/v1/x")
        assert len(server.asked) == 4
        assert all(0 <= pause <= limit for pause, limit in zip(pauses, (0.25, 0.5, 1.0), strict=True))
        server.answers = [lambda _: None, (200, {"a": 1})]
        assert connection.get("/v1/x") == {"a": 1}


def test_an_answer_that_is_no_json_is_not_ours():
    with (
        scripted((200, b"<html>sign in to the guest network</html>")) as server,
        pytest.raises(UnavailableError, match="no JSON"),
    ):
        Client(server.url).entities()
