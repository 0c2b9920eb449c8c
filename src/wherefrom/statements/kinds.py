"""Our own kinds of statement, beside OpenLineage events. Source: docs/spec/statements.md, section 4.

Each kind is a predicate type and a check of its predicate; unknown members are refused, so that nothing is recorded
that no reader will ever look at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from wherefrom.errors import FormatError
from wherefrom.statements.access import CHECKS as ACCESS_CHECKS
from wherefrom.statements.access import GRANT, SESSION, TOKEN
from wherefrom.statements.deletion import DELETION, check_deletion
from wherefrom.statements.digests import check_digests
from wherefrom.statements.entry import Entry
from wherefrom.statements.erasure import CHECKS as ERASURE_CHECKS
from wherefrom.statements.erasure import REDACTION, RELEASE
from wherefrom.statements.openlineage import EVENT_KINDS, event_kind_of, event_of, read_event, run_subject
from wherefrom.statements.statement import Statement, Subject, parse_statement
from wherefrom.statements.times import parse_time
from wherefrom.strict import Fields

NAMESPACE = "https://w3id.org/wherefrom/kinds/"
KEY = NAMESPACE + "key/v1"
SOURCE = NAMESPACE + "source/v1"
GAP = NAMESPACE + "gap/v1"
CORRECTION = NAMESPACE + "correction/v1"
EVIDENCE = NAMESPACE + "evidence/v1"

KEY_ROLES = ("producer", "log")
KEY_STATUSES = ("active", "retired", "compromised")
MAX_IDENTITY_BYTES = 65536
# What a key statement may have beside role, status and verifierKey; `compromised` must have both of its own.
_KEY_OPTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("producer", "active"): ("alsoKey", "identity"),
    ("log", "active"): (),
    **{(role, "retired"): ("reason",) for role in KEY_ROLES},
    **{(role, "compromised"): ("compromisedAt", "reason") for role in KEY_ROLES},
}
SOURCE_FIELDS = ("origin", "acquiredBy", "acquiredHow", "acquiredAt", "licence", "originalPurpose")


def _check_key(fields: Fields) -> None:
    role, status = fields.literal("role", *KEY_ROLES), fields.literal("status", *KEY_STATUSES)
    fields.only("role", "status", "verifierKey", *_KEY_OPTIONS[role, status])
    fields.text("verifierKey")
    if "alsoKey" in fields:
        fields.text("alsoKey")
    if "identity" in fields:
        identity = fields.object("identity").only("bundle")
        size = len(identity.text("bundle").encode())
        if size > MAX_IDENTITY_BYTES:
            identity.fail("bundle", f"has {size} bytes, expected at most {MAX_IDENTITY_BYTES}")
    if status == "compromised":
        parse_time(fields.text("compromisedAt"), what=fields.what, path=f"{fields.path}.compromisedAt")
    if "reason" in fields or status == "compromised":
        fields.text("reason")


def _check_source(fields: Fields) -> None:
    fields.only("namespace", "name", *SOURCE_FIELDS)
    fields.text("namespace")
    fields.text("name")
    for key in SOURCE_FIELDS:
        if key in fields:
            fields.text(key)
    if "acquiredAt" in fields:
        parse_time(fields.text("acquiredAt"), what=fields.what, path=f"{fields.path}.acquiredAt")


def _check_gap(fields: Fields) -> None:
    fields.only("runId", "what", "detail", "path", "at")
    for key in ("runId", "what", "detail"):
        fields.text(key)
    if "path" in fields:
        fields.text("path")
    parse_time(fields.text("at"), what=fields.what, path=f"{fields.path}.at")


def _check_correction(fields: Fields) -> None:
    fields.only("corrects", "action", "reason", "replacedBy")
    fields.hex("corrects", size=32)
    action = fields.literal("action", "retract", "replace")
    fields.text("reason")
    if action == "replace":
        fields.hex("replacedBy", size=32)
    elif "replacedBy" in fields:
        fields.fail("replacedBy", "goes with the action 'replace' only")


def _check_version(fields: Fields) -> None:
    fields.only("namespace", "name", "digest")
    fields.text("namespace")
    fields.text("name")
    if digest := fields.text("digest", least=0):
        algorithm, _, text = digest.partition(":")
        check_digests({algorithm: text}, what=fields.what, path=f"{fields.path}.digest")


def _check_evidence(fields: Fields) -> None:
    fields.only("question", "answer", "statements", "report")
    question = fields.object("question").only("asOf", "direction", "subject")
    question.integer("asOf")
    question.literal("direction", "up", "down")
    _check_version(question.object("subject"))
    answer = fields.object("answer").only("edges", "versions")
    for version in answer.objects("versions"):
        _check_version(version)
    for edge in answer.objects("edges"):
        edge.only("run", "version", "relation", "how", "entry")
        edge.text("run")
        edge.integer("version")
        edge.integer("entry")
        edge.literal("relation", "used", "was_generated_by")
        edge.literal("how", "observed", "declared", "inferred")
    for item in fields.objects("statements"):
        item.only("index", "id")
        item.integer("index")
        item.hex("id", size=32)
    report = fields.object("report").only("mediaType", "sha256")
    report.literal("mediaType", "text/html")
    report.hex("sha256", size=32)


# The member in which a statement of this kind names the statement that it is about.
_NAMES = {
    CORRECTION: "corrects",
    REDACTION: "redacts",
    RELEASE: "releases",
    **dict.fromkeys((GRANT, SESSION, TOKEN), "revokes"),  # of those that end one, and not of those that give one
}

_CHECKS: dict[str, Callable[[Fields], None]] = {
    KEY: _check_key,
    SOURCE: _check_source,
    GAP: _check_gap,
    CORRECTION: _check_correction,
    EVIDENCE: _check_evidence,
    DELETION: check_deletion,
    **ERASURE_CHECKS,
    **ACCESS_CHECKS,
}


def name_of(predicate_type: str) -> str:
    """A short name for people: `gap`, `RunEvent`; the whole type when it is not one we know."""
    if predicate_type in _CHECKS:
        return predicate_type.removeprefix(NAMESPACE).split("/")[0]
    return event_kind_of(predicate_type) or predicate_type


def named_by(statement: Statement) -> str | None:
    """The id of the statement that a correction, redaction, release or revocation names; None for all others."""
    member = _NAMES.get(statement.predicate_type)
    return statement.predicate.get(member) if member else None


def corrected_by(entry: Entry) -> str | None:
    """The id of the statement that a correction takes back, as its entry says: what is left once it is redacted."""
    if entry.kind != CORRECTION:
        return None
    return next((digits for a, _, digits in (s.partition(":") for s in entry.subjects) if a == "wf-entry-1"), None)


def list_kinds() -> list[str]:
    """The short names of all kinds."""
    return [*EVENT_KINDS, *(name_of(kind) for kind in _CHECKS)]


def make_statement(predicate_type: str, predicate: Mapping[str, Any], *subjects: Subject) -> Statement:
    """A statement of one of our kinds, checked. Raises FormatError with the JSON path."""
    made = Statement.of(predicate_type, predicate, *subjects)
    check_statement(made)
    return made


def check_statement(statement: Statement) -> None:
    """Raise FormatError unless the predicate is of a kind we know and has that kind's form."""
    if event_kind := event_kind_of(statement.predicate_type):
        read = event_of(statement)
        if read.kind != event_kind:
            raise FormatError(f"statement: predicateType says {event_kind}, the predicate is a {read.kind}")
        return
    check = _CHECKS.get(statement.predicate_type)
    if check is None:
        known = ", ".join(name_of(kind) for kind in _CHECKS)
        raise FormatError(
            f"statement: unknown predicateType {statement.predicate_type!r}; known: OpenLineage events, {known}"
        )
    check(Fields.of(statement.predicate, what=f"{name_of(statement.predicate_type)} statement", path="$.predicate"))
    named = named_by(statement)
    if named and [s.digests["wf-entry-1"] for s in statement.subjects if "wf-entry-1" in s.digests] != [named]:
        # The entry lists subjects, and is all that stays of a statement that is redacted.
        raise FormatError(f"statement: its subject is not the statement that it names, wf-entry-1:{named}")


