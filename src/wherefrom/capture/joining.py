"""Workers that `multiprocessing` starts afresh (spawn, forkserver) speak for the run of the process that starts them.

Such a worker runs the main module again, `autolog()` included. On Linux it can then open its parent's end of the pipe
to the recorder through /proc; elsewhere it becomes a run of its own, whose parent is that run.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import suppress

from wherefrom.capture import current, hooks
from wherefrom.capture.channel import Channel
from wherefrom.capture.journal import Journal
from wherefrom.capture.limits import limits

JOIN = "WHEREFROM_JOIN"
"""Environment variable for workers: [process id, descriptor of its pipe, project folder, run id] in JSON."""


def invite(channel: Channel, root: str, run_id: str) -> None:
    """Let workers that are started from now on speak for this run."""
    os.environ[JOIN] = json.dumps([os.getpid(), channel.pipe, root, run_id])


def join() -> Journal | None:
    """The parent's run, when this process is a worker that may speak for it."""
    if "__mp_main__" not in sys.modules or JOIN not in os.environ:
        return None
    parent, number, root, run_id = json.loads(os.environ[JOIN])
    if number is None or parent not in {os.getppid(), _parent_of(os.getppid())}:  # there may be a fork server between
        return None
    try:
        # Not blocking: without a reader, as when the recorder is gone, opening must fail rather than wait.
        pipe = os.open(f"/proc/{parent}/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        os.close(pipe)
        return None
    channel = Channel(root, f"{run_id}-{os.getpid()}")
    channel.attach(pipe, None)
    channel.is_shared = True
    journal = Journal(channel, run_id, is_script=True)
    limits.read(root)
    hooks.install()
    os.register_at_fork(after_in_child=lambda: _after_fork(channel, journal))
    journal.say("joined", argv=sys.orig_argv)
    current.enter(journal)
    return journal


def _after_fork(channel: Channel, journal: Journal) -> None:
    with suppress(Exception):
        channel.adopt_fork()
        journal.after_fork()


def _parent_of(process: int) -> int | None:
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123 - runs in the user's process
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
