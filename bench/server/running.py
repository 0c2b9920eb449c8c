"""A real `wherefrom serve` on a new archive, a process of its own."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

COMMAND = [sys.executable, "-c", "from wherefrom.cli import main; main()", "serve", "--port", "0"]


@contextlib.contextmanager
def serving(folder: Path, database: str | None = None) -> Iterator[tuple[str, str, int]]:
    """Serve the archive of a folder, made if there is none: URL, the first admin's token, process id.

    Args:
        database: URL of the PostgreSQL schema that a new archive is kept in; a file of the folder when None.
    """
    arguments = ["--init", *(["--database", database] if database else [])]
    said, log = folder / "server.out", folder / "server.log"
    with said.open("wb") as out, log.open("wb") as talk:
        process = subprocess.Popen([*COMMAND, *arguments], cwd=folder, stdout=out, stderr=talk)
    try:
        url = _wait(process, said, log)
        token = re.search(r"token[^:]*: (\S+)", said.read_text())
        if token is None:
            raise RuntimeError(f"the server gave no token:\n{said.read_text()}")
        yield url, token[1], process.pid
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], said: Path, log: Path) -> str:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if found := re.search(r"^(http://\S+)\n", said.read_text(), re.MULTILINE):
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{found[1]}/healthz", timeout=60).close()  # noqa: S310 - a server of ours
                return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")
