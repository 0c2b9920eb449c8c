"""`wf-files-1`: the fingerprint of a file or folder. Source: docs/spec/fingerprint-files-v1.md."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from wherefrom.commitments import FilesFingerprint
from wherefrom.errors import FormatError
from wherefrom.fingerprints.file_digests import hash_listed
from wherefrom.fingerprints.stat_cache import Snapshot, join_names, split, split_names
from wherefrom.fingerprints.walk import Listing, list_files, size_of
from wherefrom.merkle import HASH_SIZE, hash_leaf, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wherefrom.fingerprints.progress import Progress
    from wherefrom.fingerprints.stat_cache import StatCache


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a fingerprint: a leaf of its tree."""

    path: str
    """Relative, "/" between parts; empty for a single file, whose name is no part of what it holds."""
    size: int
    sha256: bytes
    """32 bytes."""

    @classmethod
    def of(cls, path: str, content: bytes) -> Self:
        return cls(path, len(content), hashlib.sha256(content).digest())

    def to_bytes(self) -> bytes:
        """The leaf's entry: u32 length of the path, path in UTF-8, u64 size, digest; integers big-endian."""
        return _format_entry(self.path, self.size, self.sha256)


def fingerprint_files(
    path: str | os.PathLike[str], *, cache: StatCache | None = None, progress: Progress | None = None
) -> FilesFingerprint:
    """Fingerprint a file, or every file below a folder.

    Symbolic links are followed, nothing is skipped by its name, empty folders leave no trace. A single file's
    fingerprint does not depend on what it is called, and carries its plain SHA-256 beside it.

    With a cache, files that it knows and that did not change are not read; without, every file is.

    Raises NotFoundError: nothing at this path. FormatError: a special file, a name that is not UTF-8, a loop of links.
    UnavailableError: something can't be read, or changed while it was read.
    """
    files = _read(list_files(os.fspath(path)), cache, progress)
    is_single = files.count == 1 and not files.names
    return FilesFingerprint(
        files.count, sum(files.sizes()), files.root, sha256=files.digests.hex() if is_single else None
    )


def read_file_entries(
    path: str | os.PathLike[str], *, cache: StatCache | None = None, progress: Progress | None = None
) -> tuple[FileEntry, ...]:
    """The files that `fingerprint_files` commits to, read as it does, in the order of their path bytes.

    Their `to_bytes` are the entries of the fingerprint's tree, in its order.
    """
    return read_listed(list_files(os.fspath(path)), cache=cache, progress=progress)


def read_listed(
    listing: Listing, *, cache: StatCache | None = None, progress: Progress | None = None
) -> tuple[FileEntry, ...]:
    """As `read_file_entries`, for what is listed already."""
    files = _read(listing, cache, progress)
    return tuple(map(FileEntry, split_names(files.names, files.count), files.sizes(), split(files.digests)))


def fingerprint_entries(entries: Iterable[FileEntry], *, sha256: str | None = None) -> FilesFingerprint:
    """Fingerprint of files whose digests are known, such as those of a manifest; `sha256` as in `FilesFingerprint`."""
    ordered = sorted(entries, key=lambda entry: entry.path.encode())
    for before, after in pairwise(ordered):
        if before.path == after.path:
            raise FormatError(f"two entries for the file {after.path!r}")
    root = root_of([hash_leaf(entry.to_bytes()) for entry in ordered])
    return FilesFingerprint(len(ordered), sum(entry.size for entry in ordered), root, sha256)


def _format_entry(path: str, size: int, sha256: bytes) -> bytes:
    name = path.encode()
    return len(name).to_bytes(4) + name + size.to_bytes(8) + sha256


def _read(listing: Listing, cache: StatCache | None, progress: Progress | None) -> Snapshot:
    """Take from the cache what did not change, and read the rest."""
    known = None if cache is None else cache.load(listing)
    names, states, count = join_names(listing.names), b"".join(listing.states), len(listing.names)
    if known is not None and (known.names, known.states) == (names, states):
        if progress is not None and (total := sum(known.sizes())):
            progress(total, total)
        return known
    digests, leaves, missing = bytearray(HASH_SIZE * count), bytearray(HASH_SIZE * count), list(range(count))
    if known is not None:
        digests, leaves, missing = known.find(listing, names)
    for index, digest in _hash_missing(listing, missing, progress):
        place = slice(HASH_SIZE * index, HASH_SIZE * (index + 1))
        digests[place] = digest
        leaves[place] = hash_leaf(_format_entry(listing.names[index], size_of(listing.states[index]), digest))
    files = Snapshot.of(names, states, bytes(digests), bytes(leaves), known=known)
    if cache is not None:
        cache.save(listing, files, read=missing)
    return files


def _hash_missing(listing: Listing, missing: list[int], progress: Progress | None) -> Iterator[tuple[int, bytes]]:
    if progress is None:
        return hash_listed(listing, missing, lambda _: None)
    total = sum(map(size_of, listing.states))
    done = total - sum(size_of(listing.states[index]) for index in missing)

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    return hash_listed(listing, missing, count)
