"""The verdict on an evidence file: each claim checked, and whether it is true, false, or could not be checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from wherefrom.errors import FormatError, MismatchError, SignatureError, WherefromError
from wherefrom.merkle import hash_leaf, verify_inclusion
from wherefrom.notes import (
    Checkpoint,
    TrustPolicy,
    VerifierKey,
    format_verifier_key,
    open_checkpoint,
    parse_note,
    parse_verifier_key,
)
from wherefrom.statements.digests import primary_digest
from wherefrom.statements.dsse import verify_envelope
from wherefrom.statements.entry import Entry, commit, list_subjects, parse_entry
from wherefrom.statements.kinds import EVIDENCE, GAP, KEY, SOURCE, check_statement, name_of
from wherefrom.statements.openlineage import event_kind_of, read_event
from wherefrom.statements.statement import Statement, parse_statement
from wherefrom.statements.times import format_time
from wherefrom.verify.bundle import Bundle, Exhibit, parse_bundle
from wherefrom.verify.findings import Findings
from wherefrom.verify.retrace import TracedEdge, VersionId, read_graph, retrace

LATE = timedelta(hours=1)


@dataclass
class Verdict(Findings):
    """What became of each claim of an evidence file, and, as far as they hold, what it says.

    Attributes:
        remarks: true things that a reader should know: statements that came late, inferred edges, gaps.
        checkpoint: None unless its signature verified.
        subject: the version that the evidence is about; None unless the answer verified.
        versions: every digest of every version in the answer.
        records: identity objects of fingerprints of rows by their id, as statements give them; not checked.
    """

    checkpoint: Checkpoint | None = None
    signed_by: str = ""
    subject: VersionId | None = None
    versions: dict[VersionId, dict[str, str]] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    edges: list[TracedEdge] = field(default_factory=list)
    received: tuple[datetime, datetime] | None = None
    report: str = ""


@dataclass(frozen=True)
class _Read:
    """An exhibit whose place in the tree, payload and signature hold."""

    index: int
    statement_id: str
    entry: Entry
    statement: Statement
    key_ids: tuple[str, ...]


def verify_bundle(data: bytes, policy: TrustPolicy) -> Verdict:
    """Check an evidence file against the logs that the policy trusts. Never raises for anything in the file."""
    verdict = Verdict()
    bundle: Bundle | None = None
    with verdict.check("the file is a well-formed evidence file") as said:
        bundle = parse_bundle(data)
        said.append(f"{len(bundle.exhibits)} statements")
    if bundle is None:
        return verdict
    with verdict.check("the checkpoint is signed by a ledger you trust") as said:
        verdict.checkpoint, key = _open_checkpoint(bundle.checkpoint, policy)
        verdict.signed_by = key.label
        said.append(f"{key.label}, {verdict.checkpoint.size} entries")
    if verdict.checkpoint is None:
        return verdict
    read = _read_exhibits(verdict, bundle, verdict.checkpoint, key)
    if read is None:
        return verdict
    _check_times(verdict, read)
    evidence = _check_evidence(verdict, bundle, read)
    if evidence:
        _check_answer(verdict, read[:-1], evidence)
    _remark(verdict, read)
    return verdict


def _open_checkpoint(note: bytes, policy: TrustPolicy) -> tuple[Checkpoint, VerifierKey]:
    try:
        checkpoint = open_checkpoint(note, policy.verifier_keys)
    except SignatureError as error:
        parsed = parse_note(note)
        if not {s.label for s in parsed.signatures} & {key.label for key in policy.verifier_keys}:
            trusted = ", ".join(key.label for key in policy.verifier_keys)
            signers = ", ".join(s.label for s in parsed.signatures)
            raise FormatError(f"it is signed by {signers}; your trust file names {trusted}") from error
        raise
    signed = {s.label for s in parse_note(note).signatures}
    return checkpoint, next(
        key for key in policy.verifier_keys if key.name == checkpoint.origin and key.label in signed
    )


def _read_exhibits(
    verdict: Verdict, bundle: Bundle, checkpoint: Checkpoint, log_key: VerifierKey
) -> list[_Read] | None:
    """Every exhibit, or None when one does not hold. Keys are believed in ledger order, from the log's own on."""
    keys = {log_key.label: log_key}
    read: list[_Read] = []
    with verdict.check("every statement is in the ledger, unchanged, and signed by a known key") as said:
        for exhibit in bundle.exhibits:
            try:
                read.append(_read_exhibit(exhibit, checkpoint, keys))
            except WherefromError as error:
                raise type(error)(f"statement {exhibit.index}: {error}") from error
            statement = read[-1].statement
            if statement.predicate_type == KEY and log_key.label in read[-1].key_ids:
                key = parse_verifier_key(statement.predicate["verifierKey"])
                keys[key.label] = key
        said.append(f"{len(read)} inclusion proofs, {len(keys)} keys")
    if len(read) != len(bundle.exhibits):
        return None
    with verdict.check("the keys named are those that signed"):
        named, found = set(bundle.keys), {format_verifier_key(key) for key in keys.values()}
        if named != found or len(named) != len(bundle.keys):
            raise MismatchError(f"the file names {sorted(named)}, the statements give {sorted(found)}")
    return read


