"""A log under load: many writers, a server, and many readers who verify all that they read. One process plays one part.

A part is told what to do by its arguments, in JSON, and ends when its standard input does; it prints one line of JSON:
how often it did what, in how many milliseconds each, or with which error it failed. The first failure ends all.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from child_processes import end_process
from events import dataset, event

from wherefrom.archive import Archive
from wherefrom.errors import VerificationError
from wherefrom.merkle import (
    TILE_WIDTH,
    hash_leaf,
    prove_consistency_from_tiles,
    prove_inclusion_from_tiles,
    verify_consistency,
    verify_inclusion,
)
from wherefrom.notes import Checkpoint, VerifierKey, open_checkpoint
from wherefrom.statements import parse_entry
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.source import HttpSource, read_checkpoint, read_entries, read_tile
from wherefrom.verify import Outcome


@dataclass
class Tally:
    """Milliseconds of each operation, by what it was."""

    spent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.spent[what].append(round((time.perf_counter() - start) * 1000, 3))


class Reader:
    """Chains each checkpoint to the one before, and believes nothing that it does not lead to."""

    def __init__(self, url: str, log_key: VerifierKey, dice: random.Random) -> None:
        self._source = HttpSource(url)
        self._log_key = log_key
        self._dice = dice
        self.seen: Checkpoint | None = None

    def follow(self) -> Checkpoint:
        """The newest checkpoint, proven to have grown out of the last one."""
        new = open_checkpoint(read_checkpoint(self._source), [self._log_key])
        if old := self.seen:
            if new.size < old.size:
                raise VerificationError(f"the log has {new.size} entries, and had {old.size} before")
            proof = prove_consistency_from_tiles(old.size, new.size, self._read_tile)
            verify_consistency(old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=proof)
        self.seen = new
        return new

    def verify(self, index: int) -> str:
        """Prove that an entry is in the tree last followed to, and read it; gives its id."""
        tree = self.seen or self.follow()
        width = min(TILE_WIDTH, tree.size - index // TILE_WIDTH * TILE_WIDTH)
        entry = read_entries(self._source, index // TILE_WIDTH, width)[index % TILE_WIDTH]
        leaf = hash_leaf(entry)
        proof = prove_inclusion_from_tiles(index, tree.size, self._read_tile)
        verify_inclusion(leaf, index=index, size=tree.size, proof=proof, root=tree.root)
        parse_entry(entry)
        return leaf.hex()

    def choose(self) -> int:
        """Any entry, or one of the newest."""
        size = (self.seen or self.follow()).size
        return (
            self._dice.randrange(max(0, size - 20), size) if self._dice.random() < 0.5 else self._dice.randrange(size)
        )

    def _read_tile(self, level: int, index: int, width: int) -> bytes:
        return read_tile(self._source, level, index, width)


def read(archive: Archive, url: str, name: str, tally: Tally) -> Callable[[], None]:
    """What a reader does again and again."""
    dice = random.Random(name)
    reader = Reader(url, archive.log_key, dice)

    def step() -> None:
        with tally.timed("checkpoint chained to the last"):
            reader.follow()
        with tally.timed("entry proven"):
            index = reader.choose()
            statement_id = reader.verify(index)
        if dice.random() < 0.25:
            with tally.timed("statement read from the store"):
                [recorded] = archive.iter_recorded(index, index + 1)
                if recorded.statement_id != statement_id:
                    raise VerificationError(f"entry {index} is {statement_id} in the log, {recorded.statement_id} here")

    return step


def write(archive: Archive, url: str, name: str, tally: Tally) -> Callable[[], None]:
    """What a writer does again and again: mostly record; sometimes repeat itself, or look for what it recorded."""
    dice = random.Random(name)
    reader, number = Reader(url, archive.log_key, dice), 0

    def step() -> None:
        nonlocal number
        number += 1
        statement = event(f"{name}-{number}", [dataset("in", f"{name}{number}")], [dataset("out", f"{name}{number}")])
        with tally.timed("statement recorded"):
            [receipt] = archive.record(statement)
        if not receipt.is_new:
            raise VerificationError(f"statement {number} of {name} was there before it was recorded")
        if dice.random() < 0.02:
            with tally.timed("statement repeated"):
                [again] = archive.record(statement)
            if (again.index, again.statement_id, again.is_new) != (receipt.index, receipt.statement_id, False):
                raise VerificationError(f"{receipt} became {again}")
        if dice.random() < 0.02:
            with tally.timed("own statement proven"):
                size = reader.follow().size
                if size <= receipt.index:
                    raise VerificationError(f"entry {receipt.index} was acknowledged, the log has {size}")
                if reader.verify(receipt.index) != receipt.statement_id:
                    raise VerificationError(f"entry {receipt.index} is not {receipt.statement_id}")

    return step


PARTS = {"read": read, "write": write}


def play(part: str, *, folder: str, url: str, name: str, threads: int) -> dict[str, Any]:
    """Do one part in several threads until standard input ends, or one of them fails."""
    tallies, stop, failures = [Tally() for _ in range(threads)], threading.Event(), []

    def work(number: int, archive: Archive) -> None:
        try:
            step = PARTS[part](archive, url, f"{name}.{number}", tallies[number])
            step()
            while not stop.is_set():
                step()
        except Exception:  # noqa: BLE001 - each is a failure of the log under test, to be reported whole
            failures.append(f"{part} {name}.{number}: {traceback.format_exc()}")
            stop.set()

    with closing(Archive.open(Path(folder))) as archive:
        started = [threading.Thread(target=work, args=(number, archive)) for number in range(threads)]
        for thread in started:
            thread.start()
        print("begun", flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
        for thread in started:
            thread.join()
    spent: dict[str, list[float]] = defaultdict(list)
    for tally in tallies:
        for what, times in tally.spent.items():
            spent[what] += times
    return {"spent": spent, "failures": failures}


def serve(folder: str) -> None:
    from wherefrom.server.running import run
    from wherefrom.server.tiles import make_app

    with closing(Archive.open(Path(folder))) as archive:
        run(make_app(archive), host="127.0.0.1", port=0, announce=lambda url: print(url, flush=True))


@dataclass(frozen=True)
class Hammered:
    """What a hammering came to. `failures` is empty when every proof held; `seconds` is how long it lasted."""

    spent: Mapping[str, list[float]]
    failures: list[str]
    seconds: float
    entries: int


def hammer(
    archive: Archive, *, seconds: float, writers: int, readers: int, processes: int, entries: int = 0
) -> Hammered:
    """Let so many writers and readers, each in so many processes, work on an archive, then check the whole log.

    Args:
        entries: that are recorded before they begin.
    """
    for number in range(0, entries, 1000):
        archive.record(*(event(f"before-{more}") for more in range(number, min(entries, number + 1000))))
    folder, log_key, before = str(archive.folder), archive.log_key, archive.size()
    with ExitStack() as stack:
        server = stack.enter_context(_part("serve", folder=folder))
        url = _first_line(server)
        parts = [
            stack.enter_context(_part(part, folder=folder, url=url, name=f"{part}{n}", threads=count // processes))
            for part, count in (("write", writers), ("read", readers))
            for n in range(processes)
        ]
        for part in parts:
            _first_line(part)
        start = time.monotonic()
        while time.monotonic() - start < seconds and all(part.poll() is None for part in parts):
            time.sleep(0.1)
        lasted = time.monotonic() - start
        for part in parts:
            if part.stdin:
                part.stdin.close()
            part.stdin = None
        told = [json.loads(part.communicate()[0] or '{"spent":{},"failures":["a process vanished"]}') for part in parts]
        spent: dict[str, list[float]] = defaultdict(list)
        for one in told:
            for what, times in one["spent"].items():
                spent[what] += times
        failures = [failure for one in told for failure in one["failures"]]
        source = HttpSource(url)
        checkpoint = open_checkpoint(read_checkpoint(source), [log_key])
        found = check_log(source, checkpoint)
        if found.outcome is not Outcome.TRUE:
            failures += [f"the whole log: {finding}" for finding in found.findings]
        recorded = before + len(spent["statement recorded"])
        if not failures and checkpoint.size != recorded:
            failures.append(f"{recorded} statements were acknowledged, the log has {checkpoint.size}")
    return Hammered(spent, failures, lasted, checkpoint.size)


@contextmanager
def _part(part: str, **told: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, __file__, part, json.dumps(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            end_process(process)


def _first_line(process: subprocess.Popen[str]) -> str:
    """What a part says once it is at work."""
    output: IO[str] | None = process.stdout
    line = output.readline().strip() if output else ""
    if not line:
        raise RuntimeError(f"{process.args[2]} did not begin")
    return line


if __name__ == "__main__":
    mine, given = sys.argv[1], json.loads(sys.argv[2])
    if mine == "serve":
        serve(**given)
    else:
        print(json.dumps(play(mine, **given)))
