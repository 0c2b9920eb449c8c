"""What Marquez's web pages ask for, as they ask it, and what they read of the answers.

Each request is one that the pages' code makes (web/src/store/requests and who calls them, Marquez 0.51), with the
reason; each has the members that the pages read without asking first whether they are there.
"""

import pytest
from marquez_world import LAKE, SHOP, TEAM, run_id

RUN = {
    "id": str,
    "createdAt": str,
    "updatedAt": str,
    "state": str,
    "startedAt": (str, None),
    "endedAt": (str, None),
    "durationMs": (int, None),
    "facets": dict,
}
JOB = {
    "id": {"namespace": str, "name": str},
    "type": str,
    "name": str,
    "namespace": str,
    "createdAt": str,
    "updatedAt": str,
    "inputs": [{"namespace": str, "name": str}],
    "outputs": [{"namespace": str, "name": str}],
    "location": (str, None),
    "description": (str, None),
    "latestRun": RUN,
    "latestRuns": [RUN],
    "tags": [str],
    "parentJobName": (str, None),
}
FIELD = {"name": str, "type": (str, None), "tags": [str], "description": (str, None)}
DATASET = {
    "id": {"namespace": str, "name": str},
    "type": "DB_TABLE",
    "name": str,
    "physicalName": str,
    "namespace": str,
    "sourceName": str,
    "createdAt": str,
    "updatedAt": str,
    "fields": [FIELD],
    "tags": [str],
    "facets": dict,
    "deleted": bool,
}
VERSION = {
    "id": {"namespace": str, "name": str, "version": str},
    "version": str,
    "createdAt": str,
    "fields": [FIELD],
    "facets": dict,
    "createdByRun": RUN,
    "lifecycleState": (str, None),
}
EDGE = {"origin": str, "destination": str}
NODE = {"id": str, "type": str, "inEdges": [EDGE], "outEdges": [EDGE]}
COLUMN = NODE | {"data": {"namespace": str, "dataset": str, "field": str, "inputFields": [{"field": str}]}}
GROWTH = [{"startInterval": str, "endInterval": str, "count": int}, ...]
COUNTS = [{"startInterval": str, "endInterval": str} | dict.fromkeys(("start", "complete", "fail", "abort"), int), ...]
EVENT = {
    "eventType": str,
    "eventTime": str,
    "run": {"runId": str},
    "job": {"namespace": str, "name": str},
}
FOUND = {"name": str, "namespace": str, "nodeId": str, "type": str, "updatedAt": str}
SHOP_IN_PATH, LAKE_IN_PATH = "postgres%3A%2F%2Fdb.example%3A5432", "s3%3A%2F%2Flake"

