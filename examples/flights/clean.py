"""Join flights with weather, planes and airports, and drop those that never arrived."""

from pathlib import Path

import pandas as pd

import wherefrom

wherefrom.autolog()

DATA = Path(__file__).parent / "data"

flights, weather, planes, airports, airlines = (
    pd.read_parquet(DATA / "tables" / f"{name}.parquet")
    for name in ("flights", "weather", "planes", "airports", "airlines")
)

arrived = flights.dropna(subset=["arr_delay", "dep_time"])
hourly = weather.drop_duplicates(["origin", "time_hour"])[
    ["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]
]
built = planes[["tailnum", "year", "seats"]].rename(columns={"year": "plane_year"})
places = airports[["faa", "lat", "lon"]].rename(columns={"faa": "dest"})

joined = (
    arrived.merge(hourly, on=["origin", "time_hour"], how="left")
    .merge(built, on="tailnum", how="left")
    .merge(places, on="dest", how="left")
    .merge(airlines, on="carrier", how="left")
)
joined.to_parquet(DATA / "clean.parquet", index=False)
print(f"{len(joined):,} of {len(flights):,} flights arrived")
