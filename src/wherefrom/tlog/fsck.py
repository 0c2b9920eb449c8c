"""Checking a whole log: every entry, every tile and the root, of any log that C2SP tlog-tiles describes.

From the checkpoint downward, so that what does not fit is named, and not only that something doesn't: the tiles at the
right edge make the root; each hash above level 0 is the root of a full tile; each hash of level 0 is that of an entry.
Where a tile of an upper level is bad, the tiles below it stand in for it, if they make the root that it should have.
Memory holds a tile for each level; nothing else grows with the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from wherefrom.errors import FormatError, MismatchError, NotFoundError, UnavailableError
from wherefrom.merkle import (
    HASH_SIZE,
    TILE_WIDTH,
    format_entries_path,
    format_tile_path,
    hash_leaf,
    parse_entries_path,
    parse_tile_path,
    root_of,
)
from wherefrom.notes import Checkpoint
from wherefrom.tlog.entries import MAX_BUNDLE_BYTES, parse_entries
from wherefrom.tlog.publish import Progress, silent
from wherefrom.tlog.source import MAX_TILE_BYTES, LogSource, read_ahead, read_entries, read_tile
from wherefrom.tlog.verified import VerifiedLog, first_difference, split_hashes
from wherefrom.verify import Finding, Findings, Outcome

MAX_NAMED: Final = 100
"""So many bad files are named; a log that has more is not worth more words."""

_HEIGHT: Final = 8
_TOP: Final = 7  # the highest level that a tree of 2**63 leaves has tiles in
_CLAIM: Final = "every tile and entry is as the checkpoint has it"


def check_log(source: LogSource, checkpoint: Checkpoint, *, progress: Progress = silent) -> Findings:
    """Hold the whole log against a checkpoint: one claim when it is true, one for each file where it is not.

    False: a file is not what the checkpoint says, or is missing. Could not check: the log can't be reached, or entries
    at its beginning are not published, as in a log that was pruned. Remarks tell of files that are not part of the log.
    """
    check = _Check(VerifiedLog(source, checkpoint), progress)
    try:
        check.run()
    except UnavailableError as error:
        check.found.findings.append(Finding(source.name, Outcome.UNCHECKED, str(error)))
    except _TooManyError:
        check.found.remarks.append(f"more than {MAX_NAMED} files are bad; the rest was not looked at")
    if not check.found.findings:
        message = f"{checkpoint.size:,} entries, root {checkpoint.root.hex()}"
        check.found.findings.append(Finding(_CLAIM, Outcome.TRUE, message))
    return check.found


class _TooManyError(Exception):
    """Enough was found."""


@dataclass
class _Check:
    log: VerifiedLog
    progress: Progress
    found: Findings = field(default_factory=Findings)
    unpublished: int = 0  # bundles from index 0 on of which the log has none
    missing: list[tuple[str, int]] = field(default_factory=list)  # path, and the end of the entries below it
    lost: set[tuple[int, int]] = field(default_factory=set)  # tiles above level 0 of which nothing can be known

    def add(self, path: str, outcome: Outcome, message: str) -> None:
        if len(self.found.findings) == MAX_NAMED:
            raise _TooManyError
        self.found.findings.append(Finding(path, outcome, message))

    def run(self) -> None:
        log = self.log
        if not self._check_edges():
            return
        expected = 0
        for index, got in read_ahead(self._read, self._iter_known(), parallel=log.source.parallel):
            self._skip(expected, index)
            self._check_bundle(index, *got())
            self.progress(min((index + 1) * TILE_WIDTH, log.size), log.size)
            expected = index + 1
        self._skip(expected, len(log.bundles()))
        self._check_missing()
        if log.source.iter_paths() is not None:
            self._check_others()

    def _iter_known(self) -> Iterator[int]:
        """The indexes of bundles, but for those below a tile of which nothing is known: there may be 2**55 of them."""
        index, end = 0, len(self.log.bundles())
        while index < end:
            for level in range(_TOP, 0, -1):
                span = TILE_WIDTH**level
                is_full = index % span == 0 and self.log.width(level, index // span) == TILE_WIDTH
                if is_full and not self._know_above(level, index // span):
                    index += span
                    break
            else:
                yield index
                index += 1

    def _skip(self, expected: int, index: int) -> None:
        """Note that the bundles from the expected one up to this index are nowhere."""
        if self.unpublished == expected:
            self.unpublished = index

    # --- the right edge ----------------------------------------------------------------------------------------------

    def _check_edges(self) -> bool:
        """Whether the partial tiles make the root, or what lies below them does."""
        log, level = self.log, 0
        there: dict[int, bytes] = {}
        made: dict[int, bytes] = {}
        while hashes := log.size >> (_HEIGHT * level):
            if width := hashes % TILE_WIDTH:
                try:
                    there[level] = read_tile(log.source, level, hashes // TILE_WIDTH, width)
                except (NotFoundError, FormatError):
                    there[level] = b""
            level += 1
        if all(there.values()) and self._adopt_edges(there):
            return True
        for level, tile in there.items():
            index = (log.size >> (_HEIGHT * level)) // TILE_WIDTH
            made[level] = self._make(level, index, (log.size >> (_HEIGHT * level)) % TILE_WIDTH) or tile
        bad = [level for level in there if there[level] != made[level]]
        fits = all(made.values()) and self._adopt_edges(made)
        for level in bad:
            self._add_bad_edge(level, there[level], made[level])
        if not fits:
            self.add(
                "root",
                Outcome.FALSE,
                f"the checkpoint signs {log.size} entries with root {log.checkpoint.root.hex()}, "
                "the tiles make another",
            )
        return fits

    def _adopt_edges(self, edges: dict[int, bytes]) -> bool:
        try:
            self.log.adopt_edges(edges)
        except MismatchError:
            return False
        return True

    def _add_bad_edge(self, level: int, there: bytes, made: bytes) -> None:
        hashes = self.log.size >> (_HEIGHT * level)
        path = format_tile_path(level, hashes // TILE_WIDTH, hashes % TILE_WIDTH)
        wrong = first_difference(there, made)
        first = ((hashes // TILE_WIDTH) * TILE_WIDTH + (wrong or 0)) << (_HEIGHT * level)
        what = "is missing, or of a wrong length" if not there else f"is not that of the entries from {first} on"
        self.add(path, Outcome.FALSE, what)

    def _make(self, level: int, index: int, width: int) -> bytes | None:
        """What the tile should be, from the files below it; None where one of those can't be read."""
        source, first = self.log.source, index * TILE_WIDTH
        try:
            if level == 0:
                return b"".join(map(hash_leaf, read_entries(source, index, width)))
            children = (read_tile(source, level - 1, first + child, TILE_WIDTH) for child in range(width))
            return b"".join(root_of(split_hashes(child)) for child in children)
        except (NotFoundError, FormatError):
            return None

    # --- below it ----------------------------------------------------------------------------------------------------

    def _read(self, index: int) -> tuple[bytes | FormatError | None, list[bytes] | FormatError | None]:
        """The level-0 tile and the entries; what is wrong with their form; None for what is missing."""
        width = self.log.width(0, index)
        tile: bytes | FormatError | None = None
        entries: list[bytes] | FormatError | None = None
        try:
            tile = read_tile(self.log.source, 0, index, width)
        except FormatError as error:
            tile = error
        except NotFoundError:
            pass
        try:
            entries = read_entries(self.log.source, index, width)
        except FormatError as error:
            entries = error
        except NotFoundError:
            pass
        return tile, entries

    def _check_bundle(
        self, index: int, tile: bytes | FormatError | None, entries: list[bytes] | FormatError | None
    ) -> None:
        width = self.log.width(0, index)
        end, path = index * TILE_WIDTH + width, format_entries_path(index, width)
        hashes = b"".join(map(hash_leaf, entries)) if isinstance(entries, list) else None
        expected = self._check_tile(index, tile, hashes)
        if isinstance(entries, FormatError):
            self.add(path, Outcome.FALSE, str(entries))
        elif hashes is None:
            if self.unpublished == index:
                self.unpublished += 1
            else:
                self.missing.append((path, end))
        elif expected is not None and (wrong := first_difference(hashes, expected)) is not None:
            at = index * TILE_WIDTH + wrong
            self.add(path, Outcome.FALSE, f"entry {at} is not the one that the tree has there")

    def _check_tile(self, index: int, tile: bytes | FormatError | None, hashes: bytes | None) -> bytes | None:
        """The hashes that the tree has here, if they can be known; what is wrong with the tile is added."""
        log, width = self.log, self.log.width(0, index)
        path = format_tile_path(0, index, width)
        if width < TILE_WIDTH:
            return log.tile(0, index)  # an edge, checked before
        if not self._know_above(1, index // TILE_WIDTH):
            if tile is None:
                self.missing.append((path, (index + 1) * TILE_WIDTH))
            return None
        for candidate in (tile, hashes):
            if isinstance(candidate, bytes):
                try:
                    expected = log.adopt(0, index, candidate)
                except MismatchError:
                    continue
                if tile is None:
                    self.missing.append((path, (index + 1) * TILE_WIDTH))
                elif isinstance(tile, FormatError):
                    self.add(path, Outcome.FALSE, str(tile))
                elif candidate is not tile:
                    wrong = index * TILE_WIDTH + (first_difference(tile, expected) or 0)
                    self.add(path, Outcome.FALSE, f"the hash of entry {wrong} is not that of the entry")
                return expected
        if tile is None:
            self.missing.append((path, (index + 1) * TILE_WIDTH))
        else:
            self.add(path, Outcome.FALSE, str(tile) if isinstance(tile, FormatError) else self._root_differs(0, index))
        return None

    def _know_above(self, level: int, index: int) -> bool:
        """Whether the tile is known, from itself or else from those below it; what is wrong with it is added once."""
        log, path = self.log, format_tile_path(level, index)
        if (level, index) in self.lost:
            return False
        if log.width(level, index) == TILE_WIDTH and not self._know_above(level + 1, index // TILE_WIDTH):
            self.lost.add((level, index))
            return False
        try:
            log.tile(level, index)
        except (MismatchError, FormatError, NotFoundError) as error:
            made = self._make(level, index, TILE_WIDTH)
            if isinstance(error, NotFoundError):
                self.missing.append((path, (index + 1) << (_HEIGHT * (level + 1))))
            else:
                self.add(path, Outcome.FALSE, str(error))
            try:
                log.adopt(level, index, made or b"")
            except MismatchError:
                self.lost.add((level, index))
                return False
        return True

    def _root_differs(self, level: int, index: int) -> str:
        expected = self.log.root_of_tile(level, index).hex()
        return f"neither the tile nor the entries below it make root {expected}, which the tile above has"

    # --- beside it ---------------------------------------------------------------------------------------------------

    def _check_missing(self) -> None:
        """Files that are missing are a false claim of the log, but for a beginning that it does not publish."""
        pruned = min(self.unpublished * TILE_WIDTH, self.log.size)
        if pruned:
            self.add(
                f"entries 0 to {pruned - 1}",
                Outcome.UNCHECKED,
                "are not published; the tree and whatever comes behind them is checked",
            )
        for path, end in self.missing:
            if end > pruned:
                self.add(path, Outcome.FALSE, "is missing")

    def _check_others(self) -> None:
        """Files of older sizes hold the beginning of what is there now; others are no part of the log."""
        beyond, strange = [], []
        for path in self.log.source.iter_paths() or ():
            if not path.startswith("tile/"):
                continue
            try:
                level, index, width = (
                    (-1, *parse_entries_path(path)) if path.startswith("tile/entries/") else parse_tile_path(path)
                )
            except FormatError:
                strange.append(path)
                continue
            now = self.log.width(max(level, 0), index)
            if width > now:
                beyond.append(path)
            elif width < now:
                self._check_older(path, level, index, width)
        if beyond:
            self.found.remarks.append(
                f"{len(beyond)} files are beyond the checkpoint, {beyond[0]} for one: not checked"
            )
        self.found.remarks += [f"{path} is no file of a log" for path in strange[:MAX_NAMED]]

    def _check_older(self, path: str, level: int, index: int, width: int) -> None:
        try:
            if level < 0:
                entries = parse_entries(self.log.source.read(path, max_bytes=MAX_BUNDLE_BYTES), what=path)
                data = b"".join(map(hash_leaf, entries))
            else:
                data = self.log.source.read(path, max_bytes=MAX_TILE_BYTES)
            expected = self.log.read(max(level, 0), index, width)
        except NotFoundError:
            return  # deleted meanwhile, or the tile is missing, which has been said
        except (FormatError, MismatchError) as error:
            self.add(path, Outcome.FALSE, str(error))
            return
        if (wrong := first_difference(data, expected)) is not None or len(data) != width * HASH_SIZE:
            first = (index * TILE_WIDTH + (wrong or 0)) << (_HEIGHT * max(level, 0))
            self.add(path, Outcome.FALSE, f"is not what the tree has from entry {first} on")
