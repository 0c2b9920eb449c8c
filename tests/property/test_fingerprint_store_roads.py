"""One table has one fingerprint in every store, or the table below says what the store can't carry.

Nested types too; `test_fingerprint_roads.py` does the same for what all of pandas, CSV and JSON carry.
"""

import contextlib
import math
import tempfile
from decimal import Decimal
from pathlib import Path

import datasets
import deltalake
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import orc
from pyiceberg.catalog.memory import InMemoryCatalog
from tests.reference import wf_records
from tests.unit.fingerprints.tables import (
    DrawnColumn,
    Kind,
    arrow_of,
    decimal_kind,
    fixed_list_kind,
    floating,
    list_kind,
    map_kind,
    notation_of,
    number,
    optional,
    seconds,
    struct_kind,
)

from wherefrom.fingerprints import fingerprint_records

# Years 1900 to 2100: what each store does at the ends of its own range is for its own tests.
_SECONDS = st.integers(-(2**31), 2**32)
_MICROSECONDS = st.integers(-(2**51), 2**52)
_words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
_int64 = Kind(pa.int64(), st.integers(-(2**63), 2**63 - 1), number)
_int8 = Kind(pa.int8(), st.integers(-128, 127), number)
_float64 = Kind(pa.float64(), st.floats(), floating)
_float32 = Kind(pa.float32(), st.floats(width=32), floating)
_string = Kind(pa.string(), _words, lambda raw: {"text": raw})
_decimal = decimal_kind(pa.decimal128, 20, 3)
_micro = Kind(pa.timestamp("us"), _MICROSECONDS, seconds("datetime", "us"))
_instant = Kind(pa.timestamp("us", "UTC"), _MICROSECONDS, seconds("instant", "us"))
_pair = struct_kind({"a": _int64, "b": _string})


def _without_duplicate_keys(kind):
    """As DuckDB and most others want their maps."""
    return Kind(kind.type, kind.raw.map(lambda entries: list(dict(entries).items())), kind.notation)


KINDS = {
    "int8": _int8,
    "int64": _int64,
    "uint8": Kind(pa.uint8(), st.integers(0, 255), number),
    "uint64": Kind(pa.uint64(), st.integers(0, 2**64 - 1), number),
    "float16": Kind(pa.float16(), st.floats(width=16), floating),
    "float32": _float32,
    "float64": _float64,
    "bool": Kind(pa.bool_(), st.booleans(), lambda raw: raw),
    "string": _string,
    "large_string": Kind(pa.large_string(), _words, lambda raw: {"text": raw}),
    "string_view": Kind(pa.string_view(), _words, lambda raw: {"text": raw}),
    "dictionary": Kind(pa.dictionary(pa.int32(), pa.string()), _words, lambda raw: {"text": raw}),
    "binary": Kind(pa.binary(), st.binary(max_size=6), lambda raw: {"binary": raw.hex()}),
    "binary[3]": Kind(pa.binary(3), st.binary(min_size=3, max_size=3), lambda raw: {"binary": raw.hex()}),
    "date32": Kind(pa.date32(), st.integers(-25_000, 47_000), lambda raw: {"date": str(raw)}),
    "timestamp[s]": Kind(pa.timestamp("s"), _SECONDS, seconds("datetime", "s")),
    "timestamp[us]": _micro,
    "timestamp[ns]": Kind(pa.timestamp("ns"), st.integers(-(2**60), 2**60), seconds("datetime", "ns")),
    "timestamp[us, UTC]": _instant,
    "time64[us]": Kind(pa.time64("us"), st.integers(0, 86_399_999_999), lambda raw: {"time": str(raw * 1000)}),
    "duration[us]": Kind(pa.duration("us"), _MICROSECONDS, seconds("duration", "us")),
    "interval": Kind(
        pa.month_day_nano_interval(),
        st.tuples(st.integers(-99, 99), st.integers(-99, 99), st.integers(-(2**40), 2**40).map(lambda us: us * 1000)),
        lambda raw: {"interval": [str(part) for part in raw]},
    ),
    "decimal128": _decimal,
    "decimal256": decimal_kind(pa.decimal256, 50, 3),
    "null": Kind(pa.null(), st.none(), lambda raw: raw),
    "list": list_kind(pa.list_, _int64),
    "large_list": list_kind(pa.large_list, _string),
    "fixed_size_list": fixed_list_kind(_float32),
    "struct": struct_kind({"x": _float64, "y z": list_kind(pa.list_, _string)}),
    "map": _without_duplicate_keys(map_kind(_string, _int64)),
    "list of structs": list_kind(pa.list_, struct_kind({"at": _instant, "price": _decimal, "inner": _pair})),
}


