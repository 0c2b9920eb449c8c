"""Faults while a ledger is published as files: readers see a whole log at any time, and the next try completes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from injection import CALLS, FAULTS, Subject, Tried
from worker import statement
from workers import Worker

from wherefrom.archive import Archive
from wherefrom.archive.publishing import publish_ledger
from wherefrom.errors import WherefromError
from wherefrom.notes import open_checkpoint
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.source import CHECKPOINT, FolderSource
from wherefrom.verify import Outcome


def nearly_full_tile(archive: Archive) -> Archive:
    """With so many entries that the publications of a series also fill tiles, and delete partial ones."""
    archive.record(*(statement("first", number) for number in range(245)))
    return archive


def inject_into_publishing(
    worker: Worker, subject: Subject, target: Path, call: str, fault: str, times: Iterable[int]
) -> Iterator[Tried]:
    """Let a call fail, or kill, the nth time it is made while what is new is published, for each n while it is made."""
    for nth in times:
        name = f"{fault} at {call} {nth} of publishing"
        injected = f"{CALLS[call]}:{FAULTS[fault]}:when={nth}"
        with contextlib.closing(Archive.open(Path(subject.where))) as archive:
            archive.record(statement(f"before {name}", nth))
        told = worker.run("publish", inject=injected, where=subject.where, target=str(target))
        if not told.hits:
            return
        problems = [f"just after it: {problem}" for problem in _check_published(subject, target)]
        tried = subject.settle(name, told, killed=fault == "SIGKILL", once=True)
        with contextlib.closing(Archive.open(Path(subject.where))) as archive:
            try:
                publish_ledger(archive, str(target), statements=True)
                problems += [
                    f"once resumed: {problem}" for problem in _check_published(subject, target, archive.size())
                ]
            except WherefromError as error:
                problems.append(f"not resumed: {type(error).__name__}: {error}")
        yield replace(tried, problems=tried.problems + problems)


def _check_published(subject: Subject, target: Path, size: int | None = None) -> list[str]:
    """What readers would find wrong, or that it has not the size expected."""
    if size is None and not (target / CHECKPOINT).exists():
        return []
    note = (target / CHECKPOINT).read_bytes()
    subject.promises.see(note)
    checkpoint = open_checkpoint(note, [subject.promises.log_key])
    found = check_log(FolderSource(target), checkpoint).findings
    wrong = [f"{finding}" for finding in found if finding.outcome is not Outcome.TRUE]
    return wrong if size in (None, checkpoint.size) else [*wrong, f"{checkpoint.size} entries published, of {size}"]
