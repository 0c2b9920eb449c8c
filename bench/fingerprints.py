"""How fast fingerprints are, against a floor and against peers, in one run of under a minute.

    python bench/fingerprints.py [--rows 1000000]

The floor of `wf-records-1` is two small SHA-256 for each row (its leaf, and a node above it) on every core, at the rate
of `openssl speed`. CPU seconds are what the process itself used: they tell the same on a machine that others use too.
Peers detect less: pandas hashes to 64 bits that anybody can collide, a file's digest depends on how it was written.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from wherefrom.fingerprints import fingerprint_files, fingerprint_records
from wherefrom.fingerprints.pool import worker_count

REPEAT = 3


def make_table(rows: int) -> pa.Table:
    """Ten columns of mixed types, the same each time; one text of 1,000 values, one all different, one with gaps."""
    random = np.random.default_rng(2013)
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
            "few": pa.array([f"name-{value}" for value in random.integers(0, 1000, rows).tolist()]),
            "all": pa.array([f"customer-{value}" for value in random.permutation(rows).tolist()]),
        }
    )


def measure(function, *arguments) -> tuple[float, float]:
    """Wall and CPU seconds, the best of a few: other work on the machine only makes it slower."""
    times = []
    for _ in range(REPEAT):
        start, cpu = time.perf_counter(), time.process_time()
        function(*arguments)
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    return min(times)[0], min(cpu for _, cpu in times)


def seconds(function, *arguments) -> float:
    return measure(function, *arguments)[0]


def openssl_rate() -> float:
    """SHA-256 of 91 bytes a second on one core, as OpenSSL measures it; hashlib's where there is no openssl command."""
    try:
        command = ["openssl", "speed", "-seconds", "1", "-bytes", "91", "sha256"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return float(output.split()[-1].rstrip("k")) * 1000 / 91
    except (OSError, subprocess.CalledProcessError, ValueError):
        data = bytes(91)
        return 200_000 / seconds(lambda: [hashlib.sha256(data).digest() for _ in range(200_000)])


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bench_records(rows: int, folder: Path) -> None:
    table = make_table(rows)
    parquet = folder / "table.parquet"
    pq.write_table(table, parquet)
    frame = table.to_pandas()
    fingerprint_records(table)  # imports the native hasher
    cores, rate = worker_count(), openssl_rate()
    floor = rate / 2 * cores
    print(f"{rows:,} rows x {table.num_columns} columns, {table.nbytes / 2**20:.0f} MiB in memory, {cores} cores")
    print(f"floor: two SHA-256 a row at openssl's {rate / 1e6:.2f} M/s x {cores} cores = {floor / 1e6:.2f} M rows/s\n")
    print(f"{'':42}{'seconds':>9}{'M rows/s':>10}{'of floor':>10}{'CPU s':>8}{'of floor':>10}")
    for name, function, argument in (
        ("wf-records-1, Arrow in memory", fingerprint_records, table),
        ("wf-records-1, pandas frame", fingerprint_records, frame),
        ("wf-records-1, Parquet file", fingerprint_records, parquet),
        ("peer: pandas.util.hash_pandas_object", pd.util.hash_pandas_object, frame),
        ("peer: SHA-256 of the Parquet file", sha256_of, parquet),
        ("peer: reading the Parquet file, no hash", pq.read_table, parquet),
    ):
        wall, cpu = measure(function, argument)
        ratios = f"{rows / wall / floor:10.2f}{cpu:8.2f}{2 * rows / rate / cpu:10.2f}"
        print(f"{name:42}{wall:9.2f}{rows / wall / 1e6:10.2f}{ratios}")


def bench_small() -> None:
    """A fresh process, as a command line sees it."""
    program = (
        "import time; start = time.perf_counter();"
        "import pyarrow, numpy; begin = time.perf_counter();"
        "from wherefrom.fingerprints import fingerprint_records;"
        "import pyarrow.parquet as pq; fingerprint_records({path!r});"
        "print(time.perf_counter() - begin)"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.parquet")
        pq.write_table(make_table(1_000), path)
        command = [sys.executable, "-c", program.format(path=str(path))]
        times = [
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(REPEAT)
        ]
    print(f"\n1,000 rows of Parquet in a fresh process, beyond importing numpy and pyarrow: {min(times):.3f} s")


def bench_files(folder: Path) -> None:
    small, large = folder / "small", folder / "large"
    for index in range(100):
        (small / str(index)).mkdir(parents=True)
        for number in range(200):
            (small / str(index) / str(number)).write_bytes(os.urandom(4096))
    large.mkdir()
    for index in range(256):
        (large / str(index)).write_bytes(os.urandom(2**20))
    print(f"\n{'':42}{'seconds':>9}{'files/s':>10}{'MiB/s':>10}")
    for name, tree in (("20,000 files of 4 KiB", small), ("256 files of 1 MiB", large)):
        files = [path for path in tree.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 2**20
        for what, taken in (
            (f"wf-files-1, {name}", seconds(fingerprint_files, tree)),
            ("peer: hashlib, one file after another", seconds(lambda files=files: [sha256_of(path) for path in files])),
        ):
            print(f"{what:42}{taken:9.2f}{len(files) / taken:10,.0f}{size / taken:10,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        bench_records(parser.parse_args().rows, Path(folder))
        bench_small()
        bench_files(Path(folder))


if __name__ == "__main__":
    main()
