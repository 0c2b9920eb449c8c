"""Scripts with one added line, run as users run them; what the archive says of them."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from wherefrom.archive import Archive
from wherefrom.capture import drain_outbox


class Project:
    """A folder with scripts, and its archive."""

    def __init__(self, root):
        self.root = root

    def run(self, text, *, name="script.py", arguments=(), python=(), check=True, autolog=True, **options):
        """Run a script; what it printed on stdout and stderr, and its exit status."""
        line = "import wherefrom; wherefrom.autolog()\n" if autolog else ""
        (self.root / name).write_text(line + text)
        command = [sys.executable, *python, name, *arguments]
        done = subprocess.run(
            command, cwd=self.root, check=False, capture_output=True, text=True, timeout=120, **options
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def runs(self):
        """Runs by job name; the newest of each."""
        archive = Archive.find(self.root)
        try:
            return {run.job_name: run for run in reversed(archive.list_runs(100))}
        finally:
            archive.close()

    def data(self, job="script.py"):
        """Names of what the run used and made."""
        event = self.event(job)
        return ({d["name"] for d in event["inputs"]}, {d["name"] for d in event["outputs"]})

    def event(self, job="script.py"):
        """The run's last event."""
        archive = Archive.find(self.root)
        try:
            [run] = [run for run in archive.list_runs(100) if run.job_name == job]
            events = [archive.read_recorded(str(entry)).statement.predicate for entry in run.entries]
            return [event for event in events if event.get("eventType") not in {None, "START"}][-1]
        finally:
            archive.close()

    def gaps(self, job="script.py"):
        return [(gap["what"], gap["detail"]) for gap in self.runs()[job].gaps]


@pytest.fixture
def project(tmp_path):
    root = (tmp_path / "project").resolve()
    root.mkdir()
    Archive.init(root, namespace="test").close()
    return Project(root)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(event, side, name):
    [found] = [d for d in event[side] if d["name"] == name]
    return found["facets"]["wherefrom_fingerprint"]["digests"].get("sha256")


def test_what_pythons_own_functions_open_is_recorded_and_nothing_else(project):
    (project.root / "in").mkdir()
    for name in ("a.txt", "b.bin", "c.json", "d.csv"):
        (project.root / "in" / name).write_text("1\n")
    project.run(
        """
import csv, io, json, os, pathlib, pickle, shutil, sqlite3, tempfile, zipfile
open("in/a.txt").read()
pathlib.Path("in/b.bin").read_bytes()
json.load(open(os.path.abspath("in/c.json")))
os.close(os.open("in/d.csv", os.O_RDONLY))
os.listdir("in"); os.stat("in/a.txt")
try:
    open("in/missing.txt")
except FileNotFoundError:
    pass
pathlib.Path("out").mkdir()
pathlib.Path("out/a.txt").write_text("2")
with open("out/tmp", "w") as file:
    file.write("3")
os.replace("out/tmp", "out/b.txt")
shutil.copy("in/a.txt", "out/c.txt")
with tempfile.NamedTemporaryFile(dir="out") as file:
    file.write(b"x")
    open(file.name).read()
with zipfile.ZipFile("out/d.zip", "w") as archive:
    archive.write("in/b.bin")
pickle.dump([1], open("out/e.pkl", "wb"))
open("out/a.txt").read()
open("out/f.txt", "w").write("4"); os.remove("out/f.txt")
shutil.rmtree("out/none", ignore_errors=True)
os.chdir("in")
open("a.txt").read()
open("../out/g.txt", "w").write("5")
"""
    )
    inputs, outputs = project.data()
    assert inputs == {"in/a.txt", "in/b.bin", "in/c.json", "in/d.csv"}
    assert outputs == {f"out/{name}" for name in ("a.txt", "b.txt", "c.txt", "d.zip", "e.pkl", "g.txt")}
    event = project.event()
    assert digest_of(event, "outputs", "out/b.txt") == sha256("3")
    assert event["eventType"] == "COMPLETE"
    assert project.gaps() == []


def test_an_input_that_is_overwritten_keeps_the_digest_of_what_was_read(project):
    (project.root / "x.txt").write_text("before")
    (project.root / "log.txt").write_text("old\n")
    project.run("text = open('x.txt').read(); open('x.txt', 'w').write('after'); open('log.txt', 'a').write('new')")
    event = project.event()
    assert digest_of(event, "inputs", "x.txt") == sha256("before")
    assert digest_of(event, "outputs", "x.txt") == sha256("after")
    assert digest_of(event, "inputs", "log.txt") == sha256("old\n")
    assert digest_of(event, "outputs", "log.txt") == sha256("old\nnew")
    assert project.gaps() == []


