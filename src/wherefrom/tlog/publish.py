"""Publishing a log as static files: what is new since the last time, and its checkpoint after everything else.

A reader never sees a checkpoint whose tiles are not there. A publication that was killed is done again from the
checkpoint that is published; what it had written is written again, with the same bytes, for a tile never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wherefrom.errors import ConflictError, FormatError, NotFoundError, VerificationError
from wherefrom.merkle import TILE_WIDTH, format_entries_path, format_tile_path, root_from_tiles
from wherefrom.notes import MAX_NOTE_BYTES, Checkpoint, VerifierKey, open_checkpoint
from wherefrom.tlog.entries import format_entries
from wherefrom.tlog.source import CHECKPOINT, LogSource, read_checkpoint
from wherefrom.tlog.target import Target
from wherefrom.tlog.verified import VerifiedLog

Progress = Callable[[int, int | None], None]
MakeBeside = Callable[[Checkpoint, Checkpoint | None], Iterable[tuple[str, bytes]]]

_HEIGHT: Final = 8
_ATTEMPTS: Final = 5


@dataclass(frozen=True)
class Publication:
    """What was published: entries before and now, and how many files were written."""

    before: int
    size: int
    files: int


def silent(_done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


def publish(
    source: LogSource,
    target: Target,
    log_keys: Sequence[VerifierKey],
    *,
    beside: MakeBeside | None = None,
    keep_partials: bool = False,
    progress: Progress = silent,
) -> Publication:
    """Bring what is published up to the source's checkpoint. Reads and writes as much as is new, not more.

    Args:
        log_keys: the log's own; what is there already must be signed by one of them.
        beside: makes further files, of any path, written before the checkpoint: from the new checkpoint and that which
            is published, if any.
        keep_partials: leave partial tiles and bundles where the full ones have come; by default they are deleted.

    Raises ConflictError: the target has another log, or a tree of ours that the source's does not begin with, or
    more of it. MismatchError: the source does not hold what its own checkpoint signs. UnavailableError. Nothing that
    was published has changed then.
    """
    for _ in range(_ATTEMPTS):
        published = _read_published(target)
        note = read_checkpoint(source)  # after the other, so that it is the newer one even if somebody else publishes
        checkpoint = open_checkpoint(note, log_keys)
        before = _open_published(published, target, log_keys) if published is not None else None
        log = VerifiedLog(source, checkpoint)
        if before is not None:
            _verify_extends(log, before, target)
        size_before = before.size if before else 0
        files = _write_new(log, target, size_before, progress)
        for path, data in beside(checkpoint, before) if beside else ():
            target.write(path, data)
            files += 1
        target.flush()
        if note != published:
            try:
                target.swap(CHECKPOINT, note, published)
            except ConflictError:
                continue  # somebody else published meanwhile: look again what there is left to do
            files += 1
        if not keep_partials:
            remove_covered(target, size_before, checkpoint.size)
        return Publication(size_before, checkpoint.size, files)
    raise ConflictError(f"{target.name} was changed by somebody else {_ATTEMPTS} times meanwhile", hint="try again")


def iter_new_tiles(before: int, size: int, *, lowest: int = 0) -> Iterator[tuple[int, int, int]]:
    """Level, index and width of the tiles that a tree of `size` has and one of `before` has not, from a level up."""
    level = lowest
    while hashes := size >> (_HEIGHT * level):
        old = before >> (_HEIGHT * level)
        if hashes > old:
            for index in range(old // TILE_WIDTH, -(-hashes // TILE_WIDTH)):
                yield level, index, min(TILE_WIDTH, hashes - index * TILE_WIDTH)
        level += 1


def _write_new(log: VerifiedLog, target: Target, before: int, progress: Progress) -> int:
    if log.size == before:
        return 0
    files = 0
    for level, index, width in iter_new_tiles(before, log.size, lowest=1):
        target.write(format_tile_path(level, index, width), log.tile(level, index))
        files += 1
    for index, hashes, entries in log.iter_bundles(log.bundles(before)):
        width = log.width(0, index)
        if entries is not None:  # else they were retired
            target.write(format_entries_path(index, width), format_entries(entries))
            files += 1
        target.write(format_tile_path(0, index, width), hashes)
        files += 1
        progress(index * TILE_WIDTH + width - before, log.size - before)
    return files


def _read_published(target: Target) -> bytes | None:
    try:
        return target.read(CHECKPOINT, max_bytes=MAX_NOTE_BYTES)
    except NotFoundError:
        return None


def _open_published(note: bytes, target: Target, log_keys: Sequence[VerifierKey]) -> Checkpoint:
    try:
        return open_checkpoint(note, log_keys)
    except (FormatError, VerificationError) as error:
        raise ConflictError(
            f"{target.name} has a checkpoint already that is not of log {log_keys[0].name}: {error}",
            hint="publish to another place",
        ) from error


def _verify_extends(log: VerifiedLog, before: Checkpoint, target: Target) -> None:
    ours = f"the log has {log.size} entries with root {log.checkpoint.root.hex()}"
    there = f"{target.name} has {before.size} with root {before.root.hex()}"
    hint = "the archive was put back to an older copy, or two archives sign with one key; nothing was published"
    if before.size > log.size:
        raise ConflictError(f"{ours}, {there}: a published log does not shrink", hint=hint)
    if root_from_tiles(before.size, log.read) != before.root:
        raise ConflictError(f"{ours}, {there}: what is published is not how ours began", hint=hint)


def remove_covered(target: Target, before: int, size: int) -> None:
    """Delete partial tiles and bundles of the tiles that were partial before and are full now."""
    level = 0
    while old := before >> (_HEIGHT * level):
        index = old // TILE_WIDTH
        if old % TILE_WIDTH and size >> (_HEIGHT * level) >= (index + 1) * TILE_WIDTH:
            folders = [f"{format_tile_path(level, index)}.p"]
            if level == 0:
                folders.append(f"{format_entries_path(index)}.p")
            for folder in folders:
                for name in target.list_names(folder):
                    target.remove(f"{folder}/{name}")
        level += 1
