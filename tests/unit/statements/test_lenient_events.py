"""Events of other producers: read as far as they can be, with what is wrong listed by its path."""

import contextlib
import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.statements import (
    check_statement,
    event_of,
    format_statement,
    make_event_statement,
    parse_checked,
    parse_event_statement,
    read_event,
)
from wherefrom.statements.problems import MOST

VECTORS = Path(__file__).parents[2] / "vectors" / "openlineage"
RUN = "0192f3a1-0000-7000-8000-000000000001"
FACET = {"_producer": "https://example.com/p", "_schemaURL": "https://example.com/s"}
EVENT = {
    "eventType": "COMPLETE",
    "eventTime": "2026-11-21T08:00:00Z",
    "producer": "https://example.com/p",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": RUN},
    "job": {"namespace": "n", "name": "j"},
    "inputs": [{"namespace": "n", "name": "a"}],
    "outputs": [{"namespace": "n", "name": "b", "facets": {"version": {**FACET, "datasetVersion": "7"}}}],
}
GONE = object()


def changed(path, value):
    """The event with another value at a path, or without what is there."""
    event = copy.deepcopy(EVENT)
    *way, last = path
    owner = event
    for step in way:
        owner = owner[step]
    if value is GONE:
        del owner[last]
    else:
        owner[last] = value
    return event


@pytest.mark.parametrize(
    ("path", "value", "marks"),
    [
        (["producer"], GONE, {"$.producer": "is missing, expected text"}),
        (["schemaURL"], None, {"$.schemaURL": "is null, expected text"}),
        (["eventType"], "complete", {"$.eventType": "is 'complete', expected 'START' or 'RUNNING'"}),
        (["eventType"], {}, {"$.eventType": "is an object, expected text"}),
        (["run", "runId"], "my run", {"$.run.runId": "is 'my run', expected a UUID"}),
        (["run"], 7, {"$.run": "is a number, expected an object"}),
        (["run"], [], {"$.run": "is an array, expected an object"}),
        (["run", "facets"], {"x": 7}, {"$.run.facets.x": "is a number, expected an object"}),
        (["run", "facets"], {"x": {"_producer": 7}}, {"$.run.facets.x._producer": "is a number"}),
        (["run", "facets"], {"parent": FACET}, {"$.run.facets.parent.run": "is missing, expected an object"}),
        (["run", "facets"], {"parent": {**FACET, "run": {"runId": "x"}}}, {"$.run.facets.parent.run.runId": "is 'x'"}),
        (["job", "name"], GONE, {"$.job.name": "is missing, expected text"}),
        (["job", "facets"], None, {"$.job.facets": "is null, expected an object"}),
        (["inputs"], None, {"$.inputs": "is null, expected an array"}),
        (["inputs"], {}, {"$.inputs": "is an object, expected an array"}),
        (["inputs", 0], "a", {"$.inputs[0]": "is text, expected an object"}),
        (["inputs", 0, "name"], "a\0b", {"$.inputs[0].name": "has the character U+0000"}),
        (["inputs", 0, "namespace"], "", {"$.inputs[0].namespace": "is empty"}),
        (["inputs", 0, "inputFacets"], [], {"$.inputs[0].inputFacets": "is an array, expected an object"}),
        (
            ["outputs", 0, "facets", "version", "datasetVersion"],
            7,
            {"$.outputs[0].facets.version.datasetVersion": "is"},
        ),
        (["outputs", 0, "facets", "symlinks"], {**FACET, "identifiers": [{}]}, {"$.outputs[0].facets.symlinks": "is"}),
        (
            ["outputs", 0, "facets", "wherefrom_fingerprint"],
            {**FACET, "digests": {"sha256": "x"}, "known": "observed"},
            {"$.outputs[0].facets.wherefrom_fingerprint.digests.sha256": "is 'x', expected 64"},
        ),
        (["outputs", 0, "facets", "lineage"], FACET, {"$.outputs[0].facets.lineage": "is the facet of a DatasetEvent"}),
        (["job", "facets"], {"lineage": FACET}, {"$.job.facets.lineage.entries": "is missing, expected an array"}),
        (["eventTime"], GONE, {"$.eventTime": "is missing"}),
        (["eventTime"], 1763712000, {"$.eventTime": "is a number"}),
        (["eventTime"], "yesterday", {"$.eventTime": "is 'yesterday'"}),
        (["eventTime"], "2026-02-30T08:00:00", {"$.eventTime": "is '2026-02-30T08:00:00'"}),
    ],
)
def test_what_breaks_the_specification_is_taken_and_marked_with_its_path(path, value, marks):
    event = changed(path, value)
    read = read_event(event)
    for where, message in marks.items():
        found = [p for p in read.problems if p.path.startswith(where) and p.message.startswith(message)]
        assert found, read.problems
    statement = parse_event_statement(json.dumps(event).encode())
    check_statement(statement)
    assert parse_checked(format_statement(statement)) == statement
    with pytest.raises(FormatError, match=r"OpenLineage event: \$\."):
        make_event_statement(event)


