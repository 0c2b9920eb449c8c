"""What is handed to others: evidence files, the report, the tree for a terminal, and data held against evidence."""

from wherefrom.evidence.bundle import ProvenEntry, format_bundle, make_evidence_statement
from wherefrom.evidence.data import verify_data
from wherefrom.evidence.report import StatementRow, render_report
from wherefrom.evidence.tree import format_tree

__all__ = [
    "ProvenEntry",
    "StatementRow",
    "format_bundle",
    "format_tree",
    "make_evidence_statement",
    "render_report",
    "verify_data",
]
