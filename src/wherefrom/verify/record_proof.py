"""The verdict on a proof about single records: which are in the set that the proof names, and which are not.

Source: docs/spec/fingerprint-proofs-v1.md. Needs the proof and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from wherefrom.commitments.identity import FilesFingerprint, KeyCommitment, RecordsFingerprint
from wherefrom.commitments.proof import Claim, CommittedSet, Proof, format_row, parse_proof, size_of
from wherefrom.commitments.secret import KEY, ROW, Secret
from wherefrom.commitments.values import leaf_of, row_bytes
from wherefrom.errors import FormatError, MismatchError, UnavailableError
from wherefrom.merkle import root_of, verify_leaves
from wherefrom.verify.findings import Findings
from wherefrom.verify.verdict import Verdict


@dataclass
class ProofVerdict(Findings):
    """What became of each claim of a proof.

    Attributes:
        about: the set, as the proof describes it; None unless that could be read. Hold its id against one you trust.
        part: the table that is part of it; None for claims about rows.
    """

    about: CommittedSet | None = None
    part: RecordsFingerprint | None = None
    leaves: dict[int, bytes] = field(default_factory=dict)


def verify_proof(
    data: bytes, *, expected: str | None = None, secret: Secret | None = None, evidence: Verdict | None = None
) -> ProofVerdict:
    """Check a proof. Never raises for anything in it.

    Args:
        expected: the set that it must be about, as `<algorithm>:<id>`; any by default.
        secret: of a private set; without it, that a row is absent from one can't be checked.
        evidence: what an evidence file came to, which must name the set as one that the model was made from.
    """
    verdict = ProofVerdict()
    proof: Proof | None = None
    with verdict.check("the file is a well-formed proof"):
        proof = parse_proof(data)
        verdict.about, verdict.part = proof.about, proof.part
    if proof is None:
        return verdict
    if expected is not None:
        with verdict.check("it is about the set you asked for") as said:
            if str(proof.about) != expected:
                raise MismatchError(f"it is about {proof.about}, expected {expected}")
            said.append(expected)
    if evidence is not None:
        _check_evidence(verdict, proof.about, evidence)
    rows = _read_rows(verdict, proof)
    if rows is None or not _check_tree(verdict, proof, rows):
        return verdict
    for claim, (leaf, row) in zip(proof.claims, rows, strict=True):
        _check_claim(verdict, proof, claim, leaf, row, secret)
    if proof.part is not None:
        _check_part(verdict, proof, proof.part)
    return verdict


def _check_evidence(verdict: ProofVerdict, about: CommittedSet, evidence: Verdict) -> None:
    with verdict.check("the set is one that the model was made from") as said:
        if evidence.subject is None:
            raise UnavailableError("the evidence does not hold")
        algorithm, _, digits = str(about).partition(":")
        if isinstance(about, KeyCommitment):
            algorithm, digits = RecordsFingerprint.ALGORITHM, about.records
        versions = [v for v, digests in evidence.versions.items() if digests.get(algorithm) == digits]
        if not versions:
            raise MismatchError(f"the evidence about {evidence.subject[1]} names no {algorithm}:{digits}")
        said.append(f"{versions[0][1]}, for {evidence.subject[1]}")


def _read_rows(verdict: ProofVerdict, proof: Proof) -> list[tuple[bytes, bytes]] | None:
    """The leaf hash and the bytes of each claim's row."""
    with verdict.check("the rows have the columns and types of the set"):
        found = []
        for claim in proof.claims:
            row = row_bytes(claim.row, proof.about)
            found.append((leaf_of(row, salt=claim.salt), row))
        return found
    return None


def _check_tree(verdict: ProofVerdict, proof: Proof, rows: list[tuple[bytes, bytes]]) -> bool:
    about, size = proof.about, size_of(proof.about)
    with verdict.check("the leaves and hashes make the set's root") as said:
        leaves = {
            claim.index: leaf for claim, (leaf, _) in zip(proof.claims, rows, strict=True) if claim.kind == "present"
        }
        if proof.part is None:
            _verify_neighbours(proof, leaves.keys(), size)
        verdict.leaves = {**leaves, **proof.leaves}
        verify_leaves(verdict.leaves, size=size, proof=proof.hashes, root=about.root)
        said.append(f"{about}, {size:,} leaves")
        return True
    return False


