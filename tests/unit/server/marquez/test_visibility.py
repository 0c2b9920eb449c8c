"""A viewer of some namespaces learns nothing of the others through Marquez's API, names included."""

import pytest
from marquez_world import LAKE, SHOP, TEAM, all_events, columns, dataset, facet, job, path, record, run_event, run_id

OPEN, SECRET = "etl", "top-secret"
EVERYTHING = [
    path("namespaces"),
    path("sources"),
    path("jobs"),
    path("tags"),
    path("events"),
    path("events", "lineage") + "?kind=all&limit=1000",
    path("events", OPEN),
    path("namespaces", OPEN, "jobs"),
    path("namespaces", OPEN, "jobs", "join"),
    path("namespaces", OPEN, "jobs", "join", "versions"),
    path("namespaces", OPEN, "jobs", "join", "runs"),
    path("jobs", "runs", run_id(20)),
    path("jobs", "runs", run_id(20), "facets") + "?type=run",
    path("jobs", "runs", run_id(20), "facets") + "?type=job",
    path("namespaces", SHOP, "datasets"),
    path("namespaces", SHOP, "datasets", "mixed"),
    path("namespaces", SHOP, "datasets", "mixed", "versions"),
    path("namespaces", SHOP, "datasets", "made", "versions"),
    path("lineage") + "?nodeId=job:etl:join",
    path("lineage") + f"?nodeId=dataset:{SHOP}:made",
    path("column-lineage") + f"?nodeId=dataset:{SHOP}:mixed&withDownstream=true",
    path("runlineage", "upstream") + f"?runId={run_id(20)}",
    path("search") + "?q=e&limit=1000",
    path("search") + f"?q=e&namespace={SECRET}",
    "/api/v2beta/search/jobs?q=e",
    "/api/v2beta/search/datasets?q=e",
]
HIDDEN = [
    path("namespaces", SECRET),
    path("namespaces", SECRET, "jobs"),
    path("namespaces", SECRET, "datasets"),
    path("namespaces", SECRET, "jobs", "hush-job"),
    path("namespaces", SECRET, "jobs", "hush-job", "runs"),
    path("namespaces", SECRET, "datasets", "hush-data"),
    path("namespaces", SECRET, "datasets", "hush-data", "versions"),
    path("events", SECRET),
    path("sources", SECRET),
    path("jobs", "runs", run_id(21)),
    path("jobs", "runs", run_id(21), "facets") + "?type=run",
    path("lineage") + f"?nodeId=job:{SECRET}:hush-job",
    path("lineage") + f"?nodeId=dataset:{SECRET}:hush-data",
    path("column-lineage") + f"?nodeId=datasetField:{SECRET}:hush-data:a",
    path("runlineage", "upstream") + f"?runId={run_id(21)}",
]


def secrets():
    """Events that mix what is open with what is not, in every place where a namespace can stand."""
    tag = {"tags": facet(tags=[{"key": "hush-tag", "value": "true", "source": "x"}])}
    hush = dataset(SECRET, "hush-data", **tag)
    from_hush = columns(a=(SECRET, "hush-data", "hush-column"))
    mixed = dataset(SHOP, "mixed", columnLineage=from_hush)
    parent = facet(run={"runId": run_id(30)}, job={"namespace": SECRET, "name": "hush-parent"})
    joining = job(OPEN, "join", peers=facet(of=[{"namespace": SECRET, "name": "hush-peer"}]))
    hush_job = job(SECRET, "hush-job")
    return [
        run_event("COMPLETE", 20, 300, joining, [hush, dataset(LAKE, "fine")], [mixed], parent=parent),
        run_event("COMPLETE", 21, 310, hush_job, [mixed], [dataset(SHOP, "made", columnLineage=from_hush)]),
        run_event("COMPLETE", 22, 320, job(OPEN, "after"), [dataset(SHOP, "made")]),
    ]


@pytest.fixture
def viewer(archive, app, make_token, as_bearer):
    """`viewer(path)` is what somebody is answered who sees all of these namespaces but one."""
    from starlette.testclient import TestClient

    record(archive, *all_events(), *secrets())
    for namespace in (OPEN, "reports", LAKE, SHOP, TEAM):
        token = make_token("viewer", namespace, principal="service:viewer")
    headers = as_bearer(token)
    opened = TestClient(app, raise_server_exceptions=False)
    return lambda asked: opened.get(asked, headers=headers)


def test_nothing_that_is_given_names_what_may_not_be_seen(viewer):
    said = {asked: viewer(asked) for asked in EVERYTHING}
    assert {asked: answer.status_code for asked, answer in said.items() if answer.status_code != 200} == {}
    assert [asked for asked, answer in said.items() if SECRET in answer.text or "hush" in answer.text] == []
    assert "join" in said[path("jobs")].text  # and yet there is something to see
    assert said[path("events")].json()["totalCount"] == 10


def test_what_may_not_be_seen_is_answered_as_what_is_not_there(viewer):
    answers = {asked: viewer(asked) for asked in HIDDEN}
    assert {asked: answer.status_code for asked, answer in answers.items() if answer.status_code != 404} == {}
    absent = viewer(path("namespaces", "not-there", "jobs", "hush-job")).json()
    there = answers[path("namespaces", SECRET, "jobs", "hush-job")].json()
    assert (absent["code"], absent["message"]) == (there["code"], there["message"])


def test_what_lies_beyond_the_border_is_a_node_without_a_name(viewer):
    graph = {node["id"]: node for node in viewer(path("lineage") + "?nodeId=job:etl:join").json()["graph"]}
    opaque = sorted(node for node in graph if "opaque" in node)
    assert [node.partition(":hidden-")[0] for node in opaque] == ["dataset:opaque", "job:opaque"]
    assert {edge["origin"] for edge in graph["job:etl:join"]["inEdges"]} == {opaque[0], f"dataset:{LAKE}:fine"}
    assert graph[f"dataset:{SHOP}:mixed"]["outEdges"] == [{"origin": f"dataset:{SHOP}:mixed", "destination": opaque[1]}]
    assert graph[opaque[0]]["data"].keys() >= {"id", "type", "name", "namespace", "fields", "tags", "updatedAt"}
    assert f"dataset:{SHOP}:made" not in graph  # the way there leads through what is hidden


def test_pages_of_events_stay_whole_when_some_may_not_be_seen(viewer):
    pages = [viewer(path("events") + f"?limit=4&offset={offset}").json() for offset in (0, 4, 8)]
    assert [len(page["events"]) for page in pages] == [4, 4, 2]
    assert {page["totalCount"] for page in pages} == {10}


def test_nobody_is_answered_without_a_token(archive, app):
    from starlette.testclient import TestClient

    answer = TestClient(app, raise_server_exceptions=False).get(path("namespaces"))
    assert (answer.status_code, answer.json()["code"]) == (401, 401)
