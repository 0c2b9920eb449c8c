"""What a source of rows is."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wherefrom.errors import FormatError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa


class Reread(Exception):  # noqa: N818  # control flow inside this room, not an error anybody sees
    """What was read so far is to be thrown away: `Table.iter_batches` knows better now, and starts again."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read."""

    iter_batches: Callable[[], Iterator[pa.RecordBatch]]
    """Yields at least one batch, which may be empty, so that the columns are known. May raise `Reread`."""
    rows: int | None
    """None when only reading tells."""
    name: str | None = None
    """The path, for messages; None for objects in memory."""
    read_options: Mapping[str, object] | None = None


@contextmanager
def unchanged(path: str | os.PathLike[str]) -> Iterator[None]:
    """Translate errors of reading the file at `path`, and make sure that it is the same file at the end."""
    try:
        before = _version(path)
        yield
        after = _version(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"no file at '{os.fspath(path)}'") from error
    except OSError as error:
        if error.errno is None:  # pyarrow and the decompressors raise such for bytes that they can't make sense of
            raise FormatError(f"'{os.fspath(path)}' is damaged or of another format: {error}") from error
        raise UnavailableError(f"can't read '{os.fspath(path)}': {error.strerror}") from error
    if before != after:
        raise UnavailableError(
            f"'{os.fspath(path)}' changed while it was read", hint="fingerprint it again when nothing writes to it"
        )


def _version(path: str | os.PathLike[str]) -> tuple[int, int, int, int, int]:
    state = Path(path).stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
