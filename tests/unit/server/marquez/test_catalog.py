"""Namespaces, data sets, jobs and runs, as Marquez's clients read them."""

import pytest
from marquez_world import CLEANING, LAKE, SHOP, TEAM, path, record, run_event, run_id

UUID = "00000000-0000-5000-8000-000000000000"


def test_a_data_set_is_given_as_marquez_gives_it(world):
    found = world(path("namespaces", SHOP, "datasets", "public.orders"))
    facets, version = found.pop("facets"), found.pop("currentVersion")
    assert facets.keys() == {"schema", "columnLineage", "documentation", "tags"}
    assert len(version) == len(UUID)
    source = {
        "namespace": LAKE,
        "dataset": "landing/orders",
        "transformationDescription": "as it is",
        "transformationType": "DIRECT:IDENTITY",
    }
    said = {"transformationDescription": "as it is", "transformationType": "DIRECT:IDENTITY"}
    assert found == {
        "id": {"namespace": SHOP, "name": "public.orders"},
        "type": "DB_TABLE",
        "name": "public.orders",
        "physicalName": "public.orders",
        "createdAt": "2026-11-20T08:05:00.000000Z",
        "updatedAt": "2026-11-20T09:20:00.000000Z",
        "namespace": SHOP,
        "sourceName": SHOP,
        "fields": [
            {"name": "id", "type": "INTEGER", "tags": ["pii:low"], "description": None},
            {"name": "total", "type": "INTEGER", "tags": [], "description": None},
        ],
        "tags": ["gold"],
        "lastModifiedAt": "2026-11-20T09:04:00.000000Z",
        "lastLifecycleState": None,
        "description": "All orders",
        "columnLineage": [
            {"name": "id", "inputFields": [{**source, "field": "id"}], **said},
            {"name": "total", "inputFields": [{**source, "field": "amount"}], **said},
        ],
        "deleted": False,
    }


def test_a_run_is_given_as_marquez_gives_it(world):
    found = world(path("jobs", "runs", run_id(1)))
    versions = world(path("namespaces", SHOP, "datasets", "public.orders", "versions"))["versions"]
    job = world(path("namespaces", "etl", "jobs", "clean.orders", "versions"))["versions"]
    facets = found.pop("facets")
    read = found.pop("inputDatasetVersions")
    assert list(facets) == ["nominalTime"]
    assert [{**one["datasetVersionId"], "version": ""} for one in read] == [
        {"namespace": LAKE, "name": "landing/orders", "version": ""}
    ]
    assert found == {
        "id": run_id(1),
        "createdAt": "2026-11-20T08:00:00.000000Z",
        "updatedAt": "2026-11-20T08:05:00.000000Z",
        "nominalStartTime": "2026-11-20T08:00:00.000000Z",
        "nominalEndTime": None,
        "state": "COMPLETED",
        "startedAt": "2026-11-20T08:00:00.000000Z",
        "endedAt": "2026-11-20T08:05:00.000000Z",
        "durationMs": 300_000,
        "args": {},
        "jobVersion": {"namespace": "etl", "name": "clean.orders", "version": job[1]["version"]},
        "outputDatasetVersions": [{"datasetVersionId": versions[1]["id"], "facets": {}}],
    }


def test_a_job_is_given_with_its_latest_run_and_what_that_reads_and_writes(world):
    found = world(path("namespaces", "etl", "jobs", "clean.orders"))
    assert found["latestRun"]["id"] == run_id(3)
    assert [run["id"] for run in found["latestRuns"]] == [run_id(3), run_id(1)]
    assert found["inputs"] == [
        {"namespace": LAKE, "name": "landing/customers"},
        {"namespace": LAKE, "name": "landing/orders"},
    ]
    assert found["outputs"] == [{"namespace": SHOP, "name": "public.orders"}]
    plain = {key: found[key] for key in ("id", "type", "location", "description", "tags", "labels", "parentJobName")}
    assert plain == {
        "id": {"namespace": "etl", "name": "clean.orders"},
        "type": "BATCH",
        "location": "https://git.example/etl",
        "description": "Cleans orders",
        "tags": [],
        "labels": [],
        "parentJobName": None,
    }
    assert found["currentVersion"] == found["latestRun"]["jobVersion"]["version"]


def test_a_link_that_a_page_would_run_is_not_given(archive, changing):
    harmful = CLEANING | {"facets": {"sourceCodeLocation": {"type": "git", "url": "javascript:alert(1)"}}}
    record(archive, run_event("COMPLETE", 9, 200, harmful))
    assert changing(path("namespaces", "etl", "jobs", "clean.orders"))["location"] is None


def test_jobs_are_listed_by_when_they_were_heard_of(world):
    found = world(path("jobs"))
    assert [job["name"] for job in found["jobs"]] == ["train", "daily report", "clean.orders"]
    assert found["totalCount"] == 3
    page = world(path("jobs"), limit=1, offset=1)
    assert [job["name"] for job in page["jobs"]] == ["daily report"]
    assert page["totalCount"] == 3
    assert [job["name"] for job in world(path("namespaces", "etl", "jobs"))["jobs"]] == ["train", "clean.orders"]


@pytest.mark.parametrize(
    ("state", "names"),
    [("FAILED", ["daily report"]), ("RUNNING", ["train"]), ("COMPLETED", ["clean.orders"]), ("ABORTED", [])],
)
def test_jobs_are_listed_by_how_their_latest_run_stands(world, state, names):
    assert [job["name"] for job in world(path("jobs"), lastRunStates=state)["jobs"]] == names


