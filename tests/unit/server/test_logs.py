"""The log: one JSON object a line, whatever somebody sends."""

import json
import logging

import pytest

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.server.errors import RequestError, describe, headers_of, status_of
from wherefrom.server.logs import JsonLines, request_id_of

NASTY = 'a\r\n{"level":"info"}\x1b[31m\u202e\u2028\x00"'


def test_no_text_ends_a_line_or_speaks_to_a_terminal():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (NASTY,), None)
    record.fields = {"path": NASTY, "deep": {"a": [NASTY]}}
    line = JsonLines().format(record)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["path"] == NASTY


@pytest.mark.parametrize("given", ["abc-1_2.3", "x" * 64])
def test_a_plain_request_id_is_kept(given):
    assert request_id_of(given) == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "a\nb", "ä", "<script>", NASTY])
def test_any_other_is_replaced(given):
    made = request_id_of(given)
    assert made != given
    assert len(made) == 16


def test_an_error_says_where_in_the_document_it_is():
    error = FormatError("OpenLineage event: $.job.name: is missing", hint="send it")
    body = describe(error, "r1")["error"]
    assert body == {
        "type": "FormatError",
        "message": "OpenLineage event: $.job.name: is missing",
        "requestId": "r1",
        "hint": "send it",
        "path": "$.job.name",
    }


def test_what_only_the_owner_may_know_is_not_said():
    for message in ("database /srv/a/archive.db: is corrupt", "secret key /srv/k: No such file"):
        assert "/srv" not in str(describe(UnavailableError(message), "r"))


def test_an_error_s_text_can_t_be_obeyed_and_has_an_end():
    message = describe(NotFoundError(NASTY + "x" * 10**6), "r")["error"]["message"]
    assert message.isprintable()
    assert len(message) < 20_000


def test_statuses_tell_false_from_malformed_from_unavailable():
    assert [status_of(e("x")) for e in (FormatError, NotFoundError, UnavailableError)] == [400, 404, 503]
    assert status_of(RequestError(413, "x")) == 413
    assert headers_of(UnavailableError("x")) == {"Retry-After": "2"}
