"""Make the table that the model learns from."""

from pathlib import Path

import polars as pl

import wherefrom

wherefrom.autolog()

DATA = Path(__file__).parent / "data"

features = (
    pl.scan_parquet(DATA / "clean.parquet")
    .select(
        "month",
        "hour",
        "distance",
        "dep_delay",
        "temp",
        "wind_speed",
        "precip",
        "visib",
        "lat",
        "lon",
        plane_age=2013 - pl.col("plane_year"),
        is_weekend=pl.date(pl.col("year"), pl.col("month"), pl.col("day")).dt.weekday() > 5,
        origin=pl.col("origin").cast(pl.Categorical).to_physical(),
        arr_delay="arr_delay",
    )
    .collect()
)
features.write_parquet(DATA / "features.parquet")
print(f"{features.height:,} rows, {features.width - 1} features")
