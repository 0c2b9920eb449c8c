"""A real Spark application with OpenLineage's listener, pointed at a real server: what its lineage is then."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kafka_brokers import apache_kafka
from kafka_events import create_topic, send
from live_server import running_server
from service_jars import jars_for, listed

from wherefrom import fetch
from wherefrom.archive import Archive
from wherefrom.statements import event_of

JOB = Path(__file__).parent / "spark_jobs" / "daily_revenue.py"
FACET_SCHEMA = Path(__file__).parents[2] / "docs" / "spec" / "facets" / "wherefrom_kafkaOffsets.json"
TABLES = {
    "orders": {
        "order_id": [1, 2, 3, 4],
        "customer_id": [1, 1, 2, 3],
        "product_id": [1, 2, 2, 1],
        "quantity": [1, 2, 0, 5],
    },
    "customers": {"customer_id": [1, 2, 3], "country": ["NL", "DE", "NL"], "email": ["a", "b", "c"]},
    "products": {"product_id": [1, 2], "category": ["tea", "tools"], "price": [2.5, 10.0]},
}
IN_PARTITIONS = [5, 0, 7]
"""Messages in each partition of the topic."""


def needed_jars():
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is missing: pip install 'wherefrom[spark]'")
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        pytest.skip("java is missing, which Spark runs on")
    if not (jars := jars_for("spark")):
        pytest.skip("the jars of Spark's listener and Delta are missing: python tests/integration/service_jars.py")
    from pyspark import __version__

    (kafka_reader,) = (jar for jar in listed() if jar.artifact.startswith("spark-sql-kafka"))
    if __version__.split(".")[:2] != kafka_reader.version.split(".")[:2]:
        pytest.skip(f"pyspark {__version__} is installed, the jars are for {kafka_reader.version}")
    return jars


class Finished:
    """What is left when the application has ended: the server goes on."""

    def __init__(self, lake, server, archive, said, brokers):
        self.lake, self.server, self.archive, self.said, self.brokers = lake, server, archive, said, brokers
        self.events = [
            entry.statement.predicate
            for entry in archive.iter_recorded()
            if "openlineage" in entry.statement.predicate_type
        ]
        self.application = next(one["run"]["runId"] for one in self.events if one["job"]["name"] == "daily_revenue")

    def ask(self, path, **parameters):
        url = f"{self.server.url}{path}?{urllib.parse.urlencode(parameters)}"
        reply = fetch.request("GET", url, headers={"Authorization": f"Bearer {self.server.token}"})
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def table(self, name):
        return f"dataset:file:{self.lake / name}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    jars = needed_jars()
    folder = tmp_path_factory.mktemp("spark")
    root, lake = folder / "project", folder / "lake"
    root.mkdir()
    for name, columns in TABLES.items():
        (lake / name).mkdir(parents=True)
        pq.write_table(pa.table(columns), lake / name / "part-0.parquet")
    with apache_kafka() as broker, running_server(root, args=("--init", "--namespace", "test")) as server:
        create_topic(broker, "clicks")
        messages = [{"value": b"v", "partition": p} for p, count in enumerate(IN_PARTITIONS) for _ in range(count)]
        send(broker, "clicks", *messages)
        given = {
            "lake": str(lake),
            "jars": [str(jar) for jar in jars],
            "url": server.url,
            "token": server.token,
            "brokers": broker.address,
            "topic": "clicks",
        }
        (folder / "given.json").write_text(json.dumps(given))
        environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        done = subprocess.run(
            [sys.executable, JOB, folder / "given.json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=540,
            cwd=folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-5000:]
        assert "are not kept" not in done.stderr, done.stderr[-5000:]
        archive = Archive.find(root)
        try:
            yield Finished(lake, server, archive, json.loads(done.stdout.splitlines()[-1]), broker.address)
        finally:
            archive.close()


def offsets_kept(finished, reading):
    """Offsets facets of events of the application's run, by what they were read for."""
    events = [event for event in finished.events if event["eventType"] == "OTHER"]
    assert {event["run"]["runId"] for event in events} == {finished.application}
    assert {event["job"]["name"] for event in events} == {"daily_revenue"}
    inputs = [dataset for event in events for dataset in event["inputs"]]
    assert {dataset["name"] for dataset in inputs} == {"clicks"}
    facets = [dataset["inputFacets"]["wherefrom_kafkaOffsets"] for dataset in inputs]
    return [facet for facet in facets if facet["reading"] == reading]


def test_the_listener_breaks_no_rule_of_the_specification(finished):
    assert len(finished.events) > 15
    for entry in finished.archive.iter_recorded():
        if "openlineage" in entry.statement.predicate_type:
            assert event_of(entry.statement).problems == ()


def test_the_table_comes_from_the_three_tables_that_were_joined(finished):
    answer = finished.ask("/v1/lineage", node=finished.table("revenue"), direction="up", depth=1)
    assert answer["complete"]
    assert {node["id"] for node in answer["nodes"] if node["type"] == "dataset"} == {
        finished.table(name) for name in ("revenue", "orders", "customers", "products")
    }
    (job,) = (node["name"] for node in answer["nodes"] if node["type"] == "job")
    assert job == "daily_revenue.execute_save_into_data_source_command.lake_revenue"
    assert {edge["how"] for edge in answer["edges"]} == {"declared"}
    beyond = finished.ask("/v1/lineage", node=finished.table("orders"), direction="down", depth=5)
    assert finished.table("warehouse/history") in {node["id"] for node in beyond["nodes"]}
    assert finished.table("customers") not in {node["id"] for node in beyond["nodes"]}


