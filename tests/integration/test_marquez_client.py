"""The client library of Marquez, unchanged, with a real server: each of its methods that read."""

import httpx
import pytest
from live_server import running_server
from marquez_world import LAKE, SHOP, TEAM, all_events, run_id

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")
marquez_client = pytest.importorskip("marquez_client", reason="marquez-python is not installed")


@pytest.fixture(scope="module")
def marquez(tmp_path_factory):
    """The library's client of a server that was sent the small world over HTTP."""
    root = tmp_path_factory.mktemp("marquez")
    with running_server(root, args=("--init",)) as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        answer = httpx.post(f"{server.url}/api/v1/lineage/batch", json=all_events(), headers=headers, timeout=60)
        assert answer.json()["summary"]["successful"] == len(all_events())
        yield marquez_client.MarquezClient(server.url, timeout_ms=60_000, api_key=server.token)


CLEANED = (SHOP, "public.orders")


def versions_of(client):
    return client.list_dataset_versions(*CLEANED)["versions"]


def column_ids(graph):
    return {node["data"]["field"] for node in graph["graph"]}


READS = {
    "get_namespace": lambda c: c.get_namespace(TEAM)["name"] == TEAM,
    "list_namespaces": lambda c: SHOP in {one["name"] for one in c.list_namespaces(limit=10, offset=0)["namespaces"]},
    "list_events": lambda c: (len(c.list_events(limit=4)["events"]), len(c.list_events("reports")["events"])) == (4, 2),
    "get_source": lambda c: c.get_source(LAKE)["connectionUrl"] == LAKE,
    "list_sources": lambda c: len(c.list_sources()["sources"]) == 3,
    "get_dataset": lambda c: c.get_dataset(*CLEANED)["description"] == "All orders",
    "get_dataset_version": lambda c: (
        c.get_dataset_version(*CLEANED, versions_of(c)[0]["version"])["createdByRun"]["id"] == run_id(3)
    ),
    "list_dataset_versions": lambda c: len(versions_of(c)) == 2,
    "list_datasets": lambda c: (
        {d["name"] for d in c.list_datasets(LAKE)["datasets"]}
        == {
            "landing/orders",
            "landing/customers",
        }
    ),
    "get_job": lambda c: c.get_job("reports", "daily report")["latestRun"]["state"] == "FAILED",
    "list_jobs": lambda c: c.list_jobs("etl", limit=1)["totalCount"] == 2,
    "list_job_runs": lambda c: len(c.list_job_runs("etl", "clean.orders")["runs"]) == 2,
    "get_job_run": lambda c: c.get_job_run(run_id(1))["state"] == "COMPLETED",
    "get_column_lineage_by_dataset": lambda c: (
        column_ids(c.get_column_lineage_by_dataset(*CLEANED)) == {"id", "total", "amount"}
    ),
    "get_column_lineage_by_dataset_field": lambda c: (
        column_ids(c.get_column_lineage_by_dataset_field(*CLEANED, "total", with_downstream=True))
        == {"total", "amount", "weights"}
    ),
    "get_column_lineage_by_job": lambda c: "amount" in column_ids(c.get_column_lineage_by_job("etl", "clean.orders")),
    "list_tags": lambda c: "gold" in {tag["name"] for tag in c.list_tags()["tags"]},
}


@pytest.mark.parametrize("method", READS)
def test_each_method_that_reads_reads(marquez, method):
    assert READS[method](marquez)


def test_no_method_that_reads_was_forgotten():
    there = {name for name in dir(marquez_client.MarquezClient) if name.startswith(("get_", "list_"))}
    assert there == READS.keys()


def test_columns_of_a_version_are_those_of_its_time(marquez):
    [_, oldest] = versions_of(marquez)
    graph = marquez.get_column_lineage_by_dataset(*CLEANED, version=oldest["version"])
    assert column_ids(graph) == {"id", "total", "amount"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.get_dataset(SHOP, "nothing"),
        lambda c: c.get_namespace("nowhere"),
        lambda c: c.create_namespace("new", "me"),
        lambda c: c.tag_dataset(*CLEANED, "new"),
    ],
)
def test_what_is_not_there_or_would_write_is_an_api_error(marquez, ask):
    with pytest.raises(marquez_client.errors.APIError):
        ask(marquez)
