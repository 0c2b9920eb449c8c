"""`wherefrom ledger …`: the group that the verbs about the ledger itself join."""

from __future__ import annotations

import typer

from wherefrom.cli.app import app

ledger_app = typer.Typer(
    help="The ledger as a transparency log: publish, check, follow, witness and timestamp it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(ledger_app, name="ledger")
