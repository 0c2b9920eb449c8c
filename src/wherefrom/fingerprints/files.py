"""`wf-files-1`: the fingerprint of a file or folder. Source: docs/spec/fingerprint-files-v1.md."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wherefrom.commitments import FilesFingerprint
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints.pool import ordered_map, worker_count
from wherefrom.fingerprints.walk import FoundFile, iter_files, special_file, unreadable
from wherefrom.merkle import hash_leaf, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wherefrom.fingerprints.progress import Progress

# Up to this size a file is hashed in the caller's thread. Opening and closing hold the interpreter lock, so two threads
# took three times as long as one for files of 4 KiB, the same at 128 KiB, and two thirds at 512 KiB.
_IN_LINE_BYTES: Final = 128 * 1024
_BUFFER_BYTES: Final = 512 * 1024
_MAX_NAME_BYTES: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a fingerprint: a leaf of its tree."""

    path: str
    """Relative, "/" between parts; empty for a single file, whose name is no part of what it holds."""
    size: int
    sha256: bytes
    """32 bytes."""

    def to_bytes(self) -> bytes:
        """The leaf's entry: u32 length of the path, path in UTF-8, u64 size, digest; integers big-endian."""
        name = self.path.encode()
        return len(name).to_bytes(4) + name + self.size.to_bytes(8) + self.sha256


def fingerprint_files(path: str | os.PathLike[str], *, progress: Progress | None = None) -> FilesFingerprint:
    """Fingerprint a file, or every file below a folder.

    Symbolic links are followed, nothing is skipped by its name, empty folders leave no trace. A single file's
    fingerprint does not depend on what it is called, and carries its plain SHA-256 beside it.

    Raises NotFoundError: nothing at this path. FormatError: a special file, a name that is not UTF-8, a loop of links.
    UnavailableError: something can't be read, or changed while it was read.
    """
    entries = read_file_entries(path, progress=progress)
    is_single = len(entries) == 1 and not entries[0].path
    return fingerprint_entries(entries, sha256=entries[0].sha256.hex() if is_single else None)


def read_file_entries(path: str | os.PathLike[str], *, progress: Progress | None = None) -> tuple[FileEntry, ...]:
    """Read and hash the files that `fingerprint_files` commits to, in the order of their path bytes."""
    start = os.fspath(path)
    try:
        state = Path(start).stat()
        if stat.S_ISREG(state.st_mode):
            found = [FoundFile(b"", start, state)]
        elif stat.S_ISDIR(state.st_mode):
            found = sorted(iter_files(start), key=lambda file: file.name)
        else:
            raise special_file(start, state)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"no file or folder at '{start}'") from error
    except OSError as error:
        raise unreadable(error, start) from error
    total = sum(file.state.st_size for file in found)
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress(done, total)

    return tuple(sorted(_hash_files(found, count), key=lambda entry: entry.path.encode()))


def fingerprint_entries(entries: Iterable[FileEntry], *, sha256: str | None = None) -> FilesFingerprint:
    """Fingerprint of files whose digests are known, such as those of a manifest; `sha256` as in `FilesFingerprint`."""
    ordered = sorted(entries, key=lambda entry: entry.path.encode())
    for before, after in pairwise(ordered):
        if before.path == after.path:
            raise FormatError(f"two entries for the file {after.path!r}")
    root = root_of([hash_leaf(entry.to_bytes()) for entry in ordered])
    return FilesFingerprint(len(ordered), sum(entry.size for entry in ordered), root, sha256)


def _hash_files(found: list[FoundFile], count: Callable[[int], None]) -> Iterator[FileEntry]:
    """Large files first, in threads; then the small ones, or a single large one, in this thread."""
    large = [file for file in found if file.state.st_size > _IN_LINE_BYTES]
    small = [file for file in found if file.state.st_size <= _IN_LINE_BYTES]
    if len(large) > 1 and worker_count() > 1:
        for entry in ordered_map(_hash_file, large):
            count(entry.size)
            yield entry
    else:
        small = large + small
    view = memoryview(bytearray(_BUFFER_BYTES))
    for file in small:
        yield _hash_file(file, view, count)


def _hash_file(
    file: FoundFile, view: memoryview | None = None, count: Callable[[int], None] | None = None
) -> FileEntry:
    if view is None:
        view = memoryview(bytearray(_BUFFER_BYTES))
    hasher = hashlib.sha256()
    size = 0
    try:
        # Without O_NONBLOCK, a pipe put in the file's place since it was listed would block here for ever.
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            # Past the size that was listed there is no need to read on: a file that is written to may never end.
            while size <= file.state.st_size and (length := os.readv(descriptor, [view])):
                hasher.update(view[:length])
                size += length
                if count is not None:
                    count(length)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(error, file.path) from error
    if size != after.st_size or _version(after) != _version(file.state):
        raise UnavailableError(
            f"'{file.path}' changed while it was read", hint="fingerprint it again when nothing writes to it"
        )
    return FileEntry(file.name.decode(), size, hasher.digest())


def _version(state: os.stat_result) -> tuple[int, int, int, int, int]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
