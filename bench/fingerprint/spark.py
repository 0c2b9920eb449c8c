"""The same fingerprint on Spark as on one machine, what it costs, and what comes to the driver.

    python bench/fingerprint/spark.py [--rows 10000000] [--cores 2] [--partitions 16]

Needs `pip install 'wherefrom[spark]'` and Java. The first Spark run is for warming up: workers start, and import. Both
roads read the same Parquet file. Exits with 1 when the two ids differ.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import wherefrom.spark
from wherefrom.fingerprints import fingerprint_records

if TYPE_CHECKING:
    from collections.abc import Iterator

PART_ROWS = 500_000


def iter_parts(rows: int) -> Iterator[pa.Table]:
    """Ten columns of mixed types, the same each time; a text of 1,000 values, one all different; one row in a hundred
    is the same row."""
    for start in range(0, rows, PART_ROWS):
        random = np.random.default_rng([2013, start])
        count = min(PART_ROWS, rows - start)
        drawn = np.arange(count)
        drawn[random.random(count) < 0.01] = 0
        table = pa.table(
            {
                "small": random.integers(-128, 128, count).astype("i1"),
                "gaps": pa.array(random.integers(0, 10**6, count).astype("i4"), mask=random.random(count) < 0.05),
                "large": random.integers(0, 2**60, count),
                "double": random.normal(size=count),
                "single": random.normal(size=count).astype("f4"),
                "flag": random.random(count) < 0.5,
                "time": pa.array(random.integers(0, 2**50, count), pa.timestamp("us", "UTC")),
                "day": pa.array(random.integers(0, 20_000, count).astype("i4"), pa.date32()),
                "few": pa.array([f"name-{value}" for value in random.integers(0, 1000, count).tolist()]),
                "all": pa.array([f"customer-{value}" for value in range(start, start + count)]),
            }
        )
        yield table.take(pa.array(drawn))


def start_spark(cores: int, partitions: int) -> Any:
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "4g",
        "spark.sql.shuffle.partitions": str(partitions),
    }
    builder = SparkSession.builder.master(f"local[{cores}]").appName("wherefrom-bench")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def count_collected(frame_type: Any, sizes: list[int]) -> None:
    """Note how large each result is that comes to the driver."""
    collect = frame_type.collect

    def counting(self: Any) -> Any:
        rows = collect(self)
        sizes.append(len(pickle.dumps([tuple(row) for row in rows])))
        return rows

    frame_type.collect = counting


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--partitions", type=int, default=16)
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        parts = iter_parts(arguments.rows)
        first = next(parts)
        with pq.ParquetWriter(path, first.schema) as writer:
            writer.write_table(first)
            for part in parts:
                writer.write_table(part)
        start = time.perf_counter()
        here = fingerprint_records(path)
        here_s = time.perf_counter() - start

        session = start_spark(arguments.cores, arguments.partitions)
        sizes: list[int] = []
        df = session.read.parquet(str(path))
        count_collected(type(df), sizes)
        wherefrom.spark.fingerprint(df.limit(1000))
        sizes.clear()
        start = time.perf_counter()
        there = wherefrom.spark.fingerprint(df)
        there_s = time.perf_counter() - start
        session.stop()
    print(f"rows              {here.rows:,} in {len(here.columns)} columns")
    print(f"one machine       {here_s:.1f} s, {here.rows / here_s:,.0f} rows/s")
    print(f"Spark local[{arguments.cores}]    {there_s:.1f} s, {there.rows / there_s:,.0f} rows/s")
    print(f"driver received   {sum(sizes):,} bytes in {len(sizes)} results, {arguments.partitions} partitions")
    print(f"same root         {'yes' if here == there else 'no'}: {there}")
    return 0 if here == there else 1


if __name__ == "__main__":
    sys.exit(main())
