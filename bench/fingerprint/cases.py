"""Pairs of tables that are the same or not, made with a fixed seed, as files that every peer can be asked about.

All tables keep to types that every peer reads, but for the one with a list. Nothing here knows what a peer will answer.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 50_000
LATE = 20_000
"""A row that peers which look at the first rows only don't see."""
EARLY = 5
"""A row that all of them see."""

# The pair of Wang, Feng, Lai and Yu (2004): the second has the highest bit of six bytes flipped. Since both leave MD5
# in one state, the digests stay equal whatever follows.
COLLIDING = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f89"
    "55ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5b"
    "d8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70"
)
FLIPPED = (19, 45, 59, 83, 109, 123)


@dataclass(frozen=True, slots=True)
class Case:
    """Two files, and whether what they hold is one table."""

    name: str
    before: Path
    after: Path
    same_rows: bool
    """What an identity of records should say."""

    @property
    def same_bytes(self) -> bool:
        """What an identity of files should say."""
        return self.before.read_bytes() == self.after.read_bytes()


def make_table(rows: int) -> pa.Table:
    """Ten columns of mixed types: a text of 1,000 values, one with all distinct, one column with gaps."""
    random = np.random.default_rng(2013)
    return pa.table(
        {
            "account": random.integers(0, 2**60, rows),
            "amount": random.integers(-(2**40), 2**40, rows),
            "count": random.integers(-1000, 1000, rows).astype("i4"),
            "customer": pa.array([f"customer-{value}" for value in random.permutation(rows).tolist()]),
            "gaps": pa.array(random.integers(0, 10**6, rows).astype("i4"), mask=random.random(rows) < 0.05),
            "name": pa.array([f"name-{value}" for value in random.integers(0, 1000, rows).tolist()]),
            "paid": random.random(rows) < 0.5,
            "price": random.normal(size=rows),
            "ratio": random.normal(size=rows).astype("f4"),
            "time": pa.array(random.integers(0, 2**50, rows), pa.timestamp("us")),
        }
    )


def write_cases(folder: Path) -> Iterator[Case]:
    """Write each pair below a folder of its own, so that the two files have one name where the format is the same."""
    table = make_table(ROWS)
    # Of what CSV has no word for, only what peers read in one way: no times, one width of integers and of floats.
    flat = _replace(table, "count", table["count"].cast(pa.int64())).drop_columns(["gaps", "ratio", "time"])
    random = np.random.default_rng(7)
    vectors = pa.FixedSizeListArray.from_arrays(random.normal(size=4 * ROWS), 4).cast(pa.list_(pa.float64()))
    with_list = table.select(["account", "name"]).append_column("vector", vectors)
    with_nan = _put(table, "price", EARLY, float("nan"))
    shuffled = table.take(random.permutation(ROWS))
    renamed = table.rename_columns(["rate" if name == "ratio" else name for name in table.column_names])
    other_width = _replace(table, "count", table["count"].cast(pa.int64()))
    categories = _replace(table, "name", table["name"].dictionary_encode())

    def case(
        name: str, after: pa.Table, *, before: pa.Table = table, same_rows: bool = False, **options: object
    ) -> Case:
        paths = _paths(folder, name, "data.parquet", "data.parquet")
        pq.write_table(before, paths[0])
        pq.write_table(after, paths[1], **options)
        return Case(name, *paths, same_rows)

    yield _copied(folder, table)
    yield case("one number changed, row 20,000", _change(table, "price", LATE))
    yield case("one text changed, row 20,000", _change(table, "name", LATE))
    yield case("one time changed, row 5", _change(table, "time", EARLY))
    yield case("one boolean changed, row 5", _change(table, "paid", EARLY))
    yield case("one list element changed, row 5", _change(with_list, "vector", EARLY), before=with_list)
    yield case("a NaN made null, row 5", _put(table, "price", EARLY, None), before=with_nan)
    yield case("a column renamed", renamed)
    yield case("two numbers forged for pandas, row 5", _forge(table, EARLY))
    yield _md5_collision(folder)
    yield case("rows in another order", shuffled, same_rows=True)
    yield case("columns in another order", table.select(table.column_names[::-1]), same_rows=True)
    yield case("int32 kept as int64", other_width, same_rows=True)
    yield case("texts kept as categories", categories, same_rows=True)
    smaller = {"compression": "zstd", "row_group_size": 10_000, "use_dictionary": False}
    yield case("Parquet, zstd and small row groups", table, same_rows=True, **smaller)
    yield _as_csv(folder, "CSV in place of Parquet", flat)
    yield _as_csv(folder, "CSV in place of Parquet, with times", flat.append_column("time", table["time"]))


