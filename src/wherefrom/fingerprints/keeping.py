"""Writing kept trees: beside their place, and renamed into it when they are whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from wherefrom.errors import UnavailableError
from wherefrom.fingerprints.kept import IDENTITY_FILE, KeptTrees
from wherefrom.fingerprints.spill import bytes_of
from wherefrom.merkle import HASH_SIZE
from wherefrom.strict import format_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from wherefrom.fingerprints.kept import KeptIdentity

_PREFIX: Final = ".building-"
_LOCK_FILE: Final = "lock"


class Building:
    """A place for trees that are being made, inside the folder where they will be kept; gone when its block ends.

    What a process left that was killed is removed by the next one that builds here.
    """

    def __init__(self, trees: KeptTrees, *, most_bytes: int | None = None) -> None:
        """Trees whose leaves take more than `most_bytes` are not kept."""
        self.trees = trees
        self._most_bytes = most_bytes
        self._folder = trees.folder / f"{_PREFIX}{secrets.token_hex(8)}"
        self._lock: int | None = None
        self._writers: list[TreeWriter] = []

    def __enter__(self) -> Self:
        with _translated(self.trees.folder):
            self.trees.folder.mkdir(parents=True, exist_ok=True)
            # One process at a time begins or clears up, so that none takes what another just begins for abandoned.
            with _locked(self.trees.folder):
                _remove_abandoned(self.trees.folder)
                self._folder.mkdir()
                try:
                    self._lock = os.open(self._folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                    fcntl.flock(self._lock, fcntl.LOCK_EX)
                except BaseException:
                    self._remove()
                    raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def open_writer(self) -> TreeWriter:
        """A writer for one more tree."""
        writer = TreeWriter(self.trees, self._folder / str(len(self._writers)), most_bytes=self._most_bytes)
        self._writers.append(writer)
        return writer

    def _remove(self) -> None:
        for writer in self._writers:
            writer.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class TreeWriter:
    """Writes the levels of one tree: a `TileWriter`. Used by one thread."""

    def __init__(self, trees: KeptTrees, folder: Path, *, most_bytes: int | None) -> None:
        self._trees = trees
        self._folder = folder
        self._most_bytes = most_bytes
        self._files: list[int] = []
        self._bytes = 0
        self.is_dropped = False
        """Whether the tree turned out too large to be kept."""

    def expect(self, leaves: int) -> None:
        """Say how many leaves there will be, so that a tree that is too large is not begun."""
        if self._most_bytes is not None and leaves * HASH_SIZE > self._most_bytes:
            self._drop()

    def write(self, level: int, hashes: npt.NDArray[np.uint8]) -> None:
        if self.is_dropped:
            return
        if level == 0:
            self._bytes += hashes.nbytes
            if self._most_bytes is not None and self._bytes > self._most_bytes:
                self._drop()
                return
        with _translated(self._trees.folder):
            if not self._files:
                self._folder.mkdir()
            while level >= len(self._files):
                path = self._folder / str(len(self._files))
                self._files.append(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
            data = bytes_of(hashes)
            while data:
                data = data[os.write(self._files[level], data) :]

    def publish(self, identity: KeptIdentity, *, beside: dict[str, bytes] | None = None) -> bool:
        """Put the finished tree in its place. False: it was too large, or was there already and is left as it is.

        `beside` are more files of the folder, by name, which replace those that are there. Raises UnavailableError: no
        room, or no right to write.
        """
        place = self._trees.path_of(identity)
        if self.is_dropped:
            return False
        with _translated(self._trees.folder):
            if not self._files:  # an empty tree
                self._folder.mkdir()
            for name, data in (beside or {}).items():
                _write(self._folder / name, data)
            if identity in self._trees:
                for name in beside or ():
                    (self._folder / name).replace(place / name)
                return False
            _write(self._folder / IDENTITY_FILE, format_plain(identity.to_json()))
            for descriptor in self._files:
                # What is renamed before it is on the disk can be there, and empty, after a loss of power.
                os.fsync(descriptor)
            try:
                self._folder.rename(place)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                if identity in self._trees:  # somebody was first; the same identity has the same leaves
                    return False
                shutil.rmtree(place)  # a tree that was being removed when that was interrupted
                self._folder.rename(place)
        return True

    def close(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def _drop(self) -> None:
        self.is_dropped = True
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(path / _LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            shutil.rmtree(path, ignore_errors=True)  # somebody is removing it, or was killed before the end of that
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # somebody is at work there
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"can't keep leaves in '{folder}': {error.strerror or error}") from error