def test_an_event_that_keeps_to_the_specification_has_no_marks():
    assert read_event(EVENT).problems == ()
    assert read_event(changed(["eventType"], GONE)).problems == ()
    deleted = changed(["job", "facets"], {"documentation": {"_deleted": True}})
    assert read_event(deleted).problems == ()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-21T08:00:00", "2026-11-21T08:00:00+00:00"),
        ("2026-11-21 08:00:00.5Z", "2026-11-21T08:00:00.500000+00:00"),
        ("2026-11-21T08:00Z", "2026-11-21T08:00:00+00:00"),
        ("2026-11-21T08:00:00,25+0130", "2026-11-21T06:30:00.250000+00:00"),
        ("2026-11-21T08:00:00+02", "2026-11-21T06:00:00+00:00"),
        ("2026-11-21T08:00:00+01:00[Europe/Paris]", "2026-11-21T07:00:00+00:00"),
    ],
)
def test_a_time_that_can_mean_one_thing_only_is_read_and_marked(text, read):
    found = read_event(changed(["eventTime"], text))
    assert found.time is not None
    assert (found.time.isoformat(), found.time_text) == (read, text)
    assert [p.path for p in found.problems] == ["$.eventTime"]
    assert len(found.inputs) == len(found.outputs) == 1


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_any_time_in_any_zone_is_that_instant(instant, minutes):
    if timedelta(days=2) < instant - datetime.min.replace(tzinfo=UTC) and instant.year < 9999:
        text = instant.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
        found = read_event(changed(["eventTime"], text))
        assert (found.time, found.problems) == (instant, ())


def test_an_event_without_a_time_or_an_owner_is_kept_and_gives_nothing():
    for path in (["eventTime"], ["job"]):
        event = changed(path, GONE)
        if path == ["job"]:
            del event["run"]
        read = read_event(event)
        assert (read.inputs, read.outputs, read.flow.versions) == ((), (), [])
        assert event_of(parse_event_statement(json.dumps(event).encode())) == read
    assert len(read_event(EVENT).outputs) == 1
    assert [v.version for v in read_event(EVENT).flow.versions] == ["7"]


def test_a_run_id_that_is_no_uuid_is_an_id_unless_it_is_too_long():
    assert read_event(changed(["run", "runId"], "my run")).run_id == "my run"
    assert read_event(changed(["run", "runId"], "x" * 256)).run_id == ""
    assert read_event(changed(["run", "runId"], RUN.upper())).run_id == RUN
    assert read_event(changed(["run", "runId"], RUN.upper())).problems == ()


def test_parent_and_root_of_a_run_are_read():
    other = RUN[:-1] + "2"
    job = {"namespace": "n", "name": "p"}
    parent = {**FACET, "run": {"runId": other}, "job": job, "root": {"run": {"runId": RUN}, "job": job}}
    read = read_event(changed(["run", "facets"], {"parent": parent}))
    assert (read.parent_run_id, read.root_run_id, read.problems) == (other, RUN, ())


def test_what_kind_an_event_is_follows_from_what_it_has():
    base = {key: EVENT[key] for key in ("eventTime", "producer", "schemaURL")}
    dataset, job = {"namespace": "n", "name": "d"}, EVENT["job"]
    assert read_event({**base, "run": None, "dataset": dataset}).kind == "DatasetEvent"
    assert read_event({**base, "job": job}).kind == "JobEvent"
    both = read_event({**base, "dataset": dataset, "job": job})
    assert (both.kind, [p.path for p in both.problems]) == ("DatasetEvent", ["$.job"])


