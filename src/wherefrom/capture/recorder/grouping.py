"""Many small files as the folders that they lie in: a run that reads 50,000 images reads one data set."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace

from wherefrom.capture.recorder.contents import Content, Gap
from wherefrom.capture.recorder.runs import Item
from wherefrom.capture.recorder.territory import to_text
from wherefrom.fingerprints import FileEntry, fingerprint_entries

MAX_ITEMS = 1_000

Pair = tuple[Item, Content]


def group(pairs: list[Pair]) -> list[Pair]:
    """The same data sets while they are at most `MAX_ITEMS`; else files become folders, and folders those above them.

    A folder's digest is made from what is known of its files, none is read again. When the run did not see all that
    lies in the folder, the digest is of what it saw, and a gap says so.
    """
    groups = {item.path or item.name: [(item, content)] for item, content in pairs}
    while len(groups) > MAX_ITEMS:
        merged = _merge(groups)
        if len(merged) == len(groups):
            break
        groups = merged
    return [
        members[0] if key == (members[0][0].path or members[0][0].name) else _folder(key, members)
        for key, members in groups.items()
    ]


def _merge(groups: dict[str, list[Pair]]) -> dict[str, list[Pair]]:
    """One step up, for what has a sibling; what is no file, or no single file's content, stays."""
    siblings: dict[str, list[str]] = defaultdict(list)
    for key, members in groups.items():
        if all(_is_file(item, content) for item, content in members) and key.count("/") > 1:
            siblings[key.rpartition("/")[0]].append(key)
    merged = dict(groups)
    for folder, keys in siblings.items():
        if len(keys) > 1:
            members = [pair for key in keys for pair in merged.pop(key)]
            merged[folder] = [*merged.pop(folder, []), *members]
    return merged


def _is_file(item: Item, content: Content) -> bool:
    return bool(item.path) and "sha256" in content.digests and content.total_bytes is not None and not item.model


def _folder(path: str, members: list[Pair]) -> Pair:
    first = min((item for item, _ in members), key=lambda item: item.at_ns)
    entries = [
        FileEntry(
            to_text(item.path[len(path) + 1 :]), content.total_bytes or 0, bytes.fromhex(content.digests["sha256"])
        )
        for item, content in members
    ]
    fingerprint = fingerprint_entries(entries)
    there = sum(len(files) for _, _, files in os.walk(path))
    gaps = tuple(gap for _, content in members for gap in content.gaps)
    if there != len(members):
        gaps += (Gap("part of a folder", f"{len(members)} of its {there} files; the digest is of these"),)
    item = replace(first, path=path, is_folder=True, content=None)
    return item, Content(dict([fingerprint.digest]), fingerprint.total_bytes, fingerprint.count, gaps=gaps)
