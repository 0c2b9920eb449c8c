"""Which files hold tables, and which columns don't count, told by their names alone."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import Final

_TEXT_SUFFIXES: Final = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_BINARY_SUFFIXES: Final = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".orc": "orc",
}
COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zip": "zip"}
"""Suffixes that may follow those of text formats."""

FORMATS: Final = ("csv", "tsv", "jsonl", "parquet", "arrow", "orc", "delta")
"""What a caller may say that a source is; "delta" is never told by a name."""

UNNAMED_INDEX: Final = re.compile(r"__index_level_[0-9]+__")
"""How pandas names an index that has no name when it writes one to a file."""


def table_format(path: str | os.PathLike[str]) -> str | None:
    """One of `FORMATS`, or None when the name is not that of a table; reads nothing."""
    suffixes = [suffix.lower() for suffix in PurePath(os.fspath(path)).suffixes[-2:]]
    if not suffixes:
        return None
    if suffixes[-1] in COMPRESSIONS:
        return _TEXT_SUFFIXES.get(suffixes[0]) if len(suffixes) == 2 else None
    return _TEXT_SUFFIXES.get(suffixes[-1]) or _BINARY_SUFFIXES.get(suffixes[-1])


def compression_of(path: str | os.PathLike[str]) -> str | None:
    """The compression that the last suffix names, None for a plain file."""
    return COMPRESSIONS.get(PurePath(os.fspath(path)).suffix.lower())
