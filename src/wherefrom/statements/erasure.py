"""The kinds that say what may be erased, must be kept, and was erased. Source: docs/spec/erasure.md.

A `redaction` orders that one statement's text is erased; `retention` states how long each kind is kept, `hold` that
some entries are kept whatever it says, `release` ends a hold, and `retirement` orders that old entries are erased.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from wherefrom.errors import FormatError
from wherefrom.statements.digests import check_digests
from wherefrom.statements.openlineage import run_subject
from wherefrom.statements.statement import Statement, Subject
from wherefrom.statements.times import format_time, parse_entry_time
from wherefrom.strict import Fields

_NAMESPACE = "https://w3id.org/wherefrom/kinds/"
REDACTION = _NAMESPACE + "redaction/v1"
RETENTION = _NAMESPACE + "retention/v1"
HOLD = _NAMESPACE + "hold/v1"
RELEASE = _NAMESPACE + "release/v1"
RETIREMENT = _NAMESPACE + "retirement/v1"

FOREVER = "forever"
"""In a retention rule, instead of a duration."""

MAX_LISTED = 1 << 16
_DURATION = re.compile(r"P(?=\d)(?:([1-9]\d{0,3})Y)?(?:([1-9]\d{0,3})M)?(?:([1-9]\d{0,3})D)?", re.ASCII)
_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Scope:
    """What a hold keeps: entries [begin, end) (`end` None: all to come), subjects as `algorithm:hex`, runs by id."""

    entries: tuple[int, int | None] | None = None
    subjects: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, predicate: Mapping[str, Any]) -> Scope:
        """Of a hold's predicate that was checked."""
        entries = predicate.get("entries")
        span = (entries["from"], entries.get("to")) if entries else None
        return cls(span, frozenset(predicate.get("subjects", ())), frozenset(predicate.get("runs", ())))

    @property
    def digests(self) -> frozenset[str]:
        """All that an entry's subjects are to be compared with: a run is a subject too."""
        return self.subjects | {f"{a}:{h}" for run in self.runs for a, h in run_subject(run).digests.items()}

    def has_index(self, index: int) -> bool:
        begin, end = self.entries or (0, 0)
        return begin <= index and (end is None or index < end)


@dataclass(frozen=True)
class Rule:
    """Statements of these kinds, by short name, or of all others (`*`), are kept this long after they were received."""

    kinds: tuple[str, ...]
    keep_for: str
    basis: str


def keep_until(received: datetime, keep_for: str) -> datetime | None:
    """The instant from which a statement need not be kept; None for never.

    Years and months are counted by the calendar (UTC), then days; a day that the month lacks is the first of the next.
    """
    if keep_for == FOREVER:
        return None
    years, months, days = _parse_duration(keep_for)
    month = received.month - 1 + months
    year, month = received.year + years + month // 12, month % 12 + 1
    if year > _END_OF_TIME.year:
        return _END_OF_TIME
    try:
        moved = received.replace(year=year, month=month)
    except ValueError:  # the month is too short; it is not December, so there is a next one
        moved = received.replace(year=year, month=month + 1, day=1)
    try:
        return moved + timedelta(days=days)
    except OverflowError:
        return _END_OF_TIME


def _parse_duration(text: str) -> tuple[int, int, int]:
    found = _DURATION.fullmatch(text)
    if not found:
        raise FormatError(f"{text!r} is no duration such as P10Y, P6M or P1Y6M30D, nor {FOREVER!r}")
    years, months, days = (int(part or 0) for part in found.groups())
    return years, months, days


def _check_acted(fields: Fields) -> None:
    """Why and by whom: in every one of these kinds."""
    fields.text("reason")
    fields.text("by")


def _check_redaction(fields: Fields) -> None:
    fields.only("basis", "by", "reason", "redacts")
    fields.hex("redacts", size=32)
    _check_acted(fields)
    if "basis" in fields:
        fields.text("basis")


def _check_retention(fields: Fields) -> None:
    fields.only("by", "rules")
    fields.text("by")
    seen: set[str] = set()
    for rule in fields.objects("rules"):
        rule.only("basis", "keepFor", "kinds")
        rule.text("basis")
        duration = rule.text("keepFor")
        if duration != FOREVER and not _DURATION.fullmatch(duration):
            rule.fail("keepFor", f"is {duration!r}, expected a duration such as P10Y or P6M, or {FOREVER!r}")
        kinds = rule.items("kinds")
        if not kinds or not all(isinstance(kind, str) and kind for kind in kinds):
            rule.fail("kinds", f"is {kinds!r}, expected names of kinds, or '*'")
        for kind in kinds:
            if kind in seen:
                rule.fail("kinds", f"names {kind!r}, for which there is a rule already")
            seen.add(kind)
    if not seen:
        fields.fail("rules", "is empty, expected at least one rule")


def _check_hold(fields: Fields) -> None:
    fields.only("by", "entries", "reason", "runs", "subjects")
    _check_acted(fields)
    if "entries" in fields:
        span = fields.object("entries").only("from", "to")
        begin = span.integer("from")
        if "to" in span:
            span.integer("to", least=begin + 1)
    for key in ("runs", "subjects"):
        if key in fields:
            listed = fields.items(key)
            if not listed or not all(isinstance(item, str) and item for item in listed) or len(listed) > MAX_LISTED:
                fields.fail(key, f"expected 1 to {MAX_LISTED} of them, as text")
    for position, subject in enumerate(fields.value.get("subjects", ())):
        algorithm, _, digits = subject.partition(":")
        check_digests({algorithm: digits}, what=fields.what, path=f"{fields.path}.subjects[{position}]")
    if not {"entries", "runs", "subjects"} & fields.value.keys():
        fields.fail("entries", "is missing, as are runs and subjects: expected at least one of them")


