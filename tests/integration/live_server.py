"""A real `wherefrom serve`, a process of its own on a free port of loopback; stopped and reaped when the block ends."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from child_processes import end_process

DEADLINE_S = 60
COMMAND = [sys.executable, "-c", "from wherefrom.cli import main; main()", "serve", "--port", "0"]


@dataclass
class LiveServer:
    """`token` is the first admin's, when the server was started with `--init` and made one; `log` is its stderr."""

    url: str
    token: str | None
    process: subprocess.Popen
    log: Path

    def stop(self, how=signal.SIGTERM):
        """Tell it to stop; its exit status."""
        self.process.send_signal(how)
        return self.process.wait(DEADLINE_S)


@contextlib.contextmanager
def running_server(root, *, env=None, args=()):
    """Start the server in the project folder `root`; gives a LiveServer. `args` as `("--init",)`."""
    number = len(list(Path(root).glob(".server-*")))
    said, log = (Path(root) / f".server-{number}.{kind}" for kind in ("out", "log"))
    environment = {**os.environ, **(env or {})}
    with said.open("wb") as out, log.open("wb") as talk:
        process = subprocess.Popen([*COMMAND, *args], cwd=root, stdout=out, stderr=talk, env=environment)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not (found := re.search(r"^(http://\S+)\n", text := said.read_text(), re.MULTILINE)):
            assert process.poll() is None, (text, log.read_text()[-3000:])
            assert time.monotonic() < deadline, (text, log.read_text()[-3000:])
            time.sleep(0.05)
        wait_until_healthy(found[1], process)
        token = re.search(r"admin token, shown only now: (\S+)", text)
        yield LiveServer(found[1], token[1] if token else None, process, log)
    finally:
        end_process(process)


@contextlib.contextmanager
def live_server(archive_root, *, env=None, args=()):
    """The same; gives the URL alone, without a slash at its end."""
    with running_server(archive_root, env=env, args=args) as server:
        yield server.url


def wait_until_healthy(url, process):
    """Until `/healthz` answers: the port is open a moment before."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=DEADLINE_S) as reply:  # noqa: S310
                assert reply.status == 200
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
