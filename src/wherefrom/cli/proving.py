"""`bundle` and `verify`: evidence files, made and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.cli.app import EXIT_FALSE, EXIT_UNCHECKED, app, find_archive
from wherefrom.cli.asking import AsOf
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.commitments import Secret
from wherefrom.commitments.proof import HEADER
from wherefrom.errors import NotFoundError, UnavailableError, WherefromError
from wherefrom.notes import parse_policy
from wherefrom.verify import Finding, Findings, Outcome, ProofVerdict, Verdict, verify_bundle, verify_proof

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
            write_whole(path, content)
    if as_json:
        print_json({"evidence": output, "bytes": len(data), "report": report, "trust": archive.trust_file})
        return
    typer.echo(f"wrote {output} ({len(data):,} bytes)" + (f" and {report}" if report else ""))
    typer.echo(f"verify it anywhere with: wherefrom verify {output} --trust {_relative(archive.trust_file)}")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def write_whole(path: Path, content: bytes) -> None:
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
    file: Annotated[Path, typer.Argument(help="An evidence file, or a proof about single records.")],
    *,
    trust: Annotated[
        Path | None, typer.Option(help="The ledgers you trust: a tlog-policy file, from the archive's owner.")
    ] = None,
    about: Annotated[
        str | None, typer.Option("--set", help="A proof must be about this set: `wf-records-1:…`, `wf-keys-1:…`.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="A proof must be about data that this evidence file names (needs --trust).")
    ] = None,
    secret: Annotated[Path | None, typer.Option(help="Of a private set, to check that a record is absent.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Hold a file or folder against it: PATH, or NAME=PATH.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the HTML report out, if it is as issued.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check an evidence file or a proof. Needs no archive and no network. Exit: 0 true, 1 false, 3 could not check.

    Example: `wherefrom verify delay.wherefrom --trust trust --data data/raw` ·
    `wherefrom verify proof --evidence delay.wherefrom --trust trust`
    """
    content = _read(file)
    if content.startswith(HEADER.encode()):
        if data or report:
            raise typer.BadParameter("--data and --report go with an evidence file; this is a proof")
        given = _verify_evidence(evidence, trust) if evidence else None
        opened = Secret.read(secret) if secret else None
        _finish_proof(file, verify_proof(content, expected=about, secret=opened, evidence=given), as_json=as_json)
        return
    if about or evidence or secret:
        raise typer.BadParameter("--set, --evidence and --secret go with a proof; this is an evidence file")
    verdict = _verify_evidence(file, trust)
    for item in data or []:
        _hold(verdict, item)
    if report is not None and verdict.report:
        write_whole(report, verdict.report.encode())
    if as_json:
        print_json(_verdict_json(verdict))
    else:
        _print_verdict(file, verdict)
    _exit(verdict)


def _verify_evidence(file: Path, trust: Path | None) -> Verdict:
    if trust is None:
        raise typer.BadParameter(f"{file} is evidence: say which ledgers you trust with --trust FILE")
    return verify_bundle(_read(file), parse_policy(_read(trust)))


def _finish_proof(file: Path, verdict: ProofVerdict, *, as_json: bool) -> None:
    about = str(verdict.about) if verdict.about else None
    if as_json:
        facts = {"outcome": verdict.outcome, "findings": verdict.findings, "remarks": verdict.remarks}
        print_json({**facts, "set": about, "identity": verdict.about and verdict.about.to_json()})
    else:
        _print_findings(verdict)
        if verdict.outcome is Outcome.TRUE:
            typer.echo(f"{mark('true', 'good')}: {file}, for the set {about}")
        else:
            _print_failure(file, verdict)
    _exit(verdict)


def _exit(verdict: Findings) -> None:
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


def _print_findings(verdict: Findings) -> None:
    for finding in verdict.findings:
        sign, style = _SIGNS[finding.outcome]
        typer.echo(f"{mark(f'{sign:>5}', style)}  {finding.claim}")  # type: ignore[arg-type]
        if finding.message:
            typer.echo(f"       {mark(finding.message, 'muted') if style == 'good' else finding.message}")
    for remark in verdict.remarks:
        typer.echo(f" {mark('note', 'unknown')}  {remark}")


def _print_verdict(file: Path, verdict: Verdict) -> None:
    _print_findings(verdict)
    if verdict.outcome is Outcome.TRUE and verdict.subject:
        typer.echo(f"{mark('true', 'good')}: {file} tells what {verdict.subject[1]} was made from, as recorded")
        say("it shows what was recorded, by whom and when; not that the recorder told the truth then")
    else:
        _print_failure(file, verdict)


def _print_failure(file: Path, verdict: Findings) -> None:
    if verdict.outcome is Outcome.FALSE:
        typer.echo(f"{mark('false', 'bad')}: {file} does not hold")
    else:
        typer.echo(f"{mark('could not check', 'unknown')}: {file}")
