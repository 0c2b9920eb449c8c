"""`bundle` and `verify`: evidence files, made and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.cli.app import EXIT_FALSE, EXIT_UNCHECKED, app, find_archive
from wherefrom.cli.asking import AsOf
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.errors import NotFoundError, UnavailableError, WherefromError
from wherefrom.notes import parse_policy
from wherefrom.verify import Finding, Outcome, Verdict, verify_bundle

_SIGNS = {Outcome.TRUE: ("ok", "good"), Outcome.FALSE: ("FALSE", "bad"), Outcome.UNCHECKED: ("?", "unknown")}


@app.command()
def bundle(
    what: Annotated[str, typer.Argument(help="A model's or data set's name, path or digest.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The evidence file to write.")],
    report: Annotated[Path | None, typer.Option(help="Write the HTML report on its own, too.")] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Write an evidence file: statements, proofs, checkpoint and report, which anybody can verify offline.

    That the evidence was issued is recorded. Example: `wherefrom bundle models/delay.joblib -o delay.wherefrom`
    """
    archive = find_archive()
    size = archive.parse_as_of(as_of) if as_of else None
    data, page = archive.issue_evidence(what, as_of=size)
    for path, content in ((output, data), (report, page.encode())):
        if path is not None:
            _write(path, content)
    if as_json:
        print_json({"evidence": output, "bytes": len(data), "report": report, "trust": archive.trust_file})
        return
    typer.echo(f"wrote {output} ({len(data):,} bytes)" + (f" and {report}" if report else ""))
    typer.echo(f"verify it anywhere with: wherefrom verify {output} --trust {_relative(archive.trust_file)}")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing: a file half written would be taken for evidence that is false."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An evidence file.")],
    *,
    trust: Annotated[Path, typer.Option(help="The ledgers you trust: a tlog-policy file, from the archive's owner.")],
    data: Annotated[
        list[str] | None, typer.Option(help="Hold a file or folder against it: PATH, or NAME=PATH.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the HTML report out, if it is as issued.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check an evidence file. Needs no archive and no network. Exit status: 0 true, 1 false, 3 could not check.

    Example: `wherefrom verify delay.wherefrom --trust trust --data data/raw`
    """
    policy = parse_policy(_read(trust))
    verdict = verify_bundle(_read(file), policy)
    for item in data or []:
        _hold(verdict, item)
    if report is not None and verdict.report:
        _write(report, verdict.report.encode())
    if as_json:
        print_json(_verdict_json(verdict))
    else:
        _print_verdict(file, verdict)
    if verdict.outcome is not Outcome.TRUE:
        raise typer.Exit(EXIT_FALSE if verdict.outcome is Outcome.FALSE else EXIT_UNCHECKED)


def _hold(verdict: Verdict, item: str) -> None:
    from wherefrom.evidence import verify_data  # reads tables, which the verifier proper does not

    name, _, path = item.rpartition("=") if not Path(item).exists() else ("", "", item)
    try:
        verify_data(verdict, Path(path), name or None)
    except WherefromError as error:
        verdict.findings.append(Finding(f"{path} is as recorded", Outcome.UNCHECKED, str(error)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"no file {path}") from error
    except OSError as error:
        raise UnavailableError(f"cannot read {path}: {error.strerror}") from error


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    subject = verdict.subject
    return {
        "outcome": verdict.outcome,
        "findings": verdict.findings,
        "remarks": verdict.remarks,
        "signedBy": verdict.signed_by,
        "subject": dict(zip(("namespace", "name", "digest"), subject, strict=True)) if subject else None,
        "versions": [
            {"namespace": v[0], "name": v[1], "digests": digests} for v, digests in sorted(verdict.versions.items())
        ],
        "received": verdict.received,
    }


def _print_verdict(file: Path, verdict: Verdict) -> None:
    for finding in verdict.findings:
        sign, style = _SIGNS[finding.outcome]
        typer.echo(f"{mark(f'{sign:>5}', style)}  {finding.claim}")  # type: ignore[arg-type]
        if finding.message:
            typer.echo(f"       {mark(finding.message, 'muted') if style == 'good' else finding.message}")
    for remark in verdict.remarks:
        typer.echo(f" {mark('note', 'unknown')}  {remark}")
    if verdict.outcome is Outcome.TRUE and verdict.subject:
        typer.echo(f"{mark('true', 'good')}: {file} tells what {verdict.subject[1]} was made from, as recorded")
        say("it shows what was recorded, by whom and when; not that the recorder told the truth then")
    elif verdict.outcome is Outcome.FALSE:
        typer.echo(f"{mark('false', 'bad')}: {file} does not hold")
    else:
        typer.echo(f"{mark('could not check', 'unknown')}: {file}")