def _written(name, write):
    def road(table, folder):
        write(table, folder / name)
        return folder / name

    return road


def _write_ipc(table, path):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


_connection = duckdb.connect()


def _iceberg(table, folder):
    with contextlib.closing(InMemoryCatalog("catalog", warehouse=f"file://{folder}")) as catalog:
        catalog.create_namespace("n")
        stored = catalog.create_table("n.t", schema=table.schema)
        stored.append(table)
        return f"iceberg:{stored.metadata_location}"


ROADS = {
    "arrow": lambda table, _: table,
    "arrow ipc": _written("a.arrow", _write_ipc),
    "parquet": _written("a.parquet", lambda table, path: pq.write_table(table, path, row_group_size=2)),
    "orc": _written("a.orc", orc.write_table),
    "pandas in arrow memory": lambda table, _: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda table, _: pl.from_arrow(table),
    "polars parquet": _written("p.parquet", lambda table, path: pl.from_arrow(table).write_parquet(path)),
    "polars json lines": _written("p.jsonl", lambda table, path: pl.from_arrow(table).write_ndjson(path)),
    "duckdb": lambda table, _: _connection.from_arrow(table),
    "delta": _written("delta", lambda table, path: deltalake.write_deltalake(path, table)),
    "iceberg": _iceberg,
    "datasets": lambda table, _: datasets.Dataset(datasets.table.InMemoryTable(table)),
}
_NO_TYPE = "has no such type"
_TEXT = "has text for it"
CANNOT = {
    "parquet": {"interval": _NO_TYPE},
    "orc": {
        **dict.fromkeys(
            [
                *("uint8", "uint64", "float16", "string_view", "dictionary"),
                *("time64[us]", "duration[us]", "interval", "decimal256", "null"),
            ],
            "Arrow's writer refuses it",
        ),
        "list of structs": "Arrow's writer loses text in a struct that is null in another struct before",
    },
    "polars": {"interval": _NO_TYPE, "decimal256": _NO_TYPE},
    "polars parquet": {"interval": _NO_TYPE, "decimal256": _NO_TYPE},
    "polars json lines": {
        **dict.fromkeys(["date32", "timestamp[s]", "timestamp[us]", "timestamp[ns]", "timestamp[us, UTC]"], _TEXT),
        **dict.fromkeys(["time64[us]", "duration[us]", "decimal128", "list of structs"], _TEXT),
        **dict.fromkeys(["float32", "fixed_size_list"], "writes the shortest digits that are the same in 32 bits"),
        **dict.fromkeys(["float64", "struct"], "JSON has no NaN and no infinity"),
        "float16": "writes the shortest digits that are the same in 16 bits",
        "map": "writes an object, which is a struct",
        **dict.fromkeys(["binary", "binary[3]", "interval", "decimal256"], _NO_TYPE),
    },
    "duckdb": {"float16": _NO_TYPE, "duration[us]": "takes it for an interval", "decimal256": _NO_TYPE},
    "delta": {
        "uint8": "integers have signs",
        "uint64": "integers have signs",
        "timestamp[ns]": "keeps microseconds",
        **dict.fromkeys(["float16", "time64[us]", "duration[us]", "interval", "decimal256"], _NO_TYPE),
    },
    "iceberg": {
        "uint64": "integers have signs",
        "list of structs": "pyiceberg loses nulls, and we refuse it",
        **dict.fromkeys(["timestamp[ns]", "duration[us]", "interval", "decimal256", "null"], _NO_TYPE),
    },
    "datasets": {"interval": _NO_TYPE, "map": _NO_TYPE},
}
# For each kind that some road can't carry, a column that shows it.
LOST = {
    "uint8": [200],
    "uint64": [2**64 - 1],
    "float16": [0.0999755859375],
    "float32": [0.10000000149011612],
    "float64": [math.nan],
    "string_view": ["a"],
    "dictionary": ["a"],
    "binary": [b"a"],
    "binary[3]": [b"abc"],
    "date32": [1],
    "timestamp[s]": [1],
    "timestamp[us]": [1],
    "timestamp[ns]": [1],
    "timestamp[us, UTC]": [1],
    "time64[us]": [1],
    "duration[us]": [1],
    "interval": [(1, 2, 3000)],
    "decimal128": [Decimal("1.5")],
    "decimal256": [Decimal("1.5")],
    "null": [None],
    "fixed_size_list": [[0.10000000149011612, None]],
    "struct": [{"x": math.inf, "y z": None}],
    "map": [[("a", 1)]],
    "list of structs": [
        [{"at": None, "price": None, "inner": None}, {"at": None, "price": None, "inner": {"a": None, "b": "0"}}],
        [{"at": 1, "price": Decimal("1.5"), "inner": None}],
    ],
}
# And for the others.
CARRIED = {
    "int8": -5,
    "int64": -(2**63),
    "bool": True,
    "string": "é",
    "large_string": "x",
    "list": [1, None],
    "large_list": ["x", None],
}


