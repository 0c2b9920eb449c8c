"""The report of a version: one HTML file that needs no server, no network and no script to be read."""

from wherefrom.evidence.report.page import StatementRow, render_report

__all__ = ["StatementRow", "render_report"]
