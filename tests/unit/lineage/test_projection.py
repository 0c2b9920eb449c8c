"""What events and deletions add to the views, and what a correction takes back."""

import json

import pytest
from events import FACET, run_id

from wherefrom.archive.taking import take_events
from wherefrom.lineage.shape import parse_shape
from wherefrom.statements import canonical_name, make_correction_statement, make_deletion_statement
from wherefrom.store import LineageTables
from wherefrom.store.schema import VIEWS

TABLES = {table.name: table for table in VIEWS}


def dataset(namespace, name, role=None, **facets):
    made = {"namespace": namespace, "name": name}
    if facets:
        made["facets"] = {key: {**FACET, **value} for key, value in facets.items()}
    return {**made, **({} if role is None else role)}


def body(run="r", inputs=(), outputs=(), *, kind="COMPLETE", at="2026-11-21T08:00:00Z", job="j", **more):
    event = {
        "eventType": kind,
        "eventTime": at,
        "producer": FACET["_producer"],
        "schemaURL": FACET["_schemaURL"],
        "run": {"runId": run_id(run)},
        "job": {"namespace": "n", "name": job},
        "inputs": list(inputs),
        "outputs": list(outputs),
    }
    return json.dumps({**event, **more}).encode()


def dataset_body(about, at="2026-11-21T08:00:00Z"):
    head = {"eventTime": at, "producer": FACET["_producer"], "schemaURL": FACET["_schemaURL"]}
    return json.dumps({**head, "dataset": about}).encode()


class Views:
    """The rows of an archive's views as dictionaries."""

    def __init__(self, archive):
        with archive._database.reading() as connection:
            tables = LineageTables(connection)
            self.rows = {
                name: [dict(zip(table.columns.keys(), row, strict=True)) for row in tables.iter_rows(table)]
                for name, table in TABLES.items()
            }
        self.names = {row["id"]: (row["namespace"], row["name"]) for row in self.rows["entities"]}
        self.numbers = {name: number for number, name in self.names.items()}

    def aliases(self):
        rows = self.rows["aliases"]
        return [(self.names[r["entity"]], self.names[r["canonical"]], r["reason"], r["retracted"]) for r in rows]


def test_an_event_has_its_job_its_run_its_time_and_its_shape(archive):
    inputs, outputs = [dataset("n", "a")], [dataset("n", "b")]
    take_events(archive, [body("x", inputs, outputs), body("y", inputs, outputs), body("z")])
    views = Views(archive)
    first, second, third = views.rows["events"]
    assert (first["event_type"], first["event_time"]) == ("COMPLETE", "2026-11-21T08:00:00Z")
    assert first["at"] == 1795248000 * 1_000_000
    assert (first["job"], second["job"], third["job"]) == (1, 1, 1)
    assert (first["run"], second["run"], third["run"]) == (1, 2, 3)
    assert (first["shape"], second["shape"], third["shape"]) == (1, 1, 0), "the same is said twice, then nothing"
    [shape] = views.rows["shapes"]
    assert parse_shape(shape["body"]).inputs == ((views.numbers["n", "a"], "declared"),)
    assert shape["entry"] == 1
    take_events(archive, [body("w", inputs, outputs)])
    assert len(Views(archive).rows["shapes"]) == 1, "also in another transaction"


def test_names_of_one_data_set_are_one_entity_in_shapes_and_say_why(archive):
    outputs = [dataset("s3", "x")]
    take_events(
        archive, [body("x", [dataset("s3a://b", "t/dt=1")], outputs), body("y", [dataset("s3://b", "t")], outputs)]
    )
    views = Views(archive)
    assert views.rows["events"][0]["shape"] == views.rows["events"][1]["shape"]
    reason = "; ".join(canonical_name("s3a://b", "t/dt=1").reasons)
    assert views.aliases() == [(("s3a://b", "t/dt=1"), ("s3://b", "t"), reason, None)]
    assert {views.names[row["entity"]] for row in views.rows["versions"]} >= {("s3a://b", "t/dt=1"), ("s3://b", "t")}


def test_symlinks_are_aliases_by_the_events_word(archive):
    links = {"identifiers": [{"namespace": "hive://h:1", "name": "d.t", "type": "TABLE"}]}
    about = dataset("s3://b", "t", symlinks=links)
    same = dataset("s3a://b", "t", symlinks={"identifiers": [{"namespace": "s3://b", "name": "t/", "type": "X"}]})
    [one, _, _] = take_events(archive, [body("x", [about]), body("y", [about]), body("z", [same])])
    said = [alias for alias in Views(archive).aliases() if alias[2] == "symlinks"]
    assert said == [(("hive://h:1", "d.t"), ("s3://b", "t"), "symlinks", None)]
    archive.record(make_correction_statement(one.receipt.statement_id, reason="wrong"))
    take_events(archive, [body("w", [about])])
    said = [alias[3] for alias in Views(archive).aliases() if alias[2] == "symlinks"]
    assert said == [4, None], "taken back, and said again since"
    assert all(alias[3] is None for alias in Views(archive).aliases() if alias[2] != "symlinks")
    assert archive.rebuild() == []


