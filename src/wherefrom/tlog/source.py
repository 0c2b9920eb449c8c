"""Where a log is read from: its files by their paths below its prefix, in a folder, over HTTP, or in memory.

Nothing here is believed for being there: `verified.py` holds what is read against a checkpoint.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TypeVar

from wherefrom import fetch
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.merkle import HASH_SIZE, TILE_WIDTH, format_entries_path, format_tile_path
from wherefrom.notes import MAX_NOTE_BYTES
from wherefrom.tlog.entries import MAX_BUNDLE_BYTES, parse_entries

CHECKPOINT: Final = "checkpoint"
MAX_TILE_BYTES: Final = TILE_WIDTH * HASH_SIZE

_NOT_THERE: Final = {403, 404, 410}  # object stores answer 403 for a missing object to who may not list them
_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.2

T = TypeVar("T")
R = TypeVar("R")


class LogSource(Protocol):
    """The files of one log. Safe for many threads.

    Attributes:
        name: how messages call it.
        parallel: how many reads under way at once are of use; 1 where waiting is not what takes the time.
    """

    @property
    def name(self) -> str: ...
    @property
    def parallel(self) -> int: ...

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """A file, whole. Raises NotFoundError, FormatError (longer than that), UnavailableError."""

    def iter_paths(self) -> Iterator[str] | None:
        """The paths of all files, hidden ones left out; None where they can't be listed."""


@dataclass(frozen=True)
class FolderSource:
    """A log as files below a folder."""

    folder: Path
    parallel: int = 1

    @property
    def name(self) -> str:
        return str(self.folder)

    def read(self, path: str, *, max_bytes: int) -> bytes:
        try:
            with (self.folder / path).open("rb") as file:
                data = file.read(max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"no file {path} in {self.folder}") from error
        except OSError as error:
            raise UnavailableError(f"cannot read {self.folder / path}: {error.strerror}") from error
        return _at_most(data, max_bytes, path)

    def iter_paths(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith("."):
                    yield Path(folder, name).relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class HttpSource:
    """A log below a URL prefix. What fails is asked for three times in all."""

    prefix: str
    parallel: int = 16

    @property
    def name(self) -> str:
        return self.prefix

    def read(self, path: str, *, max_bytes: int) -> bytes:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._read(path, max_bytes)
            except UnavailableError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(_PAUSE_S * attempt)
        raise AssertionError

    def _read(self, path: str, max_bytes: int) -> bytes:
        url = f"{self.prefix.rstrip('/')}/{path}"
        reply = fetch.get(url, max_bytes=max_bytes)
        if reply.status in _NOT_THERE:
            raise NotFoundError(f"{url} is not there: status {reply.status}")
        if reply.status != 200:
            raise UnavailableError(f"{url}: status {reply.status}, expected 200", hint="try again later")
        return reply.body

    def iter_paths(self) -> None:
        return None


@dataclass(frozen=True)
class MemorySource:
    """A log as a mapping from path to bytes."""

    files: Mapping[str, bytes] = field(repr=False)
    name: str = "log in memory"
    parallel: int = 1

    def read(self, path: str, *, max_bytes: int) -> bytes:
        if path not in self.files:
            raise NotFoundError(f"no file {path} in {self.name}")
        return _at_most(self.files[path], max_bytes, path)

    def iter_paths(self) -> Iterator[str]:
        yield from sorted(self.files)


def open_source(where: str) -> LogSource:
    """The log at an http(s) URL, or in a folder. Raises NotFoundError: no such folder."""
    if where.startswith(("http://", "https://")):
        return HttpSource(where)
    if "://" in where:
        raise FormatError(f"{where!r} is neither a folder nor an http(s) URL")
    folder = Path(where)
    if not folder.is_dir():
        raise NotFoundError(f"no folder {folder}")
    return FolderSource(folder)


def read_checkpoint(source: LogSource) -> bytes:
    """The signed note that the log shows now. Raises as `LogSource.read` does."""
    return source.read(CHECKPOINT, max_bytes=MAX_NOTE_BYTES)


def read_tile(source: LogSource, level: int, index: int, width: int) -> bytes:
    """`width` hashes of a tile: from the partial tile of this width, else from the full one, which may have come since.

    Ask only for what a checkpoint says is there. Raises NotFoundError, FormatError (another length), UnavailableError.
    """
    path = format_tile_path(level, index, width)
    try:
        return _exactly(source.read(path, max_bytes=MAX_TILE_BYTES), width, path)
    except NotFoundError:
        if width == TILE_WIDTH:
            raise
        full = format_tile_path(level, index)
        try:
            data = source.read(full, max_bytes=MAX_TILE_BYTES)
        except NotFoundError as error:
            raise NotFoundError(f"neither {path} nor {full} is in {source.name}") from error
        return _exactly(data, TILE_WIDTH, full)[: width * HASH_SIZE]


def read_entries(source: LogSource, index: int, width: int) -> list[bytes]:
    """`width` entries of a bundle, likewise from the full one where the partial one is gone. Raises as `read_tile`."""
    path = format_entries_path(index, width)
    try:
        return _as_many(source.read(path, max_bytes=MAX_BUNDLE_BYTES), width, path)
    except NotFoundError:
        if width == TILE_WIDTH:
            raise
        full = format_entries_path(index)
        try:
            data = source.read(full, max_bytes=MAX_BUNDLE_BYTES)
        except NotFoundError as error:
            raise NotFoundError(f"neither {path} nor {full} is in {source.name}") from error
        return _as_many(data, TILE_WIDTH, full)[:width]


def read_ahead(read: Callable[[T], R], items: Iterable[T], *, parallel: int) -> Iterator[tuple[T, Callable[[], R]]]:
    """Each item, in order, with a function that gives what was read for it, or raises as `read` did.

    Of the items ahead, `parallel` are read meanwhile in threads of their own; with 1, none is.
    """
    if parallel == 1:
        for item in items:
            yield item, lambda item=item: read(item)  # type: ignore[misc]
        return
    waiting = iter(items)
    with ThreadPoolExecutor(parallel) as pool:
        under_way = deque((item, pool.submit(read, item)) for item in islice(waiting, 2 * parallel))
        try:
            while under_way:
                item, future = under_way.popleft()
                yield item, future.result
                if (following := next(waiting, None)) is not None:
                    under_way.append((following, pool.submit(read, following)))
        finally:
            pool.shutdown(cancel_futures=True)


def _at_most(data: bytes, max_bytes: int, path: str) -> bytes:
    if len(data) > max_bytes:
        raise FormatError(f"{path} has over {max_bytes} bytes, which is the most that it may have")
    return data


def _exactly(data: bytes, width: int, path: str) -> bytes:
    if len(data) != width * HASH_SIZE:
        raise FormatError(f"{path} has {len(data)} bytes, expected {width * HASH_SIZE}")
    return data


def _as_many(data: bytes, width: int, path: str) -> list[bytes]:
    entries = parse_entries(data, what=path)
    if len(entries) != width:
        raise FormatError(f"{path} has {len(entries)} entries, expected {width}")
    return entries
