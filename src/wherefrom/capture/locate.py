"""Where the archive of a program is: found upward like `.git`, without opening it."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH110, PTH118, PTH120

from __future__ import annotations

import os

FOLDER = ".wherefrom"
ARCHIVE = os.path.join(FOLDER, "archive.db")
OUTBOX = os.path.join(FOLDER, "outbox")


def find_root(start: str) -> str | None:
    """The nearest folder, from `start` upward, that holds an archive."""
    return _find_upward(start, ARCHIVE)


def choose_root(*, script: str | None, working_directory: str) -> str:
    """The project folder of a program.

    It is that of an archive above the working directory, or above the script; when there is none, the folder where one
    should be made: the top of the git work tree that holds the script, else the script's folder.
    """
    home = os.path.dirname(script) if script else working_directory
    found = find_root(working_directory) or find_root(home)
    return found or _find_upward(home, ".git") or home


def _find_upward(start: str, name: str) -> str | None:
    folder = os.path.realpath(start)
    while True:
        if os.path.exists(os.path.join(folder, name)):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
