"""Findings in words: what is true, false, and could not be checked, with an exit status to match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from wherefrom.cli.app import EXIT_FALSE, EXIT_UNCHECKED
from wherefrom.cli.output import mark, print_json
from wherefrom.verify import Findings, Outcome

_SIGNS = {Outcome.TRUE: ("ok", "good"), Outcome.FALSE: ("FALSE", "bad"), Outcome.UNCHECKED: ("?", "unknown")}


def print_findings(found: Findings) -> None:
    for finding in found.findings:
        sign, style = _SIGNS[finding.outcome]
        typer.echo(f"{mark(f'{sign:>5}', style)}  {finding.claim}")  # type: ignore[arg-type]
        if finding.message:
            typer.echo(f"       {mark(finding.message, 'muted') if style == 'good' else finding.message}")
    for remark in found.remarks:
        typer.echo(f" {mark('note', 'unknown')}  {remark}")


def finish(
    found: Findings, what: str, *, holds: str, fails: str, facts: Mapping[str, Any] | None = None, as_json: bool = False
) -> None:
    """Print a verdict on something, with what holds or fails, or the facts beside it, and exit with its status."""
    if as_json:
        print_json({"outcome": found.outcome, "findings": found.findings, "remarks": found.remarks, **(facts or {})})
    else:
        print_findings(found)
        if found.outcome is Outcome.TRUE:
            typer.echo(f"{mark('true', 'good')}: {holds}")
        elif found.outcome is Outcome.FALSE:
            typer.echo(f"{mark('false', 'bad')}: {fails}")
        else:
            typer.echo(f"{mark('could not check', 'unknown')}: {what}")
    exit_by(found.outcome)


def exit_by(outcome: Outcome) -> None:
    """End the program with the status of an outcome, but for true."""
    if outcome is not Outcome.TRUE:
        raise typer.Exit(EXIT_FALSE if outcome is Outcome.FALSE else EXIT_UNCHECKED)
