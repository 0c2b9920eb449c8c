"""Text files, plain or compressed as their suffix says."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.formats import compression_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed as they are read; FormatError for a damaged one, or a zip of several files."""
    compression = compression_of(path)
    try:
        with _OPENERS[compression](path) as file:
            yield cast("IO[bytes]", file)
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise FormatError(f"'{path}': damaged {compression} data: {error}") from error


def _open_zstd(path: Path) -> AbstractContextManager[Any]:
    return pa.input_stream(str(path), compression="zstd")


@contextmanager
def _open_zip(path: Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise FormatError(f"'{path}' holds {len(members)} files, expected exactly one")
        if members[0].flag_bits & 1:
            raise FormatError(f"'{path}': {members[0].filename!r} is encrypted")
        with archive.open(members[0]) as file:
            yield file


_OPENERS: Final[dict[str | None, Callable[[Path], AbstractContextManager[Any]]]] = {
    None: lambda path: path.open("rb"),
    "gzip": gzip.open,
    "bzip2": bz2.open,
    "xz": lzma.open,
    "zstd": _open_zstd,
    "zip": _open_zip,
}
