"""`ledger publish`, `serve`, `fsck`, `mirror` and `monitor`: the ledger where strangers can check it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from wherefrom.cli.app import find_archive
from wherefrom.cli.files import read_policy
from wherefrom.cli.findings import exit_by, finish, print_findings
from wherefrom.cli.ledger import ledger_app
from wherefrom.cli.output import print_json, progress, say
from wherefrom.cli.recording import AsJson
from wherefrom.errors import (
    FormatError,
    NotFoundError,
    SignatureError,
    UnavailableError,
    VerificationError,
)
from wherefrom.notes import (
    ED25519,
    Checkpoint,
    open_checkpoint,
    open_note,
    open_trusted,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
)
from wherefrom.tlog.mirror import Mirror, OpenNote
from wherefrom.tlog.monitor import Monitor, Observation
from wherefrom.tlog.source import open_source, read_checkpoint
from wherefrom.verify import Findings, Outcome

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Where = Annotated[str, typer.Argument(help="The log: an http(s) URL, or a folder.")]
Trust = Annotated[Path | None, typer.Option(help="Logs and witnesses you trust: a tlog-policy file.")]
Vkey = Annotated[str | None, typer.Option(help="The log's verifier key, in place of a trust file.")]
Origin = Annotated[str | None, typer.Option(help="With --vkey: the log's origin, if it is not the key's name.")]
Every = Annotated[str | None, typer.Option(help="Go on for ever, looking each so often: 30s, 5m, 1h.")]


@ledger_app.command()
def publish(
    target: Annotated[str, typer.Argument(help="A folder, or a URL such as s3://bucket/prefix.")],
    *,
    statements: Annotated[bool, typer.Option("--statements", help="Publish the statements, too.")] = False,
    cosigned: Annotated[
        bool, typer.Option("--cosigned", help="The newest checkpoint that a witness cosigned.")
    ] = False,
    keep_partials: Annotated[bool, typer.Option("--keep-partials", help="Delete no partial tile.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish the ledger as static files (C2SP tlog-tiles), which any web server or bucket can serve.

    Writes what is new since the last time. Entries hold no payloads. Example: `wherefrom ledger publish /srv/www/log` ·
    `wherefrom ledger publish s3://bucket/log --statements`
    """
    from wherefrom.archive.publishing import publish_ledger

    if statements and cosigned:
        raise typer.BadParameter("--statements goes with the newest checkpoint, which --cosigned may not be")
    archive = find_archive()
    with progress(f"publishing to {target}", "entries") as bar:
        done = publish_ledger(
            archive, target, statements=statements, only_cosigned=cosigned, keep_partials=keep_partials, progress=bar
        )
    if as_json:
        print_json({"target": target, "before": done.before, "size": done.size, "files": done.files})
    else:
        typer.echo(f"{target} has {done.size:,} entries of {archive.origin}, {done.size - done.before:,} of them new")


@ledger_app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8642,
    statements: Annotated[bool, typer.Option("--statements", help="Serve the statements, too.")] = False,
    cosigned: Annotated[
        bool, typer.Option("--cosigned", help="The newest checkpoint that a witness cosigned.")
    ] = False,
) -> None:
    """Serve the ledger over HTTP as it is at any moment (C2SP tlog-tiles). Stops at SIGINT or SIGTERM.

    Example: `wherefrom ledger serve --port 8642`
    """
    from wherefrom.server.running import run
    from wherefrom.server.tiles import make_app

    archive = find_archive()
    app = make_app(archive, statements=statements, only_cosigned=cosigned)
    run(app, host=host, port=port, announce=lambda url: say(f"serving ledger {archive.origin} at {url}/"))
    archive.close()


@ledger_app.command()
def fsck(log: Where, *, trust: Trust = None, vkey: Vkey = None, origin: Origin = None, as_json: AsJson = False) -> None:
    """Check a whole log, ours or any other of C2SP tlog-tiles: signature, root, every tile, every entry.

    Names the first bad file. Without --trust or --vkey the signature is not checked, and the status never 0.
    Exit status: 0 true, 1 false, 3 could not check. Example: `wherefrom ledger fsck https://example.com/log --vkey …`
    """
    from wherefrom.tlog.fsck import check_log

    source = open_source(log)
    found = Findings()
    try:
        note = read_checkpoint(source)
    except NotFoundError as error:
        raise UnavailableError(f"{log} is no log: {error}") from error
    checkpoint: Checkpoint | None = None
    with found.check("the checkpoint is signed by a log that you trust") as said:
        if trust is None and vkey is None and origin is None:
            checkpoint = _parse(note)
            raise UnavailableError("not checked: say whom you trust, with --trust or --vkey")
        checkpoint = _opener(trust, vkey, origin)(note)
        said.append(f"{checkpoint.origin}, {checkpoint.size:,} entries")
    if checkpoint is not None:
        with progress(f"checking {log}", "entries") as bar:
            rest = check_log(source, checkpoint, progress=bar)
        found.findings += rest.findings
        found.remarks += rest.remarks
    fails = f"{log} is not what its checkpoint signs"
    finish(found, log, holds=f"{log} is whole", fails=fails, facts={"log": log}, as_json=as_json)


