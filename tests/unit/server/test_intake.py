"""OpenLineage over HTTP, in this process."""

import gzip
import json

import pytest
from lineage_events import body_of, dataset_event, job_event, run_event

from wherefrom.server.settings import Settings

ONE, BATCH = "/api/v1/lineage", "/api/v1/lineage/batch"


def stored(client, index):
    return client.get(f"/v1/statements/{index}/event").content


@pytest.mark.parametrize("event", [run_event(), dataset_event(), job_event()], ids=["run", "dataset", "job"])
def test_an_event_is_recorded_when_it_is_answered_and_kept_byte_for_byte(client, archive, event):
    body, size = body_of(event), archive.size()
    reply = client.post(ONE, content=body)
    said = reply.json()
    assert (reply.status_code, said["isNew"], said["marks"]) == (201, True, [])
    assert said["index"] == size
    assert archive.size() == size + 1
    assert reply.headers["x-wherefrom-statement"] == said["statementId"]
    assert stored(client, said["statementId"]) == body
    assert "x-wherefrom-marks" not in reply.headers


def test_the_same_event_again_gets_the_answer_it_got_before(client, archive):
    first, again = (client.post(ONE, content=body_of(run_event())) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()["isNew"]) == (201, 200, False)
    assert again.json()["statementId"] == first.json()["statementId"]
    other = client.post(ONE, content=body_of(run_event(1)))
    assert other.json()["index"] == first.json()["index"] + 1


def test_packed_events_are_taken(client):
    body = body_of(run_event())
    reply = client.post(ONE, content=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert reply.status_code == 201
    assert stored(client, reply.json()["index"]) == body
    assert client.post(ONE, content=body, headers={"Content-Encoding": "gzip"}).status_code == 400


def test_an_event_that_breaks_the_spec_is_marked_and_explained(client):
    event = run_event()
    del event["producer"]
    reply = client.post(ONE, json=event)
    assert reply.status_code == 201
    [mark] = reply.json()["marks"]
    assert mark["path"] == "$.producer"
    assert reply.headers["x-wherefrom-marks"].startswith("1; $.producer ")


def test_strict_refuses_it_with_the_path_and_keeps_nothing(client, archive):
    event, size = run_event(), archive.size()
    del event["producer"]
    reply = client.post(ONE, json=event, params={"strict": "true"})
    assert reply.status_code == 422
    assert reply.json()["error"]["path"] == "$.producer"
    assert archive.size() == size
    assert client.post(ONE, json=run_event(), params={"strict": "true"}).status_code == 201


class TestStrictServer:
    @pytest.fixture
    def settings(self):
        return Settings(strict=True)

    def test_the_server_s_setting_holds_unless_the_request_says_otherwise(self, client):
        event = run_event()
        del event["producer"]
        assert client.post(ONE, json=event).status_code == 422
        assert client.post(ONE, json=event, params={"strict": "false"}).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"a":1,"a":2}',
        b"\xff",
        b'{"eventTime":"\\ud800"}',
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"n":NaN}',
        b"[" * 100000,
    ],
    ids=["empty", "cut", "array", "number", "twice", "not UTF-8", "surrogate", "deep", "NaN", "very deep"],
)
def test_what_is_no_event_is_malformed_in_either_mode(client, archive, body):
    size = archive.size()
    for strict in ("true", "false"):
        reply = client.post(ONE, content=body, params={"strict": strict})
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]["type"] == "FormatError"
    assert archive.size() == size


def test_a_batch_says_which_events_failed_and_why(client, archive):
    size = archive.size()
    events = [run_event(0), 5, run_event(1), {"a": {"eventTime": 1}}, dataset_event(), run_event(0)]
    events[3] = '{"eventTime":"2026-11-21T08:00:00Z","eventTime":"2026-11-21T08:00:00Z"}'
    texts = [one if isinstance(one, str) else json.dumps(one) for one in events]
    reply = client.post(BATCH, content=f"[{' , '.join(texts)}]")
    said = reply.json()
    assert (reply.status_code, said["status"]) == (200, "partial_success")
    assert said["summary"] == {
        "received": 6,
        "successful": 4,
        "failed": 2,
        "retriable": 0,
        "non_retriable": 2,
        "duplicates": 1,
    }
    assert [(one["index"], one["retriable"]) for one in said["failed_events"]] == [(1, False), (3, False)]
    assert "twice" in said["failed_events"][1]["reason"]
    assert archive.size() == size + 3


