"""How many there were, hour by hour and day by day."""

from datetime import UTC, datetime, timedelta

import pytest
from marquez_world import CLEANING, job, path, record, run_event

from wherefrom.errors import FormatError
from wherefrom.server.marquez.naming import format_at
from wherefrom.server.marquez.stats import bounds_of

NOON = datetime(2026, 3, 29, 12, 30, tzinfo=UTC)


def test_a_day_is_24_hours_of_utc_the_last_of_them_begun():
    bounds = bounds_of("DAY", "Asia/Kolkata", NOON)
    assert len(bounds) == 25
    assert format_at(bounds[0][0]) == "2026-03-28T13:00:00.000000Z"
    assert format_at(bounds[-1][0]) == "2026-03-29T13:00:00.000000Z"


def test_a_week_is_seven_days_by_the_clock_of_a_place_shown_as_though_they_were_utc():
    """Paris changed its clocks on that day: it had 23 hours."""
    bounds = bounds_of("WEEK", "Europe/Paris", NOON)
    assert [format_at(shown)[:19] for _, shown in bounds] == [
        f"2026-03-{day}T00:00:00" for day in (23, 24, 25, 26, 27, 28, 29, 30)
    ]
    assert format_at(bounds[0][0]) == "2026-03-22T23:00:00.000000Z"
    assert bounds[7][0] - bounds[6][0] == 23 * 3_600_000_000


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "\0", "a" * 5000])
def test_what_is_no_time_zone_is_refused(name):
    with pytest.raises(FormatError, match="timezone"):
        bounds_of("WEEK", name, NOON)


def test_events_are_counted_by_type_in_their_hour_and_jobs_from_their_first_on(archive, changing):
    """Those of `changing` are of another day than the one that is asked about, whichever that is."""
    now = datetime.now(UTC)

    def at(ago, event):
        return event | {"eventTime": (now - ago).isoformat()}

    minute, hours = timedelta(minutes=1), timedelta(hours=5)
    record(
        archive,
        at(hours, run_event("START", 40, 0, job("new", "one"))),
        at(hours, run_event("START", 41, 0, job("new", "two"))),
        at(minute, run_event("FAIL", 40, 0, job("new", "one"))),
        at(timedelta(days=30), run_event("ABORT", 42, 0, CLEANING)),
    )
    for period, length in (("DAY", 24), ("WEEK", 7)):
        counted = changing(path("stats", "lineage-events"), period=period, timezone="UTC")
        assert len(counted) == length
        assert counted[-1]["endInterval"] > (now - minute).isoformat()[:13]
        sums = {key: sum(one[key] for one in counted) for key in ("start", "complete", "fail", "abort")}
        assert (sums["fail"], sums["abort"]) >= (1, 0)
        assert sums["start"] >= 2
        grown = [one["count"] for one in changing(path("stats", "jobs"), period=period, timezone="UTC")]
        assert grown == sorted(grown)
        assert grown[-1] == changing(path("jobs"))["totalCount"] == 5


def test_a_week_needs_a_period_that_is_known(world):
    assert world.client.get(path("stats", "jobs"), params={"period": "YEAR"}).status_code == 422
    assert world.client.get(path("stats", "jobs"), params={"period": "WEEK", "timezone": "x"}).status_code == 400
