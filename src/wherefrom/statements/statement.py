"""in-toto Statement v1: subjects named by digest, and one predicate about them.

Source: in-toto/attestation, spec/v1/statement.md. The predicate is kept as the bytes it came in and spliced into the
payload unchanged, so an OpenLineage event comes back out of the ledger byte for byte.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wherefrom.errors import FormatError
from wherefrom.statements.canonical import format_canonical
from wherefrom.statements.digests import check_digests
from wherefrom.strict import Fields, format_text, parse_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_HEAD = b'{"_type":"%b","predicate":' % STATEMENT_TYPE.encode()
_AFTER = b',"predicateType":'


@dataclass(frozen=True)
class Subject:
    """What a statement is about. `digests`: algorithm to lower-case hex, at least one; matched by digest alone."""

    name: str
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Statement:
    """`predicate` is the parsed form of `predicate_bytes`.

    `checked` is what the check of its kind read from it (`check_statement`), kept by who made statement and bytes
    together, so that nobody reads them a second time; None when nobody vouches for it.
    """

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]
    predicate_bytes: bytes
    checked: Any = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, predicate_type: str, predicate: Mapping[str, Any], *subjects: Subject) -> Statement:
        """A statement whose predicate we write ourselves, canonically."""
        return cls(tuple(subjects), predicate_type, predicate, format_canonical(dict(predicate)))

    def keep_checked(self, read: object) -> None:
        """Keep what was read of exactly these bytes."""
        object.__setattr__(self, "checked", read)


def _tail(predicate_type: str, subjects: tuple[Subject, ...]) -> bytes:
    try:
        named = b",".join(
            b'{"digest":%b,"name":%b}' % (_format_digests(s.digests), format_text(s.name)) for s in subjects
        )
        return b',"predicateType":%b,"subject":[%b]}' % (format_text(predicate_type), named)
    except (TypeError, UnicodeError, ValueError):  # perhaps something that has no canonical form: let it be said
        of = [{"digest": dict(s.digests), "name": s.name} for s in subjects]
        return b"," + format_canonical({"predicateType": predicate_type, "subject": of})[1:]


def _format_digests(digests: Mapping[str, str]) -> bytes:
    """As canonical JSON. Raises ValueError for keys that may sort otherwise there."""
    if not all(map(str.isascii, digests)):
        raise ValueError
    return b"{%b}" % b",".join(b"%b:%b" % (format_text(key), format_text(digests[key])) for key in sorted(digests))


def format_statement(statement: Statement) -> bytes:
    """The payload: canonical JSON, save that the predicate's own bytes stand as they are."""
    return _HEAD + statement.predicate_bytes + _tail(statement.predicate_type, statement.subjects)


def parse_statement(payload: bytes) -> Statement:
    """Read a payload. Raises FormatError with the JSON path."""
    # The members stand in canonical order, so the predicate lies between the fixed head and what follows it. Both parts
    # are read alone, and the whole only to name what is wrong with it.
    end = payload.rfind(_AFTER)
    if payload.startswith(_HEAD) and end >= len(_HEAD) and payload.endswith(b"}"):
        predicate_bytes = payload[len(_HEAD) : end]
        with contextlib.suppress(FormatError):
            predicate = Fields.of(parse_json(predicate_bytes, depth=1), what="statement").value
            rest = Fields.of(parse_json(b"{" + payload[end + 1 :]), what="statement").only("predicateType", "subject")
            return Statement(_read_subjects(rest), rest.text("predicateType"), predicate, predicate_bytes)
    return _parse_whole(payload)


def _read_subjects(fields: Fields) -> tuple[Subject, ...]:
    subjects = []
    for item in fields.objects("subject"):
        item.only("digest", "name")
        digests = check_digests(item.object("digest").value, what=fields.what, path=f"{item.path}.digest")
        if not digests:
            item.fail("digest", "is empty, expected at least one digest")
        subjects.append(Subject(item.text("name"), digests))
    if not subjects:
        fields.fail("subject", "is empty, expected at least one subject")
    return tuple(subjects)


def _parse_whole(payload: bytes) -> Statement:
    what = "statement"
    fields = Fields.of(parse_json(payload, what=what), what=what)
    fields.only("_type", "predicate", "predicateType", "subject")
    fields.literal("_type", STATEMENT_TYPE)
    predicate_type, predicate = fields.text("predicateType"), fields.object("predicate").value
    subjects = _read_subjects(fields)
    end = payload.rfind(_AFTER)
    if (
        not payload.startswith(_HEAD)
        or end < len(_HEAD)
        or parse_json(payload[len(_HEAD) : end], what=what) != predicate
    ):
        raise FormatError("statement: members are not in the order _type, predicate, predicateType, subject")
    return Statement(subjects, predicate_type, predicate, payload[len(_HEAD) : end])
