"""Asking a filled archive: traces, evidence and its verification, and checking everything."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ledger.events import record_parsed, statements
from wherefrom.archive import Archive
from wherefrom.archive.issuing import issue_evidence
from wherefrom.notes import parse_policy
from wherefrom.verify import Outcome, verify_bundle


def run(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        archive = Archive.init(Path(name), namespace="bench")
        bodies = statements("ask", 0, count)
        for at in range(0, count, 1000):
            record_parsed(archive, bodies[at : at + 1000])
        print(
            f"trace 20 runs up, of {count:,}: {_median_ms(lambda: archive.trace(f'ask/t{count}', depth=20), 10):.1f} ms"
        )
        policy = parse_policy(archive.trust_file.read_bytes())
        for runs in (10, 100):
            data, _ = issue_evidence(archive, f"ask/t{runs}")
            if verify_bundle(data, policy).outcome is not Outcome.TRUE:
                raise SystemExit("the evidence does not verify")
            spent = _median_ms(lambda data=data: verify_bundle(data, policy), 20, clock=time.process_time)
            verdict = "" if spent < 50 else "  over 50 ms"
            print(f"verify evidence of {runs} runs, {len(data):,} bytes: {spent:.1f} ms of process time{verdict}")
        start = time.perf_counter()
        problems = [problem for _, found in archive.check() for problem in found]
        each = (time.perf_counter() - start) / archive.size() * 1e6
        print(f"doctor: {each:.0f} µs per entry, {len(problems)} problems")
        archive.close()


def _median_ms(act: Callable[[], object], times: int, *, clock: Callable[[], float] = time.perf_counter) -> float:
    spent = []
    for _ in range(times):
        start = clock()
        act()
        spent.append((clock() - start) * 1000)
    return statistics.median(spent)
