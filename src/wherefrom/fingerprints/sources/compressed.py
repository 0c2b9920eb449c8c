"""Text files, plain or compressed as their suffix says."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.formats import compression_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from wherefrom.fingerprints.sources.places import Place


@contextmanager
def open_bytes(place: Place) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed as they are read; FormatError for a damaged one, or a zip of several files."""
    compression = compression_of(place.name)
    try:
        with (
            place.open(is_seekable=compression == "zip") as compressed,
            _OPENERS[compression](compressed) as file,
        ):
            yield cast("IO[bytes]", file)
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise FormatError(f"'{place.name}': damaged {compression} data: {error}") from error
    except _UnfitArchiveError as error:
        raise FormatError(f"'{place.name}'{error}") from error


class _UnfitArchiveError(Exception):
    pass


def _open_zstd(file: IO[bytes]) -> AbstractContextManager[Any]:
    return pa.CompressedInputStream(pa.PythonFile(cast("Any", file), "r"), "zstd")


@contextmanager
def _open_zip(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise _UnfitArchiveError(f" holds {len(members)} files, expected exactly one")
        if members[0].flag_bits & 1:
            raise _UnfitArchiveError(f": {members[0].filename!r} is encrypted")
        with archive.open(members[0]) as member:
            yield member


_OPENERS: Final[dict[str | None, Callable[[IO[bytes]], AbstractContextManager[Any]]]] = {
    None: nullcontext,
    "gzip": gzip.open,
    "bzip2": bz2.open,
    "xz": lzma.open,
    "zstd": _open_zstd,
    "zip": _open_zip,
}
