"""Issuing evidence: that a file is issued is itself recorded, and the file proves that statement like the others."""

from __future__ import annotations

from wherefrom import evidence, ledger, lineage
from wherefrom.archive.anchoring import list_anchors_for
from wherefrom.archive.archive import Archive
from wherefrom.archive.cosigning import cosign
from wherefrom.archive.erasing import find_missing
from wherefrom.notes import Checkpoint, parse_policy
from wherefrom.statements import KEY, format_time, parse_entry
from wherefrom.store import StoredEntry
from wherefrom.tlog.witness_client import list_addresses
from wherefrom.verify.exhibits import list_keys
from wherefrom.version import __version__


def issue_evidence(archive: Archive, what: str, *, as_of: int | None = None) -> tuple[bytes, str]:
    """Record that evidence of what a version was made from is issued, and make it: the file's bytes, the report.

    What was redacted of the answer's runs and versions is shown without its text, with the redaction; that older
    entries were retired is shown too. Raises NotFoundError, UnavailableError, and what `Archive.record` raises.
    """
    answer = archive.trace(what, as_of=as_of)
    missing = find_missing(archive, answer)
    with archive.reading() as (tables, views):
        wanted = {*lineage.list_entries(views, answer), *(item.index for item in missing.redacted)}
        wanted |= {item.redaction.index for item in missing.redacted if item.redaction}
        wanted |= {order.index for order in missing.retired}
        rows = tables.read_entries(wanted)
        basis = tables.read_checkpoint()
    report = evidence.render_report(
        answer,
        checkpoint_text=basis.decode(),
        origin=archive.origin,
        statements=[_to_row(row) for row in rows],
        made_by=f"wherefrom {__version__}",
        erased=missing.remarks,
    )
    ids = {row.index: row.leaf_hash.hex() for row in rows}
    [receipt] = archive.record(evidence.make_evidence_statement(answer, statement_ids=ids, report=report))
    checkpoint, note = _checkpoint(archive)
    proven = []
    with archive.reading() as (tables, _):
        for row in tables.read_entries([*ids, receipt.index]):
            proof = ledger.prove_entry(tables, index=row.index, size=checkpoint.size)
            proven.append(evidence.ProvenEntry(row.index, row.entry, row.salt, row.envelope, proof))
        stated = [row.index for row in rows if parse_entry(row.entry).kind == KEY]
        keys = list_keys(ledger.read_key_book(tables, stated, [archive.log_key]))
    anchors = list_anchors_for(archive, checkpoint.size, youngest=max(ids))
    data = evidence.format_bundle(proven, checkpoint=note, keys=keys, report=report, anchors=anchors)
    return data, report


def _checkpoint(archive: Archive) -> tuple[Checkpoint, bytes]:
    """The newest checkpoint; cosigned, as far as they answer, where the archive's trust file has witnesses to ask."""
    policy = parse_policy(archive.trust_file.read_bytes())
    if list_addresses(policy):
        cosigned = cosign(archive, policy)
        return cosigned.checkpoint, cosigned.note
    return archive.checkpoint()


def _to_row(row: StoredEntry) -> evidence.StatementRow:
    entry = parse_entry(row.entry)
    received = format_time(entry.received)
    return evidence.StatementRow(row.index, row.leaf_hash.hex(), entry.kind, ", ".join(entry.key_ids), received)
