"""Read the five raw tables and write them as Parquet."""

from pathlib import Path

import pandas as pd

import wherefrom

wherefrom.autolog()

HERE = Path(__file__).parent
RAW, TABLES = HERE / "data" / "raw", HERE / "data" / "tables"

TABLES.mkdir(parents=True, exist_ok=True)
for source in ("flights.csv.zip", "weather.csv", "planes.csv", "airports.csv", "airlines.csv"):
    table = pd.read_csv(RAW / source)
    table.to_parquet(TABLES / f"{source.split('.')[0]}.parquet", index=False)
    print(f"{source}: {len(table):,} rows")