@st.composite
def tables(draw):
    """A few rows of a few kinds; each row is likely to be there twice. The names are what every store takes."""
    count = draw(st.integers(1, 5))
    columns = {}
    for name in draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True, min_size=2, max_size=8)):
        pool = draw(st.lists(optional(KINDS[name].raw), min_size=1, max_size=3))
        raws = draw(st.lists(st.sampled_from(pool), min_size=count, max_size=count))
        columns[name.replace("[", " ").replace("]", "").replace(", ", " ")] = name, DrawnColumn(KINDS[name], raws)
    return columns


@given(tables(), st.sampled_from(sorted(ROADS)))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_every_road_leads_to_the_fingerprint_of_the_reference(drawn, road):
    columns = {label: column for label, (name, column) in drawn.items() if name not in CANNOT.get(road, {})}
    if not columns:
        return
    with tempfile.TemporaryDirectory() as folder:
        assert fingerprint_records(ROADS[road](arrow_of(columns), Path(folder))).to_json() == wf_records.identity(
            notation_of(columns)
        )


@pytest.mark.parametrize("road", ROADS)
def test_every_road_carries_every_kind_it_is_not_said_to_lose(road):
    """The same for one row of each kind, so that none is left to chance."""
    columns = {}
    for name, kind in KINDS.items():
        if name not in CANNOT.get(road, {}):
            raws = LOST.get(name) or [CARRIED[name]]
            columns[f"c{len(columns)}"] = DrawnColumn(kind, [raws[-1], None])
    with tempfile.TemporaryDirectory() as folder:
        assert fingerprint_records(ROADS[road](arrow_of(columns), Path(folder))).to_json() == wf_records.identity(
            notation_of(columns)
        )


@pytest.mark.parametrize(("road", "name"), [(road, name) for road in CANNOT for name in CANNOT[road]])
def test_what_a_road_can_not_carry_is_refused_by_somebody_or_another_table(road, name):
    columns = {"c": DrawnColumn(KINDS[name], LOST[name])}
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = fingerprint_records(ROADS[road](arrow_of(columns), Path(folder))).to_json()
        except BaseException as error:  # each store has errors of its own; a panic of Polars is no Exception
            if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
                raise
            return
    assert found != wf_records.identity(notation_of(columns)), CANNOT[road][name]