REQUESTS = [
    ("every page, for its list of namespaces", "namespaces", {"namespaces": [{"name": str}, ...]}),
    ("every page, for the tags to choose from", "tags", {"tags": [{"name": str, "description": (str, None)}, ...]}),
    ("dashboard, its graph", "stats/lineage-events?period=DAY&timezone=Europe/Paris", COUNTS),
    ("dashboard, its graph of a week", "stats/lineage-events?period=WEEK&timezone=America/New_York", COUNTS),
    ("dashboard, at its side", "stats/jobs?period=DAY&timezone=UTC", GROWTH),
    ("dashboard, at its side", "stats/datasets?period=WEEK&timezone=UTC", GROWTH),
    ("dashboard, at its side", "stats/sources?period=WEEK&timezone=Asia/Kolkata", GROWTH),
    ("dashboard, its jobs", "jobs?limit=10&offset=0", {"jobs": [JOB, ...], "totalCount": int}),
    ("dashboard, its jobs that failed", "jobs?limit=10&offset=0&lastRunStates=FAILED", {"jobs": [JOB, ...]}),
    ("jobs", "namespaces/etl/jobs?limit=20&offset=0", {"jobs": [JOB, ...], "totalCount": int}),
    (
        "data sets",
        f"namespaces/{SHOP_IN_PATH}/datasets?limit=20&offset=0",
        {"datasets": [DATASET, ...], "totalCount": int},
    ),
    (
        "events, of a day",
        "events/lineage?limit=50&before=2026-11-20T23:59:59.000Z&after=2026-11-20T00:00:00.000Z&offset=0&sortDirection=desc",
        {"events": [EVENT, ...], "totalCount": int},
    ),
    ("lineage of a job", "lineage?nodeId=job:etl:clean.orders&depth=2", {"graph": [NODE | {"data": dict}, ...]}),
    (
        "lineage of a data set, whose name is encoded in the query",
        f"lineage?nodeId=dataset:{LAKE_IN_PATH}:landing%2Forders&depth=2",
        {"graph": [NODE | {"data": dict}, ...]},
    ),
    (
        "lineage of a data set with spaces and colons",
        "lineage?nodeId=dataset:ml%2Fteam%3Aa:eta%20model&depth=2",
        {"graph": [NODE | {"data": dict}, ...]},
    ),
    (
        "column lineage",
        f"column-lineage?nodeId=dataset:{SHOP_IN_PATH}:public.orders&depth=2&withDownstream=true",
        {"graph": [COLUMN, ...]},
    ),
    ("job in the drawer", "namespaces/etl/jobs/clean.orders", JOB),
    ("its latest runs", "namespaces/etl/jobs/clean.orders/runs?limit=14&offset=0", {"runs": [RUN, ...]}),
    ("its history", "namespaces/etl/jobs/clean.orders/runs?limit=10&offset=0", {"runs": [RUN, ...], "totalCount": int}),
    ("facets of its latest run", f"jobs/runs/{run_id(3)}/facets?type=job", {"runId": str, "facets": dict}),
    ("facets of its latest run", f"jobs/runs/{run_id(3)}/facets?type=run", {"runId": str, "facets": dict}),
    ("data set in the drawer", f"namespaces/{SHOP_IN_PATH}/datasets/public.orders", DATASET),
    (
        "its history",
        f"namespaces/{SHOP_IN_PATH}/datasets/public.orders/versions?limit=10&offset=0",
        {"versions": [VERSION, ...], "totalCount": int},
    ),
    ("search", "search?q=or&sort=UPDATE_AT&limit=100", {"results": [FOUND, ...], "totalCount": int}),
    ("search among jobs, by name", "search?q=or&sort=NAME&limit=100&filter=JOB", {"results": [FOUND, ...]}),
]


def holds(value, form):
    """Whether a value has this form: a type, one of several, a text, an object with members, an array of a form,
    and with `...` of at least one."""
    match form:
        case None:
            return value is None
        case tuple():
            return any(holds(value, one) for one in form)
        case dict():
            return isinstance(value, dict) and all(key in value and holds(value[key], form[key]) for key in form)
        case [one, *more]:
            return isinstance(value, list) and bool(value or not more) and all(holds(item, one) for item in value)
        case str():
            return value == form
        case _:
            return type(value) is form


@pytest.mark.parametrize(("reason", "request_path", "form"), REQUESTS)
def test_each_request_of_the_pages_is_answered_in_the_form_that_they_read(world, reason, request_path, form):
    answer = world.client.get(f"/api/v1/{request_path}")
    assert answer.status_code == 200, reason
    assert holds(answer.json(), form), (reason, answer.text[:3000])


def test_the_forms_are_not_empty_words():
    assert holds({"id": {"namespace": LAKE, "name": TEAM}}, {"id": {"namespace": str, "name": str}})
    for value in ({"id": {"namespace": SHOP}}, {"id": None}, {}, []):
        assert not holds(value, {"id": {"namespace": str, "name": str}})
    assert holds([], [{"name": str}])
    assert not holds([], [{"name": str}, ...])
    assert not holds([{"name": 1}], [{"name": str}])
    assert not holds(True, int)


@pytest.mark.parametrize("kind", ["jobs", "datasets"])
def test_the_advanced_search_is_answered_in_the_form_that_it_reads(world, kind):
    found = world(f"/api/v2beta/search/{kind}", q="or")
    hit = {"run_id": (str, None), "name": str, "namespace": str, "eventType": str, "facets": dict}
    assert holds(
        found, {"hits": [hit | ({"runFacets": dict} if kind == "jobs" else {}), ...], "highlights": [dict, ...]}
    )
    assert len(found["hits"]) == len(found["highlights"])


def test_nodes_of_a_graph_carry_what_the_drawing_reads(world):
    """It reads the same members of a node as of a job or a data set, save facets."""
    for node in world("/api/v1/lineage", nodeId="job:etl:clean.orders")["graph"]:
        of = JOB | {"simpleName": str} if node["type"] == "JOB" else DATASET
        form = {
            key: of[key] for key in of if key not in ("facets", "deleted", "latestRuns", "inputs", "outputs", "fields")
        }
        assert holds(node["data"], form), node