def _check_release(fields: Fields) -> None:
    fields.only("by", "reason", "releases")
    fields.hex("releases", size=32)
    _check_acted(fields)


def _check_retirement(fields: Fields) -> None:
    fields.only("by", "from", "hashes", "kept", "policy", "reason", "received", "to")
    _check_acted(fields)
    begin = fields.integer("from")
    end = fields.integer("to", least=begin + 1)
    fields.hex("policy", size=32)
    received = fields.object("received").only("first", "last")
    for key in ("first", "last"):
        parse_entry_time(received.text(key), what=fields.what, path=f"{received.path}.{key}")
    hashes = fields.items("hashes")
    if len(hashes) > 128 or not all(isinstance(item, str) for item in hashes):
        fields.fail("hashes", f"has {len(hashes)} members, expected at most 128, as text")
    for position, item in enumerate(hashes):
        Fields({"hash": item}, f"{fields.path}.hashes[{position}]", fields.what).hex("hash", size=32)
    kept = fields.items("kept")
    if len(kept) > MAX_LISTED or not all(type(item) is int and begin <= item < end for item in kept):
        fields.fail("kept", f"expected at most {MAX_LISTED} indexes from {begin} to {end - 1}")
    if kept != sorted(set(kept)):
        fields.fail("kept", "is not in order without repeats")


CHECKS: dict[str, Callable[[Fields], None]] = {
    REDACTION: _check_redaction,
    RETENTION: _check_retention,
    HOLD: _check_hold,
    RELEASE: _check_release,
    RETIREMENT: _check_retirement,
}

ERASURE_KINDS = frozenset(CHECKS)


def _make(kind: str, predicate: dict[str, Any], *subjects: Subject) -> Statement:
    name = kind.removeprefix(_NAMESPACE).split("/")[0]
    CHECKS[kind](Fields.of(predicate, what=f"{name} statement", path="$.predicate"))
    return Statement.of(kind, predicate, *subjects)


def _statement_subject(statement_id: str) -> Subject:
    return Subject(f"statement:{statement_id}", {"wf-entry-1": statement_id})


def make_redaction_statement(redacts: str, *, reason: str, by: str, basis: str | None = None) -> Statement:
    """Order that the text of a statement (by its id) is erased. `basis`: the law or rule that asks for it."""
    predicate = {"redacts": redacts, "reason": reason, "by": by, **({"basis": basis} if basis else {})}
    return _make(REDACTION, predicate, _statement_subject(redacts))


def ledger_subject(origin: str, public_key: bytes) -> Subject:
    """What a statement about a whole ledger is about: its name, and the 32 bytes of its public key."""
    return Subject(f"ledger:{origin}", {"sha256": hashlib.sha256(public_key).hexdigest()})


def make_retention_statement(rules: Sequence[Rule], *, by: str, ledger: Subject) -> Statement:
    """State how long each kind of statement is kept. `ledger`: what the policy is of, from `ledger_subject`."""
    listed = [{"kinds": list(rule.kinds), "keepFor": rule.keep_for, "basis": rule.basis} for rule in rules]
    return _make(RETENTION, {"rules": listed, "by": by}, ledger)


def make_hold_statement(scope: Scope, *, reason: str, by: str, ledger: Subject) -> Statement:
    """Keep what the scope names, whatever the retention policy says, until the hold is released."""
    predicate: dict[str, Any] = {"reason": reason, "by": by}
    subjects = [_digest_subject(text) for text in sorted(scope.subjects)]
    subjects += [run_subject(run) for run in sorted(scope.runs)]
    if scope.entries:
        begin, end = scope.entries
        predicate["entries"] = {"from": begin, **({} if end is None else {"to": end})}
        subjects.append(ledger)
    if scope.subjects:
        predicate["subjects"] = sorted(scope.subjects)
    if scope.runs:
        predicate["runs"] = sorted(scope.runs)
    return _make(HOLD, predicate, *subjects)


def _digest_subject(text: str) -> Subject:
    algorithm, _, digits = text.partition(":")
    return Subject(text, {algorithm: digits})


def make_release_statement(releases: str, *, reason: str, by: str) -> Statement:
    """End a hold, by its statement's id."""
    return _make(RELEASE, {"releases": releases, "reason": reason, "by": by}, _statement_subject(releases))


def make_retirement_statement(
    span: tuple[int, int],
    *,
    hashes: Sequence[bytes],
    kept: Sequence[int],
    received: tuple[datetime, datetime],
    policy: str,
    reason: str,
    by: str,
) -> Statement:
    """Order that the entries [from, to) are erased, but for those kept.

    Args:
        span: from, to.
        hashes: the compact range of their leaf hashes, left to right.
        kept: indexes of entries that stay.
        received: of the first and the last of them.
        policy: id of the retention statement that lets them go.
    """
    predicate = {
        "from": span[0],
        "to": span[1],
        "hashes": [value.hex() for value in hashes],
        "kept": list(kept),
        "received": {"first": format_time(received[0]), "last": format_time(received[1])},
        "policy": policy,
        "reason": reason,
        "by": by,
    }
    return _make(RETIREMENT, predicate, _statement_subject(policy))
