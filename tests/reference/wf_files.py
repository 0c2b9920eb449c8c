"""`docs/spec/fingerprint-files-v1.md` in its order and words."""

import os
from pathlib import Path

from tests.reference.wf_records import LEAF, root, sha256


def files_below(folder):
    """{path bytes relative to the folder: content} of every regular file; links followed."""
    found = {}
    for parent, _, names in os.walk(folder, followlinks=True):
        for name in names:
            full = Path(parent) / name
            found[full.relative_to(folder).as_posix().encode("utf-8")] = full.read_bytes()
    return found


def entry(path, content):
    return len(path).to_bytes(4, "big") + path + len(content).to_bytes(8, "big") + sha256(content)


def identity(files):
    """Identity object of {path bytes: content}; a single file has the path b""."""
    hashes = [sha256(LEAF + entry(path, files[path])) for path in sorted(files)]
    return {
        "bytes": sum(map(len, files.values())),
        "files": len(files),
        "order": "path",
        "root": root(hashes).hex(),
        "salt": "none",
        "type": "wf-files-1",
    }
