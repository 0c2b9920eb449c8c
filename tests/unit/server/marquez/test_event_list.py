"""Events come back as they were sent, byte for byte."""

import json
from pathlib import Path

import pytest
from marquez_world import CLEANING, EVENT, PRODUCER, path, record, run_event, run_id

EXAMPLES = Path(__file__).parents[3] / "vectors" / "openlineage" / "examples"
ODD = (
    b'{ "eventTime" : "2026-11-20T08:00:00.000000001+02:00",\n "eventType":"COMPLETE","extra":1.0e2,'
    b'"n":12345678901234567890123,'
    b'"producer":"https:\\/\\/producer.example","schemaURL":"%bRunEvent","run":{"runId":"%b"},'
    b'"job":{"namespace":"etl","name":"caf\\u00e9"} }' % (EVENT.encode(), run_id(7).encode())
)


def test_an_event_comes_back_byte_for_byte(archive, changing):
    record(archive, ODD)
    body = changing.client.get(path("events", "lineage"), params={"sortDirection": "asc", "limit": 1}).content
    assert body == b'{"events":[' + ODD + b'],"totalCount":10}'


def test_every_example_of_openlineage_comes_back_byte_for_byte(archive, changing):
    there = changing(path("events", "lineage"), kind="all")["totalCount"]
    bodies = [
        data for file in sorted(EXAMPLES.rglob("*.json")) if isinstance(json.loads(data := file.read_bytes()), dict)
    ]
    assert len(bodies) > 5
    record(archive, *bodies)
    body = changing.client.get(path("events", "lineage"), params={"kind": "all", "limit": 5000}).content
    assert [data for data in bodies if data.strip() not in body] == []
    assert json.loads(body)["totalCount"] == there + len(set(bodies))


def test_events_are_given_by_time_the_newest_first(world):
    found = world(path("events", "lineage"))
    assert found["totalCount"] == 9
    times = [event["eventTime"] for event in found["events"]]
    assert times == sorted(times, reverse=True)
    assert [event["eventTime"] for event in world(path("events", "lineage"), sortDirection="asc")["events"]] == sorted(
        times
    )
    page = world(path("events", "lineage"), limit=2, offset=3)
    assert ([event["eventTime"] for event in page["events"]], page["totalCount"]) == (times[3:5], 9)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"after": "2026-11-20T08:05:00Z"}, 8),
        ({"before": "2026-11-20T08:05:00Z"}, 1),
        ({"after": "2026-11-20T09:05:00+01:00", "before": "2026-11-20T08:10:00.001Z"}, 2),
        ({"after": "2026-11-20T09:05:00 01:00"}, 8),  # a "+" that was not encoded
        ({"after": "", "before": ""}, 9),
        ({"before": "2026-11-20"}, 0),
    ],
)
def test_events_are_given_from_a_time_to_before_another(world, query, count):
    found = world(path("events", "lineage"), **query)
    assert (len(found["events"]), found["totalCount"]) == (count, count)


def test_what_is_no_time_is_refused(world):
    assert world.client.get(path("events", "lineage"), params={"before": "yesterday"}).status_code == 400
    assert world.client.get(path("events", "lineage"), params={"limit": -1}).status_code == 422


def test_events_of_no_run_are_given_to_those_who_ask(archive, changing):
    """Marquez's pages know no others than those of runs, and stop at one that has none."""
    rest = {"eventTime": "2026-11-20T08:00:00Z", "producer": PRODUCER}
    of_job = rest | {"schemaURL": f"{EVENT}JobEvent", "job": CLEANING}
    of_dataset = rest | {"schemaURL": f"{EVENT}DatasetEvent", "dataset": {"namespace": "a", "name": "b"}}
    record(archive, of_job, of_dataset)
    assert changing(path("events", "lineage"))["totalCount"] == 9
    assert changing(path("events", "lineage"), kind="JobEvent")["events"] == [of_job]
    assert changing(path("events", "lineage"), kind="DatasetEvent")["events"] == [of_dataset]
    assert changing(path("events", "lineage"), kind="all")["totalCount"] == 11


def test_events_of_a_namespace_are_those_of_its_jobs(world):
    assert {event["job"]["name"] for event in world(path("events", "reports"))["events"]} == {"daily report"}
    assert world(path("events"))["totalCount"] == 9


def test_what_an_event_says_is_no_more_once_it_is_taken_back(archive, changing):
    from wherefrom.statements import CORRECTION, Statement, Subject

    record(archive, run_event("COMPLETE", 9, 200, {"namespace": "oops", "name": "mistake"}))
    assert changing(path("jobs"))["jobs"][0]["name"] == "mistake"
    wrong = archive.read_recorded(str(archive.size() - 1))
    said = {"corrects": wrong.statement_id, "action": "retract", "reason": "sent by mistake"}
    archive.record(Statement.of(CORRECTION, said, Subject("entry", {"wf-entry-1": wrong.statement_id})))
    assert changing(path("jobs"))["jobs"][0]["name"] == "train"
    assert changing(path("events", "lineage"))["totalCount"] == 9
    assert changing(path("jobs"), lastRunStates="COMPLETED")["jobs"][0]["name"] == "clean.orders"