def test_versions_as_others_name_them_are_joined_with_the_runs(archive):
    version = {"datasetVersion": "7"}
    scan = {"inputFacets": {"icebergScanReport": {**FACET, "snapshotId": 31}}}
    inputs = [dataset("s3://b", "t", version=version), dataset("s3://b", "i", scan)]
    outputs = [dataset("s3a://b", "t", version={"datasetVersion": "8"})]
    [one] = take_events(archive, [body("x", inputs, outputs)])
    take_events(archive, [body("x", inputs), body("y", inputs), dataset_body(dataset("s3://b", "t", version=version))])
    views = Views(archive)
    named = {row["id"]: (*views.names[row["entity"]], row["version"]) for row in views.rows["named_versions"]}
    assert sorted(named.values()) == [("s3://b", "i", "31"), ("s3://b", "t", "7"), ("s3://b", "t", "8")]
    edges = [(r["run"], *named[r["version"]][1:], r["relation"]) for r in views.rows["named_version_edges"]]
    assert sorted(edges) == [
        (1, "i", "31", "used"),
        (1, "t", "7", "used"),
        (1, "t", "8", "was_generated_by"),
        (2, "i", "31", "used"),
        (2, "t", "7", "used"),
    ]
    archive.record(make_correction_statement(one.receipt.statement_id, reason="wrong"))
    taken_back = [row for row in Views(archive).rows["named_version_edges"] if row["retracted"]]
    assert {row["entry"] for row in taken_back} == {1}
    assert len(taken_back) == 3


def test_what_is_no_more_is_said_by_a_statement_or_by_a_drop_that_was_done(archive):
    drop = {"lifecycleStateChange": "DROP"}
    archive.record(
        make_deletion_statement("job", "n", "j", at="2026-11-21T08:00:00Z", reason="gone", by="user:x"),
        make_deletion_statement("dataset", "s3a://b", "t", at="2026-11-21T09:00:00+01:00", reason="gone"),
    )
    take_events(
        archive,
        [
            body("x", (), [dataset("n", "d", lifecycleStateChange=drop)], kind="START"),
            body("x", (), [dataset("n", "d", lifecycleStateChange=drop)], kind="FAIL"),
            body("x", (), [dataset("n", "d", lifecycleStateChange=drop)]),
            dataset_body(dataset("n", "e", lifecycleStateChange=drop)),
            dataset_body(dataset("n", "f", lifecycleStateChange={"lifecycleStateChange": "TRUNCATE"})),
        ],
    )
    views = Views(archive)
    at = 1795248000 * 1_000_000
    assert [(r["entry"], views.names.get(r["dataset"]), r["job"], r["at"]) for r in views.rows["deletions"]] == [
        (1, None, 1, at),
        (2, ("s3://b", "t"), 0, at),
        (5, ("n", "d"), 0, at),
        (6, ("n", "e"), 0, at),
    ]
    assert [row["shape"] for row in views.rows["events"]] == [0, 0, 0, 0, 0]
    target = archive.read_recorded("2").statement_id
    archive.record(make_correction_statement(target, reason="it is there"))
    assert [row["retracted"] for row in Views(archive).rows["deletions"]] == [None, 8, None, None]
    assert archive.rebuild() == []


def test_marks_say_where_an_event_breaks_the_specification(archive):
    [taken] = take_events(archive, [body("x", [7, dataset("n", "a")], at="2026-11-21T08:00:00")])
    views = Views(archive)
    assert [(row["entry"], row["position"], row["path"]) for row in views.rows["marks"]] == [
        (1, 0, "$.eventTime"),
        (1, 1, "$.inputs[0]"),
    ]
    assert [row["message"] for row in views.rows["marks"]] == [problem.message for problem in taken.problems]
    assert views.rows["events"][0]["shape"] == 1


@pytest.mark.parametrize("without", ["eventTime", "job"])
def test_an_event_that_nobody_can_place_gives_no_lineage(archive, without):
    event = json.loads(body("x", [dataset("n", "a")], [dataset("n", "b")]))
    del event[without]
    take_events(archive, [json.dumps(event).encode()])
    views = Views(archive)
    assert [(row["shape"], row["run"]) for row in views.rows["events"]] == [(0, 1)]
    assert views.rows["shapes"] == []
    assert len(views.rows["edges"]) == (0 if without == "eventTime" else 2), "of the run, which has a name"
    assert archive.rebuild() == []


def test_a_dataset_event_belongs_to_its_data_set(archive):
    source = {"namespace": "n", "name": "a", "type": "DATASET"}
    take_events(archive, [dataset_body(dataset("s3a://b", "v", lineage={"inputs": [source]}))])
    views = Views(archive)
    [event] = views.rows["events"]
    assert (event["run"], event["job"], views.names[event["dataset"]]) == (0, 0, ("s3://b", "v"))
    target = views.numbers["s3://b", "v"]
    assert parse_shape(views.rows["shapes"][0]["body"]).explicit == ((target, (views.numbers["n", "a"],)),)


def test_jobs_that_a_facet_names_are_jobs(archive):
    entry = {"type": "JOB", "namespace": "m", "name": "k", "inputs": [{"type": "JOB", "namespace": "n", "name": "j"}]}
    job = {"namespace": "n", "name": "j", "facets": {"lineage": {**FACET, "entries": [entry]}}}
    event = json.loads(body("y"))
    take_events(archive, [json.dumps({**event, "job": job}).encode()])
    views = Views(archive)
    assert [(row["namespace"], row["name"]) for row in views.rows["jobs"]] == [("n", "j"), ("m", "k")]
    assert parse_shape(views.rows["shapes"][0]["body"]).explicit == ((-2, (0,)),)


def test_a_job_facet_that_is_deleted_is_gone_from_the_run(archive):
    def with_facet(facet, kind):
        event = json.loads(body("x", kind=kind))
        return json.dumps({**event, "job": {**event["job"], "facets": {"documentation": facet}}}).encode()

    take_events(archive, [with_facet({**FACET, "description": "d"}, "START")])
    assert archive.list_runs(1)[0].job_facets["documentation"]["description"] == "d"
    take_events(archive, [with_facet({"_deleted": True}, "COMPLETE")])
    assert archive.list_runs(1)[0].job_facets == {}