def test_an_input_that_is_removed_or_replaced_keeps_its_digest(project):
    for name in ("a", "b", "c"):
        (project.root / f"{name}.txt").write_text(name)
    project.run(
        """
import os
for name in "abc":
    open(f"{name}.txt").read()
os.remove("a.txt")
open("tmp", "w").write("new"); os.replace("tmp", "b.txt")
os.rename("c.txt", "d.txt")
"""
    )
    event = project.event()
    assert [digest_of(event, "inputs", f"{name}.txt") for name in "abc"] == [sha256(name) for name in "abc"]
    assert digest_of(event, "outputs", "b.txt") == sha256("new")
    assert digest_of(event, "outputs", "d.txt") == sha256("c")


def test_a_file_that_is_never_closed_is_hashed_with_all_that_was_written_to_it(project):
    project.run("file = open('out.txt', 'w'); file.write('whole')")
    assert digest_of(project.event(), "outputs", "out.txt") == sha256("whole")
    assert project.gaps() == []


@pytest.mark.parametrize(
    ("text", "status", "state", "end"),
    [
        ("pass", 0, "COMPLETE", {"reason": "returned", "exitCode": 0}),
        ("import sys; sys.exit()", 0, "COMPLETE", {"reason": "exited", "exitCode": 0}),
        ("import sys; sys.exit(3)", 3, "FAIL", {"reason": "exited", "exitCode": 3}),
        ("import sys; sys.exit('no')", 1, "FAIL", {"reason": "exited", "exitCode": 1}),
        ("raise SystemExit(3)", 3, "COMPLETE", {"reason": "exited", "exitCode": None}),
        ("import sys\ntry: sys.exit(3)\nexcept SystemExit: pass", 0, "COMPLETE", {"reason": "returned", "exitCode": 0}),
        ("raise ValueError('no good')", 1, "FAIL", {"reason": "raised", "exitCode": 1}),
        ("raise KeyboardInterrupt", -2, "ABORT", {"reason": "raised", "exitCode": 130}),
        ("import os; os._exit(4)", 4, "ABORT", {"reason": "killed", "exitCode": None}),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
            -15,
            "ABORT",
            {"reason": "killed", "exitCode": None},
        ),
    ],
)
def test_how_a_script_ends(project, text, status, state, end):
    assert project.run(text, check=False).returncode == status
    wait_until_recorded(project)
    run = project.runs()["script.py"]
    assert run.state == state
    assert {key: run.facets["wherefrom_end"].get(key) for key in end} == end
    assert ("exit code" in [what for what, _ in project.gaps()]) is (text == "raise SystemExit(3)")
    if text.startswith("raise ValueError"):
        assert run.facets["errorMessage"]["message"] == "ValueError: no good"
        assert "script.py" in run.facets["errorMessage"]["stackTrace"]


