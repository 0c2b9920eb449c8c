"""Every example of OpenLineage's own repositories, over HTTP: taken, given back byte for byte, and understood.

The scenarios are the consumer scenarios of OpenLineage/compatibility-tests; what they should come to, in the form of
its validations (processes, runs, lineage_events, links), is in tests/vectors/openlineage/scenarios_expected.json.
"""

import json
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[2] / "vectors" / "openlineage"
EXAMPLES = sorted(path for path in (VECTORS / "examples").iterdir() if path.suffix in {".json", ".jsonl"})
SCENARIOS = json.loads((VECTORS / "scenarios_expected.json").read_text())
FINAL = {"COMPLETE": "COMPLETED", "FAIL": "FAILED", "ABORT": "ABORTED"}


def events_of(path):
    """The events of a file, each as its bytes."""
    data = path.read_bytes()
    return [line for line in data.splitlines() if line.strip()] if path.suffix == ".jsonl" else [data.strip()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_taken_and_comes_back_byte_for_byte(client, path):
    for event in events_of(path):
        reply = client.post("/api/v1/lineage", content=event)
        assert reply.status_code in {200, 201}, reply.text
        said = reply.json()
        assert client.get(f"/v1/statements/{said['index']}/event").content == event
        listed = client.get("/api/v1/events/lineage", params={"limit": 100, "kind": "all"}).content
        assert event in listed
        strict = client.post("/api/v1/lineage", content=event, params={"strict": "true"})
        if said["marks"]:
            assert strict.status_code == 422
            assert strict.json()["error"]["path"] == said["marks"][0]["path"]
        else:
            assert strict.status_code in {200, 422}


def test_all_of_them_in_one_batch_keep_their_bytes(client, archive):
    events, size = [event for path in EXAMPLES for event in events_of(path)], archive.size()
    answer = client.post("/api/v1/lineage/batch", content=b"[" + b" ,\n".join(events) + b"]").json()
    assert (answer["status"], answer["summary"]["received"]) == ("success", len(events))
    distinct = list(dict.fromkeys(events))
    assert [client.get(f"/v1/statements/{size + i}/event").content for i in range(len(distinct))] == distinct


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_consumer_scenario_comes_to_what_is_expected(client, name):
    files = sorted((VECTORS / "scenarios" / name).glob("*.json"))
    bodies = [path.read_bytes() for path in files]
    answer = client.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies) + b"]").json()
    assert answer["status"] == "success", answer
    events, wanted = [json.loads(body) for body in bodies], SCENARIOS[name]
    # processes
    for namespace, jobs in wanted["processes"].items():
        there = client.get(f"/api/v1/namespaces/{namespace}/jobs", params={"limit": 100}).json()["jobs"]
        assert set(jobs) <= {job["name"] for job in there}
        assert {job["name"] for job in there} >= {
            e["job"]["name"] for e in events if e["job"]["namespace"] == namespace
        }
    # runs
    last = {}
    for event in sorted(events, key=lambda event: event["eventTime"]):
        if event["eventType"] in FINAL:
            last[event["run"]["runId"], event["job"]["namespace"], event["job"]["name"]] = FINAL[event["eventType"]]
    for (run_id, namespace, job), state in last.items():
        runs = client.get(f"/api/v1/namespaces/{namespace}/jobs/{job}/runs").json()["runs"]
        assert {run["id"]: run["state"] for run in runs}[run_id] == state
    # lineage_events
    listed = client.get("/api/v1/events/lineage", params={"limit": 100, "kind": "all"}).content
    assert all(body.strip() in listed for body in bodies)
    # links
    assert find_links(client, wanted["links"]) == {tuple(link) for link in wanted["links"]}


def find_links(client, wanted):
    """All links between data sets, through a job, that can be reached from those wanted."""
    found = set()
    for name in {end for link in wanted for end in link}:
        node = "dataset:" + name.replace(" ", ":", 1)
        graph = client.get("/api/v1/lineage", params={"nodeId": node, "depth": 20}).json()["graph"]
        for job in (node for node in graph if node["type"] == "JOB"):
            sources = [edge["origin"] for edge in job["inEdges"]]
            targets = [edge["destination"] for edge in job["outEdges"]]
            found |= {(readable(source), readable(target)) for source in sources for target in targets}
    return found


def readable(node):
    """`namespace name` of a node id, whose namespace may have colons in it."""
    body = node.removeprefix("dataset:")
    namespace, _, name = body.rpartition(":")
    return f"{namespace} {name}"
