import copy
import json
from pathlib import Path

import pytest

from wherefrom.errors import FormatError
from wherefrom.statements import (
    CORRECTION,
    GAP,
    KEY,
    SOURCE,
    Statement,
    Subject,
    check_statement,
    event_kind_of,
    make_correction_statement,
    make_event_statement,
    make_gap_statement,
    make_key_statement,
    make_source_statement,
    make_statement,
    name_of,
    predicate_type_of,
    read_event,
)

RUN = "0192f3a1-0000-7000-8000-000000000001"
HEX = "a" * 64


def event(**changes) -> dict:
    facet = {"_producer": "p", "_schemaURL": "s"}
    output = {
        "namespace": "n",
        "name": "out.csv",
        "facets": {"wherefrom_fingerprint": {**facet, "digests": {"sha256": HEX}, "known": "observed", "rows": 3}},
    }
    parent = {"run": {"runId": RUN}, "job": {"namespace": "n", "name": "p"}, **facet}
    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-21T08:00:00Z",
        "producer": "p",
        "schemaURL": "s",
        "run": {"runId": RUN, "facets": {"parent": parent}},
        "job": {"namespace": "n", "name": "train.py"},
        "inputs": [{"namespace": "n", "name": "in.csv"}],
        "outputs": [output],
        **changes,
    }


def test_an_event_is_read_for_what_lineage_needs():
    read = read_event(event())
    assert (read.kind, read.event_type, read.run_id, read.parent_run_id) == ("RunEvent", "COMPLETE", RUN, RUN)
    assert (read.inputs[0].digests, read.inputs[0].how) == ({}, "declared")
    assert (read.outputs[0].digests, read.outputs[0].how, read.outputs[0].rows) == ({"sha256": HEX}, "observed", 3)


def test_an_events_statement_is_about_its_run_and_its_outputs():
    statement = make_event_statement(event())
    assert [s.name for s in statement.subjects] == [f"run:{RUN}", "n/out.csv"]
    check_statement(statement)


def test_events_of_data_sets_and_jobs_are_taken_too():
    base = {"eventTime": "2026-11-21T08:00:00Z", "producer": "p", "schemaURL": "s"}
    dataset = make_event_statement({**base, "dataset": {"namespace": "n", "name": "d"}})
    job = make_event_statement({**base, "job": {"namespace": "n", "name": "j"}})
    assert (name_of(dataset.predicate_type), name_of(job.predicate_type)) == ("DatasetEvent", "JobEvent")
    for statement in (dataset, job):
        check_statement(statement)


def _set(value, path, new):
    *way, last = path
    for step in way:
        value = value[step]
    if new is None:
        del value[last]
    else:
        value[last] = new


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (["eventTime"], "2026-11-21T08:00:00", "$.eventTime: is '2026-11-21T08:00:00', expected a time with a zone"),
        (["eventTime"], None, "$.eventTime: is missing"),
        (["eventType"], "DONE", "$.eventType: is 'DONE', expected 'START' or"),
        (["producer"], None, "$.producer: is missing"),
        (["schemaURL"], None, "$.schemaURL: is missing"),
        (["run", "runId"], "7", "$.run.runId: is '7', expected a UUID"),
        (["run", "facets", "parent", "_producer"], None, "$.run.facets.parent._producer: is missing"),
        (["job", "name"], "", "$.job.name: is empty"),
        (["inputs", 0, "namespace"], None, "$.inputs[0].namespace: is missing"),
        (["outputs", 0, "facets", "wherefrom_fingerprint", "digests"], {"md5": "x"}, "digests.md5: unknown digest"),
        (["outputs", 0, "facets", "wherefrom_fingerprint", "known"], "guessed", "known: is 'guessed'"),
        (["outputs", 0, "facets", "wherefrom_fingerprint", "rows"], -1, "rows: is -1"),
        (["outputs"], {}, "$.outputs: is an object, expected an array"),
    ],
)
def test_an_event_that_breaks_the_spec_is_refused_with_the_path(path, new, message):
    changed = copy.deepcopy(event())
    _set(changed, path, new)
    with pytest.raises(FormatError) as caught:
        make_event_statement(changed)
    assert message in str(caught.value)


