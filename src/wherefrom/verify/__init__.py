"""The offline verifier: the standard library, one crypto library and our pure rooms, so that an auditor can read it.

    verdict = verify_bundle(Path("model.wherefrom").read_bytes(), parse_policy(Path("trust").read_bytes()))
    verdict.outcome
    verify_proof(Path("proof.txt").read_bytes()).outcome

It believes nothing that the file brings along: which logs to trust comes from the policy alone, and the lineage is
worked out again from the statements.
"""

from wherefrom.verify.bundle import BUNDLE_TYPE, Bundle, Exhibit, Shown, parse_bundle
from wherefrom.verify.findings import Finding, Findings, Outcome
from wherefrom.verify.record_proof import ProofVerdict, verify_proof
from wherefrom.verify.retrace import TracedEdge, VersionId, read_graph, retrace
from wherefrom.verify.verdict import Verdict, verify_bundle

__all__ = [
    "BUNDLE_TYPE",
    "Bundle",
    "Exhibit",
    "Finding",
    "Findings",
    "Outcome",
    "ProofVerdict",
    "Shown",
    "TracedEdge",
    "Verdict",
    "VersionId",
    "parse_bundle",
    "read_graph",
    "retrace",
    "verify_bundle",
    "verify_proof",
]
