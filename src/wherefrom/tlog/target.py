"""Where a log is written to: a folder, or an object store such as `s3://bucket/prefix`, from which anybody serves it.

A file is there whole or not at all, whatever happens; `flush` makes all that was written durable, names included.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from wherefrom.errors import ConflictError, NotFoundError, UnavailableError
from wherefrom.tlog.source import FolderSource

MAX_AGE_S: Final = 31536000
"""A year: what caches take for "for ever"."""

_THREADS: Final = 16
_WORTH_THREADS: Final = 64


class Target(Protocol):
    """Takes files by their paths. Safe for one thread; several programs may write to one place."""

    @property
    def name(self) -> str: ...

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """As `LogSource.read`."""

    def write(self, path: str, data: bytes) -> None:
        """Put a file there, over one that is there. Raises UnavailableError."""

    def remove(self, path: str) -> None:
        """Take a file away, if it is there."""

    def list_names(self, folder: str) -> list[str]:
        """The names of the files right in a folder; none if it is not there."""

    def flush(self) -> None:
        """Return when everything written before would survive a power cut."""

    def swap(self, path: str, data: bytes, old: bytes | None) -> None:
        """Durably put a file there if what is there is still `old`, None for nothing. Raises ConflictError if not."""


def content_type(path: str) -> str:
    """The media type that C2SP tlog-tiles gives a path, and JSON for what lies beside the log."""
    if path.startswith("tile/"):
        return "application/octet-stream"
    if path.startswith("statements/"):
        return "application/jsonl"
    return "application/json" if path.endswith(".json") else "text/plain; charset=utf-8"


def cache_control(path: str) -> str:
    """Tiles and bundles never change; a checkpoint is new within seconds; statements may be erased."""
    return f"public, max-age={MAX_AGE_S}, immutable" if path.startswith("tile/") else "no-cache"


def open_target(where: str) -> Target:
    """A folder, which is made if need be, or a URL that fsspec knows. Raises UnavailableError."""
    return ObjectTarget.open(where) if "://" in where else FolderTarget(Path(where))


@dataclass
class FolderTarget:
    """Files below a folder: written under a hidden name, made durable, then renamed.

    Tiles and bundles are made durable all together by `flush`, which is many times faster. Nothing rests on one before
    that, and its name is new; what a power cut leaves of it is written again.
    """

    folder: Path
    _touched: set[Path] = field(default_factory=set)
    _unsynced: list[Path] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.folder)

    def read(self, path: str, *, max_bytes: int) -> bytes:
        return FolderSource(self.folder).read(path, max_bytes=max_bytes)

    def write(self, path: str, data: bytes) -> None:
        final = self.folder / path
        new = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
        with _translated(final):
            self._make_folder(final.parent)
            try:
                with new.open("xb") as file:
                    file.write(data)
                    file.flush()
                    if path.startswith("tile/"):
                        self._unsynced.append(final)
                    else:
                        os.fsync(file.fileno())
                new.replace(final)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        self._touched.add(final.parent)

    def remove(self, path: str) -> None:
        with _translated(self.folder / path):
            (self.folder / path).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the folder of partial tiles goes with the last of them
                (self.folder / path).parent.rmdir()

    def list_names(self, folder: str) -> list[str]:
        with _translated(self.folder / folder), contextlib.suppress(FileNotFoundError):
            return sorted(path.name for path in (self.folder / folder).iterdir() if not path.name.startswith("."))
        return []

    def flush(self) -> None:
        if len(self._unsynced) < _WORTH_THREADS:
            for path in self._unsynced:
                _sync(path)
        else:  # the disk does several at once in the time of one
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(_sync, self._unsynced))
        self._unsynced.clear()
        for folder in sorted(self._touched):
            _sync(folder)
        self._touched.clear()

    def swap(self, path: str, data: bytes, old: bytes | None) -> None:
        with self._locked():
            if _read_if_there(self, path) != old:
                raise ConflictError(f"{self.folder / path} was changed meanwhile by somebody else", hint="try again")
            self.write(path, data)
            self.flush()

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it; the names of new ones are durable after `flush`."""
        missing = [above for above in (folder, *folder.parents) if not above.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        self._touched.update(above.parent for above in missing)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One program at a time; the system lets go when the program ends, however it ends."""
        with _translated(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            number = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)


@dataclass
class ObjectTarget:
    """Objects below a URL, through fsspec: each put is whole and durable by the store's word."""

    url: str
    files: Any
    root: str

    @classmethod
    def open(cls, url: str) -> ObjectTarget:
        try:
            import fsspec  # type: ignore[import-untyped]
        except ImportError as error:
            raise UnavailableError(
                f"{url} needs an extra: pip install 'wherefrom[remote]' (s3:// needs 'wherefrom[s3]')"
            ) from error
        try:
            # Listings and metadata that were kept from before would hide what another publisher did.
            files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise UnavailableError(
                f"{url}: {error}", hint="an extra of wherefrom may be missing: wherefrom[s3], wherefrom[gs]"
            ) from error
        except ValueError as error:
            raise UnavailableError(f"{url}: {error}") from error
        return cls(url.rstrip("/"), files, root.rstrip("/"))

    @property
    def name(self) -> str:
        return self.url

    def read(self, path: str, *, max_bytes: int) -> bytes:
        with _translated(f"{self.url}/{path}"):
            try:
                data: bytes = self.files.cat_file(f"{self.root}/{path}")
            except FileNotFoundError as error:
                raise NotFoundError(f"no object {self.url}/{path}") from error
        if len(data) > max_bytes:
            raise UnavailableError(f"{self.url}/{path} has over {max_bytes} bytes")
        return data

    def write(self, path: str, data: bytes) -> None:
        with _translated(f"{self.url}/{path}"):
            self.files.pipe_file(f"{self.root}/{path}", data, **self._headers(path))

    def remove(self, path: str) -> None:
        with _translated(f"{self.url}/{path}"), contextlib.suppress(FileNotFoundError):
            self.files.rm_file(f"{self.root}/{path}")

    def list_names(self, folder: str) -> list[str]:
        with _translated(f"{self.url}/{folder}"), contextlib.suppress(FileNotFoundError):
            found = (
                self.files.ls(f"{self.root}/{folder}", detail=False, refresh=True)
                if self._is_s3
                else (self.files.ls(f"{self.root}/{folder}", detail=False))
            )
            return sorted(name.rstrip("/").rpartition("/")[2] for name in found)
        return []

    def flush(self) -> None:
        """Nothing is left to do."""

    def swap(self, path: str, data: bytes, old: bytes | None) -> None:
        """On S3 the store compares (a conditional put); elsewhere there is a moment between comparing and putting."""
        place = f"{self.root}/{path}"
        condition: dict[str, str] = {}
        with _translated(f"{self.url}/{path}"):
            if self._is_s3:
                condition = {"IfMatch": self.files.info(place)["ETag"]} if old is not None else {"IfNoneMatch": "*"}
        if _read_if_there(self, path) != old:
            raise ConflictError(f"{self.url}/{path} was changed meanwhile by somebody else", hint="try again")
        with _translated(f"{self.url}/{path}"):
            self.files.pipe_file(place, data, **self._headers(path), **condition)

    @property
    def _is_s3(self) -> bool:
        return "s3" in (self.files.protocol if isinstance(self.files.protocol, tuple) else (self.files.protocol,))

    def _headers(self, path: str) -> dict[str, str]:
        return {"ContentType": content_type(path), "CacheControl": cache_control(path)} if self._is_s3 else {}


def _sync(path: Path) -> None:
    """Make a file or folder durable; one that is gone meanwhile has nothing to lose."""
    with _translated(path), contextlib.suppress(FileNotFoundError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _read_if_there(target: Target, path: str) -> bytes | None:
    try:
        return target.read(path, max_bytes=1 << 30)
    except NotFoundError:
        return None


@contextlib.contextmanager
def _translated(where: object) -> Iterator[None]:
    try:
        yield
    except NotFoundError:
        raise
    except Exception as error:  # each store's client has exceptions of its own
        if _is_refused_condition(error):
            raise ConflictError(f"{where} was changed meanwhile by somebody else", hint="try again") from error
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnavailableError(f"cannot write or read {where}: {reason}") from error


def _is_refused_condition(error: Exception) -> bool:
    text = f"{error} {error.__cause__}"
    return isinstance(error, FileExistsError) or any(
        word in text for word in ("PreconditionFailed", "pre-conditions", "ConditionalRequestConflict")
    )
