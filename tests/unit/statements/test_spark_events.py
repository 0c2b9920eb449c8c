"""Events that a real Spark application sent: read without a mark, and what they say of its tables."""

import json
from pathlib import Path

import pytest

from wherefrom.statements import read_event

FOLDER = Path(__file__).parents[2] / "vectors" / "openlineage" / "spark"
EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def event_named(part):
    (found,) = (read_event(event) for name, event in EVENTS.items() if part in name)
    return found


@pytest.mark.parametrize("name", EVENTS)
def test_nothing_that_spark_sends_is_marked(name):
    event = read_event(EVENTS[name])
    assert event.problems == ()
    assert event.job_namespace == "shop"


def test_a_query_names_the_application_as_its_parent_which_has_none():
    application, query = event_named("01-application"), event_named("03-execute")
    assert query.parent_run_id == application.run_id
    assert query.root_run_id == application.run_id
    assert application.parent_run_id is None


def test_the_version_of_a_table_in_the_catalog_is_told_and_of_one_written_by_path_is_not():
    assert [version.version for version in event_named("08-append").flow.versions] == ["1"]
    assert event_named("03-execute").flow.versions == []


def test_offsets_are_a_version_of_the_topic_where_they_are_known():
    assert [(v.name, v.version) for v in event_named("10-kafka_offsets").flow.versions] == [("clicks", "0:0-4,2:0-6")]
    (stream,) = event_named("15-kafka_offsets").flow.versions
    assert stream.version.startswith("0:0-")
    assert event_named("batch_open").flow.versions == []
