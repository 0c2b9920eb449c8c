"""Where files are kept: each reader asks a place for bytes, and is told when they changed underneath it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, Self

import pyarrow as pa

from wherefrom.errors import FormatError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from contextlib import AbstractContextManager


class Place(Protocol):
    """One file, in the version that it had when it was named."""

    @property
    def name(self) -> str:
        """For messages: a path, or a URL without what is secret in it."""

    @property
    def version(self) -> Hashable:
        """Differs when the file was written again; as much as its store tells."""

    @property
    def read_options(self) -> Mapping[str, object]:
        """What is worth stating beside a fingerprint; nothing for a local file, which has no lasting version."""

    def read_version(self) -> Hashable:
        """The version that is there now."""

    def open(self, *, is_seekable: bool = False) -> AbstractContextManager[IO[bytes]]:
        """The file's bytes; `is_seekable` when the reader needs to jump, as those of Parquet and zip do."""

    def open_arrow(self) -> AbstractContextManager[pa.NativeFile]:
        """The same for Arrow's readers, seekable."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine."""

    path: Path
    version: tuple[int, int, int, int, int]

    @classmethod
    def at(cls, path: Path) -> Self:
        """Raises NotFoundError or UnavailableError."""
        with _translated(str(path)):
            return cls(path, _version(path))

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def read_options(self) -> Mapping[str, object]:
        return {}

    def read_version(self) -> tuple[int, int, int, int, int]:
        return _version(self.path)

    def open(self, *, is_seekable: bool = False) -> IO[bytes]:  # noqa: ARG002  # every local file is
        return self.path.open("rb")

    def open_arrow(self) -> pa.NativeFile:
        # Not a memory map: it would end the process if somebody cut the file short meanwhile.
        return pa.OSFile(str(self.path), "rb")


@contextmanager
def unchanged(place: Place) -> Iterator[None]:
    """Translate errors of reading a place, and make sure that its file is the one that was named, start to end."""
    with _translated(place.name):
        _check_version(place)
        try:
            yield
        except (FormatError, OSError):
            # A file that was replaced looks damaged: that it changed is then the better explanation.
            _check_version(place)
            raise
        _check_version(place)


def _check_version(place: Place) -> None:
    if place.read_version() != place.version:
        raise UnavailableError(
            f"'{place.name}' changed while it was read", hint="fingerprint it again when nothing writes to it"
        )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"no file at '{name}'") from error
    except OSError as error:
        if error.errno is None:  # pyarrow and the decompressors raise such for bytes that they can't make sense of
            raise FormatError(f"'{name}' is damaged or of another format: {error}") from error
        raise UnavailableError(f"can't read '{name}': {error.strerror}") from error


def _version(path: Path) -> tuple[int, int, int, int, int]:
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
