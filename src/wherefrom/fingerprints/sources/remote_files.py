"""Files of other machines, by URL, through fsspec: one backend for S3, Google Cloud Storage, HTTP and many more."""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa

from wherefrom.errors import FormatError, NotFoundError, UnavailableError, WherefromError
from wherefrom.fingerprints.sources.libraries import missing, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
_COPY_BYTES: Final = 2**20
# Without an answer for so long a server is given up; a transfer as a whole may take as long as it needs.
_SILENCE_S: Final = 60

# What stores tell of a file's version, under the names that their fsspec backends use.
_TAGS: Final = ("etag", "version_id", "versionid", "generation", "md5hash", "content-md5", "digest")
_TIMES: Final = ("last-modified", "lastmodified", "last_modified", "updated", "mtime", "created")
_OPTIONS: Final = {"etag": "etag", "version_id": "versionId", "versionid": "versionId", "generation": "generation"}


def is_url(source: str) -> bool:
    """Whether a source is named by URL and not by path."""
    return _URL.match(source) is not None


def public_url(url: str) -> str:
    """A URL that may be written down: without user, password, query (where signed URLs keep their secret), fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if parts.netloc else url.partition("?")[0]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a store, in the version that the store told of when it was named."""

    files: Any
    """The fsspec file system."""
    path: str
    """As that file system names it."""
    name: str
    info: Mapping[str, Any]

    @property
    def version(self) -> tuple[tuple[str, str], ...]:
        return _version_of(self.info)

    @property
    def read_options(self) -> Mapping[str, object]:
        """Where it was and which version: entity tag or the like, else time of change; size where the store tells."""
        told = {key.lower(): value for key, value in self.info.items() if value not in (None, "")}
        options: dict[str, object] = {"url": self.name}
        options |= {ours: str(told[theirs]) for theirs, ours in _OPTIONS.items() if theirs in told}
        if time := next((told[key] for key in _TIMES if key in told), None):
            options["modified"] = str(time)
        if isinstance(told.get("size"), int):
            options["size"] = told["size"]
        return options

    def read_version(self) -> tuple[tuple[str, str], ...]:
        return _version_of(read_info(self.files, self.path, self.name))

    @contextmanager
    def open(self, *, is_seekable: bool = False) -> Iterator[IO[bytes]]:
        with self._open(is_seekable=is_seekable) as file:
            yield cast(
                "IO[bytes]", io.BufferedReader(_Translating(file, self.name, is_seekable=is_seekable), _COPY_BYTES)
            )

    @contextmanager
    def open_arrow(self) -> Iterator[pa.NativeFile]:
        with self.open(is_seekable=True) as file:
            yield pa.PythonFile(cast("Any", file), "r")

    @contextmanager
    def _open(self, *, is_seekable: bool) -> Iterator[Any]:
        is_http = "http" in _protocols(self.files)
        with translated(self.name):
            # Over HTTP a file that is read from start to end takes one request; other stores know nothing of this.
            options = {"block_size": 0} if is_http and not is_seekable else {}
            file = self.files.open(self.path, "rb", **options)
        with file:
            if is_http and is_seekable and not self._allows_jumps(file):
                with self._copied() as copy:
                    yield copy
            else:
                yield file

    def _allows_jumps(self, file: Any) -> bool:
        with translated(self.name):
            if not file.seekable() or not hasattr(file, "size") or not file.size:
                return False
            try:
                file.seek(file.size - 1)
                file.read(1)
                file.seek(0)
            except ValueError:  # fsspec's way to say that the server sends the whole file, whatever was asked for
                return False
            return True

    @contextmanager
    def _copied(self) -> Iterator[IO[bytes]]:
        with tempfile.TemporaryFile() as copy, self.open() as file:
            while block := file.read(_COPY_BYTES):
                copy.write(block)
            copy.seek(0)
            yield copy


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    files: Any
    path: str
    name: str

    def list_names(self, name: str) -> list[str]:
        """What is in the folder of this name below this one; nothing if there is none."""
        with translated(self.name):
            try:
                found = self.files.ls(f"{self.path.rstrip('/')}/{name}", detail=False)
            except FileNotFoundError:
                return []
        return [path.rstrip("/").rpartition("/")[2] for path in found]

    def list_files(self) -> list[str]:
        """Paths, from here, of all files below; what can't be listed is an error, not a smaller table."""
        with translated(self.name):
            # Stores of objects list everything below at once.
            lists_at_once = _protocols(self.files) & _EXTRAS.keys()
            found = list(self.files.find(self.path) if lists_at_once else self._walk())
        start = self.path.rstrip("/") + "/"
        return [path.removeprefix(start) for path in found]

    def _walk(self) -> Iterator[str]:
        """Like fsspec's `find`, which would leave out what it can't list and say nothing."""
        waiting = [self.path.rstrip("/")]
        while waiting:
            folder = waiting.pop()
            for info in self.files.ls(folder, detail=True):
                path = info["name"].rstrip("/")
                if path == folder:  # some stores have a marker for the folder itself
                    continue
                if info["type"] == "directory":
                    waiting.append(path)
                else:
                    yield path

    def file(self, name: str) -> RemoteFile:
        # Asked for one by one, as listings tell less of versions, and in other words.
        path, public = f"{self.path.rstrip('/')}/{name}", f"{self.name.rstrip('/')}/{name}"
        return RemoteFile(self.files, path, public, read_info(self.files, path, public))


