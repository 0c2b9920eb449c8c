"""`wherefrom serve`: the archive for a team, over HTTP."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from wherefrom.archive import Archive
from wherefrom.cli.app import app, find_archive
from wherefrom.cli.output import say
from wherefrom.errors import ConflictError, NotFoundError, UnavailableError

# Beside one that records, more would wait for it.
MOST_READERS = 3


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 7373,
    init: Annotated[
        bool, typer.Option("--init", help="Make the archive if there is none, and print a first admin's token, once.")
    ] = False,
    namespace: Annotated[str | None, typer.Option(help="With --init: as `wherefrom init` has it.")] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="With --init: keep the ledger in PostgreSQL.")
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--lenient", help="Refuse events that break OpenLineage, or keep and mark them."),
    ] = None,
    policies: Annotated[
        Path | None, typer.Option(help="A folder with Cedar policies of your own.", file_okay=False, exists=True)
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Let web pages of this origin ask: https://example.com; repeat it.")
    ] = None,
) -> None:
    """Serve the archive to a team: takes OpenLineage events and signed statements, answers questions, live.

    Prints its URL when it takes connections; logs go to stderr, a JSON object a line. Everything else is set by
    variables `WHEREFROM_SERVER_…`, see docs/server.md. Put a TLS proxy before it.

    Example: `wherefrom serve --init` · `wherefrom serve --host 0.0.0.0 --strict`
    """
    from wherefrom.server.running import require_extra, run, set_up_for_many

    require_extra()
    from wherefrom.server.app import begin_stopping, make_app
    from wherefrom.server.connections import protocol_options
    from wherefrom.server.logs import configure_logs
    from wherefrom.server.settings import read_settings

    if (namespace or database) and not init:
        raise typer.BadParameter("--namespace and --database go with --init")
    origins = tuple(cors_origin) if cors_origin else None
    settings = read_settings(os.environ, strict=strict, policies=policies, cors_origins=origins)
    archive = _open_or_make(namespace, database) if init else find_archive(drain=False)
    try:
        settings = replace(settings, readers=_count_readers(archive, settings.readers))
        if init:
            _print_first_token(archive)
        application = make_app(archive, settings)
        configure_logs()
        set_up_for_many()
        run(
            application,
            host=host,
            port=port,
            announce=typer.echo,
            stopping=lambda: begin_stopping(application),
            **protocol_options(settings),
        )
    finally:
        archive.close()


def _count_readers(archive: Archive, asked: int | None) -> int:
    """As many as were asked for; else one less than there are processors, if they can sign without asking anybody.

    Raises UnavailableError for processes that could not.
    """
    from wherefrom.fingerprints.pool import worker_count

    if asked == 0:
        return 0
    if archive.keys.open_alone("producer"):
        return min(worker_count() - 1, MOST_READERS) if asked is None else asked
    if asked is None:
        return 0
    hint = "set WHEREFROM_SERVER_READERS=0, or WHEREFROM_PASSPHRASE_FILE"
    raise UnavailableError(f"{asked} processes can't all use the producer's key: it is not in a plain file", hint=hint)


def _open_or_make(namespace: str | None, database: str | None) -> Archive:
    try:
        return find_archive(drain=False)
    except NotFoundError:
        return Archive.init(Path.cwd(), namespace=namespace, database_url=database)


def _print_first_token(archive: Archive) -> None:
    from wherefrom.archive.granting import make_first_admin

    try:
        token = make_first_admin(archive)
    except ConflictError as error:  # done when it was started so before
        say(f"no token is made: {error}", hint=error.hint)
        return
    typer.echo(f"admin token, shown only now: {token}")
