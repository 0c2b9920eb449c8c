"""`status`, `doctor` and `rebuild`: how an archive is, and making its views again."""

from __future__ import annotations

from pathlib import Path

import typer

from wherefrom import capture
from wherefrom.archive.folder import FOLDER, ArchiveFolder
from wherefrom.cli.app import EXIT_FALSE, app, find_archive, find_remote
from wherefrom.cli.outbox import show_outbox
from wherefrom.cli.output import mark, print_json, progress
from wherefrom.cli.recording import AsJson
from wherefrom.lineage import Run


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Tell what the archive holds: its ledger, newest runs, and what waits to be recorded.

    Where runs are recorded by a server, what waits to be sent there.

    Example: `wherefrom status`
    """
    root, remote = capture.find_root(str(Path.cwd())), find_remote()
    if root and remote and not ArchiveFolder(Path(root) / FOLDER).exists:
        show_outbox(Path(root), remote, as_json=as_json)
        return
    archive = find_archive()
    waiting = capture.list_waiting(archive.root)
    counts, runs = archive.count_rows(), archive.list_runs(5)
    checkpoint, _ = archive.checkpoint()
    if as_json:
        tree = {"size": checkpoint.size, "root": checkpoint.root.hex()}
        facts = {"folder": archive.folder, "namespace": archive.namespace, "origin": archive.origin}
        print_json({**facts, "checkpoint": tree, "counts": counts, "waiting": waiting, "runs": runs})
        return
    typer.echo(f"{mark('archive', 'strong')}  {archive.folder}")
    signed = f"{archive.origin}: {checkpoint.size} statements, root {checkpoint.root.hex()[:16]}…"
    held = f"runs: {counts['runs']}, data sets: {counts['entities']}, versions of them: {counts['versions']}"
    typer.echo(f"{mark('ledger', 'strong')}   {signed}")
    typer.echo(f"{mark('holds', 'strong')}    {held}, gaps: {counts['gaps']}")
    if waiting:
        live = sum(item.is_live for item in waiting)
        typer.echo(f"{mark('outbox', 'strong')}   being recorded: {live}, waiting: {len(waiting) - live}")
    for run in runs:
        typer.echo(f"  {_line_of(run)}")


def _line_of(run: Run) -> str:
    started = run.started_at[:19].replace("T", " ")
    gaps = f"  gaps: {len(run.gaps)}" if run.gaps else ""
    return f"{run.run_id[:8]}  {started:<19}  {run.state:<8}  {run.job_name}{gaps}"


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Check the whole archive: database, statements, signatures, tree, checkpoints, views. Changes nothing.

    Exit status 1 when something does not match. Example: `wherefrom doctor`
    """
    archive = find_archive(drain=False)
    with progress("checking the ledger", "statements") as bar:
        checks = list(archive.check(bar))
    checks.append(
        (
            "outbox: nothing waits",
            [
                f"{item.path.name} waits to be recorded"
                for item in capture.list_waiting(archive.root)
                if not item.is_live
            ],
        )
    )
    if as_json:
        print_json([{"check": what, "problems": problems} for what, problems in checks])
    else:
        for what, problems in checks:
            typer.echo(f"{mark('FALSE', 'bad') if problems else mark('   ok', 'good')}  {what}")
            for problem in problems[:20]:
                typer.echo(f"       {problem}")
            if len(problems) > 20:
                typer.echo(f"       and {len(problems) - 20} more")
    if any(problems for _, problems in checks):
        raise typer.Exit(EXIT_FALSE)


@app.command()
def rebuild(*, as_json: AsJson = False) -> None:
    """Make all views again from entry 0 of the ledger, and tell whether they were equal.

    Exit status 1 when they were not; they are right afterwards. Example: `wherefrom rebuild`
    """
    archive = find_archive()
    size = archive.size()
    with progress("projecting", "statements") as bar:
        differences = archive.rebuild(lambda done: bar(done, size))
    if as_json:
        print_json({"statements": size, "differences": differences})
    elif differences:
        for difference in differences:
            typer.echo(difference)
        typer.echo(f"rebuilt from {size} statements: {len(differences)} views were not as the ledger gives them")
    else:
        typer.echo(f"rebuilt from {size} statements: every view was equal")
    if differences:
        raise typer.Exit(EXIT_FALSE)
