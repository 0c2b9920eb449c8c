"""Taking events: all that can be, in one transaction, byte for byte; the others refused one by one."""

import io
import json
from pathlib import Path

import pytest
from events import FACET, run_id

from wherefrom.archive.published_schemas import list_departures
from wherefrom.archive.taking import MAX_LINE_BYTES, take_events, take_lines
from wherefrom.errors import FormatError
from wherefrom.statements import read_event

VECTORS = Path(__file__).parents[2] / "vectors" / "openlineage"
CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def body(of="r", **changes):
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-21T08:00:00Z",
        "producer": "https://example.com/producer",
        "schemaURL": CORE,
        "run": {"runId": run_id(of)},
        "job": {"namespace": "n", "name": "j"},
        "inputs": [{"namespace": "n", "name": "a"}],
        "outputs": [{"namespace": "n", "name": "b"}],
    }
    return json.dumps({**event, **changes}).encode()


def examples():
    """Every example event, as it stands in its file."""
    bodies = []
    for path in sorted([*(VECTORS / "examples").glob("*.json*"), *(VECTORS / "scenarios").rglob("*.json")]):
        data = path.read_bytes()
        bodies += data.splitlines() if path.suffix == ".jsonl" else [data]
    return bodies


def test_every_example_is_taken_and_comes_back_byte_for_byte(archive):
    bodies = examples()
    assert len(bodies) == 23 + 74
    taken = take_events(archive, bodies)
    recorded = {item.index: item.statement.predicate_bytes for item in archive.iter_recorded()}
    assert [recorded[one.receipt.index] for one in taken] == bodies
    assert all(one.error is None for one in taken)
    assert sum(bool(one.problems) for one in taken[:23]) == 10
    assert archive.rebuild() == []


def test_strict_intake_refuses_those_that_break_the_spec_with_the_path(archive):
    taken = take_events(archive, examples()[:23], strict=True)
    refused = [one for one in taken if one.error]
    assert (len(refused), sum(one.receipt is not None for one in taken)) == (10, 13)
    for one in refused:
        assert one.receipt is None
        assert str(one.error).startswith(f"OpenLineage event: {one.problems[0].path}: ")
    assert archive.size() == 1 + len({one.receipt.index for one in taken if one.receipt})


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"eventTime":"2026-11-21T08:00:00Z"}',
        b'{"eventTime":"2026-11-21T08:00:00Z","eventTime":""}',
        b'{"job":{"name":"\\ud800"}}',
        b'{"x":' + b"[" * 64 + b"]" * 64 + b"}",
        b"[]",
        b"",
        b"\xff",
        b'{"x":NaN}',
        b'{"x":1e999}',
    ],
)
def test_what_two_readers_could_read_differently_is_refused_and_the_others_are_taken(archive, data):
    taken = take_events(archive, [body("a"), data, body("b")])
    assert [one.receipt is not None for one in taken] == [True, False, True]
    assert isinstance(taken[1].error, FormatError)
    assert [one.receipt.index for one in (taken[0], taken[2])] == [1, 2]
    assert take_events(archive, [data])[0].receipt is None


@pytest.mark.parametrize(
    "data",
    [
        b' \n{"eventTime" : "2026-11-21T08:00:00Z"}\r\n\t',
        body(inputs=[{"namespace": "n", "name": "\u00e9\U0001f600"}]),
        body().replace(b'"name": "j"', b'"name": "\\u006a\\ud83d\\ude00"'),
        body(x=[1.5, 1e-7, -0.0, 10**40, 1e300]),
        body(x=json.loads("[" * 60 + "]" * 60)),
        body().replace(b'"run"', b'"x": 1.0E+2, "run"'),
    ],
)
def test_odd_bytes_are_kept_as_they_came(archive, data):
    [taken] = take_events(archive, [data])
    assert archive.read_recorded(str(taken.receipt.index)).statement.predicate_bytes == data
    assert take_events(archive, [data])[0].receipt.is_new is False
    assert [found for what, found in archive.check() if found] == []


