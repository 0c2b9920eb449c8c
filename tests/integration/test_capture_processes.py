"""Scripts that start others: programs, threads, forked and fresh workers; and Pythons that run no script."""

import subprocess
import sys

import pytest


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


def test_interpreters_without_a_script(project):
    command = [sys.executable, "-c", "import wherefrom; wherefrom.autolog(); open('x.txt', 'w').write('x')"]
    subprocess.run(command, cwd=project.root, check=True)
    assert project.data("interactive") == (set(), {"x.txt"})
    (project.root / "package").mkdir()
    (project.root / "package" / "__main__.py").write_text("import wherefrom; wherefrom.autolog()\n")
    subprocess.run([sys.executable, "-m", "package"], cwd=project.root, check=True)
    assert project.runs()["package/__main__.py"].state == "COMPLETE"
