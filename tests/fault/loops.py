"""What the processes do that the fault tests start and kill."""

from __future__ import annotations

import os
from pathlib import Path

from events import dataset, event

from wherefrom.archive import Archive


def record_forever(folder: str, name: str, acknowledged: int) -> None:
    """Record one statement after the other; say each receipt on a pipe as soon as it is there."""
    archive = Archive.open(Path(folder))
    number = 0
    while True:
        statement = event(f"{name}-{number}", [dataset("a", str(number))], [dataset("b", str(number))])
        [receipt] = archive.record(statement)
        os.write(acknowledged, f"{receipt.index} {receipt.statement_id}\n".encode())
        number += 1


def record_some(folder: str, name: str, count: int, acknowledged: int) -> None:
    """Record a number of statements, each in a transaction of its own."""
    archive = Archive.open(Path(folder))
    for number in range(count):
        [receipt] = archive.record(event(f"{name}-{number}"))
        os.write(acknowledged, f"{receipt.index} {receipt.statement_id}\n".encode())