def wait_until_recorded(project):
    """A process that was killed doesn't wait for its recorder, so we do."""
    import time

    deadline = time.monotonic() + 60
    while any((project.root / ".wherefrom" / "outbox").glob("*.messages")) or not project.runs():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_environment(project):
    (project.root / "sub").mkdir()
    project.run("import random; random.seed(42)", name="sub/job.py", arguments=["--fast", "x y"])
    facet = project.runs()["sub/job.py"].facets["wherefrom_environment"]
    assert facet["argv"] == ["sub/job.py", "--fast", "x y"]
    text = (project.root / "sub" / "job.py").read_bytes()
    assert facet["script"] == {"path": str(project.root / "sub/job.py"), "sha256": hashlib.sha256(text).hexdigest()}
    assert facet["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "pyarrow", "wherefrom"} <= set(facet["packages"])
    assert facet["seeds"] == {"random": ["random.seed(42)"]}
    assert facet["workingDirectory"] == str(project.root)


def test_numpy_seeds_only_where_one_was_given(project):
    project.run(
        """
import numpy as np
np.random.seed(1)
np.random.default_rng(7)
np.random.default_rng()
np.random.default_rng(None)
"""
    )
    seeds = project.runs()["script.py"].facets["wherefrom_environment"]["seeds"]
    assert seeds == {"numpy": ["numpy.random.seed(1)", "numpy.random.default_rng(7)"]}


def test_logging_is_kept_and_behaves_as_without_us(project):
    text = """
import logging
logging.getLogger("lib").debug("too low")
logging.warning("first %s", "one")
logging.getLogger("lib").error("second")
logging.basicConfig(level="INFO")  # does nothing any more, as the first warning has called it
logging.info("not shown")
"""
    with_us = project.run(text)
    without = project.run(text, name="other.py", autolog=False)
    assert with_us.stderr == without.stderr
    assert "WARNING:root:first one" in with_us.stderr
    records = project.runs()["script.py"].facets["wherefrom_logs"]["records"]
    assert [(r["level"], r["logger"], r["message"]) for r in records] == [
        ("WARNING", "root", "first one"),
        ("ERROR", "lib", "second"),
    ]


def test_a_log_record_that_can_not_be_formatted_is_a_gap(project):
    done = project.run("import logging; logging.warning('%d', 'no number')")
    assert "--- Logging error ---" in done.stderr
    assert [what for what, _ in project.gaps()] == ["hook failed"]


def test_the_level_of_logging_can_be_chosen(project):
    text = "import logging, wherefrom; wherefrom.autolog(level=logging.ERROR); logging.warning('w'); logging.error('e')"
    project.run(text, autolog=False)
    assert [r["message"] for r in project.runs()["script.py"].facets["wherefrom_logs"]["records"]] == ["e"]
    (project.root / "wherefrom.toml").write_text("[capture]\nlogging = 'off'\n")
    project.run("import logging; logging.error('e')", name="off.py")
    assert "wherefrom_logs" not in project.runs()["off.py"].facets


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


def test_other_programs_are_gaps_unless_they_are_captured_themselves(project):
    (project.root / "in.txt").write_text("in")
    (project.root / "child.py").write_text("import wherefrom; wherefrom.autolog(); open('in.txt').read()")
    project.run(
        """
import os, subprocess, sys
subprocess.run(["cp", "in.txt", "copy.txt"])
subprocess.run(["cp", "in.txt", "copy.txt"])
os.system("true")
subprocess.run([sys.executable, "child.py"], check=True)
subprocess.run(["uname"], stdout=subprocess.DEVNULL)
"""
    )
    details = sorted(detail for what, detail in project.gaps() if what == "child process")
    assert [detail.split("`")[1] for detail in details] == ["/bin/sh -c true", "cp in.txt copy.txt"]
    runs = project.runs()
    assert runs["child.py"].parent_run_id == runs["script.py"].run_id
    assert project.data("child.py") == ({"in.txt"}, set())


def test_forked_workers_and_threads_speak_for_the_same_run(project):
    for number in range(40):
        (project.root / f"{number}.txt").write_text("x" * number)
    project.run(
        """
import multiprocessing, os, threading
from concurrent.futures import ThreadPoolExecutor

def load(number):
    open(f"out-{number}.txt", "w").write("y")
    return len(open(f"{number}.txt").read())

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert sum(pool.map(load, range(20), chunksize=1)) == sum(range(20))
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(load, range(20, 40))) == sum(range(20, 40))
    child = os.fork()
    if not child:
        open("forked.txt", "w").write("z")
        os._exit(0)
    os.waitpid(child, 0)
"""
    )
    inputs, outputs = project.data()
    assert inputs == {f"{number}.txt" for number in range(40)}
    assert outputs == {f"out-{number}.txt" for number in range(40)} | {"forked.txt"}
    assert len(project.runs()) == 1
    assert project.gaps() == []


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_that_multiprocessing_starts_afresh_speak_for_the_same_run(project, method):
    for number in range(8):
        (project.root / f"{number}.txt").write_text("x" * number)
    project.run(
        f"""
import multiprocessing

def load(number):
    open(f"out-{{number}}.txt", "w").write("y")
    with wherefrom.run("inner") as run:
        run.log_metric("m", number)
    return len(open(f"{{number}}.txt").read())

if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        assert sum(pool.map(load, range(8), chunksize=1)) == 28
"""
    )
    inputs, outputs = project.data()
    assert inputs == {f"{number}.txt" for number in range(8)}
    assert outputs == {f"out-{number}.txt" for number in range(8)}
    assert len(project.runs()["script.py"].facets["wherefrom_metrics"]["metrics"]) == 8
    assert list(project.runs()) == ["script.py"]
    assert project.gaps() == []


def test_workers_that_do_not_run_the_main_module_again_are_gaps(project):
    (project.root / "work.py").write_text("def load(name):\n    return open(name).read()\n")
    (project.root / "in.txt").write_text("x")
    project.run(
        """
from joblib import Parallel, delayed
from work import load
assert Parallel(n_jobs=2)(delayed(load)("in.txt") for _ in range(2)) == ["x", "x"]
"""
    )
    assert {what for what, _ in project.gaps()} == {"child process"}


def test_a_program_that_waits_for_all_of_its_children_does_not_wait_for_the_recorder(project):
    project.run(
        """
import os
if not os.fork():
    os._exit(0)
count = 0
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
    count += 1
assert count == 1
""",
    )
    assert project.runs()["script.py"].state == "COMPLETE"


def test_without_an_archive_one_is_made_at_the_top_of_the_work_tree_and_that_is_said(tmp_path):
    root = tmp_path.resolve()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / "jobs").mkdir()
    project = Project(root / "jobs")
    done = project.run("open('x.txt', 'w').write('x')")
    assert f"wherefrom: made an archive in '{root}/.wherefrom'" in done.stderr
    event = Project(root).event("jobs/script.py")
    assert {d["name"] for d in event["outputs"]} == {"jobs/x.txt"}
    assert "made an archive" not in project.run("pass").stderr


