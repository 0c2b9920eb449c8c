"""One table has one fingerprint, whichever library holds it and whichever file it went through."""

import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather
from tests.reference import wf_records
from tests.unit.fingerprints.tables import Kind, arrow_of, floating, notation_of, number, seconds, tables, texts

from wherefrom.fingerprints import fingerprint_records

# What all of them can hold: pandas keeps integers beside missing values as floats, and dates as Python objects.
_EXACT = st.integers(-(2**53), 2**53)
_DAYS = st.integers(-700_000, 2_900_000)
_MICROSECONDS = st.integers(-(2**52), 2**52)
NUMBERS = [
    Kind(pa.int8(), st.integers(-128, 127), number),
    Kind(pa.int32(), st.integers(-(2**31), 2**31 - 1), number),
    Kind(pa.int64(), _EXACT, number),
    Kind(pa.uint64(), st.integers(0, 2**53), number),
    Kind(pa.float32(), st.floats(width=32, allow_nan=False), floating),
    Kind(pa.float64(), st.floats(allow_nan=False), floating),
]
TYPED = [
    *NUMBERS,
    Kind(pa.bool_(), st.booleans(), lambda raw: raw),
    Kind(pa.string(), texts, lambda raw: {"text": raw}),
    Kind(pa.large_string(), texts, lambda raw: {"text": raw}),
    Kind(pa.dictionary(pa.int8(), pa.string()), texts, lambda raw: {"text": raw}),
    Kind(pa.binary(), st.binary(max_size=6), lambda raw: {"binary": raw.hex()}),
    Kind(pa.date32(), _DAYS, lambda raw: {"date": str(raw)}),
    Kind(pa.timestamp("us"), _MICROSECONDS, seconds("datetime", "us")),
    Kind(pa.timestamp("ms"), _MICROSECONDS, seconds("datetime", "ms")),
    Kind(pa.timestamp("us", "UTC"), _MICROSECONDS, seconds("instant", "us")),
    Kind(pa.timestamp("us", "Europe/Paris"), _MICROSECONDS, seconds("instant", "us")),
    Kind(pa.duration("us"), _MICROSECONDS, seconds("duration", "us")),
    Kind(pa.time64("us"), st.integers(0, 86_399_999_999), lambda raw: {"time": str(raw * 1000)}),
    Kind(
        pa.list_(pa.int64()),
        st.lists(_EXACT, max_size=3),
        lambda raw: {"list": [number(value) for value in raw]},
    ),
]
# Text that a CSV reader takes for neither a number, nor a boolean, nor nothing.
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\ufeff"), max_size=5).map(
    lambda text: "w" + text
)
PLAIN = [
    *NUMBERS[:4],
    Kind(pa.float64(), st.floats(allow_nan=False, allow_infinity=False), floating),  # JSON has no infinity
    Kind(pa.bool_(), st.booleans(), lambda raw: raw),
    Kind(pa.string(), words, lambda raw: {"text": raw}),
]


# Polars renames a column without a name, and leaves quotes in a header doubled.
names = words.filter(lambda name: '"' not in name)


def typed_roads(table: pa.Table, folder: Path):
    frame, polars = table.to_pandas(), pl.from_arrow(table)
    yield "arrow", table
    yield "pandas", frame
    yield "polars", polars
    yield "polars lazy", polars.lazy()
    yield "pandas, shuffled", frame.sample(frac=1, random_state=1)
    yield "arrow stream interface", _Stream(table)

    pq.write_table(table, folder / "arrow.parquet")
    frame.to_parquet(folder / "pandas.parquet")
    frame.sample(frac=1, random_state=2).to_parquet(folder / "shuffled.parquet")
    polars.write_parquet(folder / "polars.parquet")
    for name in ("arrow", "pandas", "shuffled", "polars"):
        yield f"{name}.parquet", folder / f"{name}.parquet"
        yield f"{name}.parquet by pandas", pd.read_parquet(folder / f"{name}.parquet")
        yield f"{name}.parquet by polars", pl.read_parquet(folder / f"{name}.parquet")

    feather.write_feather(table, folder / "table.feather", compression="lz4")
    polars.write_ipc(folder / "table.arrow")
    with pa.ipc.new_stream(folder / "table.arrows", table.schema) as stream:
        stream.write_table(table)
    for name in ("table.feather", "table.arrow", "table.arrows"):
        yield name, folder / name


class _Stream:
    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


@given(tables(kinds=st.sampled_from(TYPED), names=names, min_columns=1, max_columns=3, max_rows=5))
@settings(deadline=None, max_examples=40)
def test_typed_roads_agree(columns):
    want = wf_records.identity(notation_of(columns))
    with tempfile.TemporaryDirectory() as folder:
        for road, source in typed_roads(arrow_of(columns), Path(folder)):
            assert fingerprint_records(source).to_json() == want, road


def text_roads(table: pa.Table, folder: Path):
    frame, polars = table.to_pandas(), pl.from_arrow(table)
    frame.to_csv(folder / "pandas.csv", index=False)
    frame.to_csv(folder / "pandas.tsv", index=False, sep="\t", na_rep="NA")
    polars.write_csv(folder / "polars.csv")
    polars.write_csv(folder / "null.csv", null_value="NULL", quote_style="always")
    for name in ("pandas.csv", "pandas.tsv", "polars.csv", "null.csv"):
        yield name, folder / name
    for suffix in ("gz", "bz2", "xz", "zip"):
        frame.to_csv(folder / f"pandas.csv.{suffix}", index=False)
        yield f"pandas.csv.{suffix}", folder / f"pandas.csv.{suffix}"
    with pa.output_stream(folder / "pandas.csv.zst", compression="zstd") as compressed:
        compressed.write((folder / "pandas.csv").read_bytes())
    yield "pandas.csv.zst", folder / "pandas.csv.zst"
    yield "pandas.csv by pandas", pd.read_csv(folder / "pandas.csv")
    yield "polars.csv by polars", pl.read_csv(folder / "polars.csv", infer_schema_length=None)
    polars.write_ndjson(folder / "polars.jsonl")
    yield "polars.jsonl", folder / "polars.jsonl"
    yield "polars.jsonl by polars", pl.read_ndjson(folder / "polars.jsonl", infer_schema_length=None)


@st.composite
def plain_tables(draw):
    """At least one value in each column, as a reader can't tell the type of a column without any."""
    columns = draw(tables(kinds=st.sampled_from(PLAIN), names=names, min_columns=2, min_rows=1, max_rows=5))
    for column in columns.values():
        column.raws.append(draw(column.kind.raw))
    return columns


@given(plain_tables())
@settings(deadline=None, max_examples=40)
def test_text_roads_agree(columns):
    want = wf_records.identity(notation_of(columns))
    with tempfile.TemporaryDirectory() as folder:
        for road, source in text_roads(arrow_of(columns), Path(folder)):
            assert fingerprint_records(source).to_json() == want, road
