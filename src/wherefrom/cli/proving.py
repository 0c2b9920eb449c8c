"""`bundle`: making evidence files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wherefrom.cli.app import app, find_archive
from wherefrom.cli.asking import AsOf
from wherefrom.cli.files import read_policy, write_whole
from wherefrom.cli.output import print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.verify import Outcome, verify_bundle


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
    from wherefrom.archive.issuing import issue_evidence  # templates and layout are needed by nothing else

    archive = find_archive()
    size = archive.parse_as_of(as_of) if as_of else None
    data, page = issue_evidence(archive, what, as_of=size)
    for path, content in ((output, data), (report, page.encode())):
        if path is not None:
            write_whole(path, content)
    verdict = verify_bundle(data, read_policy(archive.trust_file))
    for finding in verdict.findings:
        if finding.outcome is not Outcome.TRUE:  # witnesses that the trust file asks for did not answer, say
            message = f"by the archive's own trust file {output} does not hold: {finding.claim}: {finding.message}"
            say(message, kind="warning", hint="mend the cause, and issue it again")
    if as_json:
        facts = {"evidence": output, "bytes": len(data), "report": report, "trust": archive.trust_file}
        print_json({**facts, "outcome": verdict.outcome})
        return
    typer.echo(f"wrote {output} ({len(data):,} bytes)" + (f" and {report}" if report else ""))
    typer.echo(f"verify it anywhere with: wherefrom verify {output} --trust {_relative(archive.trust_file)}")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