def test_namespaces_and_sources_are_listed_by_name(world):
    names = [one["name"] for one in world(path("namespaces"))["namespaces"]]
    assert names == sorted(["etl", "reports", LAKE, SHOP, TEAM])
    assert world(path("namespaces", TEAM)) == {
        "name": TEAM,
        "createdAt": "2026-11-20T08:20:00.000000Z",
        "updatedAt": "2026-11-20T08:20:00.000000Z",
        "ownerName": "anonymous",
        "description": None,
        "isHidden": False,
    }
    assert [one["name"] for one in world(path("sources"))["sources"]] == sorted([LAKE, SHOP, TEAM])
    assert world(path("sources", SHOP))["type"] == "POSTGRES"


def test_names_with_slashes_colons_and_spaces_are_found(archive, changing):
    name = "a/b%2F?#:c d/ü"
    record(archive, run_event("COMPLETE", 9, 200, CLEANING, [], [{"namespace": TEAM, "name": name}]))
    assert changing(path("namespaces", TEAM, "datasets", name))["name"] == name
    assert changing(path("namespaces", TEAM, "datasets", name, "versions"))["totalCount"] == 1
    assert [one["name"] for one in changing(path("namespaces", TEAM, "datasets"))["datasets"]] == [name, "eta model"]


@pytest.mark.parametrize(
    "parts",
    [
        ("namespaces", "nowhere"),
        ("namespaces", "nowhere", "jobs"),
        ("namespaces", "nowhere", "datasets"),
        ("namespaces", SHOP, "datasets", "nothing"),
        ("namespaces", SHOP, "datasets", "public.orders", "versions", UUID),
        ("namespaces", "etl", "jobs", "nothing"),
        ("namespaces", "etl", "jobs", "train", "versions", UUID),
        ("namespaces", "etl", "jobs", "\0"),
        ("jobs", "runs", UUID),
        ("jobs", "runs", "no-uuid"),
        ("sources", "etl"),
        ("events", "nowhere"),
    ],
)
def test_what_is_not_there_is_answered_in_marquez_words_and_ours(world, parts):
    answer = world.client.get(path(*parts))
    assert answer.status_code == 404
    body = answer.json()
    assert body["code"] == 404
    assert body["message"] == body["error"]["message"]


def test_a_job_version_is_a_set_of_inputs_and_outputs(world):
    found = world(path("namespaces", "etl", "jobs", "clean.orders", "versions"))
    assert [len(one["inputs"]) for one in found["versions"]] == [2, 1]
    assert [one["latestRun"]["id"] for one in found["versions"]] == [run_id(3), run_id(1)]
    oldest = found["versions"][1]
    assert world(path("namespaces", "etl", "jobs", "clean.orders", "versions", oldest["version"])) == oldest


def test_the_runs_of_a_job_are_given_by_page_the_newest_first(world):
    runs = path("namespaces", "etl", "jobs", "clean.orders", "runs")
    assert [run["id"] for run in world(runs)["runs"]] == [run_id(3), run_id(1)]
    page = world(runs, limit=1, offset=1)
    assert ([run["id"] for run in page["runs"]], page["totalCount"]) == ([run_id(1)], 2)


def test_facets_of_a_run_and_of_its_job_are_given_apart(world):
    facets = path("jobs", "runs", run_id(1), "facets")
    assert world(facets, type="run")["facets"].keys() == {"nominalTime"}
    assert world(facets, type="job") == {"runId": run_id(1), "facets": CLEANING["facets"]}


def test_tags_are_those_that_facets_give(world):
    assert [tag["name"] for tag in world(path("tags"))["tags"]] == ["gold", "pii:low"]


def test_search_finds_any_part_of_a_name_whatever_its_case(world):
    found = world(path("search"), q="ORDER")
    assert [(one["type"], one["nodeId"]) for one in found["results"]] == [
        ("JOB", "job:etl:clean.orders"),
        ("DATASET", f"dataset:{LAKE}:landing/orders"),
        ("DATASET", f"dataset:{SHOP}:public.orders"),
    ]
    assert found["totalCount"] == 3
    assert [one["type"] for one in world(path("search"), q="order", filter="JOB")["results"]] == ["JOB"]
    newest = world(path("search"), q="r", sort="UPDATE_AT", limit=2)["results"]
    assert [one["updatedAt"] for one in newest] == ["2026-11-20T09:20:00.000000Z"] * 2
    assert world(path("search"), q="%")["results"] == []
    assert world(path("search"), q="order", namespace=LAKE, after="2026-11-21")["results"] == []


def test_the_search_of_the_beta_api_marks_what_was_found(world):
    jobs = world("/api/v2beta/search/jobs", q="CLEAN")
    assert (jobs["hits"][0]["run_id"], jobs["hits"][0]["eventType"]) == (run_id(3), "COMPLETE")
    assert jobs["highlights"] == [{"name": ["<em>clean</em>.orders"]}]
    datasets = world("/api/v2beta/search/datasets", q="eta")
    assert datasets["hits"][0]["facets"].keys() == {"columnLineage"}


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        ("PUT", ("namespaces", "etl")),
        ("DELETE", ("namespaces", "etl", "jobs", "train")),
        ("DELETE", ("namespaces", SHOP, "datasets", "public.orders")),
        ("POST", ("namespaces", "etl", "jobs", "train", "tags", "x")),
        ("POST", ("namespaces", SHOP, "datasets", "public.orders", "fields", "id", "tags", "x")),
        ("POST", ("jobs", "runs", run_id(1), "complete")),
        ("PUT", ("tags", "x")),
    ],
)
def test_nothing_is_written_through_marquez_api(world, method, parts):
    before = world(path("jobs"))
    answer = world.client.request(method, path(*parts), headers={"X-Wherefrom": "1"})
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, 405, "GET")
    assert world(path("jobs")) == before
