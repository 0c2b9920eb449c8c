"""Issuing evidence: that a file is issued is itself recorded, and the file proves that statement like the others."""

from __future__ import annotations

from wherefrom import evidence, ledger, lineage
from wherefrom.archive.archive import Archive, read_beside, to_recorded
from wherefrom.notes import parse_verifier_key
from wherefrom.statements import KEY, format_time
from wherefrom.version import __version__


def issue_evidence(archive: Archive, what: str, *, as_of: int | None = None) -> tuple[bytes, str]:
    """Record that evidence of what a version was made from is issued, and make it: the file's bytes, the report.

    Raises NotFoundError, UnavailableError, and what `Archive.record` raises.
    """
    answer = archive.trace(what, as_of=as_of)
    with archive.reading() as (tables, views):
        rows = tables.read_entries(lineage.list_entries(views, answer))
        basis = tables.read_checkpoint()
    stated = [to_recorded(row) for row in rows]
    report = evidence.render_report(
        answer,
        checkpoint_text=basis.decode(),
        origin=archive.origin,
        statements=[
            evidence.StatementRow(
                r.index, r.statement_id, r.entry.kind, ", ".join(r.entry.key_ids), format_time(r.entry.received)
            )
            for r in stated
        ],
        made_by=f"wherefrom {__version__}",
    )
    ids = {r.index: r.statement_id for r in stated}
    [receipt] = archive.record(evidence.make_evidence_statement(answer, statement_ids=ids, report=report))
    checkpoint, note = archive.checkpoint()
    proven = []
    with archive.reading() as (tables, _):
        for row in tables.read_entries([*ids, receipt.index]):
            proof = ledger.prove_entry(tables, index=row.index, size=checkpoint.size)
            proven.append(evidence.ProvenEntry(row.index, row.entry, *read_beside(row), proof))
    producers = [r.statement.predicate["verifierKey"] for r in stated if r.entry.kind == KEY]
    keys = [archive.log_key, *map(parse_verifier_key, producers)]
    return evidence.format_bundle(proven, checkpoint=note, keys=keys, report=report), report
