"""What we emit, against OpenLineage's schemas and our own."""

import copy
import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import rfc8785
from referencing import Registry, Resource

from wherefrom import __version__
from wherefrom.capture import handover
from wherefrom.capture.config import Config, LevelRule
from wherefrom.capture.patterns import compile_pattern
from wherefrom.capture.recorder.facets import OWN, clean, make_facet

REPOSITORY = Path(__file__).parents[4]
VECTORS = REPOSITORY / "tests" / "vectors" / "openlineage"
OWN_SCHEMAS = REPOSITORY / "docs" / "spec" / "facets"

schemas = [
    json.loads(path.read_text())
    for path in [VECTORS / "OpenLineage.json", *(VECTORS / "facets").glob("*.json"), *OWN_SCHEMAS.glob("*.json")]
]
registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)


def validate(instance, url):
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator({"$ref": url}, registry=registry, format_checker=checker).validate(instance)


def validate_event(event):
    """The event, and each facet against the schema that it names itself. Names of the facets."""
    validate(event, event["schemaURL"])
    groups = [event["run"]["facets"], event["job"]["facets"]]
    for side in ("inputs", "outputs"):
        for dataset in event[side]:
            groups += [dataset.get(name, {}) for name in ("facets", "inputFacets", "outputFacets")]
    for group in groups:
        for facet in group.values():
            assert facet["_producer"] == f"https://w3id.org/wherefrom/{__version__}"
            validate(facet, facet["_schemaURL"])
    return {name for group in groups for name in group}


@pytest.fixture
def events(make_recorder, root):
    """START and FAIL of a run of which everything is known."""
    recorder = make_recorder(Config(levels=(LevelRule(compile_pattern("in.csv"), "subject-keys", ("a",)),)))
    (root / "in.csv").write_text("a,b\n1,x\n")
    (root / "train.py").write_text("pass")
    process = {
        "id": "1",
        "script": str(root / "train.py"),
        "argv": ["train.py", "--fast"],
        "python": {"version": "3.11.7", "implementation": "cpython", "executable": "/usr/bin/python"},
        "packageFolders": [],
        "workingDirectory": str(root),
    }
    parent = {"run": "00000000-0000-4000-8000-00000000000a", "job": "flow.py"}
    run = recorder.begin(job="", kind="SCRIPT", process=process, parent=parent, parameters={"n": "1"})
    recorder.read(run, root / "in.csv")
    recorder.say("seed", run, of="random", how="random.seed(1)")
    recorder.say("metric", run, name="m", value=math.inf, step=2**60)
    recorder.say("log", run, level="INFO", logger="root", message="x")
    fit = {"estimator": "x.Y", "method": "fit", "parameters": {"a": "1"}}
    recorder.say("fit", run, fit="1", arguments=[{"argument": "X", "object": handover.give(np.eye(2))}], **fit)
    recorder.write(run, root / "model", "m")
    recorder.say("dump", run, path=str(root / "model"), fits=["1"], estimator="x.Y", parameters={})
    recorder.end(run, state="FAIL", reason="raised", exitCode=1, error={"message": "E: no", "stackTrace": "…"})
    archive = recorder.close()
    return archive.events()


def test_events_and_all_their_facets_are_valid_and_every_facet_of_ours_occurs(events):
    names = set().union(*map(validate_event, events))
    by_spark = {"wherefrom_kafkaOffsets"}
    assert {path.stem for path in OWN_SCHEMAS.glob("*.json")} - by_spark <= names
    standard = {"processing_engine", "parent", "errorMessage", "executionParameters", "jobType", "schema"}
    assert standard | {"inputStatistics", "outputStatistics"} <= names


def test_an_event_with_a_wrong_member_is_not_valid(events):
    for spoil in (
        lambda event: event["run"].update(runId="no uuid"),
        lambda event: event["run"]["facets"]["wherefrom_end"].update(reason="bored"),
        lambda event: event["inputs"][0]["facets"]["wherefrom_fingerprint"].update(known="guessed"),
        lambda event: event["inputs"][0]["facets"]["wherefrom_fingerprint"]["digests"].update(sha256="AB"),
        lambda event: event["run"]["facets"]["wherefrom_fits"].update(more=1),
        lambda event: event["job"]["facets"]["jobType"].pop("integration"),
    ):
        spoiled = copy.deepcopy(events[-1])
        spoil(spoiled)
        with pytest.raises(jsonschema.ValidationError):
            validate_event(spoiled)


def test_in_a_git_work_tree_the_job_says_where_its_source_is(make_recorder, root):
    import subprocess

    (root / "jobs").mkdir()
    (root / "jobs" / "train.py").write_text("pass")
    for command in (
        ["init", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
    recorder = make_recorder()
    process = {"id": "1", "script": str(root / "jobs" / "train.py")}
    recorder.end(recorder.begin(job="", kind="SCRIPT", process=process))
    start, end = recorder.close().events()
    for event in (start, end):
        assert "sourceCodeLocation" in validate_event(event)
    location = start["job"]["facets"]["sourceCodeLocation"]
    git = start["run"]["facets"]["wherefrom_environment"]["git"]
    assert location["path"] == "jobs/train.py"
    assert location["version"] == git["commit"]
    assert location["url"] == f"file://{root}"
    assert start["job"]["name"] == "jobs/train.py"


def test_the_environment_is_in_the_first_event_and_in_the_last_only_if_seeds_are_new(make_recorder):
    recorder = make_recorder()
    plain, seeded = recorder.begin(), recorder.begin(job="seeded")
    recorder.say("seed", seeded, of="random", how="random.seed(1)")
    recorder.end(plain)
    recorder.end(seeded)
    has = [(e["eventType"], "wherefrom_environment" in e["run"]["facets"]) for e in recorder.close().events()]
    assert has == [("START", True), ("START", True), ("COMPLETE", False), ("COMPLETE", True)]


def test_a_process_without_a_script_is_called_interactive(recorder):
    recorder.end(recorder.begin(job="", kind="SCRIPT"))
    assert recorder.last()["job"]["name"] == "interactive"


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (2**53, str(2**53)),
        (-(2**60), str(-(2**60))),
        (2**53 - 1, 2**53 - 1),
        (True, True),
        (None, None),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1.5, 1.5),
        ("\udce9", r"\udce9"),
        ({1: (2, "\ud800")}, {"1": [2, r"\ud800"]}),
        (b"x", "b'x'"),
    ],
)
def test_whatever_comes_becomes_canonical_json(value, cleaned):
    assert clean(value) == cleaned
    assert rfc8785.dumps(clean(value))


def test_facets_name_their_schema():
    assert make_facet("wherefrom_end")["_schemaURL"] == f"{OWN}wherefrom_end.json"
    assert make_facet("jobType")["_schemaURL"].endswith("/JobTypeJobFacet.json#/$defs/JobTypeJobFacet")
