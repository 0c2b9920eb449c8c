"""Where the project of a program is: found upward like `.git`, by its archive or its key, without opening either."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH110, PTH118, PTH120

from __future__ import annotations

import os

FOLDER = ".wherefrom"
# An archive's database lies in the folder, or the folder says where it is.
ARCHIVES = (os.path.join(FOLDER, "archive.db"), os.path.join(FOLDER, "database"))
OUTBOX = os.path.join(FOLDER, "outbox")
PRODUCER_KEY = os.path.join(FOLDER, "keys", "producer")
"""All that there is of a project whose statements go to a server, beside its outbox."""


def find_root(start: str) -> str | None:
    """The nearest folder, from `start` upward, that holds an archive, or records to a server."""
    return _find_upward(start, *ARCHIVES, PRODUCER_KEY)


def choose_root(*, script: str | None, working_directory: str) -> str:
    """The project folder of a program.

    It is the one above the working directory, or above the script; when there is none, the folder where one
    should be made: the top of the git work tree that holds the script, else the script's folder.
    """
    home = os.path.dirname(script) if script else working_directory
    found = find_root(working_directory) or find_root(home)
    return found or _find_upward(home, ".git") or home


def _find_upward(start: str, *names: str) -> str | None:
    folder = os.path.realpath(start)
    while True:
        if any(os.path.exists(os.path.join(folder, name)) for name in names):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
