"""`ingest`: OpenLineage events from a file, as any tool wrote them."""

from __future__ import annotations

import contextlib
import gzip
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer

from wherefrom.archive.taking import Taken, take_lines
from wherefrom.cli.app import EXIT_FALSE, app, find_archive
from wherefrom.cli.output import print_json, progress, say
from wherefrom.cli.recording import AsJson
from wherefrom.errors import FormatError, NotFoundError, UnavailableError

MOST_TOLD = 20


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(help="JSON Lines, one event on each; also `.gz`; `-` for standard input.")],
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse events that break OpenLineage's schemas.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take OpenLineage events from a file, kept byte for byte. Doing it again records nothing twice.

    An event that breaks the specification is taken and marked, and said which line and why. Exit status 1 when any was
    refused. Example: `wherefrom ingest events.jsonl` · `zcat spark/*.gz | wherefrom ingest -` ·
    `wherefrom ingest --strict events.jsonl.gz`
    """
    archive = find_archive()
    new = before = 0
    marked: list[tuple[int, Taken]] = []
    refused: list[tuple[int, Taken]] = []
    with _opened(file) as lines, progress(f"taking {file}", "events") as show:
        for done, (number, taken) in enumerate(take_lines(archive, lines, strict=strict), 1):
            if taken.receipt is None:
                refused.append((number, taken))
            elif taken.problems:
                marked.append((number, replace(taken, event=None)))  # there may be many
            new += bool(taken.receipt and taken.receipt.is_new)
            before += bool(taken.receipt and not taken.receipt.is_new)
            show(done, None)
    if as_json:
        print_json(_summary(new, before, marked, refused))
    else:
        _tell(marked, "taken", "warning")
        _tell(refused, "refused", "error")
        typer.echo(f"{new} recorded, {before} were there, {len(marked)} marked, {len(refused)} refused")
    if refused:
        raise typer.Exit(EXIT_FALSE)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked. What is wrong with reading it is said of it."""
    try:
        if str(file) == "-":
            yield sys.stdin.buffer
        elif file.suffix == ".gz":
            with gzip.open(file, "rb") as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            with file.open("rb") as plain:
                yield plain
    except FileNotFoundError as error:
        raise NotFoundError(f"no file {file}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(f"{file}: not whole gzip: {error}; what is before that was recorded") from error
    except OSError as error:
        raise UnavailableError(f"cannot read {file}: {error.strerror}") from error


def _tell(lines: list[tuple[int, Taken]], what: str, kind: Any) -> None:
    for number, taken in lines[:MOST_TOLD]:
        first = taken.problems[0] if taken.problems else None
        more = f" (and {len(taken.problems) - 1} more)" if len(taken.problems) > 1 else ""
        why = f"{first.path}: {first.message}{more}" if first else str(taken.error)
        say(f"line {number}: {what}: {why}", kind=kind)
    if len(lines) > MOST_TOLD:
        say(f"and {len(lines) - MOST_TOLD} more lines {what}; --json lists all", kind=kind)


def _summary(
    new: int, before: int, marked: list[tuple[int, Taken]], refused: list[tuple[int, Taken]]
) -> dict[str, Any]:
    return {
        "recorded": new,
        "recordedBefore": before,
        "marked": [
            {"line": number, "entry": taken.receipt.index if taken.receipt else None, "problems": list(taken.problems)}
            for number, taken in marked
        ],
        "refused": [
            {"line": number, "error": str(taken.error), "problems": list(taken.problems)} for number, taken in refused
        ],
    }
