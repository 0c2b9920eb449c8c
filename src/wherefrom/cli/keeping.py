"""`ledger retention` and `ledger hold`: how long statements are kept, and what is kept whatever the policy says."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wherefrom.archive import erasing
from wherefrom.cli.app import find_archive
from wherefrom.cli.ledger import ledger_app
from wherefrom.cli.output import mark, print_json
from wherefrom.cli.recording import AsJson
from wherefrom.errors import FormatError
from wherefrom.ledger import DEFAULT_RULES, LOG_KINDS, LOGS, Order
from wherefrom.statements import DIGEST_SIZES, FOREVER, Rule, Scope, format_time, keep_until, list_kinds, parse_time

Reason = Annotated[str, typer.Option(help="Why. It stays for ever: name no person.")]
By = Annotated[str, typer.Option(help="Who decides it.")]
SIX_MONTHS = "P6M"

retention_app = typer.Typer(help="How long each kind of statement is kept.", no_args_is_help=True)
hold_app = typer.Typer(help="Legal holds: what is kept whatever the policy says.", no_args_is_help=True)
ledger_app.add_typer(retention_app, name="retention")
ledger_app.add_typer(hold_app, name="hold")


@retention_app.command("show")
def show_retention(*, as_json: AsJson = False) -> None:
    """Show the policy that the ledger states.

    Example: `wherefrom ledger retention show`
    """
    policies = erasing.read_orders(find_archive()).policies
    if as_json:
        print_json(_order_json(policies[-1]) if policies else None)
    elif not policies:
        typer.echo("no policy is stated, so nothing may be retired")
    else:
        _print_rules(policies[-1].rules)
        typer.echo(f"stated by {policies[-1].by} as statement {policies[-1].index}")


@retention_app.command("set")
def set_retention(
    *,
    by: By,
    keep: Annotated[
        list[str] | None, typer.Option(help="KINDS=DURATION, as source,evidence=P10Y or *=forever; repeat it.")
    ] = None,
    logs: Annotated[str | None, typer.Option(help="How long events and gaps are kept: P6M at least.")] = None,
    basis: Annotated[str, typer.Option(help="The law or rule behind the periods of --keep.")] = "own policy",
    as_json: AsJson = False,
) -> None:
    """State how long statements are kept; from now on it is the policy. Without --keep: everything for ten years.

    Example: `wherefrom ledger retention set --by "records office"` ·
    `wherefrom ledger retention set --by "records office" --keep "*=P10Y" --logs P1Y`
    """
    rules = [_parse_rule(text, basis) for text in keep or ()] or list(DEFAULT_RULES)
    if logs is not None:
        if not _is_as_long(logs, SIX_MONTHS):
            raise typer.BadParameter(f"--logs {logs} is shorter than six months; say it with --keep if it is meant")
        rules.append(Rule(LOG_KINDS, logs, LOGS))
    receipt = erasing.set_retention(find_archive(), rules, by=by)
    if as_json:
        print_json({"recorded": receipt, "rules": rules})
        return
    _print_rules(tuple(rules))
    typer.echo(f"recorded as statement {receipt.index}")


def _parse_rule(text: str, basis: str) -> Rule:
    kinds, equals, duration = text.partition("=")
    known = list_kinds()
    for kind in kinds.split(","):
        if not equals or (kind != "*" and kind not in known):
            raise typer.BadParameter(f"--keep {text!r}: expected KINDS=DURATION; kinds: *, {', '.join(known)}")
    _is_as_long(duration, duration)
    return Rule(tuple(kinds.split(",")), duration, basis)


def _is_as_long(duration: str, least: str) -> bool:
    start = parse_time("2000-01-01T00:00:00Z", what="start")
    try:
        until, needed = keep_until(start, duration), keep_until(start, least)
    except FormatError as error:
        raise typer.BadParameter(str(error)) from error
    return until is None or (needed is not None and until >= needed)


def _print_rules(rules: tuple[Rule, ...]) -> None:
    for rule in rules:
        kinds = "all others" if rule.kinds == ("*",) and len(rules) > 1 else ", ".join(rule.kinds)
        long = "for ever" if rule.keep_for == FOREVER else rule.keep_for
        typer.echo(f"{mark(long, 'strong'):<10}  {kinds}  ({rule.basis})")


@hold_app.command("add")
def add_hold(
    *,
    reason: Reason,
    by: By,
    entries: Annotated[str | None, typer.Option(help="FROM-TO, both included, or FROM- for all to come too.")] = None,
    digest: Annotated[list[str] | None, typer.Option(help="Of a version: sha256:…; repeat it.")] = None,
    run: Annotated[list[str] | None, typer.Option(help="A run's id; repeat it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep what is named, until the hold is released: nothing of it is redacted or retired.

    Example: `wherefrom ledger hold add --digest sha256:1f0c… --reason "case 4711" --by legal` ·
    `wherefrom ledger hold add --entries 0- --reason "audit 2027" --by legal`
    """
    for text in digest or ():
        if text.partition(":")[0] not in DIGEST_SIZES:
            raise typer.BadParameter(f"--digest {text!r}: expected algorithm:hex, as {', '.join(DIGEST_SIZES)}")
    if not (entries or digest or run):
        raise typer.BadParameter("say what to hold: --entries, --digest or --run")
    scope = Scope(_parse_span(entries) if entries else None, frozenset(digest or ()), frozenset(run or ()))
    receipt = erasing.add_hold(find_archive(), scope, reason=reason, by=by)
    if as_json:
        print_json({"recorded": receipt})
        return
    typer.echo(f"held, as statement {receipt.index}")


def _parse_span(text: str) -> tuple[int, int | None]:
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and (not last or last.isdecimal())):
        raise typer.BadParameter(f"--entries {text!r}: expected FROM-TO or FROM-")
    return int(first), int(last) + 1 if last else None


@hold_app.command("release")
def release_hold(
    hold: Annotated[str, typer.Argument(help="The hold's index or id.")],
    *,
    reason: Reason,
    by: By,
    as_json: AsJson = False,
) -> None:
    """End a hold.

    Example: `wherefrom ledger hold release 1310 --reason "case 4711 closed" --by legal`
    """
    receipt = erasing.release_hold(find_archive(), hold, reason=reason, by=by)
    if as_json:
        print_json({"recorded": receipt})
        return
    typer.echo(f"released, as statement {receipt.index}")


@hold_app.command("list")
def list_holds(*, as_json: AsJson = False) -> None:
    """List the holds in force.

    Example: `wherefrom ledger hold list`
    """
    holds = erasing.read_orders(find_archive()).in_force()
    if as_json:
        print_json([_order_json(hold) for hold in holds])
        return
    for hold in holds:
        typer.echo(
            f"{hold.index}  {format_time(hold.received)[:10]}  {hold.by}: {hold.reason}  ({_say_scope(hold.scope)})"
        )
    if not holds:
        typer.echo("no hold is in force")


def _say_scope(scope: Scope) -> str:
    parts = [f"{len(scope.subjects)} digests"] * bool(scope.subjects) + [f"{len(scope.runs)} runs"] * bool(scope.runs)
    if scope.entries:
        begin, end = scope.entries
        parts.insert(0, f"entries from {begin} on" if end is None else f"entries {begin} to {end - 1}")
    return ", ".join(parts)


def _order_json(order: Order) -> dict[str, Any]:
    head = {"index": order.index, "id": order.statement_id, "received": format_time(order.received)}
    return head | dict(order.statement.predicate)