def test_our_kinds_are_made_checked_and_named():
    made = [
        make_gap_statement(RUN, "subprocess", "started `make`", at="2026-11-21T08:00:00Z", path="x"),
        make_source_statement("n", "raw.csv", {"sha256": HEX}, licence="CC0-1.0"),
        make_key_statement("example/p+00000000+AAAA", bytes(32)),
        make_correction_statement(HEX, reason="wrong file"),
        make_correction_statement(HEX, reason="wrong file", replaced_by="b" * 64),
    ]
    assert [name_of(s.predicate_type) for s in made] == ["gap", "source", "key", "correction", "correction"]
    for statement in made:
        check_statement(statement)


@pytest.mark.parametrize(
    ("kind", "predicate", "message"),
    [
        (GAP, {"runId": RUN, "what": "x", "detail": "y"}, "gap statement: $.predicate.at: is missing"),
        (GAP, {"runId": RUN, "what": "x", "detail": "y", "at": "noon"}, "$.predicate.at: is 'noon'"),
        (SOURCE, {"namespace": "n", "name": "x", "license": "MIT"}, "$.predicate.license: unknown member"),
        (SOURCE, {"namespace": "n", "name": "x", "acquiredAt": "2026"}, "$.predicate.acquiredAt"),
        (CORRECTION, {"corrects": "x", "action": "retract", "reason": "r"}, "$.predicate.corrects"),
        (CORRECTION, {"corrects": HEX, "action": "replace", "reason": "r"}, "$.predicate.replacedBy: is missing"),
        (CORRECTION, {"corrects": HEX, "action": "undo", "reason": "r"}, "$.predicate.action: is 'undo'"),
        (CORRECTION, {"corrects": HEX, "action": "retract", "reason": "r", "replacedBy": HEX}, "goes with the action"),
        (KEY, {"role": "admin", "status": "active", "verifierKey": "k"}, "$.predicate.role: is 'admin'"),
        (KEY, {"role": "producer", "status": "lost", "verifierKey": "k"}, "$.predicate.status: is 'lost'"),
        (KEY, {"role": "producer", "status": "active"}, "$.predicate.verifierKey: is missing"),
        (KEY, {"role": "log", "status": "active", "verifierKey": "k", "alsoKey": "a"}, "alsoKey: unknown member"),
        (KEY, {"role": "producer", "status": "retired", "verifierKey": "k", "alsoKey": "a"}, "alsoKey: unknown member"),
        (KEY, {"role": "producer", "status": "active", "verifierKey": "k", "reason": "r"}, "reason: unknown member"),
        (
            KEY,
            {"role": "producer", "status": "compromised", "verifierKey": "k", "reason": "r"},
            "compromisedAt: is missi",
        ),
        (
            KEY,
            {"role": "log", "status": "compromised", "verifierKey": "k", "compromisedAt": "2026-11-21T08:00:00Z"},
            "$.predicate.reason: is missing",
        ),
        (
            KEY,
            {"role": "log", "status": "compromised", "verifierKey": "k", "compromisedAt": "2026-11-21", "reason": "r"},
            "$.predicate.compromisedAt: is '2026-11-21'",
        ),
        (
            KEY,
            {"role": "producer", "status": "active", "verifierKey": "k", "identity": {"bundle": "x" * 65537}},
            "$.predicate.identity.bundle: has 65537 bytes, expected at most 65536",
        ),
        (
            KEY,
            {"role": "producer", "status": "active", "verifierKey": "k", "identity": {"email": "x"}},
            "$.predicate.identity.email: unknown member",
        ),
        ("https://example.com/x", {}, "unknown predicateType 'https://example.com/x'; known: OpenLineage events, key"),
        (predicate_type_of("JobEvent"), event(), "predicateType says JobEvent, the predicate is a RunEvent"),
    ],
)
def test_a_statement_that_breaks_its_kinds_form_is_refused(kind, predicate, message):
    with pytest.raises(FormatError) as caught:
        make_statement(kind, predicate, Subject("s", {"sha256": HEX}))
    assert message in str(caught.value)


def test_openlineages_own_example_events_are_read_or_refused_with_a_path():
    folder = Path(__file__).parents[2] / "vectors" / "openlineage" / "examples"
    taken = refused = 0
    for path in sorted(folder.glob("*.json*")):
        text = path.read_text()
        events = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
        for item in events:
            try:
                statement = make_event_statement(item)
            except FormatError as error:
                assert "$." in str(error)
                refused += 1
            else:
                assert event_kind_of(statement.predicate_type)
                assert isinstance(statement, Statement)
                taken += 1
    assert (taken, refused) == (13, 10), "which of the example events keep to the spec has changed"
