"""Runs that a script names itself, and data that it declares."""

from wherefrom.archive import Archive


def test_explicit_runs_inside_and_without_autolog(project):
    (project.root / "in.txt").write_text("in")
    project.run(
        """
import asyncio
import wherefrom

with wherefrom.run("train", lr=0.1, name="x") as run:
    text = open("in.txt").read()
    open("model", "w").write(text)
    run.log_metric("auc", 0.75, step=1)
    wherefrom.log_params(depth=3)

@wherefrom.run("score")
def score(x):
    open("scores", "w").write(open("model").read())
    return x + 1

@wherefrom.run("fetch")
async def fetch(name):
    wherefrom.log_params(which=name)
    await asyncio.sleep(0.01)
    open(f"fetched-{name}", "w").write(name)
    return name

async def both():
    return await asyncio.gather(fetch("a"), fetch("b"))

assert score(1) == 2
assert score.__name__ == "score"
assert asyncio.run(both()) == ["a", "b"]
try:
    with wherefrom.run("fails"):
        raise KeyError("x")
except KeyError:
    pass
""",
        autolog=False,
    )
    runs = project.runs()
    assert set(runs) == {"train", "score", "fetch", "fails"}
    assert {run.parent_run_id for run in runs.values()} == {None}
    assert project.data("train") == ({"in.txt"}, {"model"})
    assert project.data("score") == ({"model"}, {"scores"})
    assert {p["key"]: p["value"] for p in runs["train"].facets["executionParameters"]["parameters"]} == {
        "lr": "0.1",
        "name": "x",
        "depth": "3",
    }
    assert runs["train"].facets["wherefrom_metrics"]["metrics"][0]["value"] == 0.75
    assert "exitCode" not in runs["train"].facets["wherefrom_end"]
    assert (runs["fails"].state, runs["fails"].facets["errorMessage"]["message"]) == ("FAIL", "KeyError: 'x'")
    archive = Archive.find(project.root)
    fetched = [run for run in archive.list_runs(100) if run.job_name == "fetch"]
    made = set()
    for run in fetched:
        [which] = [p["value"] for p in run.facets["executionParameters"]["parameters"]]
        events = [archive.read_recorded(str(entry)).statement.predicate for entry in run.entries]
        assert [d["name"] for d in events[-1]["outputs"]] == [f"fetched-{which}"]
        made.add(which)
    assert made == {"a", "b"}


def test_a_run_inside_a_script_is_its_child_and_the_model_leads_back_to_what_the_script_read(project):
    (project.root / "in.txt").write_text("in")
    project.run(
        """
text = open("in.txt").read()
with wherefrom.run("train"):
    open("model", "w").write(text)
"""
    )
    runs = project.runs()
    assert runs["train"].parent_run_id == runs["script.py"].run_id
    assert project.data("train") == ({"in.txt"}, {"model"})
    assert project.data("script.py") == ({"in.txt"}, set())
    [used] = project.event("train")["inputs"]
    assert used["facets"]["wherefrom_fingerprint"]["known"] == "inferred"
    archive = Archive.find(project.root)
    answer = archive.trace("model")
    assert {version.name for version in answer.versions} == {"model", "in.txt"}


def test_declared_data(project):
    (project.root / "x.txt").write_text("x")
    project.run(
        """
import pandas as pd
import wherefrom
frame = pd.DataFrame({"a": [1, 2]})
wherefrom.log_input("x.txt")
wherefrom.log_input(frame, name="sample")
wherefrom.log_input("s3://bucket/key")
wherefrom.log_output({"no": "table"}, "odd")
wherefrom.log_output("made.txt")
open("made.txt", "w").write("m")
for wrong in (lambda: wherefrom.log_metric("m", "x"), lambda: wherefrom.log_input("x.txt", name="y")):
    try:
        wrong()
    except ValueError as error:
        print(error)
"""
    )
    event = project.event()
    known = {d["name"]: d["facets"]["wherefrom_fingerprint"] for d in event["inputs"]}
    assert {name: facet["known"] for name, facet in known.items()} == dict.fromkeys(
        ("x.txt", "sample", "key"), "declared"
    )
    assert known["sample"]["rows"] == 2
    made = {d["name"]: d["facets"]["wherefrom_fingerprint"]["known"] for d in event["outputs"]}
    assert made == {"odd": "declared", "made.txt": "observed"}
    assert sorted(what for what, _ in project.gaps()) == ["not fingerprinted", "remote data"]
