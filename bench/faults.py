"""Faults of every kind, tried on archives on SQLite and PostgreSQL; prints how many, and what they broke.

After each fault: nothing acknowledged is lost, no two different checkpoints of one size were signed, the ledger and its
views check clean, and the archive records again.

Usage: python bench/faults.py [--batches N] [--kills N] [--most N] [KIND…]
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

for name in ("unit", "contract", "fault"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / name))

from cutting import CuttingProxy  # noqa: E402 - where they are is said above
from database_faults import behind, cut_connections, in_schema, kill_server, socket_of  # noqa: E402
from full_disk import fill_disks, may_mount  # noqa: E402
from injection import (  # noqa: E402
    CALLS,
    FAULTS,
    Subject,
    Tried,
    count_calls,
    in_folder,
    inject,
    kill_at_random,
    let_clock_jump,
    record_at_once,
    spread,
)
from postgresql_server import PostgresqlServer  # noqa: E402
from publishing_faults import inject_into_publishing, nearly_full_tile  # noqa: E402
from workers import Worker  # noqa: E402

Series = Iterator[tuple[str, Tried]]


class Faults:
    """Each method is a series of one kind: what to count it as, and what came of it."""

    def __init__(self, root: Path, worker: Worker, options: argparse.Namespace) -> None:
        self.root, self.worker, self.options = root, worker, options

    def calls(self) -> Series:
        """Every write-type system call fails once, fails from then on, or kills."""
        counted = Subject(in_folder(self.root / "counted"))
        task = {"where": counted.where, "name": "count", "batches": self.options.batches}
        for call, count in count_calls(self.worker, "record", task).items():
            for fault in FAULTS:
                for lasting in (False, True) if fault != "SIGKILL" else (False,):
                    subject = Subject(in_folder(self.root / f"{call}-{fault}-{lasting}"))
                    # A retry or a lock waited for makes more calls; a series ends where the call was not made any more.
                    times = spread(count, self.options.most // 4) if lasting else spread(count + 8, self.options.most)
                    for tried in inject(
                        self.worker, subject, call, fault, times, batches=self.options.batches, lasting=lasting
                    ):
                        yield f"{fault}{', lasting,' if lasting else ''} at {call}", tried

    def publications(self) -> Series:
        """The same while a ledger is published as files."""
        for call in CALLS:
            for fault in FAULTS:
                archive = nearly_full_tile(in_folder(self.root / f"publishing-{call}-{fault}"))
                subject, target = Subject(archive), self.root / f"published-{call}-{fault}"
                times = range(1, self.options.most + 1)
                for tried in inject_into_publishing(self.worker, subject, target, call, fault, times):
                    yield f"{fault} at {call}, publishing", tried

    def kills(self) -> Series:
        """SIGKILL at random."""
        for group in range(-(-self.options.kills // 20)):
            subject = Subject(in_folder(self.root / f"kills-{group}"))
            for tried in kill_at_random(self.worker, subject, random.Random(group), 20):
                yield "SIGKILL at random, SQLite", tried

    def clocks(self) -> Series:
        for tried in let_clock_jump(self.worker, self.root / "clocks", range(20), batches=20):
            yield "clock jumping (20 batches each)", tried

    def disks(self) -> Series:
        if may_mount():
            for tried in fill_disks(self.worker, self.root / "disks", range(0, 800, 40)):
                yield "full disk", tried
        else:
            print("full disk: not tried, only root may mount one")

    def writers(self) -> Series:
        with contextlib.ExitStack() as stack:
            workers = [self.worker, *(stack.enter_context(Worker()) for _ in range(2))]
            server = stack.enter_context(contextlib.closing(PostgresqlServer()))
            for number in range(5):
                on_file = Subject(in_folder(self.root / f"writers-{number}"))
                yield "three processes at once, SQLite", record_at_once(workers, on_file, batches=20)
                in_database = Subject(in_schema(server, self.root / f"writers-pg-{number}", f"w{number}"))
                yield "three processes at once, PostgreSQL", record_at_once(workers, in_database, batches=20)

    def servers(self) -> Series:
        with contextlib.closing(PostgresqlServer()) as server:
            for group in range(-(-self.options.kills // 20)):
                subject = Subject(in_schema(server, self.root / f"servers-{group}", f"s{group}"))
                for tried in kill_server(self.worker, server, subject, random.Random(group), 12):
                    yield f"PostgreSQL: {tried.fault.rpartition(' ')[0]}", tried
                subject = Subject(in_schema(server, self.root / f"kills-pg-{group}", f"k{group}"))
                for tried in kill_at_random(self.worker, subject, random.Random(group), 20):
                    yield "SIGKILL at random, PostgreSQL", tried

    def connections(self) -> Series:
        with contextlib.closing(PostgresqlServer()) as server, CuttingProxy(socket_of(server)) as proxy:
            subject = behind(proxy, server, self.root / "connections", "c")
            for tried in cut_connections(
                self.worker, proxy, subject, most=self.options.most, batches=self.options.batches
            ):
                yield f"connection {tried.fault.partition(' after')[0]}", tried


KINDS: dict[str, Callable[[Faults], Series]] = {
    kind.__name__: kind
    for kind in (
        Faults.calls,
        Faults.publications,
        Faults.kills,
        Faults.clocks,
        Faults.disks,
        Faults.writers,
        Faults.servers,
        Faults.connections,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all by default")
    parser.add_argument("--batches", type=int, default=3, help="transactions that a task records")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--most", type=int, default=10_000, help="faults of one series")
    options = parser.parse_args()
    counted: dict[str, int] = {}
    refused = acknowledged = broken = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as root, Worker() as worker:
        for kind in options.kinds or KINDS:
            for label, tried in KINDS[kind](Faults(Path(root), worker, options)):
                counted[label] = counted.get(label, 0) + 1
                refused += len(tried.told.refused)
                acknowledged += len(tried.told.receipts)
                broken += bool(tried.problems)
                for problem in tried.problems:
                    print(f"BROKEN by {tried.fault}: {problem}", flush=True)
            print(f"{kind}: {time.monotonic() - start:,.0f} s, {sum(counted.values()):,} faults so far", flush=True)
    for label, count in counted.items():
        print(f"{count:7,}  {label}")
    print(
        f"{sum(counted.values()):7,}  faults in {time.monotonic() - start:,.0f} s; {acknowledged:,} statements "
        f"acknowledged, {refused:,} refusals, {broken} faults after which a promise was broken"
    )
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
