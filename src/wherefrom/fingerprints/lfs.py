"""Git LFS pointers: small texts that stand in a checkout for files that were not fetched.

A file's oid is its plain SHA-256, so pointers tell what fingerprints are made of. Source: git-lfs, docs/spec.md.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wherefrom.errors import FormatError, MismatchError
from wherefrom.fingerprints.files import FileEntry, read_file_entries
from wherefrom.fingerprints.walk import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wherefrom.fingerprints.stat_cache import StatCache

_BEGIN: Final = b"version https://git-lfs.github.com/spec/v1\n"
_MAX_BYTES: Final = 1024
_LINE: Final = re.compile(r"([a-z0-9.-]+) ([^\n]+)\n")
_OID: Final = re.compile(r"sha256:([0-9a-f]{64})")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


def parse_pointer(data: bytes) -> tuple[bytes, int] | None:
    """The SHA-256 and size that a pointer stands for; None for what is no pointer.

    Raises FormatError: a pointer that is malformed, or has extensions, whose oid is not that of the file.
    """
    if len(data) > _MAX_BYTES or not data.startswith(_BEGIN):
        return None
    text = data.decode("utf-8", errors="replace")
    lines = _LINE.findall(text)
    if "".join(f"{key} {value}\n" for key, value in lines) != text:
        raise FormatError("Git LFS pointer has a line that is not 'key value'")
    members = dict(lines)
    if extensions := [key for key in members if key.startswith("ext-")]:
        raise FormatError(f"Git LFS pointer has the extension {extensions[0]!r}: its oid is not that of the file")
    keys = [key for key, _ in lines]
    if keys != ["version", "oid", "size"]:
        raise FormatError(f"Git LFS pointer has the lines {', '.join(keys)}, expected version, oid, size")
    oid, size = _OID.fullmatch(members["oid"]), _SIZE.fullmatch(members["size"])
    if oid is None or size is None:
        raise FormatError(
            f"Git LFS pointer has oid {members['oid']!r} and size {members['size']!r}, expected sha256:<64 hex digits> "
            "and a whole number"
        )
    return bytes.fromhex(oid[1]), int(size[0])


def read_checkout_entries(path: str | os.PathLike[str], *, cache: StatCache | None = None) -> tuple[FileEntry, ...]:
    """As `read_file_entries`, with each pointer as if its file had been fetched: believed, for its file is not here.

    `fingerprint_entries` of these is the fingerprint of the whole checkout. Raises FormatError, naming the file, for a
    malformed pointer; MismatchError when a file changed between two readings.
    """
    return tuple(_iter_fetched(os.fspath(path), read_file_entries(path, cache=cache)))


def _iter_fetched(start: str, entries: tuple[FileEntry, ...]) -> Iterator[FileEntry]:
    for entry in entries:
        if not len(_BEGIN) < entry.size <= _MAX_BYTES:
            yield entry
            continue
        path = Path(start, entry.path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise unreadable(error, str(path)) from error
        if FileEntry.of(entry.path, data) != entry:
            raise MismatchError(f"'{path}' changed while the folder was read")
        try:
            pointed = parse_pointer(data)
        except FormatError as error:
            raise FormatError(f"'{path}': {error}") from error
        yield entry if pointed is None else FileEntry(entry.path, pointed[1], pointed[0])
