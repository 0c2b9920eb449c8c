"""The regular files below a folder, by the rules of docs/spec/fingerprint-files-v1.md section 2."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wherefrom.errors import FormatError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file as it was when its folder was listed."""

    name: bytes
    """Path relative to the folder, "/" between parts, UTF-8; empty for a single file."""
    path: str
    """For opening it."""
    state: os.stat_result


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    prefix: bytes
    identity: tuple[int, int]
    parent: _Folder | None

    def is_inside(self, identity: tuple[int, int]) -> bool:
        folder: _Folder | None = self
        while folder is not None:
            if folder.identity == identity:
                return True
            folder = folder.parent
        return False


def iter_files(path: str) -> Iterator[FoundFile]:
    """Every regular file below a folder, in no particular order. Links are followed; empty folders leave no trace.

    Raises FormatError for what has no place in a fingerprint (special files, names that are not UTF-8, links that lead
    back to a folder they are in) and UnavailableError for what can't be read now.
    """
    state = Path(path).stat()
    waiting = [_Folder(path, b"", (state.st_dev, state.st_ino), None)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    found = _classify(entry, folder)
                    if isinstance(found, _Folder):
                        waiting.append(found)
                    else:
                        yield found
        except OSError as error:
            raise unreadable(error, folder.path) from error


def _classify(entry: os.DirEntry[str], folder: _Folder) -> FoundFile | _Folder:
    try:
        name = folder.prefix + entry.name.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"file name {os.fsencode(entry.path)!r} is not UTF-8") from error
    try:
        state = entry.stat()
    except FileNotFoundError as error:
        if entry.is_symlink():
            raise UnavailableError(
                f"link '{entry.path}' leads to '{Path(entry.path).readlink()}', which is not there"
            ) from error
        raise
    except OSError as error:
        # ELOOP: a link that leads to itself, directly or through others.
        raise unreadable(error, entry.path) from error
    if stat.S_ISREG(state.st_mode):
        return FoundFile(name, entry.path, state)
    if stat.S_ISDIR(state.st_mode):
        identity = (state.st_dev, state.st_ino)
        if folder.is_inside(identity):
            raise FormatError(f"link '{entry.path}' leads back to a folder that it is in")
        return _Folder(entry.path, name + b"/", identity, folder)
    raise special_file(entry.path, state)


def special_file(path: str, state: os.stat_result) -> FormatError:
    kind = _SPECIAL.get(stat.S_IFMT(state.st_mode), "no regular file")
    return FormatError(f"'{path}' is {kind}, which has no content to fingerprint")


def unreadable(error: OSError, path: str) -> UnavailableError:
    return UnavailableError(f"can't read '{error.filename or path}': {error.strerror or error}")
