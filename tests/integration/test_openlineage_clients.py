"""The real `openlineage-python` with its HTTP transports, against a live server."""
# ruff: noqa: S310 - loopback

import json
import urllib.request
import uuid

import pytest
from live_server import DEADLINE_S, running_server

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")
pytest.importorskip("openlineage.client", reason="needs openlineage-python")

STATES = ("START", "RUNNING", "COMPLETE")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("served"), args=("--init",)) as running:
        yield running


def stored(server):
    """The events that the server has, by run and type."""
    found, start = {}, 0
    while start is not None:
        page = ask(server, f"/v1/statements?limit=500&from={start}")
        for one in page["statements"]:
            if one["kind"] in {"RunEvent", "JobEvent", "DatasetEvent"}:
                event = ask(server, f"/v1/statements/{one['index']}/event")
                found[event.get("run", {}).get("runId"), event.get("eventType"), one["kind"]] = event
        start = page["next"]
    return found


def ask(server, path):
    request = urllib.request.Request(f"{server.url}{path}", headers={"Authorization": f"Bearer {server.token}"})
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
        return json.loads(reply.read())


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("kind", ["http", "async_http"])
@pytest.mark.filterwarnings("ignore")  # of the client's own libraries
def test_what_the_client_emits_is_recorded(server, kind, compression):
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import Dataset, DatasetEvent, Job, JobEvent, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import schema_dataset

    transport = {"type": kind, "url": server.url, "auth": {"type": "api_key", "apiKey": server.token}}
    transport |= {"timeout": DEADLINE_S, **({"compression": compression} if compression else {})}
    client = OpenLineageClient(config={"transport": transport})
    producer = "https://example.com/producer"
    table = Dataset(
        namespace="postgres://db:5432",
        name="shop.public.orders",
        facets={"schema": schema_dataset.SchemaDatasetFacet(fields=[schema_dataset.SchemaDatasetFacetFields("id")])},
    )
    job, runs = Job(namespace="shop", name=f"job-{kind}-{compression}"), [str(uuid.uuid4()) for _ in range(5)]
    for state in STATES:
        for run_id in runs:
            client.emit(
                RunEvent(
                    eventType=RunState[state],
                    eventTime="2026-11-21T08:00:00Z",
                    run=Run(runId=run_id),
                    job=job,
                    producer=producer,
                    inputs=[table],
                    outputs=[Dataset(namespace="file", name="/out")],
                )
            )
    client.emit(DatasetEvent(eventTime="2026-11-21T08:00:00Z", producer=producer, dataset=table))
    client.emit(JobEvent(eventTime="2026-11-21T08:00:00Z", producer=producer, job=job, inputs=[table]))
    client.close(timeout=DEADLINE_S)
    found = stored(server)
    for run_id in runs:
        for state in STATES:
            event = found[run_id, state, "RunEvent"]
            assert event["job"]["name"] == job.name
            assert event["inputs"][0]["facets"]["schema"]["fields"][0]["name"] == "id"
    assert {kind for _, _, kind in found} == {"RunEvent", "JobEvent", "DatasetEvent"}


@pytest.mark.filterwarnings("ignore")
def test_a_wrong_token_is_an_error_there(server):
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    auth = {"type": "api_key", "apiKey": "wft_wrong"}
    client = OpenLineageClient(config={"transport": {"type": "http", "url": server.url, "auth": auth}})
    event = RunEvent(
        eventType=RunState.START,
        eventTime="2026-11-21T08:00:00Z",
        run=Run(runId=str(uuid.uuid4())),
        job=Job(namespace="shop", name="x"),
        producer="https://example.com/producer",
    )
    with pytest.raises(Exception, match="401"):
        client.emit(event)
    client.close(timeout=DEADLINE_S)
