"""What this machine does at best, and how figures are taken and printed."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent of the values don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def spread_ms(spent_s: Sequence[float]) -> str:
    return f"p50 {percentile(spent_s, 50) * 1000:8.2f} ms  p99 {percentile(spent_s, 99) * 1000:8.2f} ms"


def times_s(act: Callable[[], object], count: int) -> list[float]:
    spent = []
    for _ in range(count):
        start = time.perf_counter()
        act()
        spent.append(time.perf_counter() - start)
    return spent


def rss_mib(pid: int | str = "self") -> float:
    """Memory of a process that is its own: resident, less what it shares with files (a mapped database, say)."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


def describe() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {model}, {memory:.0f} GB, load {os.getloadavg()[0]:.1f}"


def print_floor(folder: Path) -> None:
    """What one durable write costs here: the floor of an acknowledged append."""
    for size in (4096, 1 << 20):
        with (folder / "probe").open("wb") as file:
            spent = times_s(lambda file=file, size=size: _write_durably(file, size), 50)
        rate = 1 / statistics.mean(spent)
        print(f"floor: write and fsync {size >> 10:5} KiB  {rate:8.0f}/s  {spread_ms(spent)}")
    (folder / "probe").unlink()


def _write_durably(file: BinaryIO, size: int) -> None:
    file.write(bytes(size))
    file.flush()
    os.fsync(file.fileno())
