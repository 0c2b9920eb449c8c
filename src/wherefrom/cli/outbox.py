"""`outbox`: what waits for the project's server, and sending it now."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom import capture
from wherefrom.cli.app import app
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.statements import name_of

outbox_app = typer.Typer(help="What waits for the project's server (docs/client.md).", no_args_is_help=False)
app.add_typer(outbox_app, name="outbox")


@outbox_app.callback(invoke_without_command=True)
def show(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List what waits to be sent to the server, and what it refused.

    Example: `wherefrom outbox`
    """
    if context.invoked_subcommand is not None:
        return
    root, remote, _ = _find_project()
    show_outbox(root, remote, as_json=as_json)


def show_outbox(root: Path, remote: capture.Remote | None, *, as_json: bool) -> None:
    """Print what waits in a project's outbox for its server."""
    waiting = [(path, [_describe(line) for line in capture.read_parcel(path)]) for path in capture.list_parcels(root)]
    refused = [(path, capture.read_refused(path)) for path in capture.list_refused(root)]
    unsigned = capture.list_waiting(root)
    if as_json:
        print_json(
            {
                "server": remote.url if remote else None,
                "waiting": [{"file": path, "statements": kinds} for path, kinds in waiting],
                "unsigned": unsigned,
                "refused": [
                    {"file": path, "statements": [{"kind": _describe(line), "reason": why} for line, why in lines]}
                    for path, lines in refused
                ],
            }
        )
        return
    typer.echo(f"{mark('server', 'strong')}   {remote.url if remote else 'none: WHEREFROM_URL is not set'}")
    count = sum(len(kinds) for _, kinds in waiting)
    typer.echo(f"{mark('waiting', 'strong')}  {count} statements in {len(waiting)} files")
    if unsigned:
        live = sum(item.is_live for item in unsigned)
        typer.echo(f"{mark('runs', 'strong')}     being recorded: {live}, cut off: {len(unsigned) - live}")
    for path, lines in refused:
        for line, why in lines:
            typer.echo(f"{mark('refused', 'bad')}  {_describe(line)} in {path.name}: {why}")


@outbox_app.command()
def send(
    *,
    refused: Annotated[
        bool, typer.Option("--refused", help="Also what the server refused before, since mended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send what waits to the server now, oldest first; exit status 3 when something is left.

    Example: `wherefrom outbox send`
    """
    root, remote, namespace = _find_project()
    if remote is None:
        raise NotFoundError("no server to send to", hint="set WHEREFROM_URL, or [server] url in wherefrom.toml")
    if refused:
        capture.try_again(root)
    delivery = capture.send_outbox(root, remote, namespace=namespace)
    if as_json:
        print_json(
            {
                "server": remote.url,
                "sent": delivery.sent,
                "refused": [{"file": path, "reason": why} for path, why in delivery.refused],
                "left": [{"file": path, "reason": why} for path, why in delivery.left],
            }
        )
    else:
        typer.echo(f"sent {delivery.sent} statements to {remote.url}")
    for path, why in delivery.refused:
        say(f"the server refused what is now in {path}: {why}", kind="warning")
    for path, why in delivery.left:
        say(f"{path} is left: {why}", kind="warning")
    if delivery.error:
        raise delivery.error
    if delivery.is_others:
        raise UnavailableError("another process is sending", hint="try again later")
    if delivery.left:
        raise typer.Exit(3)


def _find_project() -> tuple[Path, capture.Remote | None, str | None]:
    """Folder, server and namespace of the project that the working folder lies in."""
    found = capture.find_root(str(Path.cwd()))
    if found is None:
        raise NotFoundError(f"no project in {Path.cwd()} or above it", hint="a first recorded run makes one")
    config = capture.read_config(found)
    return Path(found), capture.find_remote(found, config), config.namespace


def _describe(envelope: bytes) -> str:
    """The kind of the statement in an envelope, and of an event what it says happened."""
    try:
        statement: dict[str, Any] = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
        predicate = statement["predicate"]
        words = [name_of(statement["predicateType"]), predicate.get("eventType"), predicate.get("job", {}).get("name")]
        return " ".join(str(word) for word in words if word)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "what is no statement"
