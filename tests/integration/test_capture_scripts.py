"""Scripts with one added line, run as users run them: what they read and wrote, how they ended, what they said."""

import hashlib
import sys

import pytest
from captured_project import digest_of, sha256

from wherefrom.archive import Archive
from wherefrom.capture import drain_outbox


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


def test_many_files_are_one_folder(project):
    (project.root / "images").mkdir()
    for number in range(1200):
        (project.root / "images" / f"{number}.png").write_text(str(number))
    project.run("for n in range(1200): open(f'images/{n}.png').read()")
    [used] = project.event()["inputs"]
    assert used["name"] == "images"
    assert "wf-files-1" in used["facets"]["wherefrom_fingerprint"]["digests"]


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


def test_nothing_waits_afterwards(project):
    project.run("open('x.txt', 'w').write('x')")
    assert not any((project.root / ".wherefrom" / "outbox").iterdir())
    assert drain_outbox(Archive.find(project.root)).recorded == ()
