"""`wherefrom run -- COMMAND`: capture for programs that don't know of it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from wherefrom.archive import Archive

LAUNCH = "import sys; from wherefrom.capture import launch; sys.exit(launch(sys.argv[1:]))"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    Archive.init(folder, namespace="test").close()
    (folder / "in.txt").write_text("in")
    return folder


def launch(root, *argv, **options):
    command = [sys.executable, "-c", LAUNCH, *argv]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=120, **options)


def python(root, text, **options):
    (root / "train.py").write_text(text)
    return launch(root, sys.executable, "train.py", **options)


def runs(root):
    archive = Archive.find(root)
    try:
        return archive.list_runs(100)
    finally:
        archive.close()


def data(root, run):
    archive = Archive.find(root)
    try:
        event = archive.read_recorded(str(run.entries[-1])).statement.predicate
        return {d["name"] for d in event["inputs"]}, {d["name"] for d in event["outputs"]}
    finally:
        archive.close()


def test_a_script_with_no_added_line_is_recorded(root):
    done = python(root, "import sys; print(open('in.txt').read(), sys.argv); open('out.txt', 'w').write('x')")
    assert (done.returncode, done.stdout) == (0, "in ['train.py']\n")
    assert done.stderr == ""
    [run] = runs(root)
    assert (run.job_name, run.state) == ("train.py", "COMPLETE")
    assert run.facets["wherefrom_end"]["exitCode"] == 0
    assert run.facets["wherefrom_environment"]["script"]["path"] == str(root / "train.py")
    assert data(root, run) == ({"in.txt"}, {"out.txt"})
    assert run.gaps == ()


def test_a_script_that_has_the_line_is_one_run_all_the_same(root):
    python(root, "import wherefrom; run = wherefrom.autolog(); run.log_metric('m', 1); open('in.txt').read()")
    [run] = runs(root)
    assert run.facets["wherefrom_metrics"]["metrics"][0]["name"] == "m"
    assert data(root, run) == ({"in.txt"}, set())


@pytest.mark.parametrize(
    ("text", "code", "state", "reason"),
    [
        ("raise SystemExit(3)", 3, "FAIL", "exited"),
        ("raise SystemExit(0)", 0, "COMPLETE", "exited"),
        ("import os; os._exit(4)", 4, "FAIL", "exited"),
        ("import os; os._exit(0)", 0, "COMPLETE", "exited"),
        ("1 / 0", 1, "FAIL", "raised"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, "ABORT", "killed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143, "ABORT", "killed"),
    ],
)
def test_the_true_exit_code_is_known(root, text, code, state, reason):
    assert python(root, f"open('in.txt').read()\n{text}").returncode == code
    [run] = runs(root)
    assert (run.state, run.facets["wherefrom_end"]["exitCode"]) == (state, code)
    assert run.facets["wherefrom_end"]["reason"] == reason
    assert data(root, run)[0] == {"in.txt"}
    assert "exit code" not in {gap["what"] for gap in run.gaps} or text.startswith("raise")


def test_a_command_that_is_no_python_is_recorded_with_a_gap(root):
    assert launch(root, "sh", "-c", "cp in.txt out.txt; exit 5").returncode == 5
    [run] = runs(root)
    assert (run.job_name, run.state, run.facets["wherefrom_end"]["exitCode"]) == ("sh", "FAIL", 5)
    assert run.job_facets["jobType"]["jobType"] == "COMMAND"
    assert run.facets["wherefrom_environment"]["argv"][0] == "sh"
    assert [gap["what"] for gap in run.gaps] == ["command not captured"]


def test_pythons_that_a_command_starts_are_runs_of_their_own_once_they_touch_data(root):
    (root / "step.py").write_text("open('out.txt', 'w').write(open('in.txt').read())")
    (root / "idle.py").write_text("print('nothing')")
    launch(root, "sh", "-c", f"{sys.executable} step.py; {sys.executable} idle.py")
    found = {run.job_name: run for run in runs(root)}
    assert set(found) == {"sh", "step.py"}
    assert found["step.py"].parent_run_id == found["sh"].run_id
    assert data(root, found["step.py"]) == ({"in.txt"}, {"out.txt"})


def test_a_module_and_a_command_line(root):
    (root / "package").mkdir()
    (root / "package" / "__init__.py").touch()
    (root / "package" / "job.py").write_text("open('in.txt').read()")
    launch(root, sys.executable, "-m", "package.job")
    launch(root, sys.executable, "-c", "open('in.txt').read()")
    assert [run.job_name for run in runs(root)] == ["interactive", "package/job.py"]
    assert [data(root, run) for run in runs(root)] == [({"in.txt"}, set())] * 2


def test_a_python_that_ignores_its_environment_is_a_command_with_a_gap(root):
    assert launch(root, sys.executable, "-I", "-c", "open('in.txt').read()").returncode == 0
    [run] = runs(root)
    assert [gap["what"] for gap in run.gaps] == ["command not captured"]


def test_the_users_own_sitecustomize_still_runs(root):
    (root / "site").mkdir()
    (root / "site" / "sitecustomize.py").write_text("print('mine')")
    done = python(
        root,
        "import sys; print(sys.path[0], 'capture' in str(sys.path[:3]))",
        env={**os.environ, "PYTHONPATH": str(root / "site")},
    )
    assert done.stdout == f"mine\nmine\n{root} False\n"  # the launcher's own Python ran it, too
    broken = root / "site" / "sitecustomize.py"
    broken.write_text("import no_such_module_of_mine")
    done = python(root, "print('on')", env={**os.environ, "PYTHONPATH": str(root / "site")})
    assert done.stdout == "on\n"
    assert "no_such_module_of_mine" in done.stderr


def test_native_libraries_are_seen_in_the_script_and_in_what_it_starts(root):
    (root / "make.py").write_text("import polars as pl; pl.DataFrame({'a': [1]}).write_parquet('t.parquet')")
    text = f"""
