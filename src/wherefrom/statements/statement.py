"""in-toto Statement v1: subjects named by digest, and one predicate about them.

Source: in-toto/attestation, spec/v1/statement.md. The predicate is kept as the bytes it came in and spliced into the
payload unchanged, so an OpenLineage event comes back out of the ledger byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherefrom.errors import FormatError
from wherefrom.statements.canonical import format_canonical
from wherefrom.statements.digests import check_digests
from wherefrom.strict import Fields, parse_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_HEAD = b'{"_type":"%b","predicate":' % STATEMENT_TYPE.encode()


@dataclass(frozen=True)
class Subject:
    """What a statement is about. `digests`: algorithm to lower-case hex, at least one; matched by digest alone."""

    name: str
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Statement:
    """`predicate` is the parsed form of `predicate_bytes`."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]
    predicate_bytes: bytes

    @classmethod
    def of(cls, predicate_type: str, predicate: Mapping[str, Any], *subjects: Subject) -> Statement:
        """A statement whose predicate we write ourselves, canonically."""
        return cls(tuple(subjects), predicate_type, predicate, format_canonical(dict(predicate)))


def _tail(predicate_type: str, subjects: tuple[Subject, ...]) -> bytes:
    rest = {"predicateType": predicate_type, "subject": [{"digest": dict(s.digests), "name": s.name} for s in subjects]}
    return b"," + format_canonical(rest)[1:]


def format_statement(statement: Statement) -> bytes:
    """The payload: canonical JSON, save that the predicate's own bytes stand as they are."""
    return _HEAD + statement.predicate_bytes + _tail(statement.predicate_type, statement.subjects)


def parse_statement(payload: bytes) -> Statement:
    """Read a payload. Raises FormatError with the JSON path."""
    what = "statement"
    fields = Fields.of(parse_json(payload, what=what), what=what)
    fields.only("_type", "predicate", "predicateType", "subject")
    fields.literal("_type", STATEMENT_TYPE)
    predicate_type, predicate = fields.text("predicateType"), fields.object("predicate").value
    subjects = []
    for item in fields.objects("subject"):
        item.only("digest", "name")
        digests = check_digests(item.object("digest").value, what=what, path=f"{item.path}.digest")
        if not digests:
            item.fail("digest", "is empty, expected at least one digest")
        subjects.append(Subject(item.text("name"), digests))
    if not subjects:
        fields.fail("subject", "is empty, expected at least one subject")
    # The members stand in canonical order, so the predicate lies between the fixed head and what follows it.
    end = payload.rfind(b',"predicateType":')
    if (
        not payload.startswith(_HEAD)
        or end < len(_HEAD)
        or parse_json(payload[len(_HEAD) : end], what=what) != predicate
    ):
        raise FormatError("statement: members are not in the order _type, predicate, predicateType, subject")
    return Statement(tuple(subjects), predicate_type, predicate, payload[len(_HEAD) : end])