def test_a_batch_of_sound_events_is_a_success_and_each_keeps_its_bytes(client, archive):
    bodies, size = [body_of(run_event(i, job="ü€𝄞")) for i in range(20)], archive.size()
    said = client.post(BATCH, content=b"[\n" + b",\t".join(bodies) + b"\r]").json()
    assert (said["status"], said["failed_events"], said["marked_events"]) == ("success", [], [])
    assert [stored(client, size + i) for i in range(20)] == bodies
    assert client.post(BATCH, content=b"[]").json()["summary"]["received"] == 0


def test_a_batch_lists_the_marks_of_marked_events(client):
    event = run_event(1)
    del event["schemaURL"]
    said = client.post(BATCH, json=[run_event(0), event]).json()
    assert said["status"] == "success"
    assert [(one["index"], one["marks"][0]["path"]) for one in said["marked_events"]] == [(1, "$.schemaURL")]
    refused = client.post(
        BATCH, json=[run_event(2), {**event, "eventTime": "2026-11-21T09:00:00Z"}], params={"strict": 1}
    )
    assert [one["index"] for one in refused.json()["failed_events"]] == [1]


@pytest.mark.parametrize("body", [b"{}", b"[1", b"", b"[{}{}]"])
def test_what_is_no_array_is_no_batch(client, body):
    assert client.post(BATCH, content=body).status_code == 400


class TestSmallLimits:
    @pytest.fixture
    def settings(self):
        return Settings(max_batch=3, max_body_bytes=5000, max_name_bytes=600)

    def test_too_many_events_or_bytes_are_refused(self, client):
        assert client.post(BATCH, json=[run_event(i, inputs=()) for i in range(3)]).status_code == 200
        assert client.post(BATCH, json=[1, 2, 3, 4]).status_code == 413
        reply = client.post(ONE, json=run_event(facets="x" * 5000))
        assert (reply.status_code, reply.headers["connection"]) == (413, "close")
        packed = gzip.compress(json.dumps(run_event(9, more="x" * 5000)).encode())
        assert client.post(ONE, content=packed, headers={"Content-Encoding": "gzip"}).status_code == 201

    def test_a_name_beyond_all_measure_is_refused_with_its_path_in_either_mode(self, client):
        for strict in ("true", "false"):
            reply = client.post(ONE, json=run_event(inputs=("n" * 601,)), params={"strict": strict})
            assert (reply.status_code, reply.json()["error"]["path"]) == (400, "$.inputs[0].name")
            batch = client.post(BATCH, json=[run_event(1), run_event(job="ä" * 301)], params={"strict": strict}).json()
            assert [one["index"] for one in batch["failed_events"]] == [1]
        assert client.post(ONE, json=run_event(inputs=("n" * 600,))).status_code == 201


def test_who_may_not_write_there_records_nothing(app, client, archive, make_token, as_bearer):
    mine = as_bearer(make_token("producer", "mine"))
    assert client.post(ONE, json=run_event(namespace="mine"), headers=mine).status_code == 201
    events = archive.count_rows()["events"]
    for event in (run_event(), dataset_event(), job_event(), {"eventTime": "2026-11-21T08:00:00Z"}, []):
        reply = client.post(ONE, json=event, headers=mine)
        assert reply.status_code in {400, 403}, reply.text
    both = {**run_event(namespace="mine"), "dataset": {"namespace": "test", "name": "t"}}
    assert client.post(ONE, json=both, headers=mine).status_code == 403
    assert archive.count_rows()["events"] == events
    viewer = as_bearer(make_token("viewer", "*"))
    assert client.post(ONE, json=run_event(), headers=viewer).status_code == 403


def test_in_a_batch_what_one_may_not_write_fails_by_itself(client, make_token, as_bearer):
    mine = as_bearer(make_token("producer", "mine"))
    events = [run_event(0, namespace="mine"), run_event(0), run_event(1, namespace="mine", inputs=[("other", "x")])]
    said = client.post(BATCH, json=events, headers=mine).json()
    assert [(one["index"], one["retriable"]) for one in said["failed_events"]] == [(1, False)]
    assert said["summary"]["successful"] == 2


def test_without_a_token_the_body_is_not_looked_at(client):
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wft_x"}, {"Authorization": "Basic eDp5"}):
        reply = client.post(ONE, content=b"{", headers=headers)
        assert (reply.status_code, reply.headers["www-authenticate"][:6]) == (401, "Bearer")
