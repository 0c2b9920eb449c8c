"""The kind `deletion`: a data set or a job is no more; its history stays. docs/spec/statements.md, section 4."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

from wherefrom.errors import FormatError
from wherefrom.statements.statement import Statement, Subject
from wherefrom.statements.times import parse_time
from wherefrom.strict import Fields

DELETION: Final = "https://w3id.org/wherefrom/kinds/deletion/v1"


def check_deletion(fields: Fields) -> None:
    fields.only("entity", "at", "reason", "by")
    entity = fields.object("entity").only("type", "namespace", "name")
    entity.literal("type", "dataset", "job")
    entity.text("namespace")
    entity.text("name")
    parse_time(fields.text("at"), what=fields.what, path=f"{fields.path}.at")
    fields.text("reason")
    if "by" in fields:
        fields.text("by")


def make_deletion_statement(
    entity_type: Literal["dataset", "job"], namespace: str, name: str, *, at: str, reason: str, by: str | None = None
) -> Statement:
    """That a data set or a job is no more since an instant, as RFC 3339. Raises FormatError with the JSON path.

    Args:
        by: who says so, where that is not whose key signs.
    """
    predicate: dict[str, Any] = {
        "entity": {"type": entity_type, "namespace": namespace, "name": name},
        "at": at,
        "reason": reason,
        **({"by": by} if by else {}),
    }
    check_deletion(Fields.of(predicate, what="deletion statement", path="$.predicate"))
    try:
        digest = hashlib.sha256(f"{entity_type}\0{namespace}\0{name}".encode()).hexdigest()
    except UnicodeError as error:
        raise FormatError(f"deletion statement: $.predicate.entity: {error}") from error
    return Statement.of(DELETION, predicate, Subject(f"{entity_type}:{namespace}/{name}", {"sha256": digest}))