def test_an_event_that_comes_again_gets_the_receipt_it_got(archive):
    one, two = take_events(archive, [body("a"), body("a")])
    assert (one.receipt.index, two.receipt.index) == (1, 1)
    assert (one.receipt.is_new, two.receipt.is_new) == (True, False)
    again = take_events(archive, [body("b"), body("a")])
    assert [(t.receipt.index, t.receipt.is_new) for t in again] == [(2, True), (1, False)]
    assert take_events(archive, []) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"producer": "nobody"}, "$.producer"),
        ({"job": {"namespace": "n", "name": "j", "facets": {"sql": {**FACET, "query": 7}}}}, "$.job.facets.sql.query"),
        (
            {"job": {"namespace": "n", "name": "j", "facets": {"x": {**FACET, "_producer": "?? "}}}},
            "$.job.facets.x._pr",
        ),
        (
            {"inputs": [{"namespace": "n", "name": "a", "facets": {"schema": {**FACET, "fields": [{}]}}}]},
            "$.inputs[0].fac",
        ),
        ({"run": {"runId": run_id("r"), "facets": {"nominalTime": FACET}}}, "$.run.facets.nominalTime"),
    ],
)
def test_strict_intake_holds_events_against_the_published_schemas(archive, changes, path):
    [taken] = take_events(archive, [body(**changes)], strict=True)
    assert taken.error is not None
    assert taken.problems[0].path.startswith(path)
    [lenient] = take_events(archive, [body(**changes)])
    assert (lenient.error, lenient.problems) == (None, ())


def test_strict_intake_takes_a_facet_by_the_version_it_names_and_others_facets_as_they_are(archive):
    old = "https://openlineage.io/spec/facets/1-0-0/ColumnLineageDatasetFacet.json"
    source = {"namespace": "n", "name": "a", "field": "x"}
    facet = {**FACET, "_schemaURL": old, "fields": {"y": {"inputFields": [source]}}}
    outputs = [{"namespace": "n", "name": "b", "facets": {"columnLineage": facet, "mine": {**FACET, "x": [7]}}}]
    older = "https://openlineage.io/spec/1-0-5/OpenLineage.json#/$defs/RunEvent"
    assert take_events(archive, [body(outputs=outputs, schemaURL=older)], strict=True)[0].error is None


def test_each_of_openlineages_facet_instances_keeps_to_its_schema():
    for path in sorted((VECTORS / "instances").glob("*.json")):
        [(name, facet)] = json.loads(path.read_text()).items()
        kind, facet = path.name.split("_")[0], {**FACET, **facet}
        owner = {"namespace": "n", "name": "x", "facets": {name: facet}}
        event = json.loads(body())
        if kind.endswith("RunFacet"):
            event["run"]["facets"] = {name: facet}
        elif kind.endswith("JobFacet") or "entries" in facet:
            event["job"] = owner
        elif kind.endswith("InputDatasetFacet"):
            event["inputs"] = [{"namespace": "n", "name": "x", "inputFacets": {name: facet}}]
        else:
            event["outputs"] = [owner]
        assert list_departures(event, "RunEvent") == (), path.name
        marks = read_event(event).problems
        assert not marks or [p.path for p in marks] == ["$.outputs[0].facets.lineage"], path.name


def test_a_file_of_lines_is_taken_line_by_line(archive):
    lines = [b"\xef\xbb\xbf" + body("a"), b"", b"nope", body("b") + b"\r", b"  ", body("a")]
    found = list(take_lines(archive, io.BytesIO(b"\n".join(lines))))
    assert [(number, one.receipt.index if one.receipt else None) for number, one in found] == [
        (1, 1),
        (3, None),
        (4, 2),
        (6, 1),
    ]


def test_what_was_read_before_a_file_broke_off_is_recorded(archive):
    class Broken(io.BytesIO):
        def readline(self, size=-1):
            if line := super().readline(size):
                return line
            raise EOFError

    found = []
    with pytest.raises(EOFError):
        found.extend(take_lines(archive, Broken(body("a") + b"\n")))
    assert archive.size() == 2


def test_a_line_that_is_too_long_is_refused_and_the_next_is_taken(archive, monkeypatch):
    monkeypatch.setattr("wherefrom.archive.taking.MAX_LINE_BYTES", 1000)
    assert MAX_LINE_BYTES > 1000
    lines = b"x" * 3500 + b"\n" + body("a") + b"\n" + b"y" * 1001
    found = list(take_lines(archive, io.BytesIO(lines)))
    assert [(number, one.receipt is None) for number, one in found] == [(1, True), (2, False), (3, True)]
    assert "more than 1000 bytes" in str(found[0][1].error)
