"""The parent's side of `worker.py`: tasks in processes of their own, traced, killed, listened to."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

DEADLINE_S = 120


@dataclass
class Told:
    """What a task said before it ended: receipts, checkpoints, what it was refused once, and twice; and tracebacks.

    `status` is that of `os.waitpid`; `hits` how many calls the fault was injected into.
    """

    receipts: list[tuple[int, str]] = field(default_factory=list)
    checkpoints: list[bytes] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    gave_up: list[str] = field(default_factory=list)
    broke: list[str] = field(default_factory=list)
    status: int = 0
    hits: int = 0

    def hear(self, said: dict[str, Any]) -> None:
        self.receipts += [(index, statement_id) for index, statement_id in said.get("receipts", [])]
        self.checkpoints += [said["checkpoint"].encode()] if "checkpoint" in said else []
        self.refused += [said["refused"]] if "refused" in said else []
        self.gave_up += [said["gave_up"]] if "gave_up" in said else []
        self.broke += [said["broke"]] if "broke" in said else []

    @property
    def killed_by(self) -> int | None:
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else None


class Worker:
    """A process that does one task after the other, each in a fork of its own."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(DEADLINE_S)
        script = Path(__file__).with_name("worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(theirs.fileno())], pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        self._lines = self._socket.makefile("r")
        self._hear("started")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def run(
        self,
        act: str,
        *,
        inject: str | None = None,
        meanwhile: Callable[[int, dict[str, Any]], None] | None = None,
        **task: Any,
    ) -> Told:
        """Do a task to its end.

        Args:
            act: a key of `worker.TASKS`; `task` are its arguments.
            inject: what `strace -e inject=` takes, in force from the task's first instruction on.
            meanwhile: called with the task's process id and each thing it says, as soon as it says it.
        """
        pid = self.begin(act, **task)
        with traced(pid, inject) as hits:
            told = self.finish(pid, meanwhile)
        told.hits = hits[0]
        return told

    def begin(self, act: str, **task: Any) -> int:
        """Start a task, which waits for `finish`; gives its process id."""
        self._send(json.dumps({"act": act, **task}))
        return int(self._hear("ready")["ready"])

    def finish(self, pid: int, meanwhile: Callable[[int, dict[str, Any]], None] | None = None) -> Told:
        """Let a task that was begun go, and listen to it until it ends."""
        told = Told()
        self._send("go")
        while "ended" not in (said := self._hear()):
            told.hear(said)
            if meanwhile:
                meanwhile(pid, said)
        told.status = said["ended"]
        return told

    def _send(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\n")

    def _hear(self, key: str | None = None) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise RuntimeError(f"the worker is gone, with status {self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        if key is not None and key not in said:
            raise RuntimeError(f"the worker said {said}, expected {key}")
        return said


@contextlib.contextmanager
def traced(pid: int, inject: str | None) -> Iterator[list[int]]:
    """Inject a fault into the calls of a process until it ends; the list then holds how many calls were hit.

    It is waited for at the end of the block. Raises ProcessLookupError when it is gone already.
    """
    hits = [0]
    if inject is None:
        yield hits
        return
    names = inject.split(":")[0]
    with tempfile.NamedTemporaryFile("r") as log:
        command = ["strace", "-f", "-o", log.name, "-e", f"trace={names}", "-e", f"inject={inject}", "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            line = tracer.stderr.readline()
            if "No such process" in line:
                raise ProcessLookupError(line)
            if "attached" not in line:
                raise RuntimeError(f"strace: {line}{tracer.stderr.read()}")
            try:
                yield hits
            finally:
                tracer.communicate()  # it ends with the process it traces
        hits[0] = sum("(INJECTED)" in line or "killed by SIGKILL" in line for line in log)


def may_trace() -> bool:
    """Whether strace is there and this machine lets it trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0
