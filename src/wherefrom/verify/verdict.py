"""The verdict on an evidence file: each claim checked, and whether it is true, false, or could not be checked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from wherefrom.anchors import BlockHeaders
from wherefrom.errors import MismatchError
from wherefrom.notes import Checkpoint, TrustedCheckpoint, TrustPolicy, format_verifier_key, open_trusted
from wherefrom.statements.erasure import ERASURE_KINDS
from wherefrom.statements.kinds import EVIDENCE, KEY, name_of
from wherefrom.statements.statement import Statement
from wherefrom.statements.times import format_time
from wherefrom.verify.anchors import AnchorVerdict, ProvenTime, check_anchors, earliest_time
from wherefrom.verify.bundle import Bundle, parse_bundle
from wherefrom.verify.exhibits import Clock, Stated, list_keys, read_exhibits
from wherefrom.verify.findings import Findings, Outcome
from wherefrom.verify.remarks import list_remarks
from wherefrom.verify.retrace import TracedEdge, VersionId, read_graph, retrace


@dataclass
class Verdict(Findings):
    """What became of each claim of an evidence file, and, as far as they hold, what it says.

    Attributes:
        remarks: true things that a reader should know: statements that came late, inferred edges, gaps.
        checkpoint: None unless its signature verified.
        subject: the version that the evidence is about; None unless the answer verified.
        versions: every digest of every version in the answer.
        records: identity objects of fingerprints of rows by their id, as statements give them; not checked.
        times: by when how many entries of the ledger existed, on the word of others.
    """

    checkpoint: Checkpoint | None = None
    signed_by: str = ""
    subject: VersionId | None = None
    versions: dict[VersionId, dict[str, str]] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    edges: list[TracedEdge] = field(default_factory=list)
    received: tuple[datetime, datetime] | None = None
    times: list[ProvenTime] = field(default_factory=list)
    report: str = ""


def verify_bundle(
    data: bytes, policy: TrustPolicy, *, tsa_roots: Sequence[bytes] = (), headers: BlockHeaders | None = None
) -> Verdict:
    """Check an evidence file against the logs that the policy trusts. Never raises for anything in the file.

    Args:
        tsa_roots: certificates, as PEM, of the time authorities that are trusted.
        headers: Bitcoin's block headers, where timestamps lead there. With either, a signature by a key that was
            compromised later counts only if somebody outside the ledger saw it before.
    """
    verdict = Verdict()
    bundle: Bundle | None = None
    with verdict.check("the file is a well-formed evidence file") as said:
        bundle = parse_bundle(data)
        said.append(f"{len(bundle.exhibits)} statements")
    if bundle is None:
        return verdict
    with verdict.check("the checkpoint is signed by a ledger you trust") as said:
        trusted = open_trusted(bundle.checkpoint, policy)
        verdict.checkpoint, verdict.signed_by = trusted.checkpoint, trusted.log_key.label
        said.append(f"{verdict.signed_by}, {verdict.checkpoint.size} entries")
    if verdict.checkpoint is None:
        return verdict
    _check_anchors(verdict, check_anchors(bundle.anchors, trusted, policy, roots=tsa_roots, headers=headers))
    clock = Clock(verdict.times, needs_time=bool(tsa_roots) or headers is not None)
    stated = _check_exhibits(verdict, bundle, trusted, clock)
    if stated is None:
        return verdict
    _check_times(verdict, stated)
    evidence = _check_evidence(verdict, bundle, stated)
    if evidence:
        _check_answer(verdict, stated[:-1], evidence)
    if earliest := earliest_time(verdict.times, max((item.index for item in stated[:-1]), default=0)):
        at, whose = format_time(earliest.timestamp.latest), earliest.timestamp.authority
        verdict.remarks.append(f"all that the answer rests on was in the ledger by {at}, on the word of {whose}")
    verdict.remarks += list_remarks(stated, versions=verdict.versions, edges=verdict.edges)
    return verdict


def _check_anchors(verdict: Verdict, found: AnchorVerdict) -> None:
    """Times that hold or are false are findings. One that can't be checked takes nothing from the rest: a remark."""
    verdict.times = found.times
    for finding in found.findings:
        if finding.outcome is Outcome.UNCHECKED:
            verdict.remarks.append(f"not checked that {finding.claim}: {finding.message}")
        else:
            verdict.findings.append(finding)


