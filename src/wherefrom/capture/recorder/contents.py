"""What a file, folder or in-memory table holds, as a run saw it: digests, sizes, columns, or why they are not known."""

# Files come by the ten thousand: plain text paths.
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wherefrom.capture.config import LevelRule
from wherefrom.capture.recorder.known import KnownRecords
from wherefrom.errors import WherefromError
from wherefrom.fingerprints import (
    Key,
    KeyCommitment,
    RecordsFingerprint,
    Secret,
    StatCache,
    fingerprint_files,
    table_format,
)
from wherefrom.fingerprints import fingerprint_with_keys as fingerprint_table

# A change stamps the file with the kernel's tick before it, up to 10 ms old.
TICK_NS = 10_000_000
# Two changes in one tick look like one, so what changed just now is read again when it is asked for again.
_RACY_NS = 1_000_000_000
_SMALL_BYTES = 256 * 1024


@dataclass(frozen=True)
class Gap:
    """Why something is not known, in the words of a `gap` statement."""

    what: str
    detail: str


@dataclass(frozen=True)
class Content:
    """What was found at a path, or in memory.

    Attributes:
        digests: algorithm to hex; empty when a gap says why.
        files: None for what is no file.
        state: (size, change time in ns) when it was read; None for folders and memory.
        seconds: what taking the digests cost.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    total_bytes: int | None = None
    files: int | None = None
    records: RecordsFingerprint | None = None
    keys: tuple[KeyCommitment, ...] = ()
    gaps: tuple[Gap, ...] = ()
    state: tuple[int, int] | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int | None:
        return None if self.records is None else self.records.rows


def unknown(what: str, detail: str) -> Content:
    return Content(gaps=(Gap(what, detail),))


class Reader:
    """Takes digests as `wherefrom.toml` asks for; safe for threads."""

    def __init__(self, known: KnownRecords, *, records_max_bytes: int) -> None:
        """`records_max_bytes`: tables in larger files get the file's digest alone."""
        self._known = known
        self._folder = known.archive
        self._cache = StatCache(known.archive / "cache" / "files")
        self._records_max_bytes = records_max_bytes
        self._read_before: dict[tuple[object, ...], Content] = {}
        self._reading: dict[str, int] = {}
        # Fingerprinting uses all cores by itself; and no thread may look for a library that another is importing.
        self._one_table = threading.Lock()

    def describe(self) -> str:
        """What is being read now, for people: the largest file first; "" for nothing."""
        reading = sorted(self._reading.items(), key=lambda pair: -pair[1])
        return ", ".join(f"'{path}' ({size:,} bytes)" for path, size in reading)

    def read_path(self, path: str, rule: LevelRule, *, opened_ns: int | None) -> Content:
        """What a file or folder holds.

        Args:
            opened_ns: when the run opened it for reading (Unix time): what changed since is not what the run read. None
                for what the run wrote.
        """
        start = time.monotonic()
        try:
            before = os.stat(path)
            if opened_ns is not None and before.st_ctime_ns > opened_ns and not stat.S_ISDIR(before.st_mode):
                return unknown("changed while read", "it changed after the run had opened it, and before it was hashed")
            which = (path, *_state_of(before), rule.level, rule.keys, rule.is_private)
            if which in self._read_before:
                return replace(self._read_before[which], seconds=0.0)
            self._reading[path] = before.st_size
            try:
                content = self._read(path, before, rule)
            finally:
                self._reading.pop(path, None)
            after = os.stat(path)
        except FileNotFoundError:
            return unknown("not hashed", "it was gone before it could be hashed")
        except (OSError, WherefromError) as error:
            return unknown("not hashed", str(error))
        if _state_of(after) != _state_of(before):
            return unknown("changed while read", "it changed while it was hashed")
        if content.state is not None and time.time_ns() - before.st_ctime_ns > _RACY_NS:
            self._read_before[which] = content
        return replace(content, seconds=time.monotonic() - start)

    def _read(self, path: str, state: os.stat_result, rule: LevelRule) -> Content:
        if stat.S_ISDIR(state.st_mode):
            folder = fingerprint_files(path, cache=self._cache)
            return Content(dict([folder.digest]), folder.total_bytes, folder.count)
        sha256, size = _hash_file(path)
        content = Content({"sha256": sha256}, size, 1, state=(state.st_size, state.st_ctime_ns))
        kind = table_format(path)
        if kind is None or rule.level == "files":
            return content
        if size > self._records_max_bytes and not rule.keys:
            detail = f"{size} bytes are more than records_max_bytes, {self._records_max_bytes}"
            return replace(content, gaps=(Gap("records not fingerprinted", detail),))
        try:
            records, keys = self._known.read(sha256, kind, rule) or self._read_records(path, rule)
        except WherefromError as error:
            return replace(content, gaps=(Gap("records not fingerprinted", str(error)),))
        self._known.write(sha256, kind, rule, records, keys)
        return replace(content, digests=dict([*content.digests.items(), records.digest]), records=records, keys=keys)

    def _read_records(self, path: str, rule: LevelRule) -> tuple[RecordsFingerprint, tuple[KeyCommitment, ...]]:
        with self._one_table:
            keys = [Key.parse(key) for key in rule.keys]
            secret = Secret.obtain(self._folder / "secrets" / "records") if rule.is_private else None
            try:
                return fingerprint_table(path, keys=keys, secret=secret, keep=self._folder / "leaves")
            except WherefromError:  # whatever is wrong with what is kept there, the fingerprint is worth having
                return fingerprint_table(path, keys=keys, secret=secret)

    def read_object(self, load: Any) -> Content:
        """What a table in memory holds; `load` is called for it here, in the reader's thread."""
        start = time.monotonic()
        try:
            with self._one_table:
                records, _ = fingerprint_table(load(), keys=[])
        except WherefromError as error:
            return unknown("not fingerprinted", str(error))
        except Exception as error:  # noqa: BLE001 - the object is of the user's making: anything may come out of it
            return unknown("not fingerprinted", f"{type(error).__name__}: {error}")
        return Content(dict([records.digest]), records=records, seconds=time.monotonic() - start)


def _hash_file(path: str) -> tuple[str, int]:
    """SHA-256 in hex, and size. Small files, which come by the thousand, in one read."""
    with open(path, "rb", buffering=0) as file:
        first = file.read(_SMALL_BYTES)
        hasher = hashlib.sha256(first)
        if len(first) < _SMALL_BYTES:
            return hasher.hexdigest(), len(first)
        size, view = len(first), memoryview(bytearray(_SMALL_BYTES))
        while length := file.readinto(view):
            hasher.update(view[:length])
            size += length
        return hasher.hexdigest(), size


def _state_of(state: os.stat_result) -> tuple[int, ...]:
    return state.st_dev, state.st_ino, state.st_size, state.st_ctime_ns


def has_changed(path: str, content: Content) -> bool:
    """Whether a file is not any more what was read; False when that can't be told, or it is gone."""
    try:
        now = os.stat(path)
    except OSError:
        return False
    return content.state is not None and (now.st_size, now.st_ctime_ns) != content.state
