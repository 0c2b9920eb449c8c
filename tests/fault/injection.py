"""Faults on one machine: a system call fails or kills the nth time, the process is killed at any time, clocks jump."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from promises import Promises
from worker import statement
from workers import Told, Worker

from wherefrom.archive import Archive
from wherefrom.errors import WherefromError

# A question mark: not every machine has the call.
CALLS = {
    "openat": "openat",
    "write": "write",
    "pwrite64": "pwrite64",
    "fsync": "fsync",
    "fdatasync": "fdatasync",
    "rename": "?rename,?renameat,?renameat2",
    "unlink": "?unlink,?unlinkat",
    "ftruncate": "ftruncate",
}
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "SIGKILL": "signal=KILL"}


@dataclass(frozen=True)
class Tried:
    """One fault and what it led to; `problems` is empty when every promise was kept."""

    fault: str
    told: Told
    problems: list[str]


def assert_kept(tried: Iterable[Tried]) -> list[Tried]:
    """Raise AssertionError with every problem there is; else give what was tried."""
    tried = list(tried)
    broken = [f"{one.fault}: {problem}" for one in tried for problem in one.problems]
    if broken:
        raise AssertionError("\n".join(broken))
    return tried


class Subject:
    """An archive that faults are tried on, and what it has promised so far.

    `where` is the folder that worker processes open; another one than `archive`'s when they have another way to it.
    `clock` is for what is recorded after each fault.
    """

    def __init__(
        self, archive: Archive, *, where: Path | None = None, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._clock = clock
        self._folder = archive.folder
        self._head_of_worker = (where or archive.folder) / "checkpoint"
        self.where = str(where or archive.folder)
        self.promises = Promises(archive.log_key)
        self._tried = 0
        archive.close()

    def settle(self, fault: str, *told: Told, killed: bool = False, once: bool = False) -> Tried:
        """After a fault: hold the archive to its promises, and record once more.

        Args:
            killed: the task may have been killed, as part of the fault.
            once: the fault was over by the second try, which should then have succeeded.
        """
        self._tried += 1
        problems = []
        for one in told:
            self.promises.hear(one)
            problems += [f"the second try was refused too: {said}" for said in one.gave_up if once]
            if one.status and not one.broke and not (killed and one.killed_by == signal.SIGKILL):
                problems.append(f"the process ended with status {one.status:#x}")
        try:
            if self._head_of_worker.exists():
                self.promises.see(self._head_of_worker.read_bytes())
            with contextlib.closing(Archive.open(self._folder, clock=self._clock)) as archive:
                problems += self.promises.check(archive)
                [receipt] = archive.record(statement(f"after {fault}", self._tried))
                self.promises.hear(Told([(receipt.index, receipt.statement_id)], [archive.checkpoint()[1]]))
        except WherefromError as error:
            problems.append(f"afterwards: {type(error).__name__}: {error}")
        return Tried(fault, told[0], problems)


def in_folder(root: Path) -> Archive:
    """A new archive on SQLite."""
    root.mkdir(parents=True)
    return Archive.init(root, namespace="test")


def count_calls(worker: Worker, act: str, task: dict[str, Any]) -> dict[str, int]:
    """How often a task makes each of the calls when nothing fails."""
    pid = worker.begin(act, **task)
    with tempfile.NamedTemporaryFile("r") as log:
        names = ",".join(CALLS.values())
        command = ["strace", "-f", "-o", log.name, "-e", f"trace={names}", "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            tracer.stderr.readline()
            worker.finish(pid)
            tracer.communicate()
        made = re.findall(r"^\d+ +(\w+)\(", log.read(), re.MULTILINE)
    return {call: sum(name in names.replace("?", "").split(",") for name in made) for call, names in CALLS.items()}


def spread(count: int, most: int) -> list[int]:
    """At most so many of the numbers 1 to count, evenly spread, the first and the last among them."""
    return sorted({1 + (count - 1) * step // max(1, most - 1) for step in range(most)}) if count else []


def inject(
    worker: Worker,
    subject: Subject,
    call: str,
    fault: str,
    times: Iterable[int],
    *,
    batches: int,
    lasting: bool = False,
) -> Iterator[Tried]:
    """Let a call fail the nth time it is made while statements are recorded, for each n; to the end when `lasting`.

    Stops before the first n at which the call was not made any more.
    """
    for nth in times:
        name = f"{fault} at {call} {nth}{'+' if lasting else ''}"
        injected = f"{CALLS[call]}:{FAULTS[fault]}:when={nth}{'+' if lasting else ''}"
        told = worker.run("record", inject=injected, where=subject.where, name=name, batches=batches)
        if not told.hits:
            return
        yield subject.settle(name, told, killed=fault == "SIGKILL", once=not lasting)


def kill_at_random(worker: Worker, subject: Subject, dice: random.Random, rounds: int) -> Iterator[Tried]:
    """Kill a process that records without end, at any moment after its first receipt."""
    for number in range(rounds):
        killer = _Killer(dice.randrange(12), dice.uniform(0, 0.03))
        told = worker.run("record", where=subject.where, name=f"kill {number}", batches=None, meanwhile=killer.hear)
        yield subject.settle(f"SIGKILL {number}", told, killed=True)


@dataclass
class _Killer:
    """Kills the task some time after it gave so many receipts."""

    left: int
    delay_s: float

    def hear(self, pid: int, said: dict[str, Any]) -> None:
        self.left -= "receipts" in said
        if self.left == -1:
            self.left = -2
            time.sleep(self.delay_s)
            os.kill(pid, signal.SIGKILL)


def let_clock_jump(worker: Worker, root: Path, seeds: Iterable[int], *, batches: int) -> Iterator[Tried]:
    """Record by a clock that is set back and forth between any two looks at it; afterwards by one that is ahead."""
    for seed in seeds:
        ahead = Subject(in_folder(root / str(seed)), clock=lambda: datetime.now(UTC) + timedelta(days=1))
        told = worker.run("record", where=ahead.where, name=f"clock {seed}", batches=batches, steps=seed)
        yield ahead.settle(f"clock {seed}", told)


def record_at_once(workers: list[Worker], subject: Subject, *, batches: int) -> Tried:
    """Several processes that record into one archive, at once."""
    with ThreadPoolExecutor(len(workers)) as pool:
        told = [
            pool.submit(worker.run, "record", where=subject.where, name=f"one of {number}", batches=batches)
            for number, worker in enumerate(workers)
        ]
        return subject.settle(f"{len(workers)} at once", *(one.result() for one in told))
