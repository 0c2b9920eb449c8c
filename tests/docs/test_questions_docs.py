"""The examples of docs/questions.md, run with curl against a server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from events import FACET, run_id
from live_server import running_server

from wherefrom.archive import Archive
from wherefrom.statements import make_event_statement

PAGE = Path(__file__).parents[2] / "docs" / "questions.md"


def said(job, inputs, outputs, at, columns=None):
    def dataset(name):
        return {"namespace": "warehouse", "name": name}

    made = [dataset(name) for name in outputs]
    if columns:
        made[0]["facets"] = {"columnLineage": {**FACET, "fields": columns}}
    return make_event_statement(
        {
            "eventType": "COMPLETE",
            "eventTime": at,
            "producer": FACET["_producer"],
            "schemaURL": FACET["_schemaURL"],
            "run": {"runId": run_id(f"{job} {at}")},
            "job": {"namespace": "warehouse", "name": job},
            "inputs": [dataset(name) for name in inputs],
            "outputs": made,
        }
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_each_example_is_answered_as_the_page_says(tmp_path):
    archive = Archive.init(tmp_path, namespace="warehouse")
    field = {"namespace": "warehouse", "name": "orders", "field": "price", "transformations": [{"type": "DIRECT"}]}
    archive.record(
        said("daily", ["orders"], ["totals"], "2026-11-21T08:00:00Z", {"amount": {"inputFields": [field]}}),
        said("daily", ["orders", "prices"], ["totals"], "2026-11-22T08:00:00Z"),
    )
    archive.close()
    commands = re.findall(r"^curl .*$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) == 9
    answers = []
    with running_server(tmp_path, args=("--init",)) as server:
        environment = {**os.environ, "URL": server.url, "TOKEN": server.token}
        for command in commands:
            done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (command, done.stderr)
            answers.append(json.loads(done.stdout))
    for command, answer in zip(commands, answers, strict=True):
        assert "error" not in answer, (command, answer)
        assert {"checkpoint", "asOf", "validAt", "complete", "truncated", "pending", "opaque"} <= answer.keys(), command
    lineage, fields, impact, path, diff, search, entities, entity, runs = answers
    assert {node["id"] for node in lineage["nodes"]} == {
        "dataset:warehouse:orders",
        "job:warehouse:daily",
        "dataset:warehouse:totals",
    }
    assert {"from", "to", "port", "how", "basis", "entry", "validFrom"} == lineage["edges"][0].keys()
    assert {"silentJobs", "fields", "columns"} <= fields.keys() and impact["total"] == {"datasets": 1, "jobs": 1}
    assert path["found"] == {"connected": True, "direction": "down"}
    assert [node["id"] for node in diff["nodesCame"]] == ["dataset:warehouse:prices"]
    assert search["results"][0] | {"score": 0} == entities["entities"][0] | {"match": "similar", "score": 0}
    assert [job["name"] for job in entity["usedBy"]] == ["daily"] and len(runs["runs"]) == 2
