"""Mirrors: a copy of a log that holds nothing which was not first held against a signed checkpoint.

mirror/
  checkpoint           the newest whose tree is here whole
  checkpoints/<size>   every one that was seen, written before the tree is copied: what comes later must extend it
  tile/…               as in the log

Whoever serves the folder as static files serves the log. Words are those of C2SP tlog-mirror; copies are fetched here,
not sent, so of its protocol nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wherefrom.errors import (
    ConflictError,
    ConsistencyError,
    FormatError,
    MismatchError,
    NotFoundError,
    UnavailableError,
    VerificationError,
)
from wherefrom.merkle import (
    TILE_WIDTH,
    format_entries_path,
    format_tile_path,
    prove_consistency_from_tiles,
    root_from_tiles,
    verify_consistency,
)
from wherefrom.notes import MAX_NOTE_BYTES, Checkpoint, parse_checkpoint, parse_note
from wherefrom.tlog.entries import format_entries
from wherefrom.tlog.publish import Progress, Publication, iter_new_tiles, remove_covered, silent
from wherefrom.tlog.source import CHECKPOINT, FolderSource, LogSource, read_checkpoint, read_entries
from wherefrom.tlog.split_view import SplitViewError, format_split_view, make_split_view
from wherefrom.tlog.target import FolderTarget
from wherefrom.tlog.verified import VerifiedLog

OpenNote = Callable[[bytes], Checkpoint]
"""Verifies a signed checkpoint by whatever the caller trusts. Raises VerificationError or FormatError."""

_SEEN: Final = "checkpoints"


class RolledBackError(MismatchError):
    """The log shows fewer entries than before: an old copy, which contradicts nothing that it signed, or worse."""


@dataclass(frozen=True)
class Mirror:
    """The copy of one log in a folder. One program at a time copies into it."""

    folder: Path

    @property
    def source(self) -> FolderSource:
        return FolderSource(self.folder)

    def read_checkpoint(self) -> bytes | None:
        """The checkpoint whose tree is here whole; None before the first."""
        return self._read(CHECKPOINT)

    def read_newest_seen(self) -> bytes | None:
        """The largest checkpoint that was ever seen, also if its tree could not be copied yet."""
        sizes = [int(name) for name in FolderTarget(self.folder).list_names(_SEEN) if name.isdecimal()]
        return self._read(f"{_SEEN}/{max(sizes)}") if sizes else None

    def update(self, source: LogSource, open_note: OpenNote, *, progress: Progress = silent) -> Publication:
        """Copy what the log has beyond the mirror, and then its checkpoint.

        A log that was pruned has its beginning as tiles only, and so has the mirror then.

        Raises as `open_note`; SplitViewError: the log contradicts what it signed before, with the evidence;
        RolledBackError; MismatchError: what is served is not what the checkpoint signs; UnavailableError. What was
        mirrored before stays as it is then.
        """
        try:
            return self._update(source, open_note, progress)
        except NotFoundError as error:
            raise UnavailableError(
                f"{source.name}: {error}", hint="the log lacks what its checkpoint implies"
            ) from error

    def _update(self, source: LogSource, open_note: OpenNote, progress: Progress) -> Publication:
        note = read_checkpoint(source)
        log = VerifiedLog(source, open_note(note))
        seen = self.read_newest_seen()
        if seen is not None:
            self.verify_extends(seen, note, log)
        there = self.read_checkpoint()
        before = read_size(there) if there else 0
        target = FolderTarget(self.folder)
        if note != seen:
            target.write(f"{_SEEN}/{log.size}", note)
            target.flush()
        files = self._copy(log, target, before, progress) if log.size > before else 0
        if note != there:
            target.swap(CHECKPOINT, note, there)
            remove_covered(target, before, log.size)
        return Publication(before, log.size, files)

    def _copy(self, log: VerifiedLog, target: FolderTarget, before: int, progress: Progress) -> int:
        files = 0

        def keep(path: str, data: bytes) -> None:
            nonlocal files
            if self._read(path) != data:  # else it is here since an earlier try
                target.write(path, data)
                files += 1

        for level, index, width in iter_new_tiles(before, log.size, lowest=1):
            keep(format_tile_path(level, index, width), log.tile(level, index))
        unpublished = 0
        for index, hashes, entries in log.iter_bundles(log.bundles(before), near=self.source):
            width = log.width(0, index)
            path = format_entries_path(index, width)
            if entries is not None:
                keep(path, format_entries(entries))
            elif index != unpublished:
                raise NotFoundError(f"{path} is not there, though entries before it are")
            else:
                unpublished += 1
            keep(format_tile_path(0, index, width), hashes)
            progress(index * TILE_WIDTH + width - before, log.size - before)
        target.flush()
        return files

    def verify_extends(self, seen_note: bytes, note: bytes, log: VerifiedLog) -> None:
        """Check that a log grew out of the checkpoint seen last, by a consistency proof from its own tiles.

        Raises SplitViewError, RolledBackError, and MismatchError where the tiles don't say which of the two it is.
        """
        seen, new = parse_checkpoint(parse_note(seen_note).text), log.checkpoint
        what = (
            f"{log.source.name} shows {new.size} entries with root {new.root.hex()}, "
            f"after {seen.size} with root {seen.root.hex()}"
        )
        if new.origin != seen.origin:
            raise ConflictError(f"{self.folder} mirrors log {seen.origin}, {log.source.name} is log {new.origin}")
        larger = log
        try:
            if new.size < seen.size:
                larger = VerifiedLog(self.source, seen)
                if root_from_tiles(new.size, larger.read) == new.root:
                    raise RolledBackError(f"{what}: it went back", hint="it may be an old copy; ask again later")
            else:
                proof = prove_consistency_from_tiles(seen.size, new.size, log.read)
                verify_consistency(
                    old_size=seen.size, old_root=seen.root, new_size=new.size, new_root=new.root, proof=proof
                )
                return
        except ConsistencyError:
            pass
        except RolledBackError:
            raise
        except (VerificationError, NotFoundError, FormatError) as error:
            raise MismatchError(f"{what}; whether it contradicts itself can't be shown: {error}") from error
        evidence = format_split_view(make_split_view(seen_note, note, larger.read))
        raise SplitViewError(f"{what}: it signed two histories", evidence)

    def read_entries(self, index: int, size: int) -> list[bytes]:
        """The entries of a bundle of the tree of this size; none of those that the log did not publish."""
        try:
            return read_entries(self.source, index, min(TILE_WIDTH, size - index * TILE_WIDTH))
        except NotFoundError:
            return []

    def _read(self, path: str) -> bytes | None:
        try:
            return self.source.read(path, max_bytes=max(MAX_NOTE_BYTES, 1 << 25))
        except NotFoundError:
            return None


def read_size(note: bytes) -> int:
    """The size in a checkpoint that was verified before."""
    return parse_checkpoint(parse_note(note).text).size