def _paths(folder: Path, name: str, before: str, after: str) -> tuple[Path, Path]:
    parts = folder / name.replace(" ", "-") / "before", folder / name.replace(" ", "-") / "after"
    for part in parts:
        part.mkdir(parents=True)
    return parts[0] / before, parts[1] / after


def _replace(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _change(table: pa.Table, name: str, row: int) -> pa.Table:
    """The table with another value in one cell, as near to the old one as its type has it."""
    column = table[name]
    values = column.to_pylist() if pa.types.is_nested(column.type) else None
    if values is not None:
        values[row][-1] = float(np.nextafter(values[row][-1], np.inf))
        return _replace(table, name, pa.array(values, column.type))
    old = column[row]
    if pa.types.is_boolean(column.type):
        new = not old.as_py()
    elif pa.types.is_timestamp(column.type):
        new = pa.scalar(old.value + 1, pa.int64()).cast(column.type)
    elif pa.types.is_floating(column.type):
        new = float(np.nextafter(old.as_py(), np.inf))
    else:
        new = old.as_py() + "."
    return _put(table, name, row, new)


def _put(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    """The table with this value in one cell."""
    column = table[name]
    mask = pa.array(np.arange(len(column)) == row)
    return _replace(table, name, pc.if_else(mask, pa.scalar(value, column.type), column))


def _forge(table: pa.Table, row: int) -> pa.Table:
    """Other values in the first two columns of one row, such that `pandas.util.hash_pandas_object` hashes it the same.

    pandas hashes a row as hash(tuple) did in Python 2, from an invertible mix of each value: after one value has been
    changed as one likes, there is just one other value for the next column that leads back to the same state.
    """
    first, second = (int(table[name][row].as_py()) for name in table.column_names[:2])
    changed = first + 1
    mixed = [int(pd.util.hash_array(np.array([value]))[0]) for value in (first, changed, second)]
    states = [(0x345678 ^ value) * 1_000_003 for value in mixed[:2]]
    forged = _unmix((states[0] ^ states[1] ^ mixed[2]) % 2**64)
    for name, value in zip(table.column_names[:2], (changed, forged), strict=True):
        values = table[name].to_numpy().copy()
        values[row] = np.uint64(value).astype(np.int64)
        table = _replace(table, name, pa.array(values))
    return table


def _unmix(value: int) -> int:
    """Inverse of SplitMix64's finaliser, by which pandas mixes a value of 64 bits."""
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        shifted = value
        for _ in range(64 // shift):
            shifted = value ^ (shifted >> shift)
        value = shifted * pow(factor, -1, 2**64) % 2**64
    return value


def _copied(folder: Path, table: pa.Table) -> Case:
    paths = _paths(folder, "nothing changed, copied", "data.parquet", "data.parquet")
    pq.write_table(table, paths[0])
    shutil.copyfile(*paths)
    return Case("nothing changed, copied", *paths, same_rows=True)


def _md5_collision(folder: Path) -> Case:
    """Raw integers, as programs map them into memory: the colliding 16, and a thousand others behind them."""
    name = "six numbers changed, MD5 collides"
    paths = _paths(folder, name, "data.i64", "data.i64")
    flipped = bytes(byte ^ 0x80 * (index in FLIPPED) for index, byte in enumerate(COLLIDING))
    for path, block in zip(paths, (COLLIDING, flipped), strict=True):
        path.write_bytes(block + np.arange(1000, dtype="<i8").tobytes())
    case = Case(name, *paths, same_rows=False)
    digests = {hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() for path in paths}
    if len(digests) != 1 or case.same_bytes:
        raise AssertionError(f"expected two files of one MD5, got {', '.join(sorted(digests))}")
    return case


def _as_csv(folder: Path, name: str, table: pa.Table) -> Case:
    paths = _paths(folder, name, "data.parquet", "data.csv")
    pq.write_table(table, paths[0])
    pyarrow.csv.write_csv(table, paths[1])
    return Case(name, *paths, same_rows=True)
