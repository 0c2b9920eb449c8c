"""The process that faults are tried on. Started once, it forks for each task, so that a task costs no imports.

It speaks JSON lines on the socket whose descriptor is its argument: a task comes in; out go `ready`, then, after `go`,
what the task says, and at last how its process ended. Nothing is said through files, so that a fault in a file's write
never hits what is said.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import random
import secrets
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from events import dataset, event

from wherefrom.archive import Archive
from wherefrom.archive.publishing import publish_ledger
from wherefrom.errors import WherefromError

Say = Callable[..., None]

BATCHES = (1, 3)
"""Statements in a transaction, in turn."""

_PR_SET_PTRACER = 0x59616D61


def statement(name: str, number: int):
    return event(f"{name}-{number}", [dataset("a", f"{name}{number}")], [dataset("b", f"{name}{number}")])


def record(say: Say, *, where: str, name: str, batches: int | None, steps: int | None = None) -> None:
    """Record batch after batch (for ever without a number), each tried again when it was refused.

    Says `receipts` as soon as they are there, and each checkpoint it then reads. `steps` seeds a clock that jumps.
    """
    clock, archive, number, done = jumping_clock(steps), None, 0, 0
    while batches is None or done < batches:
        size = BATCHES[done % len(BATCHES)]
        wanted = [statement(name, number + more) for more in range(size)]
        for last in (False, True):
            try:
                archive = archive or Archive.open(Path(where), clock=clock)
                receipts = archive.record(*wanted)
                say(receipts=[[receipt.index, receipt.statement_id] for receipt in receipts], number=number)
                say(checkpoint=archive.checkpoint()[1].decode())
                break
            except WherefromError as error:
                said = f"{type(error).__name__}: {error}"
                say(**({"refused": said, "gave_up": said} if last else {"refused": said}))
                time.sleep(0.01)
        if archive and done % 3 == 2:  # also what is written when an archive is closed and opened
            archive.close()
            archive = None
        number, done = number + size, done + 1
    if archive:
        archive.close()


def jumping_clock(seed: int | None) -> Callable[[], datetime] | None:
    """A clock that runs on by ten seconds a look, and is up to a minute wrong both ways; None without a seed."""
    if seed is None:
        return None
    dice, start, looks = random.Random(seed), datetime.now(UTC), itertools.count()
    return lambda: start + timedelta(seconds=10 * next(looks) + dice.choice([0, 0, 0, 1, -1, 3, -3, 15, -15, 60, -60]))


def publish(say: Say, *, where: str, target: str) -> None:
    """Bring what is published in a folder up to the archive; tried again when it was refused."""
    for last in (False, True):
        try:
            with contextlib.closing(Archive.open(Path(where))) as archive:
                publish_ledger(archive, target, statements=True)
                return
        except WherefromError as error:
            said = f"{type(error).__name__}: {error}"
            say(**({"refused": said, "gave_up": said} if last else {"refused": said}))


TASKS = {"record": record, "publish": publish}


def warm_up() -> None:
    """Do once what tasks do, so that whatever is imported late is imported before any fault."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.init(Path(folder), namespace="warm")
        where = str(archive.folder)
        archive.close()
        for _ in range(2):  # from nothing, then onto what is published
            record(_say_nothing, where=where, name=secrets.token_hex(4), batches=3)
            publish(_say_nothing, where=where, target=f"{folder}/published")


def _say_nothing(**said: Any) -> None:
    assert "refused" not in said


def serve(channel: socket.socket) -> None:
    lines = channel.makefile("r")

    def say(**said: Any) -> None:
        channel.sendall(json.dumps(said).encode() + b"\n")

    say(started=os.getpid())
    for line in lines:
        task = json.loads(line)
        act = TASKS[task.pop("act")]
        if child := os.fork():
            say(ended=os.waitpid(child, 0)[1])
            continue
        # Whoever holds the socket may trace us, where tracing is else left to a process's parents.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        say(ready=os.getpid())
        lines.readline()
        try:
            act(say, **task)
        except BaseException:  # noqa: BLE001 - what no one documents is what we look for
            say(broke=traceback.format_exc())
            os._exit(1)
        os._exit(0)


if __name__ == "__main__":
    warm_up()
    serve(socket.socket(fileno=int(sys.argv[1])))
