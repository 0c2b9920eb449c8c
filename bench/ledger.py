"""Recording, tracing and verifying on this machine: durable appends per second, and milliseconds per question.

Usage: python bench/ledger.py [STATEMENTS]
"""

import hashlib
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from wherefrom.archive import Archive
from wherefrom.archive.issuing import issue_evidence
from wherefrom.notes import parse_policy
from wherefrom.statements import Statement, make_event_statement
from wherefrom.verify import Outcome, verify_bundle

FACET = {"_producer": "https://example.com/bench", "_schemaURL": "https://example.com/bench"}


def dataset(name: str) -> dict:
    digest = hashlib.sha256(name.encode()).hexdigest()
    facet = {**FACET, "digests": {"sha256": digest}, "known": "observed"}
    return {"namespace": "bench", "name": name, "facets": {"wherefrom_fingerprint": facet}}


def run(number: int) -> Statement:
    """One run that reads what the run before it wrote."""
    return make_event_statement(
        {
            "eventType": "COMPLETE",
            "eventTime": "2026-11-21T08:00:00Z",
            "producer": FACET["_producer"],
            "schemaURL": FACET["_schemaURL"],
            "run": {"runId": str(uuid.UUID(int=number))},
            "job": {"namespace": "bench", "name": "step"},
            "inputs": [dataset(f"t{number}"), dataset(f"side{number}")],
            "outputs": [dataset(f"t{number + 1}")],
        }
    )


def median_ms(act: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


def fsync_ms(folder: Path) -> float:
    """What one durable write of 4 KiB costs here: the floor of an acknowledged append."""
    with (folder / "probe").open("wb") as file:

        def write() -> None:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())

        return median_ms(write, 50)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    with tempfile.TemporaryDirectory() as folder:
        archive, number = Archive.init(Path(folder), namespace="bench"), 0
        floor = fsync_ms(Path(folder))
        print(f"fsync of 4 KiB: {floor:.2f} ms")
        for size in (1, 100, 1000):
            runs = [run(number + more) for more in range(min(count, 50 * size))]
            number += len(runs)
            start = time.perf_counter()
            for at in range(0, len(runs), size):
                archive.record(*runs[at : at + size])
            spent = time.perf_counter() - start
            commits = -(-len(runs) // size)
            print(
                f"batches of {size}: {len(runs) / spent:,.0f} durable statements/s, "
                f"{spent / commits * 1000:.1f} ms each, {spent / commits * 1000 / floor:.1f} × the fsync"
            )
        stored = sum(path.stat().st_size for path in archive.folder.glob("archive.db*"))
        print(f"{archive.size():,} entries, {stored / archive.size():,.0f} bytes each with views")
        print(f"trace 20 runs up: {median_ms(lambda: archive.trace(f't{number}', depth=20), 10):.1f} ms")
        data, _ = issue_evidence(archive, "t20")
        policy = parse_policy(archive.trust_file.read_bytes())
        if verify_bundle(data, policy).outcome is not Outcome.TRUE:
            sys.exit("the evidence does not verify")
        spent = median_ms(lambda: verify_bundle(data, policy), 20)
        print(f"verify evidence of 20 runs, {len(data):,} bytes: {spent:.1f} ms")
        start = time.perf_counter()
        problems = [problem for _, found in archive.check() for problem in found]
        print(
            f"doctor: {(time.perf_counter() - start) / archive.size() * 1e6:.0f} µs per entry, {len(problems)} problems"
        )


if __name__ == "__main__":
    main()
