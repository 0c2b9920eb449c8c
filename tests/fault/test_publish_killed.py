"""A publisher and a mirror killed with SIGKILL: readers see a whole log, and the next run finishes the work."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiled_logs import KEY, make_log

from wherefrom.notes import open_checkpoint
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.mirror import Mirror
from wherefrom.tlog.publish import publish
from wherefrom.tlog.source import FolderSource, MemorySource
from wherefrom.tlog.target import FolderTarget
from wherefrom.verify import Outcome

DEADLINE_S = 60
UNIT = Path(__file__).parents[1] / "unit"
OLD, NEW = 300, 9000

WORK = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tiled_logs import KEY, make_log
from wherefrom.notes import open_checkpoint
from wherefrom.tlog.mirror import Mirror
from wherefrom.tlog.publish import publish
from wherefrom.tlog.source import MemorySource
from wherefrom.tlog.target import FolderTarget
source, folder = MemorySource(make_log(int(sys.argv[4]))), Path(sys.argv[3])
if sys.argv[2] == "publish":
    publish(source, FolderTarget(folder), [KEY.verifier_key])
else:
    Mirror(folder).update(source, lambda note: open_checkpoint(note, [KEY.verifier_key]))
"""


def bring(how, folder, size):
    source = MemorySource(make_log(size))
    if how == "publish":
        publish(source, FolderTarget(folder), [KEY.verifier_key])
    else:
        Mirror(folder).update(source, lambda note: open_checkpoint(note, [KEY.verifier_key]))


def verify_whole(folder):
    checkpoint = open_checkpoint((folder / "checkpoint").read_bytes(), [KEY.verifier_key])
    assert check_log(FolderSource(folder), checkpoint).outcome is Outcome.TRUE
    return checkpoint.size


@pytest.mark.parametrize("how", ["publish", "mirror"])
@pytest.mark.parametrize("files", [8, 40, 70])
def test_killed_while_it_writes_what_readers_see_is_whole_and_the_next_run_finishes(tmp_path, how, files):
    folder = tmp_path / "log"
    bring(how, folder, OLD)
    with subprocess.Popen([sys.executable, "-c", WORK, str(UNIT), how, str(folder), str(NEW)]) as worker:
        deadline = time.monotonic() + DEADLINE_S
        while worker.poll() is None and sum(1 for path in folder.rglob("*") if path.is_file()) < files:
            assert time.monotonic() < deadline
        worker.kill()
        worker.wait(DEADLINE_S)
    assert verify_whole(folder) in {OLD, NEW}
    bring(how, folder, NEW)
    assert verify_whole(folder) == NEW
    assert all((folder / path).read_bytes() == data for path, data in make_log(NEW).items())
