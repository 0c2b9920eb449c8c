"""The examples of docs/server.md, run with curl against a live server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lineage_events import body_of, run_event
from live_server import running_server

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

PAGE = Path(__file__).parents[2] / "docs" / "server.md"


def as_pattern(shown):
    """What the page shows, `…` standing for anything."""
    return re.escape(shown).replace("…", "(?:.|\n)*?")


def test_each_example_prints_what_the_page_shows(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    (tmp_path / "event.json").write_bytes(body_of(run_event()))
    ran = 0
    with running_server(tmp_path, args=("--init",)) as server:
        environment = {**os.environ, "URL": server.url, "TOKEN": server.token}
        for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
            for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, shown = step.partition("\n")
                words = ["bash", "-c", command]
                done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
                assert re.fullmatch(as_pattern(shown.strip()), done.stdout.strip()), (command, done.stdout, done.stderr)
                ran += 1
    assert ran == 7


def test_every_route_that_the_page_names_is_there(archive):
    from wherefrom.server.app import close_app, make_app

    app = make_app(archive)
    paths = set(app.openapi()["paths"])
    close_app(app)
    named = set(re.findall(r"`(?:GET |POST )?(/(?:v1|api)/[a-z/0-9]+|/healthz|/readyz|/metrics)", PAGE.read_text()))
    assert len(named) > 10
    for path in named:
        assert path.rstrip("/") in paths or any(known.startswith(path) for known in paths), path
    assert json.dumps(app.openapi())
