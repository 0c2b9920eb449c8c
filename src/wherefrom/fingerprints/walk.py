"""The regular files below a folder, by the rules of docs/spec/fingerprint-files-v1.md section 2."""

from __future__ import annotations

import operator
import os
import stat
import struct
import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wherefrom.errors import FormatError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection

# In the machine's byte order: states are compared, and kept for this machine only.
_STATE: Final = struct.Struct("=QQQqq")
_KIND: Final = 0o170000  # what stat.S_IFMT takes out of a mode
STATE_SIZE: Final = _STATE.size
STATE_FIELDS: Final = ("device", "inode", "size", "mtime_ns", "ctime_ns")

_SPECIAL: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Regular files as they were when their folders were listed; one state for each name, ascending by path bytes.

    Files come by the hundred thousand, so two plain lists instead of an object for each.
    """

    start: str
    """The path that was asked for."""
    names: list[str]
    """Relative to `start`, "/" between parts; one empty name when `start` is itself a file."""
    states: list[bytes]
    """As `pack_state` makes them."""
    links: list[str]
    """Names of the symbolic links that were followed, to files and to folders."""
    began_ns: int
    """Before anything was looked at (Unix time)."""
    skipped: frozenset[str] = frozenset()
    """What was left out."""

    def path(self, index: int) -> str:
        """For opening the file."""
        name = self.names[index]
        return os.path.join(self.start, name) if name else self.start  # noqa: PTH118 - plain text, for speed


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    prefix: str
    identity: tuple[int, int]
    parent: _Folder | None

    def is_inside(self, identity: tuple[int, int]) -> bool:
        folder: _Folder | None = self
        while folder is not None:
            if folder.identity == identity:
                return True
            folder = folder.parent
        return False

    def path_of(self, name: str) -> str:
        return os.path.join(self.path, name)  # noqa: PTH118 - plain text, for speed

    def enter(self, name: str, identity: tuple[int, int]) -> _Folder:
        if self.is_inside(identity):
            raise FormatError(f"link '{self.path_of(name)}' leads back to a folder that it is in")
        return _Folder(self.path_of(name), f"{self.prefix}{name}/", identity, self)


def pack_state(state: os.stat_result) -> bytes:
    """What changes when a file does, in 40 bytes: the `STATE_FIELDS`, 8 bytes each; times are signed."""
    return _STATE.pack(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def size_of(state: bytes) -> int:
    """The size in a packed state."""
    size: int = _STATE.unpack(state)[2]
    return size


def list_files(start: str, *, skip: Collection[str] = ()) -> Listing:
    """A file, or every regular file below a folder. Links are followed; empty folders leave no trace.

    `skip` has relative paths of what is left out, each with all that is below it.

    Raises NotFoundError: nothing at this path. FormatError: what has no place in a fingerprint (special files, names
    that are not UTF-8, links that lead back to a folder they are in). UnavailableError: what can't be read now.
    """
    began_ns = time.time_ns()
    try:
        state = Path(start).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"no file or folder at '{start}'") from error
    except OSError as error:
        raise unreadable(error, start) from error
    if stat.S_ISREG(state.st_mode):
        return Listing(start, [""], [pack_state(state)], [], began_ns)
    if not stat.S_ISDIR(state.st_mode):
        raise special_file(start, state)
    listing = Listing(start, [], [], [], began_ns, frozenset(skip))
    waiting = [_Folder(start, "", (state.st_dev, state.st_ino), None)]
    while waiting:
        # Folders in the order of their names, each before those behind it: nearly the order of paths.
        waiting += reversed(_list_folder(waiting.pop(), listing))
    # The order of text is that of its UTF-8 bytes.
    if not any(map(operator.gt, listing.names, islice(listing.names, 1, None))):
        return listing
    ordered = sorted(zip(listing.names, listing.states, strict=True), key=operator.itemgetter(0))
    return replace(listing, names=[name for name, _ in ordered], states=[state for _, state in ordered])


def _list_folder(folder: _Folder, listing: Listing) -> list[_Folder]:
    """Add the files of a folder to the listing, and return the folders in it, in the order of their names."""
    folders = []
    names, states, skipped = listing.names, listing.states, listing.skipped
    where = folder.path
    try:
        # A listing of a descriptor looks each file up in this folder, not along the whole path: a tenth faster.
        descriptor = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as unordered:
                entries = sorted(unordered, key=operator.attrgetter("name"))
            _check_names(folder, entries)
            for entry in entries:
                where = entry.name
                if skipped and folder.prefix + where in skipped:
                    continue
                if entry.is_symlink():
                    listing.links.append(folder.prefix + where)
                state = entry.stat()
                mode = state.st_mode & _KIND
                if mode == stat.S_IFREG:
                    names.append(folder.prefix + where)
                    states.append(pack_state(state))
                elif mode == stat.S_IFDIR:
                    folders.append(folder.enter(where, (state.st_dev, state.st_ino)))
                else:
                    raise special_file(folder.path_of(where), state)
        finally:
            os.close(descriptor)
    except OSError as error:
        path = folder.path if where == folder.path else folder.path_of(where)
        if isinstance(error, FileNotFoundError) and Path(path).is_symlink():
            raise UnavailableError(f"link '{path}' leads to '{Path(path).readlink()}', which is not there") from error
        # ELOOP among them: a link that leads to itself, directly or through others.
        raise UnavailableError(f"can't read '{path}': {error.strerror or error}") from error
    return folders


def _check_names(folder: _Folder, entries: list[os.DirEntry[str]]) -> None:
    try:
        "/".join([entry.name for entry in entries]).encode()
    except UnicodeEncodeError as error:
        name = next(entry.name for entry in entries if any("\ud800" <= c <= "\udfff" for c in entry.name))
        raise FormatError(f"file name {os.fsencode(folder.path_of(name))!r} is not UTF-8") from error


def special_file(path: str, state: os.stat_result) -> FormatError:
    kind = _SPECIAL.get(stat.S_IFMT(state.st_mode), "no regular file")
    return FormatError(f"'{path}' is {kind}, which has no content to fingerprint")


def unreadable(error: OSError, path: str) -> UnavailableError:
    return UnavailableError(f"can't read '{error.filename or path}': {error.strerror or error}")
