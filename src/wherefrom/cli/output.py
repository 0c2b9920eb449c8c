"""Printing: data on stdout, talk on stderr; JSON for machines; progress bars on long work."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import typer


def say(message: str, *, kind: Literal["", "error", "warning"] = "", hint: str | None = None) -> None:
    """Talk to the person, on stderr."""
    typer.echo(f"wherefrom: {kind}: {message}" if kind else f"wherefrom: {message}", err=True)
    if hint:
        typer.echo(f"wherefrom: hint: {hint}", err=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout: two-space indent on a terminal, else one line."""
    indent = 2 if sys.stdout.isatty() else None
    typer.echo(json.dumps(value, default=_to_json, indent=indent, ensure_ascii=False))


def _to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    return list(value)  # sets, mappings' views


def mark(text: str, style: Literal["good", "bad", "unknown", "muted", "strong"]) -> str:
    """Colour for a terminal; typer strips it where the output is not one."""
    colour = {"good": "green", "bad": "red", "unknown": "yellow"}.get(style)
    return typer.style(text, fg=colour, dim=style == "muted" or None, bold=style == "strong" or None)


def width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


@contextlib.contextmanager
def progress(what: str, unit: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr, shown only on a terminal: call it with how many are done, and how many there are."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, done="")

        def update(done: int, total: int | None) -> None:
            if done < bar.tasks[task].completed:  # the next phase: what was read is sorted into its tree
                bar.reset(task, description=f"{what}, tree", total=total)
            speed = bar.tasks[task].speed
            rate = f", {speed:,.0f}/s" if speed else ""
            of = "" if total is None else f" of {total:,}"
            bar.update(task, completed=done, total=total, done=f"{done:,}{of} {unit}{rate}")

        yield update