def versions_digest(files: Mapping[str, RemoteFile]) -> str:
    """One digest for the versions of many files: SHA-256, in hex, of a line with name and version for each."""
    lines = (f"{name}\t{file.version!r}\n" for name, file in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find(url: str) -> RemoteFile | RemoteFolder:
    """What a URL names; NotFoundError when nothing, UnavailableError when the store does not say, or needs an extra."""
    name = public_url(url)
    scheme = url.partition(":")[0].lower()
    what = f"reading {scheme}:// URLs"
    fsspec = require("fsspec.core", extra=_EXTRAS.get(scheme, "remote"), what=what)
    options: dict[str, Any] = {}
    if scheme in {"http", "https"}:
        aiohttp = require("aiohttp", extra="remote", what=what)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_S, sock_read=_SILENCE_S)
        options = {"client_kwargs": {"timeout": timeout}}
    try:
        files, path = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        raise missing(_EXTRAS.get(scheme, "remote"), what) from error
    except ValueError as error:
        raise FormatError(f"'{name}': {error}", hint="a table of a database is named by sql_table(…)") from error
    info = read_info(files, path, name)
    if info["type"] == "directory":
        return RemoteFolder(files, path, name)
    return RemoteFile(files, path, name, info)


def read_info(files: Any, path: str, name: str) -> Mapping[str, Any]:
    """What the store says of a file now."""
    with translated(name):
        files.invalidate_cache()
        info: dict[str, Any] = dict(files.info(path))
        if (
            "memory" in _protocols(files) and info["type"] == "file"
        ):  # which has no other version of a file than its time
            info["mtime"] = files.modified(path)
    return info


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Each store has errors of its own; here they become ours."""
    try:
        yield
    except WherefromError:
        raise
    except FileNotFoundError as error:
        # fsspec's HTTP backend says so of every failure, and keeps what happened as the cause.
        cause = error.__cause__
        if cause is not None and _is_http_failure(cause):
            raise UnavailableError(f"can't read '{name}': {_say(cause)}") from error
        raise NotFoundError(f"no file at '{name}'") from error
    except Exception as error:
        raise UnavailableError(f"can't read '{name}': {_say(error)}") from error


def _is_http_failure(error: BaseException) -> bool:
    is_http = type(error).__module__.partition(".")[0] == "aiohttp"
    return isinstance(error, TimeoutError) or (is_http and getattr(error, "status", None) not in {404, 410})


def _say(error: BaseException) -> str:
    if status := getattr(error, "status", None):
        return f"status {status} {getattr(error, 'message', '')}".rstrip()
    # Messages of HTTP clients may hold the whole URL, with what is secret in it.
    text = re.sub(r"(https?://[^\s?'\"]+)\?[^\s'\"]*", r"\1", str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _version_of(info: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    told = {key.lower(): str(value) for key, value in info.items() if value not in (None, "")}
    return tuple((key, told[key]) for key in (*_TAGS, *_TIMES, "size") if key in told)


def _protocols(files: Any) -> set[str]:
    return {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)


class _Translating(io.RawIOBase):
    """A file whose reader may be Arrow, or a decompressor: whatever goes wrong comes out as one of our errors."""

    def __init__(self, file: Any, name: str, *, is_seekable: bool) -> None:
        self._file = file
        self._name = name
        self._is_seekable = is_seekable

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._is_seekable

    def readinto(self, buffer: Any) -> int:
        with translated(self._name):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with translated(self._name):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        with translated(self._name):
            return int(self._file.tell())