def test_the_users_choices_in_wherefrom_toml(project):
    (project.root / "wherefrom.toml").write_text(
        """
[capture]
exclude = ["scratch"]

[[capture.level]]
path = "secret/**"
level = "off"

[[capture.level]]
path = "*.csv"
level = "files"

[[source]]
path = "raw/*"
origin = "https://example.com"
licence = "CC0-1.0"
"""
    )
    for name in ("scratch/a.txt", "secret/b.txt", "raw/c.csv"):
        (project.root / name).parent.mkdir()
        (project.root / name).write_text("a\n1\n")
    project.run("for name in ('scratch/a.txt', 'secret/b.txt', 'raw/c.csv'): open(name).read()")
    [used] = project.event()["inputs"]
    assert used["name"] == "raw/c.csv"
    assert list(used["facets"]["wherefrom_fingerprint"]["digests"]) == ["sha256"]
    [version] = Archive.find(project.root).versions_of("raw/c.csv")
    assert version.sources[0]["licence"] == "CC0-1.0"


def test_a_wrong_wherefrom_toml_stops_no_program_and_no_data_is_looked_at(project):
    (project.root / "wherefrom.toml").write_text("[capture]\nexclud = ['x']\n")
    (project.root / "x.csv").write_text("a\n1\n")
    done = project.run("open('x.csv').read(); print('fine')")
    assert done.stdout == "fine\n"
    assert "capture.exclud is unknown" in done.stderr
    assert project.data() == (set(), set())
    assert [what for what, _ in project.gaps()] == ["configuration"]


def test_many_files_are_one_folder(project):
    (project.root / "images").mkdir()
    for number in range(1200):
        (project.root / "images" / f"{number}.png").write_text(str(number))
    project.run("for n in range(1200): open(f'images/{n}.png').read()")
    [used] = project.event()["inputs"]
    assert used["name"] == "images"
    assert "wf-files-1" in used["facets"]["wherefrom_fingerprint"]["digests"]


def test_interpreters_without_a_script(project):
    command = [sys.executable, "-c", "import wherefrom; wherefrom.autolog(); open('x.txt', 'w').write('x')"]
    subprocess.run(command, cwd=project.root, check=True)
    assert project.data("interactive") == (set(), {"x.txt"})
    (project.root / "package").mkdir()
    (project.root / "package" / "__main__.py").write_text("import wherefrom; wherefrom.autolog()\n")
    subprocess.run([sys.executable, "-m", "package"], cwd=project.root, check=True)
    assert project.runs()["package/__main__.py"].state == "COMPLETE"


def test_a_module_of_the_user_that_is_called_as_one_of_ours_is_not_taken_for_it(project):
    for name in ("json.py", "queue.py", "sqlalchemy.py"):
        (project.root / name).write_text("raise RuntimeError('the recorder imported me')\n")
    done = project.run("open('x.txt', 'w').write('x')", python=["-P"])
    assert done.stderr == ""
    assert project.data() == (set(), {"x.txt"})


def test_nothing_waits_afterwards(project):
    project.run("open('x.txt', 'w').write('x')")
    assert not any((project.root / ".wherefrom" / "outbox").iterdir())
    assert drain_outbox(Archive.find(project.root)).recorded == ()


def test_what_it_cost_can_be_asked_for(project, monkeypatch):
    monkeypatch.setenv("WHEREFROM_TIMINGS", str(project.root / "timings.jsonl"))
    project.run("open('x.csv', 'w').write('a\\n1\\n')")
    [line] = (project.root / "timings.jsonl").read_text().splitlines()
    assert set(json.loads(line)) == {"start_s", "wait_s", "handover_s", "done", "hashing_s", "waited_s", "recording_s"}
    assert Path(project.root / "x.csv").exists()
