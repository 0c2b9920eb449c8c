"""Leaf hashes on disk while there are too many for memory."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from wherefrom.errors import UnavailableError
from wherefrom.merkle import HASH_SIZE

if TYPE_CHECKING:
    import numpy.typing as npt


class SpillFile:
    """A temporary file without a name: nothing is left of it however the process ends.

    Reads are safe for many threads.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, expected_leaves: int | None = None) -> None:
        """`folder` is the usual one for temporary files by default; made with the first write.

        `expected_leaves` is how many may come in all, for the message when there is no room for them.
        """
        self._folder = Path(folder) if folder is not None else Path(tempfile.gettempdir())
        self._expected = expected_leaves
        self._descriptor: int | None = None
        self.count = 0
        """Hashes written."""

    def append(self, hashes: npt.NDArray[np.uint8]) -> int:
        """Write contiguous (n, 32) hashes; returns the index of the first.

        Raises UnavailableError: no room in the folder, naming it and how much is needed.
        """
        first = self.count
        data = bytes_of(hashes)
        try:
            if self._descriptor is None:
                self._descriptor = _open_unnamed(self._folder)
            offset = first * HASH_SIZE
            while data:
                written = os.pwrite(self._descriptor, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            raise self._refused(error, first + len(hashes)) from error
        self.count += len(hashes)
        return first

    def read(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """Hashes [first, first + count), (count, 32). Raises UnavailableError: they can't be read back."""
        hashes = np.empty((count, HASH_SIZE), np.uint8)
        view, offset = bytes_of(hashes), first * HASH_SIZE
        try:
            while view:
                length = os.preadv(self._descriptor if self._descriptor is not None else -1, [view], offset)
                if length == 0:
                    raise OSError(errno.EIO, "the file ends too early")
                view, offset = view[length:], offset + length
        except OSError as error:
            raise UnavailableError(
                f"can't read back what was put into '{self._folder}' for sorting: {error.strerror}"
            ) from error
        return hashes

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refused(self, error: OSError, wanted: int) -> UnavailableError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            needed = max(wanted, self._expected or 0) * HASH_SIZE
            at_least = "" if self._expected else "at least "
            return UnavailableError(
                f"no room in '{self._folder}' to sort leaf hashes: {at_least}{needed:,} bytes are needed, "
                f"{self.count * HASH_SIZE:,} could be written",
                hint="set TMPDIR to a folder with more room, or allow more memory",
            )
        return UnavailableError(f"can't write to '{self._folder}' for sorting: {error.strerror or error}")


def bytes_of(hashes: npt.NDArray[np.uint8]) -> memoryview:
    """The memory of a contiguous array, byte by byte; no copy."""
    return hashes.reshape(-1).data


def _open_unnamed(folder: Path) -> int:
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:  # file systems that can't, such as some network ones
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT) or not folder.is_dir():
                raise
    descriptor, name = tempfile.mkstemp(prefix="wherefrom-", dir=folder)
    os.unlink(name)  # noqa: PTH108  # the name is the descriptor's, nothing else knows it
    return descriptor
