"""What one run did, put together from its messages."""

# Paths are plain text here: see territory.py.
# ruff: noqa: PTH118

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from wherefrom.capture.recorder.contents import Content, Gap

How = Literal["observed", "declared", "inferred"]
_STRENGTH = {"observed": 2, "declared": 1, "inferred": 0}
_MAX_GAPS = 200


@dataclass
class Item:
    """A data set that a run used or made.

    Attributes:
        path: absolute; "" for what is no file.
        name: what it is called when that does not follow from the path, such as a URL.
        at_ns: Unix time when it was opened first.
        content: None until somebody has asked for it.
        model: for an output, the estimator that was dumped into it: members of `wherefrom_model`, {} for none.
    """

    path: str
    via: str
    known: How
    at_ns: int
    name: str = ""
    is_folder: bool = False
    content: Future[Content] | None = None
    model: dict[str, Any] = field(default_factory=dict)

    def strengthen(self, known: How, via: str) -> None:
        """What a hook saw counts more than what somebody declared."""
        if _STRENGTH[known] > _STRENGTH[self.known]:
            self.known, self.via = known, via


@dataclass(frozen=True)
class End:
    """How a run ended. `exit_code` None: not known; `error`: OpenLineage's `errorMessage` members, {} for none."""

    at_ns: int
    state: Literal["COMPLETE", "FAIL", "ABORT"]
    reason: Literal["returned", "exited", "raised", "killed"]
    exit_code: int | None = None
    error: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """A run under way, or ended.

    Attributes:
        job: name; "" takes that of the script.
        kind: `jobType`.
        process: what the process said of itself when it began: see `capture/process.py`.
        enclosing: the run in the same process that this one began in.
        parent: of another process: {"run", "job"}.
        inputs, outputs: by path, or by name for what is no file.
        gaps: with the path that each is about, "" for none.
        fits: members of `wherefrom_fits`; `fit_indexes` finds them by the process's name for a fit, and
            `fit_contents` are (index, argument, what it held).
        children: commands that were started, each as its argument list; `joined`: those of them that speak for the run.
    """

    run_id: str
    job: str
    kind: Literal["SCRIPT", "RUN", "COMMAND"]
    started_ns: int
    process: dict[str, Any]
    enclosing: Run | None = None
    parent: dict[str, str] | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    metrics_dropped: int = 0
    logs: list[dict[str, Any]] = field(default_factory=list)
    logs_dropped: int = 0
    fits: list[dict[str, Any]] = field(default_factory=list)
    fit_indexes: dict[str, int] = field(default_factory=dict)
    fit_contents: list[tuple[int, str, Future[Content]]] = field(default_factory=list)
    seeds: dict[str, list[str]] = field(default_factory=dict)
    inputs: dict[str, Item] = field(default_factory=dict)
    outputs: dict[str, Item] = field(default_factory=dict)
    gaps: dict[tuple[Gap, str], None] = field(default_factory=dict)
    gaps_dropped: int = 0
    children: list[list[str]] = field(default_factory=list)
    joined: list[list[str]] = field(default_factory=list)
    end: End | None = None
    has_folders: bool = False

    def use(self, item: Item) -> bool:
        """Note an input. Whether it is new: what this run wrote itself, or has read before, is not."""
        key = item.path or item.name
        if self.has_made(key):
            return False
        if before := self.inputs.get(key):
            before.strengthen(item.known, item.via)
            return False
        if self.has_folders and any(
            folder in self.inputs and self.inputs[folder].is_folder for folder in _folders_above(key)
        ):
            return False
        self.inputs[key] = item
        self.has_folders |= item.is_folder
        return True

    def make(self, item: Item) -> None:
        """Note an output: what it holds counts at the end of the run."""
        key = item.path or item.name
        if before := self.outputs.get(key):
            before.strengthen(item.known, item.via)
            before.is_folder |= item.is_folder
            self.has_folders |= item.is_folder
            return
        self.outputs[key] = item
        self.has_folders |= item.is_folder

    def has_made(self, key: str) -> bool:
        """Whether this run wrote it, or the folder that it lies in."""
        if key in self.outputs:
            return True
        return self.has_folders and any(
            folder in self.outputs and self.outputs[folder].is_folder for folder in _folders_above(key)
        )

    def data_made(self) -> list[Item]:
        """The outputs, but for files that a library opened in Python while it made the folder around them."""
        folders = {key for key, item in self.outputs.items() if item.is_folder}
        return [
            item
            for key, item in self.outputs.items()
            if item.via != "open" or item.model or not folders.intersection(_folders_above(key))
        ]

    def rename(self, source: str, target: str) -> bool:
        """Move outputs to their new name. Whether this run had made them."""
        below = os.path.join(source, "")
        moved = [key for key in self.outputs if key == source or key.startswith(below)]
        for key in moved:
            item = self.outputs.pop(key)
            item.path = target + key[len(source) :]
            self.outputs.pop(item.path, None)
            self.outputs[item.path] = item
        return bool(moved)

    def remove(self, path: str) -> None:
        """Forget outputs that are gone: temporary files."""
        below = os.path.join(path, "")
        for key in [key for key in self.outputs if key == path or key.startswith(below)]:
            del self.outputs[key]

    def add_gap(self, gap: Gap, path: str = "") -> None:
        """Note, once, what was not seen."""
        if (gap, path) in self.gaps:
            return
        if len(self.gaps) >= _MAX_GAPS:
            self.gaps_dropped += 1
            return
        self.gaps[gap, path] = None

    def iter_enclosing(self) -> Iterator[Run]:
        """From the inside out."""
        run = self.enclosing
        while run is not None:
            yield run
            run = run.enclosing


def _folders_above(key: str) -> Iterator[str]:
    end = key.rfind("/")
    while end > 0:
        yield key[:end]
        end = key.rfind("/", 0, end)


def infer_inputs(run: Run, runs: list[Run]) -> list[Item]:
    """Inputs that nobody saw this run use, but that it may have used from memory.

    A run inside another works with what that one had read before it began. A run around others that wrote something
    after they had ended works with what they had read. A run that wrote something, and has no input at all by these
    rules, works with what its process had read by then. `runs` are those of the process.
    """
    found = [item for outer in run.iter_enclosing() for item in outer.inputs.values() if item.at_ns <= run.started_ns]
    last_write = max((item.at_ns for item in run.outputs.values()), default=None)
    if last_write is not None:
        inner = [
            other for other in runs if other.end and run in other.iter_enclosing() and other.end.at_ns <= last_write
        ]
        found += [item for other in inner for item in other.inputs.values()]
        if not found and not run.inputs:
            found = [item for other in runs for item in other.inputs.values() if item.at_ns <= last_write]
    keyed = {item.path or item.name: item for item in reversed(found)}
    return [item for key, item in keyed.items() if key not in run.inputs and not run.has_made(key)]
