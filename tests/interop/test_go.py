"""A log of ours, verified by software that is not ours: Go's x/mod note and tlog, and Tessera's client and fsck.

The program is in `go/`; its modules are pinned by hash in go.sum.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from events import dataset, event
from served import served_app, served_folder
from tiled_logs import flip

from wherefrom.archive import Archive
from wherefrom.archive.publishing import publish_ledger
from wherefrom.notes import format_verifier_key
from wherefrom.tlog.source import FolderSource

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")

PROGRAM = Path(__file__).parent / "go"


@pytest.fixture(scope="module")
def checklog(tmp_path_factory):
    """Runs the program; gives its status and what it said."""
    folder = tmp_path_factory.mktemp("go")
    cache = Path(tempfile.gettempdir(), f"wherefrom-go-cache-{os.getuid()}")  # compiling it all takes a minute
    environment = os.environ | {"GOCACHE": str(cache), "GOFLAGS": "-buildvcs=false"}
    command = ["go", "build", "-o", str(folder / "checklog"), "."]
    built = subprocess.run(command, cwd=PROGRAM, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr

    def run(*arguments):
        done = subprocess.run(
            [folder / "checklog", *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A ledger published at two sizes: its verifier key, the folder, the checkpoint of the smaller."""
    folder = tmp_path_factory.mktemp("published")
    archive = Archive.init(tmp_path_factory.mktemp("project"), origin="example.com/ours")
    archive.record(*(event(f"run {i}", [dataset("in", f"{i}")], [dataset("out", f"of {i}")]) for i in range(200)))
    publish_ledger(archive, str(folder / "log"))
    shutil.copy(folder / "log" / "checkpoint", folder / "earlier")
    archive.record(*(event(f"run {i}", [dataset("in", f"{i}")], [dataset("out", f"of {i}")]) for i in range(200, 400)))
    publish_ledger(archive, str(folder / "log"), statements=True)
    yield archive, format_verifier_key(archive.log_key), folder / "log", folder / "earlier"
    archive.close()


def test_go_verifies_our_published_log_its_entries_and_its_growth(checklog, published):
    archive, vkey, log, earlier = published
    with served_folder(log) as url:
        for where in (url, log):
            status, said = checklog("-vkey", vkey, "-since", earlier, where)
            assert status == 0, said
            assert said.startswith(f"example.com/ours: {archive.size()} entries, root ")


def test_go_verifies_our_served_log(checklog, published):
    from wherefrom.server.tiles import make_app

    archive, vkey, _, earlier = published
    with served_app(make_app(archive)) as url:
        status, said = checklog("-vkey", vkey, "-since", earlier, url)
        assert status == 0, said


def test_go_refuses_it_with_a_byte_changed_in_any_file(checklog, published, tmp_path):
    _, vkey, log, earlier = published
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    paths = [path for path in FolderSource(log).iter_paths() if path == "checkpoint" or path.startswith("tile/")]
    assert len(paths) >= 6
    for path in paths:
        data = (log / path).read_bytes()
        (copy / path).write_bytes(flip(data, len(data) // 2))
        status, said = checklog("-vkey", vkey, copy)
        assert status == 1, (path, said)
        (copy / path).write_bytes(data)
    other = tmp_path / "other"
    other.write_bytes(flip(earlier.read_bytes(), 25))
    assert checklog("-vkey", vkey, "-since", other, copy)[0] == 1
    assert checklog("-vkey", vkey, "-since", earlier, copy)[0] == 0
