"""What a reader of evidence should know, though it makes nothing false: what came late, was not seen, or is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from wherefrom.statements.digests import primary_digest
from wherefrom.statements.erasure import RETIREMENT
from wherefrom.statements.kinds import GAP, SOURCE, name_of
from wherefrom.statements.openlineage import event_kind_of, event_of
from wherefrom.statements.times import format_time
from wherefrom.verify.exhibits import Stated
from wherefrom.verify.retrace import TracedEdge, VersionId

LATE = timedelta(hours=1)


def list_remarks(stated: Sequence[Stated], *, versions: Iterable[VersionId], edges: Sequence[TracedEdge]) -> list[str]:
    """One sentence for each thing, in ledger order, and then what the whole answer leaves open."""
    remarks = [remark for item in stated for remark in _about(item)]
    inferred = sorted({edge.version[1] for edge in edges if edge.how == "inferred"})
    if inferred:
        remarks.append(f"which content of these was read is inferred, not seen: {_some(inferred)}")
    sources = {
        (s.predicate["namespace"], s.predicate["name"], primary_digest(subject.digests))
        for item in stated
        if (s := item.statement) and s.predicate_type == SOURCE
        for subject in s.subjects
    }
    made = {edge.version for edge in edges if edge.relation == "was_generated_by"}
    bare = sorted(version[1] for version in set(versions) - made - sources)
    if bare:
        remarks.append(f"where these come from was never stated: {_some(bare)}")
    return remarks


def _about(item: Stated) -> list[str]:
    if item.statement is None:
        said = item.redaction.predicate if item.redaction else {}
        what = f"statement {item.index} ({name_of(item.entry.kind)}) was redacted by {said['by']}"
        basis = f" ({said['basis']})" if "basis" in said else ""
        return [f"{what} because {said['reason']}{basis}; what it said is not in this answer"]
    kind, predicate, received = item.statement.predicate_type, item.statement.predicate, item.entry.received
    if event_kind_of(kind):
        happened = (event := event_of(item.statement)).time
        odd = [f"statement {item.index} is marked: {p.path}: {p.message}" for p in event.problems[:1]]
        if happened and received - happened > LATE:
            return [*odd, f"statement {item.index} says {format_time(happened)}, it came {received - happened} later"]
        if happened and happened - received > LATE:
            return [*odd, f"statement {item.index} says {format_time(happened)}, after it was received"]
        return odd
    if kind == GAP:
        return [f"not seen: {predicate['detail']}"]
    if kind == RETIREMENT:
        times = f"received {predicate['received']['first']} to {predicate['received']['last']}"
        span = f"entries {predicate['from']} to {predicate['to'] - 1}, {times}"
        return [f"{span}, were retired by {predicate['by']} because {predicate['reason']}; what they said is not here"]
    return []


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