def _verify_neighbours(proof: Proof, present: Collection[int], size: int) -> None:
    """The leaves shown must be just those that the claims of absence need."""
    needed = {
        index
        for claim in proof.claims
        if claim.kind == "absent"
        for index in (claim.index - 1, claim.index)
        if 0 <= index < size and index not in present
    }
    if proof.leaves.keys() != needed:
        wrong = min(proof.leaves.keys() ^ needed)
        problem = "is not shown, and a claim needs it" if wrong in needed else "is shown, and no claim needs it"
        raise FormatError(f"leaf {wrong} {problem}")


def _check_claim(
    verdict: ProofVerdict, proof: Proof, claim: Claim, leaf: bytes, row: bytes, secret: Secret | None
) -> None:
    shown = format_row(claim.row)
    short = shown if len(shown) <= 100 else f"{shown[:99]}…"
    if claim.kind == "present":
        with verdict.check(f"in the set: {short}") as said:
            said.append(f"leaf {claim.index:,} of {size_of(proof.about):,}")
        return
    with verdict.check(f"not in the set: {short}") as said:
        _verify_absent(verdict, proof.about, claim, leaf)
        _verify_salt(proof.about, claim, row, secret)
        said.append(f"it would be leaf {claim.index:,} of {size_of(proof.about):,}")


def _verify_absent(verdict: ProofVerdict, about: CommittedSet, claim: Claim, leaf: bytes) -> None:
    if isinstance(about, FilesFingerprint) or (isinstance(about, RecordsFingerprint) and about.order != "sorted"):
        raise FormatError("the set's leaves are not sorted by their hashes, so that nothing shows what is not in it")
    if claim.index > size_of(about):
        raise MismatchError(f"the claim is about leaf {claim.index} of {size_of(about)}")
    before, after = verdict.leaves.get(claim.index - 1), verdict.leaves.get(claim.index)
    if leaf in (before, after):
        raise MismatchError("the row is in the set: one of the leaves shown is its own")
    if (before is not None and before > leaf) or (after is not None and after < leaf):
        raise MismatchError(f"the row's leaf does not lie between leaves {claim.index - 1} and {claim.index}")


def _verify_salt(about: CommittedSet, claim: Claim, row: bytes, secret: Secret | None) -> None:
    if claim.salt is None or isinstance(about, FilesFingerprint):
        return
    if secret is None:
        raise UnavailableError(
            "the set is private: that the row's salt is the right one can be checked by who holds the secret"
        )
    if secret.scheme != about.salt:  # says nothing about the proof
        raise UnavailableError(f"the secret given is not the one of the set: its commitment is {secret.commitment}")
    if secret.salt_of(row, KEY if isinstance(about, KeyCommitment) else ROW) != claim.salt:
        raise MismatchError("the row's salt is not the one that the secret gives")


def _check_part(verdict: ProofVerdict, proof: Proof, part: RecordsFingerprint) -> None:
    about = proof.about
    with verdict.check("every row of the part is in the set") as said:
        if not isinstance(about, RecordsFingerprint) or (about.order, part.order) != ("sorted", "sorted"):
            raise FormatError("a part and its set are sorted tables; these are not")
        if part.salt != about.salt:
            raise FormatError("the part and the set were made with different secrets: their leaves can't be compared")
        _verify_columns(part, about)
        shown = [proof.leaves[index] for index in sorted(proof.leaves)]
        if shown != sorted(shown):
            raise MismatchError("the part's leaves are not in ascending order")
        if len(shown) != part.rows or root_of(shown) != part.root:
            raise MismatchError(f"the {len(shown)} leaves shown are not those of the part, {part}")
        said.append(f"{part}, {part.rows:,} of {about.rows:,} rows")


def _verify_columns(part: RecordsFingerprint, about: RecordsFingerprint) -> None:
    names = [[column.name for column in table.columns] for table in (part, about)]
    if names[0] != names[1]:
        raise MismatchError(f"the part has columns {names[0]}, the set {names[1]}")