def _read_exhibit(exhibit: Exhibit, checkpoint: Checkpoint, keys: dict[str, VerifierKey]) -> _Read:
    leaf_hash = hash_leaf(exhibit.entry)
    tree = {"size": checkpoint.size, "root": checkpoint.root}
    verify_inclusion(leaf_hash, index=exhibit.index, proof=exhibit.proof, **tree)  # type: ignore[arg-type]
    entry = parse_entry(exhibit.entry)
    if commit(exhibit.salt, exhibit.envelope_bytes) != entry.commitment:
        raise MismatchError("the statement is not the one that its ledger entry commits to")
    signed = tuple(verify_envelope(exhibit.envelope, keys))
    statement = parse_statement(exhibit.envelope.payload)
    check_statement(statement)
    listed, count = list_subjects(statement)
    if (entry.kind, entry.key_ids, entry.subjects, entry.subject_count) != (
        statement.predicate_type,
        signed,
        listed,
        count,
    ):
        raise MismatchError("its ledger entry names another kind, signer or subject than the statement has")
    return _Read(exhibit.index, leaf_hash.hex(), entry, statement, signed)


def _check_times(verdict: Verdict, read: list[_Read]) -> None:
    with verdict.check("the ledger's times only go forward") as said:
        for before, after in pairwise(read):
            if after.entry.received < before.entry.received:
                raise MismatchError(
                    f"statement {after.index} was received at {format_time(after.entry.received)}, "
                    f"before statement {before.index} ({format_time(before.entry.received)})"
                )
        verdict.received = (read[0].entry.received, read[-1].entry.received)
        said.append(" to ".join(format_time(at) for at in verdict.received))


def _check_evidence(verdict: Verdict, bundle: Bundle, read: list[_Read]) -> Statement | None:
    """The last statement issues the evidence: it names all the others, the answer and the report."""
    found: Statement | None = None
    with verdict.check("nothing was added to the evidence or taken out since it was issued") as said:
        *others, last = read
        if last.statement.predicate_type != EVIDENCE:
            kind = name_of(last.statement.predicate_type)
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
            if item.index >= issued["question"]["asOf"] and item.statement.predicate_type != KEY:
                raise MismatchError(f"statement {item.index} is younger than what the evidence says it rests on")
        digest = hashlib.sha256(bundle.report.encode()).hexdigest()
        if digest != issued["report"]["sha256"]:
            raise MismatchError(f"the report has SHA-256 {digest}, it was issued with {issued['report']['sha256']}")
        said.append(f"issued as statement {last.index} at {format_time(last.entry.received)}")
        found, verdict.report = last.statement, bundle.report
    return found


def _check_answer(verdict: Verdict, read: list[_Read], evidence: Statement) -> None:
    """The answer must be what the statements give when traced again."""
    with verdict.check("the lineage follows from the statements") as said:
        question, answer = evidence.predicate["question"], evidence.predicate["answer"]
        versions = [_version(item) for item in answer["versions"]]
        if any(edge["version"] >= len(versions) for edge in answer["edges"]):
            raise MismatchError("an edge of the answer leads to a version that the answer does not have")
        claimed = {
            TracedEdge(e["run"], versions[e["version"]], e["relation"], e["how"], e["entry"]) for e in answer["edges"]
        }
        graph = read_graph(((r.index, r.statement_id, r.statement) for r in read), claimed=claimed)
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


def _remark(verdict: Verdict, read: list[_Read]) -> None:
    for item in read:
        statement = item.statement
        if event_kind_of(statement.predicate_type):
            happened = read_event(statement.predicate).time
            if item.entry.received - happened > LATE:
                late = item.entry.received - happened
                verdict.remarks.append(f"statement {item.index} says {format_time(happened)}, it came {late} later")
            elif happened - item.entry.received > LATE:
                verdict.remarks.append(f"statement {item.index} says {format_time(happened)}, after it was received")
        elif statement.predicate_type == GAP:
            verdict.remarks.append(f"not seen: {statement.predicate['detail']}")
    inferred = sorted({edge.version[1] for edge in verdict.edges if edge.how == "inferred"})
    if inferred:
        verdict.remarks.append(f"which content of these was read is inferred, not seen: {_some(inferred)}")
    stated = {
        (r.statement.predicate["namespace"], r.statement.predicate["name"], primary_digest(subject.digests))
        for r in read
        if r.statement.predicate_type == SOURCE
        for subject in r.statement.subjects
    }
    made = {edge.version for edge in verdict.edges if edge.relation == "was_generated_by"}
    bare = sorted(version[1] for version in verdict.versions.keys() - made - stated)
    if bare:
        verdict.remarks.append(f"where these come from was never stated: {_some(bare)}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
