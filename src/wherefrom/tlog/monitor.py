"""Monitoring: following a log, and holding each new checkpoint against everything that was seen before.

A monitor keeps a mirror, so that whatever the log shows later can be compared with it, and if the log contradicts
itself, the hashes that prove it are at hand. What entries mean is looked at by an `Inspector`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from wherefrom.errors import MismatchError, UnavailableError, WherefromError
from wherefrom.merkle import TILE_WIDTH
from wherefrom.notes import Checkpoint, TrustedCheckpoint, TrustPolicy, open_checkpoint, open_trusted
from wherefrom.tlog.mirror import Mirror
from wherefrom.tlog.publish import Progress, silent
from wherefrom.tlog.source import LogSource, read_checkpoint
from wherefrom.tlog.split_view import SplitViewError
from wherefrom.tlog.target import FolderTarget
from wherefrom.tlog.verified import VerifiedLog
from wherefrom.verify import Finding, Findings, Outcome

_INSPECTED: Final = "inspected"


class Inspector(Protocol):
    """Looks at what a log says, after the tree has been verified."""

    def inspect_entries(self, entries: Sequence[bytes], *, first: int, before: bytes | None) -> datetime | None:
        """Look at new entries from index `first` on; `before` is the one ahead of them.

        Gives when the last was received, if it says so. Raises VerificationError or FormatError for what may not be.
        """

    def inspect_beside(self, source: LogSource, mirror: Mirror, size: int, found: Findings) -> None:
        """Look at what the log publishes beside its entries, and add claims about it, for a new tree of this size."""


@dataclass
class Observation:
    """What one look at a log came to.

    Attributes:
        checkpoint: as the log shows it; None where none could be verified.
        evidence: the file that proves that the log contradicts itself, if it does.
    """

    found: Findings = field(default_factory=Findings)
    checkpoint: Checkpoint | None = None
    is_new: bool = False
    evidence: Path | None = None

    def holds(self) -> bool:
        """Whether every claim so far is true."""
        return self.found.outcome is Outcome.TRUE


@dataclass(frozen=True)
class Monitor:
    """Follows one log.

    Attributes:
        state: folder of the monitor's own: a mirror, and evidence if there is any.
        max_age: how old the newest thing that the log shows may be; None asks nothing.
    """

    source: LogSource
    state: Path
    policy: TrustPolicy
    inspector: Inspector | None = None
    max_age: timedelta | None = None

    @property
    def mirror(self) -> Mirror:
        return Mirror(self.state)

    def observe(self, now: datetime, *, progress: Progress = silent) -> Observation:
        """Look once. Whatever is wrong, or could not be checked, is a finding; nothing is raised for it."""
        seen = Observation()
        trusted: list[TrustedCheckpoint] = []

        def open_note(note: bytes) -> Checkpoint:
            trusted.append(open_trusted(note, self.policy))
            return trusted[-1].checkpoint

        shown: list[bytes] = []
        with seen.found.check("its checkpoint is signed as the trust file demands") as said:
            shown.append(read_checkpoint(self.source))
            open_note(shown[0])
            said.append(f"signed by {', '.join([trusted[-1].log_key.label, *_cosigners(trusted[-1])])}")
        if not seen.holds():
            for note in shown:
                self._look_for_split(note, seen)
            return seen
        with seen.found.check("the tree grew out of what was seen before, and holds what the checkpoint signs") as said:
            try:
                published = self.mirror.update(self.source, open_note, progress=progress)
            except SplitViewError as error:
                seen.evidence = self._keep(error.evidence)
                raise
            said.append(f"{published.size:,} entries, {published.size - published.before:,} of them new")
        if not seen.holds():
            return seen
        seen.checkpoint, size = trusted[-1].checkpoint, trusted[-1].checkpoint.size
        last_received = self._inspect_entries(size, seen)
        if self.inspector and seen.is_new:
            self.inspector.inspect_beside(self.source, self.mirror, size, seen.found)
        if seen.holds() and self._inspected() < size:
            self._write(_INSPECTED, str(size).encode())
        self._check_age(seen, trusted[-1], last_received, now)
        return seen

    def _look_for_split(self, note: bytes, seen: Observation) -> None:
        """What witnesses did not sign may be the log's word all the same, and contradict what it said before."""
        newest = self.mirror.read_newest_seen()
        if newest is None:
            return
        try:
            log = VerifiedLog(self.source, open_checkpoint(note, self.policy.log_keys))
            self.mirror.verify_extends(newest, note, log)
        except SplitViewError as error:
            seen.evidence = self._keep(error.evidence)
            seen.found.findings.append(Finding("the log shows one history", Outcome.FALSE, str(error)))
        except WherefromError as error:
            seen.found.remarks.append(f"held against what was seen before: {error}")

    def _inspect_entries(self, size: int, seen: Observation) -> datetime | None:
        """New entries one bundle after another, out of the mirror; gives when the last entry was received."""
        start = self._inspected()
        seen.is_new = start < size
        last: datetime | None = None
        if self.inspector is None or not size:
            return None
        with seen.found.check("entries are well-formed, and their times never go back") as said:
            first = min(start, size - 1)  # the last one again, if there is none that is new: its time is wanted
            before: bytes | None = None
            for index in range(max(first - 1, 0) // TILE_WIDTH, -(-size // TILE_WIDTH)):
                bundle = self.mirror.read_entries(index, size)
                at = index * TILE_WIDTH
                new = bundle[max(first - at, 0) :]
                if first - at > 0 and bundle:
                    before = bundle[: first - at][-1]
                if new:
                    last = self.inspector.inspect_entries(new, first=max(first, at), before=before)
                    before = new[-1]
            said.append(f"{size - start:,} new" if start < size else "none new")
        return last

    def _check_age(
        self, seen: Observation, trusted: TrustedCheckpoint, last_received: datetime | None, now: datetime
    ) -> None:
        if self.max_age is None:
            return
        with seen.found.check(f"the log showed something new in the last {self.max_age}") as said:
            times = [c.time for c in trusted.cosignatures if c.time is not None]
            newest = max([*times, *([last_received] if last_received else [])], default=None)
            if newest is None:
                raise UnavailableError("neither its entries nor cosignatures say when they were made")
            if now - newest > self.max_age:
                raise MismatchError(f"its newest entry or cosignature is of {newest.astimezone(UTC).isoformat()}")
            said.append(f"newest of {newest.astimezone(UTC).isoformat()}")

    def _inspected(self) -> int:
        try:
            return int((self.state / _INSPECTED).read_bytes())
        except (FileNotFoundError, ValueError):
            return 0

    def _keep(self, evidence: bytes) -> Path:
        name = f"split-view-{hashlib.sha256(evidence).hexdigest()[:16]}.json"
        self._write(name, evidence)
        return self.state / name

    def _write(self, name: str, data: bytes) -> None:
        target = FolderTarget(self.state)
        target.write(name, data)
        target.flush()


def _cosigners(trusted: TrustedCheckpoint) -> list[str]:
    return [cosignature.key.label for cosignature in trusted.cosignatures]
