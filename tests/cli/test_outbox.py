"""`wherefrom outbox`: what waits for the server, what it refused, and sending it."""

import json

import pytest
from events import event
from scripted_server import scripted

from wherefrom.capture import list_parcels, list_refused
from wherefrom.capture.recorder.sink import RemoteSink


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = (tmp_path / "project").resolve()
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("WHEREFROM_TOKEN", "secret")
    monkeypatch.delenv("WHEREFROM_URL", raising=False)
    return root


def record(root):
    RemoteSink.open(str(root), namespace="test").record(event("a"), event("b"))


def answer_with(*errors):
    """A server's answer to each statement: a receipt for None, or the error of this type."""

    def answer(asked):
        receipts = [
            {"error": {"type": error, "message": "no such kind"}}
            if error
            else {"index": 1, "statementId": "ab" * 32, "isNew": True}
            for error, _ in zip(errors, json.loads(asked.body)["statements"], strict=True)
        ]
        return 200, {"receipts": receipts}

    return answer


def test_without_a_project_or_a_server_that_is_said(wherefrom, project):
    assert wherefrom("outbox")[0] == 2
    record(project)
    status, out, _ = wherefrom("outbox")
    assert (status, out.splitlines()[0]) == (0, "server   none: WHEREFROM_URL is not set")
    status, _, err = wherefrom("outbox", "send")
    assert (status, "no server to send to" in err) == (2, True)


def test_what_waits_is_sent_and_what_is_refused_is_shown_and_may_be_tried_again(wherefrom, project, monkeypatch):
    record(project)
    with scripted(answer_with(None, "FormatError"), answer_with(None)) as server:
        monkeypatch.setenv("WHEREFROM_URL", server.url)
        status, out, _ = wherefrom("outbox", "--json")
        assert json.loads(out)["waiting"][0]["statements"] == ["RunEvent COMPLETE a.py", "RunEvent COMPLETE b.py"]
        status, out, err = wherefrom("outbox", "send")
        assert (status, out) == (0, f"sent 1 statements to {server.url}\n")
        assert "the server refused what is now in" in err
        assert server.asked[0].headers["authorization"] == "Bearer secret"
        [refused] = list_refused(project)
        status, out, _ = wherefrom("outbox")
        assert out.splitlines() == [
            f"server   {server.url}",
            "waiting  0 statements in 0 files",
            f"refused  RunEvent COMPLETE b.py in {refused.name}: FormatError: no such kind",
        ]
        assert wherefrom("outbox", "send", "--refused")[:2] == (0, f"sent 1 statements to {server.url}\n")
    assert list_refused(project) == list_parcels(project) == []


def test_what_is_left_is_said_and_is_status_3(wherefrom, project, monkeypatch):
    record(project)
    with scripted(answer_with("Denied", None)) as server:
        monkeypatch.setenv("WHEREFROM_URL", server.url)
        status, out, err = wherefrom("outbox", "send", "--json")
    assert (status, json.loads(out)["sent"]) == (3, 0)
    assert "is left: no such kind" in err
    assert len(list_parcels(project)) == 1


def test_a_local_archive_is_not_given_what_is_meant_for_the_server(wherefrom, project, monkeypatch):
    assert wherefrom("init")[0] == 0
    record(project)
    status, out, _ = wherefrom("status", "--json")
    assert (status, json.loads(out)["counts"]["runs"]) == (0, 0)
    assert len(list_parcels(project)) == 1
