"""`wherefrom ingest`: events from a file."""

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLES = Path(__file__).parents[1] / "vectors" / "openlineage" / "examples"
AIRFLOW = EXAMPLES / "data-rentgen_tests_resources_events_airflow.jsonl"


@pytest.fixture
def project(archive, monkeypatch):
    monkeypatch.chdir(archive.root)
    return archive


def test_events_are_taken_marked_and_counted_and_taking_them_again_adds_nothing(wherefrom, project):
    status, out, err = wherefrom("ingest", AIRFLOW)
    assert (status, out) == (0, "8 recorded, 0 were there, 2 marked, 0 refused\n")
    path = "$.outputs[0].facets.columnLineage._producer"
    assert err.splitlines() == [
        f"wherefrom: warning: line {line}: taken: {path}: is missing, expected text (and 1 more)" for line in (6, 7)
    ]
    assert project.size() == 9
    assert wherefrom("ingest", AIRFLOW)[:2] == (0, "0 recorded, 8 were there, 2 marked, 0 refused\n")
    assert project.size() == 9


def test_strictly_what_breaks_the_specification_is_refused_by_its_line(wherefrom, project, tmp_path):
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(AIRFLOW.read_bytes()))
    status, out, err = wherefrom("ingest", "--strict", packed)
    assert (status, out) == (1, "6 recorded, 0 were there, 0 marked, 2 refused\n")
    assert "wherefrom: error: line 6: refused: $.outputs[0].facets.columnLineage._producer" in err
    assert project.size() == 7


def test_standard_input_is_read_and_json_says_each_line(wherefrom, project, monkeypatch):
    lines = [AIRFLOW.read_bytes().splitlines()[0], b"nope", b"{}"]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\n".join(lines)), isatty=lambda: False))
    status, out, _ = wherefrom("ingest", "-", "--json")
    told = json.loads(out)
    assert (status, told["recorded"], told["recordedBefore"]) == (1, 2, 0)
    assert told["refused"][0]["line"] == 2
    assert "not JSON" in told["refused"][0]["error"]
    assert (told["marked"][0]["line"], told["marked"][0]["entry"]) == (3, 2)
    assert told["marked"][0]["problems"][0] == {"path": "$.eventTime", "message": "is missing, expected text"}


def test_a_file_that_is_not_there_or_not_whole_is_said(wherefrom, project, tmp_path):
    assert wherefrom("ingest", "nofile.jsonl") == (2, "", "wherefrom: error: no file nofile.jsonl\n")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(AIRFLOW.read_bytes())[:-200])
    status, out, err = wherefrom("ingest", cut)
    assert (status, out) == (3, "")
    assert "not whole gzip" in err
    assert project.size() > 1, "what was before that is recorded"
    status, _, err = wherefrom("ingest", tmp_path)
    assert (status, "cannot read" in err) == (3, True)
