"""The index follows the views: asked after each event or once after all, it says the same."""

import contextlib

import pytest
from marquez_world import (
    CLEAN,
    CLEANING,
    CUSTOMERS,
    LAKE,
    SHOP,
    TEAM,
    all_events,
    dataset,
    facet,
    path,
    record,
    run_event,
    run_id,
)
from starlette.testclient import TestClient

from wherefrom.archive import Archive
from wherefrom.archive.granting import make_first_admin
from wherefrom.server.app import close_app, make_app

PATHS = [
    path("namespaces"),
    path("sources"),
    path("jobs"),
    path("jobs") + "?lastRunStates=COMPLETED&lastRunStates=FAILED",
    *(path("namespaces", namespace, "datasets") for namespace in (LAKE, SHOP, TEAM)),
    path("namespaces", SHOP, "datasets", "public.orders", "versions"),
    path("namespaces", "etl", "jobs", "clean.orders", "versions"),
    path("namespaces", "etl", "jobs", "train", "runs"),
    path("jobs", "runs", run_id(3)),
    path("events", "lineage") + "?sortDirection=asc&kind=all",
    path("lineage") + "?nodeId=job:etl:train",
    path("column-lineage") + f"?nodeId=dataset:{TEAM}:eta model",
    path("runlineage", "upstream") + f"?runId={run_id(5)}",
    path("search") + "?q=e",
    "/api/v2beta/search/jobs?q=e",
]


@contextlib.contextmanager
def asking(archive):
    """`ask()` gives all answers of an application of its own."""
    token = make_first_admin(archive)
    app = make_app(archive)
    client = TestClient(app, headers={"Authorization": f"Bearer {token}"})

    def ask():
        answers = {asked: client.get(asked) for asked in PATHS}
        assert {answer.status_code for answer in answers.values()} <= {200, 404}
        return {asked: answer.json().get("message") or answer.json() for asked, answer in answers.items()}

    try:
        yield ask
    finally:
        close_app(app)


def test_asked_after_each_event_or_once_it_says_the_same(archive, tmp_path):
    (tmp_path / "other").mkdir()
    with contextlib.closing(Archive.init(tmp_path / "other")) as other, asking(archive) as ask, asking(other) as once:
        for event in all_events():
            record(archive, event)
            seen = ask()
        record(other, *all_events())
        assert once() == seen
        archive.rebuild()
        assert ask() == seen
        assert seen[path("jobs")]["totalCount"] == 3


def test_on_postgresql_it_says_the_same(archive, tmp_path, postgresql_url):
    (tmp_path / "other").mkdir()
    there = Archive.init(tmp_path / "other", database_url=postgresql_url)
    with contextlib.closing(there), asking(archive) as ask, asking(there) as ask_there:
        for one in (archive, there):
            record(one, *all_events())
        assert ask_there() == ask()


def test_what_was_dropped_is_not_listed_until_it_is_spoken_of_again(archive, changing):
    orders = path("namespaces", SHOP, "datasets", "public.orders")
    dropped = dataset(SHOP, "public.orders", lifecycleStateChange=facet(lifecycleStateChange="DROP"))
    record(archive, run_event("COMPLETE", 9, 200, CLEANING, [CUSTOMERS], [dropped]))
    assert changing(path("namespaces", SHOP, "datasets"))["totalCount"] == 0
    assert changing.client.get(orders).status_code == 404
    assert changing(path("search"), q="public.orders")["results"] == []
    record(archive, run_event("COMPLETE", 10, 300, CLEANING, [CUSTOMERS], [CLEAN]))
    assert changing(orders)["name"] == "public.orders"
    assert changing(path("namespaces", SHOP, "datasets"))["totalCount"] == 1


@pytest.mark.parametrize("times", [1, 3])
def test_an_event_that_comes_again_changes_nothing(archive, changing, times):
    before = changing(path("jobs"))
    for _ in range(times):
        record(archive, *all_events())
    assert changing(path("jobs")) == before