def test_kafka_offsets_and_snapshots_are_versions():
    offsets = [{"partition": 1, "first": 7, "last": 7}, {"partition": 0, "first": 12, "last": 99}]
    facets = {
        "wherefrom_kafkaOffsets": {**FACET, "partitions": [*offsets, {"partition": 2}]},
        "icebergScanReport": {**FACET, "snapshotId": 3**38},
    }
    read = read_event(changed(["inputs", 0, "inputFacets"], facets))
    assert sorted(v[2:] for v in read.flow.versions) == [
        ("0:12-99,1:7-7", "used"),
        (str(3**38), "used"),
        ("7", "was_generated_by"),
    ]
    assert [p.path for p in read.problems] == ["$.inputs[0].inputFacets.wherefrom_kafkaOffsets.partitions[2]"]
    many = [{"partition": n, "first": 0, "last": 10**15} for n in range(100)]
    long = read_event(changed(["inputs", 0, "inputFacets"], {"wherefrom_kafkaOffsets": {**FACET, "partitions": many}}))
    assert len(long.flow.versions[0].version) <= 500
    assert " sha256:" in long.flow.versions[0].version


def test_marks_are_few_short_and_without_characters_that_no_database_keeps():
    read = read_event({**EVENT, "inputs": [7] * 1000, "run": {"runId": RUN, "facets": {"a\0" * 1000: 7}}})
    assert len(read.problems) == MOST
    assert all(len(p.path) <= 300 and len(p.message) <= 300 and "\0" not in p.path for p in read.problems)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FULL = {
    **EVENT,
    "run": {"runId": RUN, "facets": {"parent": {**FACET, "run": {"runId": RUN}, "root": {"run": {"runId": RUN}}}}},
    "job": {
        "namespace": "n",
        "name": "j",
        "facets": {
            "lineage": {
                **FACET,
                "entries": [
                    {
                        "type": "DATASET",
                        "namespace": "n",
                        "name": "b",
                        "inputs": [{"type": "JOB", "transformations": [{"type": "DIRECT"}]}],
                        "fields": {"x": {"inputs": [{"type": "DATASET", "namespace": "n", "name": "a", "field": "y"}]}},
                    }
                ],
            }
        },
    },
    "outputs": [
        {
            "namespace": "n",
            "name": "b",
            "facets": {
                "columnLineage": {
                    **FACET,
                    "fields": {
                        "x": {
                            "inputFields": [
                                {
                                    "namespace": "n",
                                    "name": "a",
                                    "field": "y",
                                    "transformations": [{"type": "DIRECT", "subtype": "IDENTITY", "masking": False}],
                                }
                            ]
                        }
                    },
                },
                "symlinks": {**FACET, "identifiers": [{"namespace": "n", "name": "c", "type": "TABLE"}]},
                "lifecycleStateChange": {**FACET, "lifecycleStateChange": "DROP"},
                "wherefrom_fingerprint": {**FACET, "digests": {}, "known": "observed"},
            },
            "outputFacets": {"icebergCommitReport": {**FACET, "snapshotId": 7}},
        }
    ],
}


def places(value, way=()):
    yield way
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*way, key))


PLACES = sorted(places(FULL), key=str)[1:]


@given(st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=4))
def test_reading_an_event_never_fails_whatever_stands_where(changes):
    event = copy.deepcopy(FULL)
    for way, value in changes:
        owner = event
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
            for step in way[:-1]:
                owner = owner[step]
            owner[way[-1]] = value
    read = read_event(event)
    assert all(p.path.startswith("$") and p.message for p in read.problems)
    assert all("\0" not in text for text in (read.time_text, read.event_type, read.run_id, read.job_name))
    for one in (*read.inputs, *read.outputs):
        assert one.namespace and one.name and "\0" not in one.namespace + one.name


def test_every_event_of_the_compatibility_scenarios_is_understood():
    paths = sorted((VECTORS / "scenarios").rglob("*.json"))
    events = {
        path.relative_to(VECTORS / "scenarios").as_posix(): read_event(json.loads(path.read_bytes())) for path in paths
    }
    assert len(events) == 74
    assert [name for name, event in events.items() if event.problems] == ["simple_run_event/simple_run_event.json"]
    assert sum(len(event.flow.columns) for name, event in events.items() if name.startswith("CLL/")) > 50
    assert sum(len(event.inputs) + len(event.outputs) for event in events.values()) > 60
