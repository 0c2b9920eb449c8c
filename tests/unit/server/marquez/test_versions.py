"""Versions of data sets: one for each run that wrote, and which one a run read."""

import contextlib

from marquez_world import CLEAN, CLEANING, LAKE, SHOP, all_events, path, record, run_event, run_id

from wherefrom.archive import Archive
from wherefrom.server.marquez.reading import open_reader
from wherefrom.server.marquez.runs import written_versions

CLEANED = ("namespaces", SHOP, "datasets", "public.orders")


def test_each_run_that_wrote_made_a_version(world):
    found = world(path(*CLEANED, "versions"))
    assert found["totalCount"] == 2
    assert [one["createdByRun"]["id"] for one in found["versions"]] == [run_id(3), run_id(1)]
    newest = found["versions"][0]
    assert newest["version"] == world(path(*CLEANED))["currentVersion"]
    assert newest["createdAt"] == "2026-11-20T09:04:00.000000Z"
    assert [field["name"] for field in newest["fields"]] == ["id", "total"]
    assert world(path(*CLEANED, "versions"), limit=1, offset=1)["versions"] == found["versions"][1:]
    assert world(path(*CLEANED, "versions", newest["version"])) == newest


def test_a_run_read_the_version_that_was_there_when_it_began(world):
    oldest = world(path(*CLEANED, "versions"))["versions"][1]["id"]
    newest = world(path(*CLEANED, "versions"))["versions"][0]["id"]
    read = {number: world(path("jobs", "runs", run_id(number)))["inputDatasetVersions"] for number in (2, 4)}
    assert [one["datasetVersionId"] for one in read[2]] == [oldest]
    assert [one["datasetVersionId"] for one in read[4]] == [newest]


def test_what_nobody_wrote_has_one_version_of_no_run(world):
    found = world(path("namespaces", LAKE, "datasets", "landing/orders", "versions"))
    assert (found["totalCount"], found["versions"][0]["createdByRun"]) == (1, None)
    assert [field["name"] for field in found["versions"][0]["fields"]] == ["id", "amount"]


def test_versions_are_the_same_in_every_archive(archive, tmp_path):
    """And do not depend on the order in which the events came."""
    (tmp_path / "other").mkdir()
    with contextlib.closing(Archive.init(tmp_path / "other")) as other:
        record(archive, *all_events())
        record(other, *reversed(all_events()))
        ids = []
        for one in (archive, other):
            with open_reader(one, lambda _: True) as reader:
                entity = reader.require("dataset", SHOP, "public.orders")
                ids.append([version.id(reader) for version in written_versions(reader, entity).page()])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_upstream_runs_are_those_that_wrote_what_was_read(world):
    found = world(path("runlineage", "upstream"), runId=run_id(2))["runs"]
    assert [one["run"]["id"] for one in found] == [run_id(2), run_id(1)]
    assert found[0]["inputs"][0]["producedByRunId"] == run_id(1)
    assert found[0]["run"] == {
        "id": run_id(2),
        "start": "2026-11-20T08:10:00.000000Z",
        "end": "2026-11-20T08:20:00.000000Z",
        "status": "COMPLETED",
    }
    assert [one["run"]["id"] for one in world(path("runlineage", "upstream"), runId=run_id(2), depth=0)["runs"]] == [
        run_id(2)
    ]


def test_a_run_that_rewrites_what_it_reads_is_not_its_own_upstream(archive, changing):
    record(archive, run_event("COMPLETE", 9, 200, CLEANING, [CLEAN], [CLEAN]))
    found = changing(path("runlineage", "upstream"), runId=run_id(9))["runs"]
    assert [one["run"]["id"] for one in found] == [run_id(9), run_id(3)]
