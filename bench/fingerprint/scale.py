"""What `wf-records-1` costs at scale: rows a second, memory, cores, and the ratio to a floor measured beside it.

    python bench/fingerprint/scale.py [--rows 10000000] [--cache FOLDER] [--memory BYTES] [--from memory,parquet]

The floor is two small SHA-256 for each row (its leaf, and a node above it) on every core, at the rate of `openssl speed
-bytes 91 sha256`. Each figure comes from a process of its own, after one small fingerprint that loads the libraries. On
a machine that others use too, "of floor by CPU" tells more: the ratio, had the process all cores to itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.pool import worker_count

CHUNK_ROWS = 1_000_000
SEED = 2013
# Small tables are taken as often as makes so many rows, and the best counts: other work only makes it slower.
REPEATED_ROWS = 5_000_000


def make_table(rows: int, *, first: int = 0) -> pa.Table:
    """Ten columns of mixed types, the same each time; one text of 1,000 values, one all different, one with gaps.

    `first` counts the rows before these, so that chunks of one large table differ.
    """
    random = np.random.default_rng([SEED, first])
    return pa.table(
        {
            "small": random.integers(-128, 128, rows).astype("i1"),
            "gaps": pa.array(random.integers(0, 10**6, rows).astype("i4"), mask=random.random(rows) < 0.05),
            "large": random.integers(0, 2**60, rows),
            "double": random.normal(size=rows),
            "single": random.normal(size=rows).astype("f4"),
            "flag": random.random(rows) < 0.5,
            "time": pa.array(random.integers(0, 2**50, rows), pa.timestamp("us")),
            "day": pa.array(random.integers(0, 20_000, rows).astype("i4"), pa.date32()),
            "few": _texts("name", random.integers(0, 1000, rows)),
            "all": _texts("customer", first + random.permutation(rows)),
        }
    )


def _texts(prefix: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "-")


def write_parquet(path: Path, rows: int) -> None:
    """Write the table a chunk at a time; it appears under its name when it is whole."""
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, make_table(0).schema) as writer:
        for first in range(0, rows, CHUNK_ROWS):
            writer.write_table(make_table(min(CHUNK_ROWS, rows - first), first=first))
    partial.rename(path)


def openssl_rate() -> float:
    """SHA-256 of 91 bytes a second on one core, as OpenSSL measures it; hashlib's where there is no openssl command."""
    try:
        command = ["openssl", "speed", "-seconds", "1", "-bytes", "91", "sha256"]
        # The best of three: other work on the machine only makes it slower.
        outputs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
        return max(float(output.split()[-1].rstrip("k")) for output in outputs) * 1000 / 91
    except (OSError, subprocess.CalledProcessError, ValueError):
        data, start = bytes(91), time.perf_counter()
        for _ in range(200_000):
            hashlib.sha256(data).digest()
        return 200_000 / (time.perf_counter() - start)


def measure_here(source: str, path: Path, memory_bytes: int) -> dict[str, object]:
    """Wall and CPU seconds and peak memory of this process, which does nothing else."""
    fingerprint_records(make_table(500_000))
    table = pq.read_table(path) if source == "memory" else None
    rows = pq.read_metadata(path).num_rows
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    times = []
    for _ in range(max(1, REPEATED_ROWS // rows)):
        start, cpu = time.perf_counter(), time.process_time()
        fingerprint = fingerprint_records(path if table is None else table, memory_bytes=memory_bytes)
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    return {
        "seconds": min(seconds for seconds, _ in times),
        "cpu": min(cpu for _, cpu in times),
        "before": before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "id": fingerprint.id,
    }


def measure(source: str, path: Path, memory_bytes: int) -> dict[str, object]:
    command = [sys.executable, __file__, "--child", source, "--path", str(path), "--memory", str(memory_bytes)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def bench(rows: int, sources: list[str], folder: Path, memory_bytes: int) -> None:
    path = folder / f"scale-{SEED}-{rows}.parquet"
    if not path.exists():
        start = time.perf_counter()
        write_parquet(path, rows)
        print(f"wrote {path.stat().st_size / 2**20:,.0f} MiB of Parquet in {time.perf_counter() - start:.0f} s")
    cores, rate = worker_count(), openssl_rate()
    floor = rate / 2 * cores
    print(f"{rows:,} rows x 10 columns; {cores} cores; memory_bytes={memory_bytes:,}")
    print(f"floor: two SHA-256 a row at openssl's {rate / 1e6:.2f} M/s x {cores} cores = {floor / 1e6:.2f} M rows/s\n")
    heads = ("seconds", "M rows/s", "of floor", "CPU s", "cores", "of floor by CPU", "peak MiB", "before")
    print(f"{'':10}" + "".join(f"{head:>{max(10, len(head) + 2)}}" for head in heads))
    ids = set()
    for source in sources:
        got = measure(source, path, memory_bytes)
        ids.add(got["id"])
        wall, cpu = got["seconds"], got["cpu"]
        print(
            f"{source:10}{wall:10.2f}{rows / wall / 1e6:10.2f}{rows / wall / floor:10.2f}{cpu:10.2f}{cpu / wall:10.2f}"
            f"{2 * rows / rate / cpu:17.2f}{got['peak'] / 2**20:10,.0f}{got['before'] / 2**20:10,.0f}"
        )
    if len(ids) > 1:
        raise SystemExit("the fingerprints differ")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--cache", type=Path, help="keep the generated file here and use it again")
    parser.add_argument("--memory", type=int, default=2**30)
    parser.add_argument("--from", dest="sources", default="memory,parquet")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        json.dump(measure_here(options.child, options.path, options.memory), sys.stdout)
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.cache:
            os.makedirs(options.cache, exist_ok=True)  # noqa: PTH103
        bench(options.rows, options.sources.split(","), options.cache or Path(folder), options.memory)


if __name__ == "__main__":
    main()
