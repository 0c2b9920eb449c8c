"""Making an evidence file. Source: docs/spec/evidence-bundle.md; `wherefrom.verify` reads what is made here.

Two steps, because the file's own statement must be in the ledger that proves it: `make_evidence_statement` says what
the evidence is, the archive records it, and `format_bundle` puts the statements together with their proofs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherefrom.errors import UnavailableError
from wherefrom.lineage import Answer, Version
from wherefrom.notes import VerifierKey, format_verifier_key
from wherefrom.statements import (
    EVIDENCE,
    Statement,
    Subject,
    format_canonical,
    make_statement,
    parse_json,
    primary_digest,
)
from wherefrom.verify import BUNDLE_TYPE


@dataclass(frozen=True)
class ProvenEntry:
    """What lies in the ledger for one statement, and its inclusion proof in the tree of the bundle's checkpoint.

    `salt` and `envelope` are None where the statement was redacted.
    """

    index: int
    entry: bytes
    salt: bytes | None
    envelope: bytes | None
    proof: Sequence[bytes]


def make_evidence_statement(answer: Answer, *, statement_ids: Mapping[int, str], report: str) -> Statement:
    """The statement that issues an evidence file: question, answer, statements (index to id) and report.

    Raises UnavailableError when the content of what was asked about was never seen.
    """
    subject = next(version for version in answer.versions if version.key == answer.subject)
    if not subject.digests:
        raise UnavailableError(f"the content of {subject.name} was never seen, so there is nothing to give evidence of")
    position = {version.key: number for number, version in enumerate(answer.versions)}
    edges = [
        {
            "run": edge.run_id,
            "version": position[edge.version],
            "relation": edge.relation,
            "how": edge.how,
            "entry": edge.entry,
        }
        for edge in answer.edges
    ]
    predicate = {
        "question": {"subject": _version(subject), "direction": answer.direction, "asOf": answer.as_of},
        "answer": {"versions": [_version(version) for version in answer.versions], "edges": edges},
        "statements": [{"index": index, "id": statement_ids[index]} for index in sorted(statement_ids)],
        "report": {"mediaType": "text/html", "sha256": hashlib.sha256(report.encode()).hexdigest()},
    }
    return make_statement(EVIDENCE, predicate, Subject(f"{subject.namespace}/{subject.name}", subject.digests))


def _version(version: Version) -> dict[str, Any]:
    return {"namespace": version.namespace, "name": version.name, "digest": primary_digest(version.digests)}


def format_bundle(
    entries: Sequence[ProvenEntry],
    *,
    checkpoint: bytes,
    keys: Sequence[VerifierKey],
    report: str,
    anchors: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """The evidence file's bytes. `entries` in index order, the evidence statement last; `anchors` as JSON."""
    value = {
        "type": BUNDLE_TYPE,
        "checkpoint": checkpoint.decode(),
        "keys": sorted(format_verifier_key(key) for key in keys),
        "statements": [format_exhibit(proven) for proven in entries],
        "report": report,
    }
    if anchors:
        value["anchors"] = [dict(anchor) for anchor in anchors]
    return format_canonical(value) + b"\n"


def format_exhibit(proven: ProvenEntry) -> dict[str, Any]:
    """One statement as evidence has it, as JSON."""
    value: dict[str, Any] = {"index": proven.index, "entry": proven.entry.decode()}
    if proven.salt is not None and proven.envelope is not None:
        value |= {"salt": proven.salt.hex(), "envelope": parse_json(proven.envelope, what="envelope")}
    return value | {"proof": [node.hex() for node in proven.proof]}