def parse_checked(payload: bytes) -> Statement:
    """Read a payload and check it, keeping what was read of an event. Raises FormatError with the JSON path."""
    statement = parse_statement(payload)
    if event_kind_of(statement.predicate_type):
        statement.keep_checked(read_event(statement.predicate))
    check_statement(statement)
    return statement


def make_key_statement(
    verifier_key: str, public_key: bytes, *, role: str = "producer", status: str = "active", **options: Any
) -> Statement:
    """What becomes of a key, given as text and as its 32 bytes; the log's key signs this, and so vouches for the key.

    `options` are members of the predicate, as docs/spec/statements.md, section 5, has them for this role and status.
    """
    subject = Subject(f"key:{verifier_key}", {"sha256": hashlib.sha256(public_key).hexdigest()})
    return make_statement(KEY, {"role": role, "status": status, "verifierKey": verifier_key, **options}, subject)


def make_gap_statement(run_id: str, what: str, detail: str, *, at: str, path: str | None = None) -> Statement:
    """What capture could not see of a run. `what` is a short word for grouping, `detail` a sentence for people."""
    predicate = {"runId": run_id, "what": what, "detail": detail, "at": at}
    return make_statement(GAP, {**predicate, **({"path": path} if path else {})}, run_subject(run_id))


def make_source_statement(namespace: str, name: str, digests: Mapping[str, str], **fields: str) -> Statement:
    """Where a version comes from; `fields` are those of SOURCE_FIELDS. Said twice, it is recorded once."""
    predicate = {"namespace": namespace, "name": name, **fields}
    return make_statement(SOURCE, predicate, Subject(f"{namespace}/{name}", digests))


def make_correction_statement(corrects: str, *, reason: str, replaced_by: str | None = None) -> Statement:
    """Take back what a statement (by its id) said, or point to the one that says it right."""
    predicate = {"corrects": corrects, "action": "retract", "reason": reason}
    if replaced_by:
        predicate |= {"action": "replace", "replacedBy": replaced_by}
    return make_statement(CORRECTION, predicate, Subject(f"statement:{corrects}", {"wf-entry-1": corrects}))