def test_columns_come_from_the_columns_and_by_the_ways_that_the_query_says(finished):
    answer = finished.ask("/v1/lineage", node=finished.table("revenue"), direction="up", depth=1, columns="true")
    found = {
        (Path(edge["from"]["id"]).name, edge["from"]["field"], edge["to"]["field"], edge["type"], edge["subtype"])
        for edge in answer["columns"]
    }
    assert found == {
        ("customers", "country", "country", "DIRECT", "IDENTITY"),
        ("products", "category", "category", "DIRECT", "IDENTITY"),
        ("orders", "quantity", "revenue", "DIRECT", "AGGREGATION"),
        ("products", "price", "revenue", "DIRECT", "AGGREGATION"),
        ("orders", "order_id", "orders", "DIRECT", "AGGREGATION"),
        ("orders", "customer_id", "", "INDIRECT", "JOIN"),
        ("customers", "customer_id", "", "INDIRECT", "JOIN"),
        ("orders", "product_id", "", "INDIRECT", "JOIN"),
        ("products", "product_id", "", "INDIRECT", "JOIN"),
        ("orders", "quantity", "", "INDIRECT", "FILTER"),
        ("customers", "country", "", "INDIRECT", "GROUP_BY"),
        ("products", "category", "", "INDIRECT", "GROUP_BY"),
    }


def test_versions_of_a_delta_table_are_those_that_delta_counts(finished):
    history = finished.ask(f"/v1/entities/{urllib.parse.quote(finished.table('warehouse/history'), safe='')}")
    assert sorted(version["version"] for version in history["namedVersions"]) == ["0", "1"]
    assert sorted(file.name for file in (finished.lake / "warehouse/history/_delta_log").glob("*.json")) == [
        "00000000000000000000.json",
        "00000000000000000001.json",
    ]
    assert ("default.history", "symlinks") in {(alias["name"], alias["reason"]) for alias in history["aliases"]}
    # Written by path: the listener says nothing, so nothing is claimed.
    revenue = finished.ask(f"/v1/entities/{urllib.parse.quote(finished.table('revenue'), safe='')}")
    assert revenue["namedVersions"] == []


def test_each_query_is_a_run_whose_parent_is_the_application(finished):
    application = finished.ask(f"/v1/runs/{finished.application}")
    assert application["state"] == "COMPLETE"
    assert application["job"]["name"] == "daily_revenue"
    saved = next(event for event in finished.events if event["job"]["name"].endswith("command.lake_revenue"))
    assert saved["run"]["runId"] in {child["runId"] for child in application["children"]}
    run = finished.ask(f"/v1/runs/{saved['run']['runId']}")
    assert run["state"] == "COMPLETE"
    assert run["parent"]["runId"] == finished.application
    assert {one["id"] for one in run["inputs"]} == {finished.table(name) for name in TABLES}
    assert {one["id"] for one in run["outputs"]} == {finished.table("revenue")}


def test_a_batch_read_keeps_the_offsets_that_were_pinned_and_says_where_an_end_was_left_open(finished):
    pinned, left_open, newer_way = offsets_kept(finished, "batch")
    assert pinned["partitions"] == [
        {"partition": number, "first": 0, "last": count - 1} for number, count in enumerate(IN_PARTITIONS) if count
    ]
    assert newer_way["partitions"] == pinned["partitions"]
    assert "open" not in pinned
    assert "open" not in newer_way
    assert left_open["partitions"] == []
    assert left_open["open"] == [0, 1, 2]


def test_the_micro_batches_of_a_stream_keep_offsets_that_meet_without_gap_or_overlap(finished):
    kept = offsets_kept(finished, "stream")
    assert [facet["query"]["batch"] for facet in kept] == list(range(len(kept)))
    assert len(kept) > 1
    assert len({facet["query"]["id"] for facet in kept}) == 1
    for number, count in enumerate(IN_PARTITIONS):
        spans = [span for facet in kept for span in facet["partitions"] if span["partition"] == number]
        read = [offset for span in spans for offset in range(span["first"], span["last"] + 1)]
        assert read == list(range(count))


def test_offsets_are_versions_of_the_topic_and_fit_the_schema_of_their_facet(finished):
    import jsonschema

    schema = json.loads(FACET_SCHEMA.read_text())
    del schema["allOf"]
    facets = offsets_kept(finished, "batch") + offsets_kept(finished, "stream")
    assert finished.said["sent"] == len(facets)
    for facet in facets:
        jsonschema.validate(facet, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**facets[0], "partitions": [{"partition": 0, "first": 3}]}, schema)
    topic = urllib.parse.quote(f"dataset:kafka://{finished.brokers}:clicks", safe="")
    versions = finished.ask(f"/v1/entities/{topic}")["namedVersions"]
    assert "0:0-4,2:0-6" in {version["version"] for version in versions}
