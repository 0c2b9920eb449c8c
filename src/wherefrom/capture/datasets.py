"""What a program calls a data set: paths, globs, URLs, lists of them, folders, or a table in memory."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH111, PTH207

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

from wherefrom.capture import handover
from wherefrom.capture.journal import Journal
from wherefrom.capture.limits import limits

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_GLOB = re.compile(r"[*?\[]")
_numbers = itertools.count(1)


def note_paths(
    journal: Journal, given: Any, *, way: str, via: str, known: str = "observed", is_folder: bool = False
) -> None:
    """Tell that data sets are about to be read or written.

    Args:
        given: a path, a glob, a URL, or a list of those. Anything else, such as an open file, is passed over: the audit
            hook has seen it being opened, or it lies in memory.
        way: "read", "write", or "update" for both.
        is_folder: what is written is a folder of files that belong together.
    """
    paths = []
    for text in _iter_texts(given):
        url = _URL.match(text)
        if url and url[1].lower() not in {"file", "local"}:
            journal.say("name", name=text, way="write" if way == "write" else "read", via=via, known=known)
            journal.gap("remote data", "its content was not hashed", text)
        else:
            paths.append(_local_path(text[url.end() :] if url else text))
    if way == "read":
        journal.read_data([path for given_path in paths for path in _expand(given_path)], via=via, known=known)
    for path in paths if way != "read" else []:
        if way == "update":
            journal.update(path, via=via)
        else:
            journal.write(path, via=via, known=known, is_folder=is_folder)


def note_object(journal: Journal, value: object, name: str | None, *, way: str, via: str) -> None:
    """Tell of a table in memory."""
    name = name or f"memory/{type(value).__name__}-{next(_numbers)}"
    journal.say("object", name=name, way=way, via=via, argument=hand_over(value))


def hand_over(value: object) -> dict[str, str]:
    """A table for the recorder to fingerprint: {"object": where it is}, or {"gap": why it is not handed over}."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if not handover.is_table(value):
        return {"gap": f"a {kind} has no record fingerprint"}
    size = handover.size_of(value)
    if size > limits.fit_max_bytes:
        return {"gap": f"{size} bytes are more than fit_max_bytes, {limits.fit_max_bytes}"}
    try:
        return {"object": handover.give(value)}
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, we say that we have not seen it
        return {"gap": f"can't hand over a {kind}: {type(error).__name__}: {error}"}


def _iter_texts(given: Any) -> Iterator[str]:
    if isinstance(given, str | bytes | os.PathLike):
        yield os.fsdecode(given)
    elif isinstance(given, list | tuple | set):
        for item in given:
            yield from _iter_texts(item)


def _local_path(text: str) -> str:
    return os.path.expanduser(text) if text.startswith("~") else text


def _expand(path: str) -> list[str]:
    if not _GLOB.search(path) or os.path.lexists(path):
        return [path]
    return sorted(found for found in glob.glob(path, recursive=True) if os.path.isfile(found))  # noqa: PTH113