@ledger_app.command()
def mirror(
    log: Where,
    folder: Annotated[Path, typer.Argument(help="The mirror's folder, which any web server can serve.")],
    *,
    trust: Trust = None,
    vkey: Vkey = None,
    origin: Origin = None,
    every: Every = None,
    as_json: AsJson = False,
) -> None:
    """Copy a log, holding every byte against its checkpoint first; a second time, what is new.

    A log that went back, or shows another history than before, is refused; with a split view, the evidence is kept.
    Example: `wherefrom ledger mirror https://example.com/log mirror/ --trust trust --every 5m`
    """
    from wherefrom.tlog.split_view import SplitViewError
    from wherefrom.tlog.target import FolderTarget

    if trust is None and vkey is None:
        raise typer.BadParameter("say whom you trust, with --trust or --vkey")
    opener, source = _opener(trust, vkey, origin), open_source(log)

    def once() -> None:
        try:
            with progress(f"mirroring {log}", "entries") as bar:
                done = Mirror(folder).update(source, opener, progress=bar)
        except SplitViewError as error:
            target = FolderTarget(folder)
            target.write("split-view.json", error.evidence)
            target.flush()
            say(f"evidence: {folder / 'split-view.json'}")
            raise
        if as_json:
            print_json({"log": log, "before": done.before, "size": done.size, "files": done.files})
        elif done.size > done.before or every is None:
            typer.echo(f"{folder} has {done.size:,} entries, {done.size - done.before:,} of them new")

    _repeat(once, every)


@ledger_app.command()
def monitor(
    log: Where,
    *,
    trust: Annotated[Path, typer.Option(help="Logs and witnesses you trust: a tlog-policy file.")],
    state: Annotated[Path, typer.Option(help="A folder for what the monitor saw: a mirror, and evidence.")],
    every: Every = None,
    once: Annotated[bool, typer.Option("--once", help="Look once; the default without --every.")] = False,
    max_age: Annotated[
        str | None, typer.Option(help="How old the log's newest entry or cosignature may be: 2d.")
    ] = None,
    any_entries: Annotated[bool, typer.Option("--any-entries", help="The log's entries are not Wherefrom's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Follow a log: signatures, quorum, growth, entries, statements, and the lineage that follows from them.

    Ends with status 1 when anything is false, with evidence in the state folder if the log shows two histories.
    Example: `wherefrom ledger monitor https://example.com/log --trust trust --state seen/ --every 10m --max-age 2d`
    """
    from wherefrom.archive.monitoring import LedgerInspector

    if once and every:
        raise typer.BadParameter("--once and --every exclude each other")
    policy = read_policy(trust)
    inspector = None if any_entries else LedgerInspector(policy)
    age = timedelta(seconds=_seconds(max_age)) if max_age else None
    watching = Monitor(open_source(log), state, policy, inspector, age)

    def look() -> None:
        with progress(f"reading {log}", "entries") as bar:
            seen = watching.observe(datetime.now(UTC), progress=bar)
        outcome = seen.found.outcome
        if every and outcome is Outcome.UNCHECKED and not as_json:
            problem = next(f for f in seen.found.findings if f.outcome is Outcome.UNCHECKED)
            say(f"{problem.claim}: {problem.message}", kind="warning")
        elif not every or seen.is_new or outcome is not Outcome.TRUE or as_json:
            _print_observation(seen, log, as_json=as_json)
        if outcome is Outcome.FALSE or not every:
            exit_by(outcome)

    _repeat(look, every)


def _print_observation(seen: Observation, log: str, *, as_json: bool) -> None:
    if as_json:
        size = seen.checkpoint.size if seen.checkpoint else None
        found = {"outcome": seen.found.outcome, "findings": seen.found.findings, "remarks": seen.found.remarks}
        print_json({"log": log, "size": size, **found, "evidence": seen.evidence})
        return
    print_findings(seen.found)
    if seen.evidence:
        typer.echo(f"evidence: {seen.evidence}")


def _repeat(do: Callable[[], None], every: str | None) -> None:
    """Once; or for ever, where what can't be done now is said, and tried again."""
    if every is None:
        do()
        return
    pause_s = _seconds(every)
    while True:
        try:
            do()
        except VerificationError:
            raise
        except (UnavailableError, FormatError, NotFoundError) as error:
            say(str(error), kind="warning")
        time.sleep(pause_s)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if not match or not int(match[1]):
        raise typer.BadParameter(f"{text!r} is not a time such as 30s, 5m, 12h or 2d")
    return int(match[1]) * _UNITS[match[2] or "s"]


def _opener(trust: Path | None, vkey: str | None, origin: str | None) -> OpenNote:
    """How to verify checkpoints: by a policy, or by one key, which is then trusted for one origin."""
    if trust is not None:
        if vkey or origin:
            raise typer.BadParameter("--trust says it all; --vkey and --origin don't go with it")
        policy = read_policy(trust)
        return lambda note: open_trusted(note, policy).checkpoint
    if vkey is None:
        raise typer.BadParameter("--origin goes with --vkey")
    key = parse_verifier_key(vkey)
    if origin is None:
        return lambda note: open_checkpoint(note, [key])
    if key.key_type != ED25519:
        raise typer.BadParameter("--origin goes with an Ed25519 key")

    def open_by_key(note: bytes) -> Checkpoint:
        checkpoint = parse_checkpoint(open_note(note, [key]).text)
        if checkpoint.origin != origin:
            raise SignatureError(f"the checkpoint is of log {checkpoint.origin}, expected {origin}")
        return checkpoint

    return open_by_key


def _parse(note: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)
