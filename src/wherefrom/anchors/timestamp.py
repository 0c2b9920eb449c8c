"""What verified proofs of time say, and the two ways in which one can't be judged yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from wherefrom.errors import UnavailableError


@dataclass(frozen=True)
class Timestamp:
    """Somebody saw a digest at `time`, give or take `accuracy`.

    Attributes:
        time: aware, UTC.
        authority: on whose word: the subject of an RFC 3161 authority's certificate, or "Bitcoin block 923456".
        accuracy: how far the clock of the authority may be off by its own rules.
    """

    time: datetime
    authority: str
    accuracy: timedelta = timedelta()

    @property
    def latest(self) -> datetime:
        """What was timestamped existed by then at the latest."""
        return self.time + self.accuracy


WITNESS = "witness"


@dataclass(frozen=True)
class ProvenTime:
    """The first `size` entries of a ledger existed by `timestamp.latest`, on the word of its authority.

    `kind`: "rfc3161" or "opentimestamps", or WITNESS for a cosignature.
    """

    size: int
    kind: str
    timestamp: Timestamp


def earliest_time(times: Iterable[ProvenTime], index: int) -> ProvenTime | None:
    """By when, at the latest, the entry at this index existed, and on whose word; None when nobody outside said so."""
    return min((t for t in times if index < t.size), key=lambda t: (t.timestamp.latest, t.size, t.kind), default=None)


class PendingError(UnavailableError):
    """A calendar promised to timestamp the digest; nothing is proven before the proof is upgraded."""


class UnknownAttestationError(UnavailableError):
    """The proof ends in attestations of kinds that we can't check, and in no other."""
