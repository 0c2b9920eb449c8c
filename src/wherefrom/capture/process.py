"""What a process says of itself when its first run begins. The recorder adds what it can find out on its own."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH100, PTH112, PTH120

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, NamedTuple

PARENT = "WHEREFROM_PARENT_RUN"
"""Environment variable for child processes: run id and job of the run that starts them, a space between."""

LAUNCHED = "WHEREFROM_LAUNCHED"
"""Environment variable for the child of a launcher: a `Launched` in JSON."""


class Launched(NamedTuple):
    """What a launcher tells the process that it starts.

    Attributes:
        launcher: its process id: only its direct child is meant.
        run_id: of the run that the child is.
        parent: of the launcher: {"run", "job"}, None when it has none.
        pipe, replies: descriptors, the recorder's ends.
    """

    launcher: int
    run_id: str
    root: str
    parent: dict[str, str] | None
    pipe: int
    replies: int


def describe_process(script: str | None) -> dict[str, Any]:
    """`script`: absolute path of the program, None when it has none."""
    version = ".".join(map(str, sys.version_info[:3]))
    return {
        "id": f"{os.getpid()}-{time.time_ns()}",
        "argv": list(getattr(sys, "argv", [])),
        "command": list(sys.orig_argv),
        "script": script,
        "python": {"version": version, "implementation": sys.implementation.name, "executable": sys.executable},
        "packageFolders": [folder for folder in sys.path if folder and os.path.isdir(folder)],
        "installed": _installed_folders(),
        "workingDirectory": working_directory(),
    }


def is_running(process_id: str) -> bool:
    """Whether the process that described itself with this `id` still runs; False where there is no /proc to ask."""
    number, _, said_ns = process_id.partition("-")
    if not (number.isdecimal() and said_ns.isdecimal()):
        return False
    try:
        with open(f"/proc/{number}/stat") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/uptime") as file:  # noqa: PTH123
            booted_s = time.time() - float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return False
    # Another process may have got its number since. A clock that was set makes no difference of less than a minute.
    started_s = booted_s + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return fields[0] not in "ZX" and started_s < int(said_ns) / 1e9 + 60


def find_script() -> str | None:
    """The program's own file, as `__main__` knows it."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else None


def working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return "/"


def parent_run() -> dict[str, str] | None:
    """The run of another process that started this one."""
    run, _, job = os.environ.get(PARENT, "").partition(" ")
    return {"run": run, "job": job} if run else None


def _installed_folders() -> list[str]:
    """Where the interpreter and its packages are: what lies there is code, but for tables."""
    folders = {os.path.dirname(os.__file__)}
    folders |= {folder for folder in sys.path if "site-packages" in folder or "dist-packages" in folder}
    if sys.prefix != sys.base_prefix:
        folders.add(sys.prefix)
    return sorted(folders)


def read_launched() -> Launched | None:
    """What the launcher said, when it started this very process. Said once: grandchildren don't hear it."""
    text = os.environ.pop(LAUNCHED, "")
    if not text:
        return None
    launched = Launched(*json.loads(text))
    if launched.launcher != os.getppid():
        return None
    try:
        for end in (launched.pipe, launched.replies):
            os.set_inheritable(end, False)
    except OSError:
        return None
    return launched
