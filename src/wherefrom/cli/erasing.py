"""`redact`, and `ledger` shards, retire, erase, verify-shard: what is forgotten, on whose word, and what stays."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.archive import erasing
from wherefrom.archive.erasing import Outcome
from wherefrom.cli.app import EXIT_UNCHECKED, app, find_archive
from wherefrom.cli.files import read_policy
from wherefrom.cli.findings import exit_by, print_findings
from wherefrom.cli.keeping import By, Reason
from wherefrom.cli.ledger import ledger_app
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.ledger import Erased, Period, Shard
from wherefrom.ledger.shard_file import ShardFile
from wherefrom.ledger.shard_file import verify_shard as check_shard
from wherefrom.statements import parse_time
from wherefrom.verify import Outcome as VerdictOutcome


@app.command()
def redact(
    statements: Annotated[list[str], typer.Argument(help="Indexes or ids of statements.")],
    *,
    reason: Reason,
    by: By,
    basis: Annotated[str | None, typer.Option(help="The law or rule that asks for it: GDPR Art. 17(1)(b).")] = None,
    as_json: AsJson = False,
) -> None:
    """Erase what statements say, for good; that they were there, and who had them erased and why, stays on record.

    Example: `wherefrom redact 1204 --reason "request 2026-31" --by "data protection officer" --basis "GDPR Art. 17"`
    """
    outcome = erasing.redact(find_archive(), statements, reason=reason, by=by, basis=basis)
    if as_json:
        print_json({**_outcome_json(outcome), "mentions": outcome.mentions})
        return
    _print_outcome(outcome)
    if outcome.mentions:
        listed = ", ".join(map(str, outcome.mentions[:20])) + (", …" if len(outcome.mentions) > 20 else "")
        say(f"these statements speak of the same things, and were not touched: {listed}", kind="warning")


@ledger_app.command()
def erase(
    *,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Write the database's file anew, too: it shrinks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Carry out what was ordered to be erased and, after an interruption, is still there.

    Example: `wherefrom ledger erase` · `wherefrom ledger erase --rewrite`
    """
    erased, scrubbed = erasing.erase_pending(find_archive(), rewrite=rewrite)
    outcome = Outcome((), erased, scrubbed)
    if as_json:
        print_json(_outcome_json(outcome))
    else:
        _print_outcome(outcome)
    if erased.refused:
        raise typer.Exit(EXIT_UNCHECKED)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    erased = outcome.erased
    retired = [{"from": begin, "to": end, "erased": count} for begin, end, count in erased.retired]
    facts = {"redacted": erased.redacted, "retired": retired, "refused": erased.refused}
    return {"recorded": outcome.receipts, **facts, "scrubbed": outcome.scrubbed}


def _print_outcome(outcome: Outcome) -> None:
    for receipt in outcome.receipts:
        typer.echo(f"recorded as statement {receipt.index}")
    _print_erased(outcome.erased)
    if not outcome.scrubbed:
        hint = "run `wherefrom ledger erase` when nobody does"
        say("others use the database: erased bytes may still be in its files", kind="warning", hint=hint)


def _print_erased(erased: Erased) -> None:
    for index in erased.redacted:
        typer.echo(f"erased what statement {index} said")
    for begin, end, count in erased.retired:
        typer.echo(f"erased {count} entries of {begin} to {end - 1}")
    for problem in erased.refused:
        say(problem, kind="warning")
    if not (erased.redacted or erased.retired or erased.refused):
        typer.echo("nothing was left to erase")


@ledger_app.command()
def shards(
    *,
    by: Annotated[str, typer.Option(help="year, quarter or month.")] = "year",
    as_json: AsJson = False,
) -> None:
    """List the ledger by when its entries were received: how many, whether held, and when they may be retired.

    Example: `wherefrom ledger shards` · `wherefrom ledger shards --by month`
    """
    listed = erasing.list_shards(find_archive(), _period(by))
    if as_json:
        print_json(listed)
        return
    for shard in listed:
        span = f"{shard.begin}-{shard.end - 1}"
        size = f"{shard.entries:>9,} entries  {shard.total_bytes:>13,} B"
        typer.echo(f"{mark(shard.name, 'strong')}  {span:<17}  {size}  {_say_state(shard)}")


def _period(text: str) -> Period:
    periods: dict[str, Period] = {"year": "year", "quarter": "quarter", "month": "month"}
    if text in periods:
        return periods[text]
    raise typer.BadParameter(f"--by {text!r}: expected year, quarter or month")


def _say_state(shard: Shard) -> str:
    if shard.state == "retired":
        return "retired, what is left is kept"
    if shard.state == "held":
        return "held"
    return f"may be retired from {shard.retirable:%Y-%m-%d}" if shard.retirable else "kept for ever"


@ledger_app.command()
def retire(
    shard: Annotated[str | None, typer.Argument(help="A shard's name: 2026, 2026-Q1, 2026-03.")] = None,
    *,
    reason: Reason,
    by: By,
    until: Annotated[str | None, typer.Option(help="All older than this: a day, or an RFC 3339 time.")] = None,
    archive_to: Annotated[
        Path | None, typer.Option(help="Write the shard to a file first, whole and provable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase old entries, as the policy allows: the tree stays, and with it every proof; what they said goes.

    Refused, naming the first entry that is kept, while the policy or a hold keeps any. Example:
    `wherefrom ledger retire 2026 --archive-to 2026.shard --reason "ten years are over" --by "records office"`
    """
    if (shard is None) == (until is None):
        raise typer.BadParameter("say which: a shard's name, or --until TIME")
    archive = find_archive()
    span = erasing.find_span(archive, shard=shard, until=_parse_day(until) if until else None)
    outcome = erasing.retire(archive, span, reason=reason, by=by, archive_to=archive_to)
    if as_json:
        print_json({**_outcome_json(outcome), "archive": archive_to})
        return
    if archive_to is not None:
        typer.echo(f"wrote {archive_to}: entries {span[0]} to {span[1] - 1}, verified")
    _print_outcome(outcome)


def _parse_day(text: str) -> datetime:
    return parse_time(text if "T" in text.upper() else f"{text}T00:00:00Z", what="--until")


@ledger_app.command("verify-shard")
def verify_shard(
    file: Annotated[Path, typer.Argument(help="A shard file.")],
    *,
    trust: Annotated[Path, typer.Option(help="The ledgers you trust: a tlog-policy file.")],
    prove: Annotated[int | None, typer.Option(help="Print the inclusion proof of this entry.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a shard file, offline, without the archive that it comes from.

    Example: `wherefrom ledger verify-shard 2026.shard --trust trust`
    """
    opened = ShardFile(file)
    verdict = check_shard(opened, read_policy(trust))
    proof = opened.prove(prove) if prove is not None and verdict.outcome is VerdictOutcome.TRUE else None
    if as_json:
        found = {"outcome": verdict.outcome, "findings": verdict.findings, "span": verdict.span}
        print_json({**found, "redacted": verdict.redacted, "proof": proof and [node.hex() for node in proof]})
    else:
        print_findings(verdict)
        for node in proof or ():
            typer.echo(node.hex())
    exit_by(verdict.outcome)