import subprocess
subprocess.run([{sys.executable!r}, "make.py"], check=True)
import polars as pl
pl.read_parquet("t.parquet")
"""
    python(root, text)
    found = {run.job_name: run for run in runs(root)}
    assert data(root, found["make.py"]) == (set(), {"t.parquet"})
    assert data(root, found["train.py"]) == ({"t.parquet"}, set())
    assert found["make.py"].parent_run_id == found["train.py"].run_id
    assert found["train.py"].gaps == ()


def test_a_program_that_is_not_there(root):
    done = launch(root, "no-such-program")
    assert "NotFoundError: no program 'no-such-program'" in done.stderr
    (root / "plain.txt").touch()
    assert "UnavailableError: can't start './plain.txt': Permission denied" in launch(root, "./plain.txt").stderr
    assert runs(root) == []


def test_a_signal_to_the_launcher_reaches_the_program(root):
    (root / "wait.py").write_text("import time; open('ready', 'w').write('x'); time.sleep(60)")
    command = [sys.executable, "-c", LAUNCH, sys.executable, "wait.py"]
    with subprocess.Popen(command, cwd=root) as process:
        deadline = time.monotonic() + 60
        while not (root / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    [run] = runs(root)
    assert (run.state, run.facets["wherefrom_end"]["exitCode"]) == ("ABORT", 143)


def test_interrupting_reaches_the_program_and_the_launcher_waits_for_its_record(root):
    (root / "wait.py").write_text(
        "import time\ntry:\n    open('ready', 'w').write('x')  # the interrupt may come as soon as it is there\n"
        "    time.sleep(60)\nexcept KeyboardInterrupt:\n    open('cleaned', 'w').write('x')\n    raise\n"
    )
    command = [sys.executable, "-c", LAUNCH, sys.executable, "wait.py"]
    with subprocess.Popen(command, cwd=root, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (root / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does
        assert process.wait(60) == 128 + signal.SIGINT
    [run] = runs(root)
    assert run.state == "ABORT"
    assert data(root, run)[1] == {"ready", "cleaned"}


def test_a_launcher_inside_a_captured_run_is_its_child(root):
    (root / "outer.py").write_text(
        "import subprocess, sys, wherefrom\nwherefrom.autolog()\n"
        f"subprocess.run([sys.executable, '-c', {LAUNCH!r}, sys.executable, 'inner.py'], check=True)\n"
    )
    (root / "inner.py").write_text("open('in.txt').read()")
    subprocess.run([sys.executable, "outer.py"], cwd=root, check=True)
    found = {run.job_name: run for run in runs(root)}
    assert found["inner.py"].parent_run_id == found["outer.py"].run_id
