"""`log`, `show` and `trace`: looking at what is recorded."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from wherefrom.archive import Archive, Recorded
from wherefrom.archive.erasing import find_missing
from wherefrom.cli.app import app, find_archive
from wherefrom.cli.output import mark, print_json, width
from wherefrom.cli.recording import AsJson
from wherefrom.errors import NotFoundError, WherefromError
from wherefrom.evidence import format_tree
from wherefrom.statements import (
    CORRECTION,
    DIGEST_SIZES,
    ERASURE_KINDS,
    GAP,
    KEY,
    SOURCE,
    event_kind_of,
    format_time,
    name_of,
    read_event,
)

AsOf = Annotated[str | None, typer.Option(help="What was known then: an entry's index, a day, or an RFC 3339 time.")]


@app.command()
def log(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, the newest first.")] = 20,
    kind: Annotated[str | None, typer.Option(help="Of one kind only: RunEvent, gap, source, …")] = None,
    as_json: AsJson = False,
) -> None:
    """List what was recorded, the newest first.

    Example: `wherefrom log -n 50` · `wherefrom log --kind gap`
    """
    archive = find_archive()
    rows = [r for r in archive.iter_recorded() if kind is None or name_of(r.entry.kind).lower() == kind.lower()]
    newest = rows[::-1][:limit]
    if as_json:
        print_json([_entry_json(recorded) for recorded in newest])
        return
    digits = len(str(archive.size()))
    for recorded in newest:
        received = format_time(recorded.entry.received)[:19].replace("T", " ")
        head = f"{recorded.index:>{digits}}  {received}  {name_of(recorded.entry.kind):<10}  "
        typer.echo(head + _shorten(_summary(recorded), width() - len(head)))


def _shorten(text: str, room: int) -> str:
    return text if len(text) <= max(room, 20) else text[: max(room, 20) - 1] + "…"


def _summary(recorded: Recorded) -> str:
    if recorded.text is None:
        order = recorded.redaction
        return f"redacted by {order.by} because {order.reason}" if order else "the statement is gone"
    predicate = recorded.statement.predicate
    kind = recorded.statement.predicate_type
    if event_kind_of(kind):
        event = read_event(predicate)
        made = ", ".join(dataset.name for dataset in event.outputs)
        text = f"{event.event_type or 'event':<8} {event.job_name}  run {event.run_id[:8]}"
        return text + (f"  → {made}" if made else "")
    if kind == GAP:
        return f"run {predicate['runId'][:8]}  {predicate['detail']}"
    if kind == SOURCE:
        return f"{predicate['name']}  {predicate.get('licence', '')}  {predicate.get('origin', '')}"
    if kind == CORRECTION:
        return f"{predicate['action']}s {predicate['corrects'][:12]}: {predicate['reason']}"
    if kind in ERASURE_KINDS:
        return ", ".join(str(predicate[key]) for key in ("by", "reason") if key in predicate)
    if kind == KEY:
        return f"{predicate['role']} {predicate['verifierKey']}"
    return ", ".join(subject.name for subject in recorded.statement.subjects)


def _entry_json(recorded: Recorded) -> dict[str, Any]:
    head = {
        "index": recorded.index,
        "id": recorded.statement_id,
        "kind": recorded.entry.kind,
        "received": format_time(recorded.entry.received),
        "keys": recorded.entry.key_ids,
    }
    if recorded.text is None:
        order = recorded.redaction
        redaction = {"index": order.index, **order.statement.predicate} if order else None
        return head | {"subjects": [{"digest": text} for text in recorded.entry.subjects], "redaction": redaction}
    return head | {
        "subjects": [{"name": s.name, "digest": dict(s.digests)} for s in recorded.statement.subjects],
        "predicate": dict(recorded.statement.predicate),
    }


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A statement's index or id, a run's id, or a data set's name or digest.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one statement, run or data set whole.

    Example: `wherefrom show 12` · `wherefrom show 0192f3a1` · `wherefrom show data/flights.parquet`
    """
    archive = find_archive()
    value = _find(archive, what)
    if as_json:
        print_json(value)
        return
    _print_value(value)


def _find(archive: Archive, what: str) -> Any:
    if what.isdecimal():
        return _entry_json(archive.read_recorded(what))
    if len(what) >= 6 and len(runs := archive.find_runs(what)) == 1:
        return runs[0]
    try:
        return archive.versions_of(what)
    except NotFoundError as error:
        try:
            return _entry_json(archive.read_recorded(what))
        except WherefromError:
            raise error from None


def _print_value(value: Any, indent: str = "") -> None:
    """Nested values as indented `name: value` lines."""
    import dataclasses

    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    items = value.items() if isinstance(value, dict) else [("-", item) for item in value]
    for name, item in items:
        if name in {"_producer", "_schemaURL"}:
            continue
        label = name if name == "-" else f"{name}:"
        if isinstance(item, (dict, list, tuple)) or dataclasses.is_dataclass(item):
            if item:
                typer.echo(f"{indent}{mark(label, 'strong')}")
                _print_value(item, indent + "  ")
        elif item not in (None, ""):
            typer.echo(f"{indent}{mark(label, 'strong')} {item}")


@app.command()
def trace(
    what: Annotated[str, typer.Argument(help="A model's or data set's name, path or digest.")],
    *,
    down: Annotated[
        bool, typer.Option("--down", help="What was made with it, rather than what it was made from.")
    ] = False,
    depth: Annotated[int | None, typer.Option(min=0, help="How many runs to go.")] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a model or data set was made from: every file, run, script, commit, parameter.

    Example: `wherefrom trace models/delay.joblib` · `wherefrom trace data/raw/planes.csv --down` ·
    `wherefrom trace sha256:1f0c2d --as-of 2026-03-31`
    """
    archive = find_archive()
    size = archive.parse_as_of(as_of) if as_of else None
    try:
        answer = archive.trace(what, direction="down" if down else "up", depth=depth, as_of=size)
    except NotFoundError as error:
        _say_erased(archive, what, error)
        raise
    missing = find_missing(archive, answer)
    if as_json:
        checkpoint, note = archive.checkpoint()
        facts = {"checkpoint": note.decode(), "size": checkpoint.size, "answer": answer}
        print_json({**facts, "erased": missing.remarks})
        return
    encoding = sys.stdout.encoding or "ascii"
    tree = format_tree(answer, width=width(), colour=sys.stdout.isatty(), encoding=encoding)
    typer.echo(tree.rstrip("\n"))
    for remark in missing.remarks:
        typer.echo(f"{mark('!', 'unknown')} {remark}")


def _say_erased(archive: Archive, what: str, error: NotFoundError) -> None:
    """What is not found may have been redacted: its digest tells, its name was erased."""
    algorithm, _, digits = what.rpartition(":")
    missing = find_missing(archive, digests=[f"{a}:{digits}" for a in ([algorithm] if algorithm else DIGEST_SIZES)])
    if missing.redacted:
        raise NotFoundError(f"{error}; {missing.remarks[0]}") from error
