"""How many events, jobs, data sets and sources there were: for each of 24 hours, or of seven days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from fastapi import Response

from wherefrom.errors import FormatError
from wherefrom.server.marquez.columns import Numbers
from wherefrom.server.marquez.index import EVENT_TYPES
from wherefrom.server.marquez.namespaces import source_numbers
from wherefrom.server.marquez.naming import format_at, to_microseconds
from wherefrom.server.marquez.reading import Opened, Reader
from wherefrom.server.marquez.routing import READ, answer, make_named_router

router = make_named_router()
Period = Literal["DAY", "WEEK"]


def bounds_of(period: Period, timezone: str, now: datetime) -> list[tuple[int, int]]:
    """The ends of the intervals: as an instant, and as the time to show, both in microseconds since 1970.

    Hours are UTC's. Days are the time zone's, and shown by its clock as though that were UTC, as Marquez's pages want.
    """
    if period == "DAY":
        last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours = [to_microseconds(last + timedelta(hours=step)) for step in range(-23, 2)]
        return [(hour, hour) for hour in hours]
    try:
        zone = ZoneInfo(timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FormatError(f"timezone is {timezone[:60]!r}, expected a name such as Europe/Paris") from error
    today = now.astimezone(zone).date()
    midnights = [
        datetime(day.year, day.month, day.day, tzinfo=zone)
        for day in (today + timedelta(days=step) for step in range(-6, 2))
    ]
    return [(to_microseconds(one), to_microseconds(one.replace(tzinfo=UTC))) for one in midnights]


def _growth(opened: Opened, period: Period, timezone: str, times_of: Callable[[Reader], Numbers]) -> Response:
    """For each interval, how many there were by its end."""
    bounds = bounds_of(period, timezone, datetime.now(UTC))
    with opened() as reader:
        times = np.sort(times_of(reader))
    counts = np.searchsorted(times, [end for end, _ in bounds[1:]])
    return answer(
        [
            {"startInterval": format_at(start[1]), "endInterval": format_at(end[1]), "count": int(count)}
            for start, end, count in zip(bounds, bounds[1:], counts, strict=False)
        ]
    )


@router.get("/api/v1/stats/lineage-events", openapi_extra=READ)
def count_events(opened: Opened, period: Period, timezone: str = "") -> Response:
    """For each interval, how many events of runs of each type happened in it."""
    bounds = bounds_of(period, timezone, datetime.now(UTC))
    edges = [at for at, _ in bounds]
    with opened() as reader:
        chosen = reader.index.listed_events(edges[0], edges[-1], lambda runs, jobs, _: (runs > 0) & (jobs > 0))
        if not reader.sees_all():
            seen = reader.index.visible_events([reader.sees(name) for name in reader.index.namespaces])
            chosen = chosen[seen[chosen]]
        types, at = reader.index.column("type", chosen), reader.index.column("at", chosen)
    counts = {
        text.lower(): np.histogram(at[types == EVENT_TYPES.index(text)], edges)[0]
        for text in ("FAIL", "START", "COMPLETE", "ABORT")
    }
    return answer(
        [
            {
                "startInterval": format_at(bounds[step][1]),
                "endInterval": format_at(bounds[step + 1][1]),
                **{name: int(numbers[step]) for name, numbers in counts.items()},
            }
            for step in range(len(bounds) - 1)
        ]
    )


@router.get("/api/v1/stats/jobs", openapi_extra=READ)
def count_jobs(opened: Opened, period: Period, timezone: str = "") -> Response:
    """For each interval, how many jobs were known by its end."""
    return _growth(opened, period, timezone, lambda reader: _first_times(reader, "job"))


@router.get("/api/v1/stats/datasets", openapi_extra=READ)
def count_datasets(opened: Opened, period: Period, timezone: str = "") -> Response:
    """For each interval, how many data sets were known by its end."""
    return _growth(opened, period, timezone, lambda reader: _first_times(reader, "dataset"))


@router.get("/api/v1/stats/sources", openapi_extra=READ)
def count_sources(opened: Opened, period: Period, timezone: str = "") -> Response:
    """For each interval, how many sources were known by its end."""
    return _growth(
        opened,
        period,
        timezone,
        lambda reader: np.array(
            [reader.index.times_of_namespace(number)[0] for number in source_numbers(reader)], np.int64
        ),
    )


def _first_times(reader: Reader, thing: Literal["job", "dataset"]) -> Numbers:
    namespaces = None if reader.sees_all() else reader.seen_namespaces()
    return reader.index.times_of_entries(reader.index.first_entries(thing, reader.index.things_in(thing, namespaces)))
