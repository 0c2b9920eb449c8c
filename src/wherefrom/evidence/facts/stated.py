"""What people and hooks stated in so many words: sources and gaps. Source: docs/spec/statements.md, section 4."""

from __future__ import annotations

from dataclasses import dataclass

from wherefrom.evidence.facts.reading import text_at
from wherefrom.lineage import Run, Version


@dataclass(frozen=True)
class SourceFacts:
    """One `source` statement; "" for what it leaves open."""

    origin: str
    licence: str
    original_purpose: str
    acquired_by: str
    acquired_how: str
    acquired_at: str


@dataclass(frozen=True)
class GapFacts:
    """One `gap` statement; "" for what it leaves open."""

    what: str
    detail: str
    path: str
    at: str


def read_sources(version: Version) -> tuple[SourceFacts, ...]:
    keys = ("origin", "licence", "originalPurpose", "acquiredBy", "acquiredHow", "acquiredAt")
    return tuple(SourceFacts(*(text_at(statement, key) for key in keys)) for statement in version.sources)


def read_gaps(run: Run) -> tuple[GapFacts, ...]:
    return tuple(GapFacts(*(text_at(gap, key) for key in ("what", "detail", "path", "at"))) for gap in run.gaps)
