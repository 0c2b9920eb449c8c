"""`init` and `run`: making an archive, and running a program so that it is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wherefrom.archive import Archive
from wherefrom.cli.app import app
from wherefrom.cli.output import print_json

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    *,
    namespace: Annotated[str | None, typer.Option(help="Of its data and jobs; the folder's name by default.")] = None,
    origin: Annotated[str | None, typer.Option(help="The ledger's name, which no other ledger may have.")] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Keep the ledger in PostgreSQL: postgresql://HOST/DB?schema=NAME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an archive `.wherefrom/` in a project's folder, with new keys.

    Example: `wherefrom init` · `wherefrom init ~/churn --namespace churn`
    · `wherefrom init --database 'postgresql://recorder@db.example.com/lineage?schema=churn'`
    """
    archive = Archive.init(folder, namespace=namespace, origin=origin, database_url=database)
    if as_json:
        print_json({"folder": archive.folder, "namespace": archive.namespace, "origin": archive.origin})
        return
    typer.echo(f"made {archive.folder}, ledger {archive.origin}")
    typer.echo(f"give verifiers {archive.trust_file}; keep {archive.folder / 'keys'} to yourself")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def run(context: typer.Context) -> None:
    """Run a program and record what it reads and writes, with no line added to it.

    Its exit status is passed on. Example: `wherefrom run -- python train.py --epochs 3`
    """
    from wherefrom import capture

    if not context.args or context.args[0] in {"-h", "--help"}:
        typer.echo(f"{context.command.get_usage(context)}\n\n{context.command.help}")
        raise typer.Exit(0 if context.args else 2)
    raise typer.Exit(capture.launch(context.args))
