"""`ledger anchor`, `ledger anchors`: timestamps of the ledger's checkpoints, by others' clocks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wherefrom.cli.app import EXIT_FALSE, EXIT_UNCHECKED, find_archive
from wherefrom.cli.files import read_file
from wherefrom.cli.ledger import ledger_app
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.archive.anchoring import AnchorState

Roots = Annotated[
    list[Path] | None, typer.Option("--tsa-roots", help="Root certificates of time authorities that you trust: PEM.")
]
Headers = Annotated[
    str | None,
    typer.Option(
        "--bitcoin-headers",
        help="Bitcoin's block headers: a file, `https://…` (Esplora), or `bitcoin+http://…` (Bitcoin Core).",
    ),
]
Calendars = Annotated[list[str] | None, typer.Option("--calendar", help="URL of an OpenTimestamps calendar.")]

_STYLES = {"verified": "good", "false": "bad", "failed": "bad"}


@ledger_app.command()
def anchor(
    *,
    tsa: Annotated[list[str] | None, typer.Option(help="URL of a time authority that speaks RFC 3161.")] = None,
    calendar: Calendars = None,
    tsa_roots: Roots = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Fetch what became of pending proofs.")] = False,
    every: Annotated[
        float | None, typer.Option(min=1, help="Again and again, this many seconds apart, pending proofs included.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have the newest checkpoint timestamped, so that others can tell by when it was there.

    With `--upgrade`: complete pending proofs instead. What an authority has timestamped isn't sent there again.

    Exit status: 3 when every authority failed. Examples:
    `wherefrom ledger anchor --tsa https://tsa.example --tsa-roots tsa.pem --calendar https://calendar.example` ·
    `wherefrom ledger anchor --upgrade`
    """
    if not (tsa or calendar or upgrade):
        raise typer.BadParameter("say whom to ask with --tsa URL or --calendar URL, or --upgrade")
    if upgrade and tsa:
        raise typer.BadParameter("--upgrade is for what was asked before, which --tsa does not go with")
    archive = find_archive()
    try:
        while True:
            failed = _round(
                archive,
                tsa or [],
                calendar or [],
                read_roots(tsa_roots),
                upgrade=upgrade,
                both=bool(every),
                json=as_json,
            )
            if every is None:
                break
            time.sleep(every)
    finally:
        archive.close()
    if failed:
        raise typer.Exit(EXIT_UNCHECKED)


@ledger_app.command()
def anchors(*, tsa_roots: Roots = None, bitcoin_headers: Headers = None, as_json: AsJson = False) -> None:
    """List the timestamps of the ledger's checkpoints; check them, as far as you say whom you trust.

    Exit status: 1 when one is false. Example:
    `wherefrom ledger anchors --tsa-roots tsa.pem --bitcoin-headers headers.bin`
    """
    from wherefrom.anchors import open_headers
    from wherefrom.archive.anchoring import list_anchors

    archive = find_archive()
    try:
        headers = open_headers(bitcoin_headers) if bitcoin_headers else None
        states = list_anchors(archive, roots=read_roots(tsa_roots), headers=headers)
    finally:
        archive.close()
    _print(states, as_json=as_json)
    if not states:
        say("no timestamps yet", hint="`wherefrom ledger anchor --tsa URL` gets the first")
    if any(state.state == "false" for state in states):
        raise typer.Exit(EXIT_FALSE)


def read_roots(paths: list[Path] | None) -> list[bytes]:
    """The PEM files that a user names. Raises NotFoundError, UnavailableError."""
    return [read_file(path) for path in paths or []]


def _round(
    archive: Archive,
    tsa: list[str],
    calendars: list[str],
    roots: list[bytes],
    *,
    upgrade: bool,
    both: bool,
    json: bool,
) -> bool:
    """Ask everybody once; whether all of them failed."""
    from wherefrom.archive.anchoring import anchor_checkpoint, upgrade_anchors

    done = []
    if not upgrade:
        done += anchor_checkpoint(archive, authorities=tsa, calendars=calendars, roots=roots)
    if upgrade or both:
        done += upgrade_anchors(archive, calendars=calendars)
    _print(done, as_json=json)
    if not done:
        say("no proof is pending")
    return bool(done) and all(state.state == "failed" for state in done)


def _print(states: list[AnchorState], *, as_json: bool) -> None:
    if as_json:
        print_json(states)
        return
    for state in states:
        said = (
            state.timestamp and f"{state.timestamp.time.isoformat(timespec='seconds')} by {state.timestamp.authority}"
        )
        style = _STYLES.get(state.state, "unknown" if state.problem else "good")
        typer.echo(f"{state.size:>10}  {mark(f'{state.state:<9}', style)}  {state.kind:<14}  {state.authority}")  # type: ignore[arg-type]
        if said or state.problem:
            typer.echo(f"{'':>10}  {said or state.problem}")
