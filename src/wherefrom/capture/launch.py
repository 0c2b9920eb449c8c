"""`wherefrom run -- python train.py`: capture for a program that doesn't know of it.

A Python child finds our `sitecustomize` first on its path, and captures itself through a recorder that the launcher has
started for it. The launcher waits for both, and so knows the true exit code; of a child that is no Python, or a Python
without Wherefrom, it records the command, and a gap.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wherefrom.capture.channel import Channel, spawn_recorder
from wherefrom.capture.locate import choose_root
from wherefrom.capture.process import LAUNCHED, PARENT, Launched, describe_process, parent_run
from wherefrom.errors import NotFoundError, UnavailableError

_SITE = Path(__file__).parent / "site"
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def launch(argv: list[str]) -> int:
    """Run a command, and record it. Its exit code; 128 + n when signal n ended it.

    Raises NotFoundError: no such program. UnavailableError: it can't be started.
    """
    script = next((str(Path(part).absolute()) for part in argv[1:] if part.endswith(".py")), None)
    root = choose_root(script=script, working_directory=str(Path.cwd()))
    run_id, started_ns = str(uuid.uuid4()), time.time_ns()
    channel = Channel(root, run_id)
    ends = _start_recorder(channel, root, run_id)
    parent = parent_run()
    paths = [str(_SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, PARENT: f"{run_id} {argv[0]}", "PYTHONPATH": os.pathsep.join(paths)}
    if ends:
        environment[LAUNCHED] = json.dumps(Launched(os.getpid(), run_id, root, parent, *ends))
    try:
        child = subprocess.Popen(argv, env=environment, pass_fds=ends)
    except FileNotFoundError as error:
        channel.finish()
        raise NotFoundError(f"no program {argv[0]!r}") from error
    except OSError as error:
        channel.finish()
        raise UnavailableError(f"can't start {argv[0]!r}: {error.strerror}") from error
    with _signals_forwarded(child):
        code = child.wait()
    code = 128 - code if code < 0 else code
    process = describe_process(None) | {"argv": argv, "command": argv}
    said = {"process": process, "parent": parent, "started": started_ns, "code": code}
    channel.send({"do": "launched", "run": run_id, "at": time.time_ns(), **said})
    channel.finish()
    return code


def _start_recorder(channel: Channel, root: str, run_id: str) -> tuple[int, int] | tuple[()]:
    """The recorder's ends for the child, none when it can't be started."""
    try:
        ends = spawn_recorder(root, f"{run_id}.messages")
    except OSError:
        channel.start_recorder(root)  # says why not, and turns over to the spool file
        return ()
    channel.attach(*ends)
    return ends


@contextmanager
def _signals_forwarded(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """^C reaches the child from the terminal, and other signals from us; we wait until it has ended."""

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            child.send_signal(number)

    before: dict[signal.Signals, Any] = {number: signal.signal(number, forward) for number in _FORWARDED}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
