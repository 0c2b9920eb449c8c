"""The ledger alone: statements whose signatures were checked, to entries, payloads, tiles and a signed checkpoint."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ledger.databases import Place
from ledger.machine import percentile, rss_mib, spread_ms
from wherefrom.ledger import Ledger, Submission, make_signed, prove_entry
from wherefrom.ledger.stored_log import StoredLog
from wherefrom.merkle import verify_inclusion
from wherefrom.notes import SigningKey, open_checkpoint
from wherefrom.statements import Envelope, Signature, format_statement, make_gap_statement
from wherefrom.store import Database, LedgerTables
from wherefrom.tlog import check_log
from wherefrom.verify import Outcome

ORIGIN = "example.com/bench"
AT = "2026-11-21T08:00:00Z"


def submissions(start: int, count: int) -> list[Submission]:
    """Small statements, each another one: about 700 bytes of envelope."""
    made = []
    for number in range(start, start + count):
        statement = make_gap_statement(f"run-{number}", "bench", f"number {number}", at=AT)
        payload = format_statement(statement)
        envelope = Envelope(payload, (Signature(f"{ORIGIN}/producer+00000000", bytes(64)),))
        made.append(Submission(make_signed(statement, envelope), (f"{ORIGIN}/producer+00000000",)))
    return made


class Bench:
    """One ledger in one database, filled further and further."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder, self.size = place, folder, 0
        self.log = Ledger(SigningKey.generate(ORIGIN))
        location = place.location(folder)
        Database.create(location, lambda connection: self.log.start(LedgerTables(connection))).close()
        self.database = Database.open(location)

    def append(self, batch: list[Submission]) -> None:
        with self.database.writing() as connection:
            self.log.append(LedgerTables(connection), batch)
        self.size += len(batch)

    def measure(self, batch: int, count: int) -> list[float]:
        """Seconds of each of `count` durable commits; making the statements is not part of them."""
        spent = []
        for _ in range(count):
            made = submissions(self.size, batch)
            for submission in made:
                submission.dedup  # noqa: B018 - hashing the payload is the producer's thread's work
            start = time.perf_counter()
            self.append(made)
            spent.append(time.perf_counter() - start)
        return spent

    def prove(self, count: int) -> list[float]:
        """Seconds of each of `count` inclusion proofs from the store, all over the tree; each is verified."""
        spent = []
        with self.database.reading() as connection:
            tables = LedgerTables(connection)
            root = open_checkpoint(tables.read_checkpoint(), [self.log.verifier_key]).root
            for number in range(count):
                index = number * 2654435761 % self.size
                leaf = tables.read_entries([index])[0].leaf_hash
                start = time.perf_counter()
                proof = prove_entry(tables, index=index, size=self.size)
                spent.append(time.perf_counter() - start)
                verify_inclusion(leaf, index=index, size=self.size, proof=proof, root=root)
        return spent

    @contextlib.contextmanager
    def reading(self) -> Iterator[LedgerTables]:
        with self.database.reading() as connection:
            yield LedgerTables(connection)

    def check(self) -> float:
        """Seconds to hold every entry and tile against the newest checkpoint (`wherefrom ledger fsck`)."""
        with self.reading() as tables:
            checkpoint = open_checkpoint(tables.read_checkpoint(), [self.log.verifier_key])
        start = time.perf_counter()
        if check_log(StoredLog(self.reading), checkpoint).outcome is not Outcome.TRUE:
            raise SystemExit("fsck finds the ledger bad")
        return time.perf_counter() - start


def steps(most: int) -> Iterator[int]:
    """10 000, 100 000, … up to `most`."""
    size = 10_000
    while size < most:
        yield size
        size *= 10
    yield most


def run(place: Place, most: int) -> None:
    """Fill to each size, and print there what batches of 1,000, 100 and 1 do."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(place, Path(name))
        for size in steps(most):
            start, before, fill = time.perf_counter(), bench.size, []
            while bench.size < size:
                fill += bench.measure(1000, 1)
            if fill:
                rate = (bench.size - before) / sum(fill)
                print(
                    f"{place.name}: filled to {bench.size:>10,} in {time.perf_counter() - start:6.0f} s: {rate:7,.0f}/s"
                    f"  {spread_ms(fill)}  longest {max(fill) * 1000:.0f} ms",
                    flush=True,
                )
            for batch, count in ((1000, 100), (100, 300), (1, 300)):
                spent = bench.measure(batch, count)
                rate = batch * len(spent) / sum(spent)
                print(f"{place.name}: {size:>10,} entries, batches of {batch:>5,}: {rate:7,.0f}/s  {spread_ms(spent)}")
            proofs = bench.prove(2000)
            stored = place.count_bytes(bench.folder) / bench.size
            print(
                f"{place.name}: {size:>10,} entries, inclusion proof: {spread_ms(proofs)}; "
                f"{stored:,.0f} bytes per entry; {rss_mib():.0f} MiB of memory",
                flush=True,
            )
            if percentile(proofs, 99) > 0.002:
                print("    over 2 ms")
            if 100_000 <= size <= 1_000_000:
                checked = bench.check()
                print(
                    f"{place.name}: {size:>10,} entries, fsck: {checked:.1f} s, "
                    f"{checked / bench.size * 1e6:.1f} s for each million",
                    flush=True,
                )
        bench.database.close()