def _check_exhibits(verdict: Verdict, bundle: Bundle, trusted: TrustedCheckpoint, clock: Clock) -> list[Stated] | None:
    """Every statement, or None when one does not hold."""
    stated: list[Stated] | None = None
    with verdict.check("every statement is in the ledger, unchanged, and signed by a known key") as said:
        stated, book = read_exhibits(bundle.exhibits, trusted.checkpoint, trusted.log_key, clock)
        redacted = sum(item.statement is None for item in stated)
        said.append(f"{len(stated)} inclusion proofs, {len(book.records)} keys")
        if redacted:
            said.append(f"redacted since, by the ledger's own statements: {redacted}")
    if stated is None:
        return None
    with verdict.check("the keys named are those that signed"):
        named, found = set(bundle.keys), {format_verifier_key(key) for key in list_keys(book)}
        if named != found or len(named) != len(bundle.keys):
            raise MismatchError(f"the file names {sorted(named)}, the statements give {sorted(found)}")
    return stated


def _check_times(verdict: Verdict, stated: list[Stated]) -> None:
    with verdict.check("the ledger's times only go forward") as said:
        for before, after in pairwise(stated):
            if after.entry.received < before.entry.received:
                raise MismatchError(
                    f"statement {after.index} was received at {format_time(after.entry.received)}, "
                    f"before statement {before.index} ({format_time(before.entry.received)})"
                )
        verdict.received = (stated[0].entry.received, stated[-1].entry.received)
        said.append(" to ".join(format_time(at) for at in verdict.received))


def _check_evidence(verdict: Verdict, bundle: Bundle, stated: list[Stated]) -> Statement | None:
    """The last statement issues the evidence: it names all the others, the answer and the report."""
    found: Statement | None = None
    with verdict.check("nothing was added to the evidence or taken out since it was issued") as said:
        *others, last = stated
        if last.statement is None or last.entry.kind != EVIDENCE:
            kind = name_of(last.entry.kind)
            raise MismatchError(f"the last statement is of kind {kind}, expected the evidence statement")
        issued = last.statement.predicate
        named = {item["index"]: item["id"] for item in issued["statements"]}
        there = {item.index: item.statement_id for item in others}
        for index in sorted(named.keys() | there.keys()):
            if index not in there:
                raise MismatchError(f"statement {index} is missing from the file")
            if named.get(index) != there[index]:
                raise MismatchError(f"statement {index} is not one that the evidence was issued with")
        for item in others:
            if item.index >= issued["question"]["asOf"] and item.entry.kind not in {KEY, *ERASURE_KINDS}:
                raise MismatchError(f"statement {item.index} is younger than what the evidence says it rests on")
        digest = hashlib.sha256(bundle.report.encode()).hexdigest()
        if digest != issued["report"]["sha256"]:
            raise MismatchError(f"the report has SHA-256 {digest}, it was issued with {issued['report']['sha256']}")
        said.append(f"issued as statement {last.index} at {format_time(last.entry.received)}")
        found, verdict.report = last.statement, bundle.report
    return found


def _check_answer(verdict: Verdict, stated: list[Stated], evidence: Statement) -> None:
    """The answer must be what the statements give when traced again."""
    with verdict.check("the lineage follows from the statements") as said:
        question, answer = evidence.predicate["question"], evidence.predicate["answer"]
        versions = [_version(item) for item in answer["versions"]]
        if any(edge["version"] >= len(versions) for edge in answer["edges"]):
            raise MismatchError("an edge of the answer leads to a version that the answer does not have")
        claimed = {
            TracedEdge(e["run"], versions[e["version"]], e["relation"], e["how"], e["entry"]) for e in answer["edges"]
        }
        told = ((item.index, item.statement_id, item.statement or item.entry) for item in stated)
        graph = read_graph(told, claimed=claimed)
        subject = _version(question["subject"])
        edges = retrace(graph, subject, as_of=question["asOf"])
        for edge in sorted(claimed ^ edges):
            which = "the answer has" if edge in claimed else "the answer lacks"
            known = f"{edge.how} by statement {edge.entry}"
            raise MismatchError(f"{which} run {edge.run_id} {edge.relation} {_short(edge.version)} ({known})")
        if {subject, *(edge.version for edge in edges)} != set(versions):
            raise MismatchError("the answer's versions are not those that its edges lead to")
        verdict.subject = subject
        verdict.versions = {version: graph.digests.get(version, {}) for version in versions}
        verdict.records = graph.records
        verdict.edges = sorted(edges, key=lambda edge: (edge.entry, edge.version))
        runs = len({edge.run_id for edge in edges})
        said.append(f"versions: {len(versions)}, runs: {runs}, edges: {len(edges)}")


def _version(item: dict[str, str]) -> VersionId:
    return item["namespace"], item["name"], item["digest"]


def _short(version: VersionId) -> str:
    return f"{version[1]} {version[2][:19]}".rstrip()
