"""`bundle`: making evidence files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wherefrom.cli.app import app, find_archive
from wherefrom.cli.asking import AsOf
from wherefrom.cli.output import print_json
from wherefrom.cli.recording import AsJson
from wherefrom.errors import UnavailableError


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
