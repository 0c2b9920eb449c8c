"""What a user finds or chooses: where the archive lies, wherefrom.toml, levels, figures; and modules named as ours."""

import json
import subprocess
from pathlib import Path

from captured_project import Project

from wherefrom.archive import Archive


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


def test_the_level_of_logging_can_be_chosen(project):
    text = "import logging, wherefrom; wherefrom.autolog(level=logging.ERROR); logging.warning('w'); logging.error('e')"
    project.run(text, autolog=False)
    assert [r["message"] for r in project.runs()["script.py"].facets["wherefrom_logs"]["records"]] == ["e"]
    (project.root / "wherefrom.toml").write_text("[capture]\nlogging = 'off'\n")
    project.run("import logging; logging.error('e')", name="off.py")
    assert "wherefrom_logs" not in project.runs()["off.py"].facets


def test_a_module_of_the_user_that_is_called_as_one_of_ours_is_not_taken_for_it(project):
    for name in ("json.py", "queue.py", "sqlalchemy.py"):
        (project.root / name).write_text("raise RuntimeError('the recorder imported me')\n")
    done = project.run("open('x.txt', 'w').write('x')", python=["-P"])
    assert done.stderr == ""
    assert project.data() == (set(), {"x.txt"})


def test_what_it_cost_can_be_asked_for(project, monkeypatch):
    monkeypatch.setenv("WHEREFROM_TIMINGS", str(project.root / "timings.jsonl"))
    project.run("open('x.csv', 'w').write('a\\n1\\n')")
    [line] = (project.root / "timings.jsonl").read_text().splitlines()
    assert set(json.loads(line)) == {"start_s", "wait_s", "handover_s", "done", "hashing_s", "waited_s", "recording_s"}
    assert Path(project.root / "x.csv").exists()
