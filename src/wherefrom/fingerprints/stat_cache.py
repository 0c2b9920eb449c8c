"""What files held when they were last read, so that a folder that did not change costs a stat for each file.

A file is taken for unchanged while its device, inode, size and times of modification and change are. A file whose times
were not clearly older than the moment at which it was read is read again: it may have changed once more within the tick
of the file system's clock. What this can't see, docs/spec/fingerprint-files-v1.md section 4 tells.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from wherefrom.fingerprints.walk import STATE_FIELDS, STATE_SIZE
from wherefrom.merkle import HASH_SIZE, root_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wherefrom.fingerprints.walk import Listing

_BLOCK_SIZE: Final = 256 * HASH_SIZE
# The coarsest clocks of file systems tick every two seconds (FAT).
_CLEARLY_NS: Final = 2_000_000_000

_NEW: Final = ".new-"
_ABANDONED_S: Final = 3_600

# Another version or byte order has other magic bytes, and is not read.
_MAGIC: Final = f"wherefrom files 1 {sys.byteorder}\n".encode().ljust(32, b"\0")
_HEADER: Final = struct.Struct("=32sQQ")  # magic, files, bytes of names


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a fingerprint, in its order, each kind of fact in one piece of memory."""

    names: bytes
    """UTF-8, a zero byte between two."""
    states: bytes
    """40 bytes for each file, as `walk.pack_state` makes them; zeroes for a file that is to be read again."""
    digests: bytes
    """32 bytes for each: SHA-256 of its content."""
    leaves: bytes
    """32 bytes for each: its leaf hash."""
    nodes: bytes
    """32 bytes for each 256 leaves: the root over them, the last over what is left."""

    @classmethod
    def of(cls, names: bytes, states: bytes, digests: bytes, leaves: bytes, *, known: Self | None = None) -> Self:
        """With the nodes above the leaves, which are taken from another snapshot where leaves are the same."""
        old = {} if known is None else dict(zip(split(known.leaves, _BLOCK_SIZE), split(known.nodes), strict=True))
        nodes = [old.get(block) or root_of(split(block)) for block in split(leaves, _BLOCK_SIZE)]
        return cls(names, states, digests, leaves, b"".join(nodes))

    @property
    def root(self) -> bytes:
        # The tree of RFC 9162 splits at powers of two, so from 256 leaves up it is a tree over whole blocks of them.
        return root_of(split(self.nodes))

    @property
    def count(self) -> int:
        return len(self.digests) // HASH_SIZE

    def sizes(self) -> list[int]:
        return _column(self.states, "size").tolist()

    def find(self, listing: Listing, names: bytes) -> tuple[bytearray, bytearray, list[int]]:
        """Digests and leaf hashes of the listed files, and the indexes of those not known, or not as they were.

        Each is 32 bytes, in the order of the listing; in the places of the missing they mean nothing. `names` are those
        of the listing, joined.
        """
        if names == self.names and len(listing.names) == self.count:
            digests, leaves, states = bytearray(self.digests), bytearray(self.leaves), self.states
        else:
            # What is not known takes the place behind the end.
            index_of = dict(zip(split_names(self.names, self.count), range(self.count), strict=True))
            places = [index_of.get(name, self.count) for name in listing.names]
            digests, leaves = _gather(self.digests, places, HASH_SIZE), _gather(self.leaves, places, HASH_SIZE)
            states = bytes(_gather(self.states, places, STATE_SIZE))
        old = split(states, STATE_SIZE)
        missing = [index for index, (was, now) in enumerate(zip(old, listing.states, strict=True)) if was != now]
        return digests, leaves, missing

    def without_fresh(self, read: Sequence[int], began_ns: int) -> Self:
        """With zeroes for the state of each file that was not clearly older than this moment (Unix time).

        `read` are the indexes of the files that were read after it. The others were read before, and were old then.
        """
        limit = began_ns - _CLEARLY_NS
        modified, changed = _column(self.states, "mtime_ns", signed=True), _column(self.states, "ctime_ns", signed=True)
        fresh = [index for index in read if modified[index] >= limit or changed[index] >= limit]
        if not fresh:
            return self
        states = bytearray(self.states)
        for index in fresh:
            states[index * STATE_SIZE : (index + 1) * STATE_SIZE] = bytes(STATE_SIZE)
        return replace(self, states=bytes(states))

    def to_bytes(self) -> bytes:
        header = _HEADER.pack(_MAGIC, self.count, len(self.names))
        data = b"".join((header, self.names, self.states, self.digests, self.leaves, self.nodes))
        return data + hashlib.sha256(data).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """None for anything but the whole and undamaged bytes of a snapshot."""
        view = memoryview(data)
        if len(data) < _HEADER.size + HASH_SIZE or hashlib.sha256(view[:-HASH_SIZE]).digest() != view[-HASH_SIZE:]:
            return None
        magic, count, names_size = _HEADER.unpack_from(data)
        blocks = -(-count * HASH_SIZE // _BLOCK_SIZE)
        sizes = (names_size, count * STATE_SIZE, count * HASH_SIZE, count * HASH_SIZE, blocks * HASH_SIZE)
        if magic != _MAGIC or sum(sizes) != len(data) - _HEADER.size - HASH_SIZE:
            return None
        pieces, start = [], _HEADER.size
        for size in sizes:
            pieces.append(data[start : start + size])
            start += size
        names, states, digests, leaves, nodes = pieces
        if names.count(b"\0") != max(count - 1, 0):
            return None
        return cls(names, states, digests, leaves, nodes)


class StatCache:
    """A folder of snapshots, one file for each path that was fingerprinted. Safe for many processes.

    The folder may be deleted at any time. Who can write to it decides what unchanged files are taken to hold, so
    snapshots that belong to another user are not read.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """`folder` is made when there is something to write."""
        self.folder = Path(folder)
        self.problem: str | None = None
        """Why the last snapshot could not be written; the fingerprint is right all the same, the next only slower."""

    def load(self, listing: Listing) -> Snapshot | None:
        """What is known of the files at this path; None when nothing is, or nothing that can be trusted."""
        try:
            with self._file(listing).open("rb") as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return None
                return Snapshot.from_bytes(file.read())
        except OSError:
            # Nothing kept yet, or it can't be read: either way the files themselves are read.
            return None

    def save(self, listing: Listing, snapshot: Snapshot, *, read: Sequence[int]) -> None:
        """Keep what the listed files hold; `read` as in `Snapshot.without_fresh`. What goes wrong is in `problem`."""
        data = snapshot.without_fresh(read, listing.began_ns).to_bytes()
        self.problem = None
        temporary = self.folder / f"{_NEW}{os.getpid()}-{os.urandom(8).hex()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            try:
                temporary.write_bytes(data)
                temporary.replace(self._file(listing))
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            self.problem = f"can't write the stat cache '{self.folder}': {error.strerror or error}"

    def _sweep(self) -> None:
        """Remove what processes that were killed while they wrote have left."""
        for left in self.folder.glob(f"{_NEW}*"):
            with suppress(FileNotFoundError):  # another process sweeps too
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    left.unlink()

    def _file(self, listing: Listing) -> Path:
        # A path with something left out is another one. Paths have no zero bytes.
        which = "\0".join([os.path.realpath(listing.start), *sorted(listing.skipped)])
        return self.folder / hashlib.sha256(os.fsencode(which)).hexdigest()


def join_names(names: Sequence[str]) -> bytes:
    return "\0".join(names).encode()


def split_names(names: bytes, count: int) -> list[str]:
    # One empty name (a single file) and no names look alike when they are joined.
    return names.decode().split("\0") if count else []


def split(joined: bytes | bytearray, size: int = HASH_SIZE) -> list[bytes]:
    data = bytes(joined)
    return [data[start : start + size] for start in range(0, len(data), size)]


def _gather(joined: bytes, places: list[int], size: int) -> bytearray:
    """The pieces at these places, zeroes for a place behind the end."""
    pieces = [*split(joined, size), bytes(size)]
    return bytearray().join([pieces[place] for place in places])


def _column(states: bytes, field: str, *, signed: bool = False) -> array[int]:
    numbers = array("q" if signed else "Q", states)
    return numbers[STATE_FIELDS.index(field) :: len(STATE_FIELDS)]
