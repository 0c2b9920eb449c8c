from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.statements import check_digests, format_time, parse_time, primary_digest

instants = st.datetimes(datetime(1000, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(instants)
def test_a_time_written_reads_back(instant):
    assert parse_time(format_time(instant), what="t") == instant


def test_zones_and_fractions_are_read_to_the_microsecond():
    want = datetime(2026, 11, 21, 8, 15, 0, 123456, tzinfo=UTC)
    for text in ("2026-11-21T08:15:00.123456Z", "2026-11-21t08:15:00.1234569z", "2026-11-21T10:15:00.123456+02:00"):
        assert parse_time(text, what="t") == want
    assert format_time(want.astimezone(timezone(timedelta(hours=5)))) == "2026-11-21T08:15:00.123456Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T08:15:00",
        "2026-11-21",
        "2026-11-21 08:15:00Z",
        "2026-02-30T00:00:00Z",
        "٢026-11-21T08:15:00Z",
        "now",
        "",
    ],
)
def test_a_time_without_a_zone_or_that_does_not_exist_is_refused(text):
    with pytest.raises(FormatError, match=r"run: \$\.eventTime: "):
        parse_time(text, what="run", path="$.eventTime")


def test_digests_are_checked_and_put_in_preference_order():
    files, records = "a" * 64, "b" * 64
    checked = check_digests({"wf-records-1": records, "sha256": files}, what="s", path="$")
    assert list(checked) == ["sha256", "wf-records-1"]
    assert primary_digest(checked) == f"sha256:{files}"
    assert primary_digest({}) == ""


@pytest.mark.parametrize(
    ("digests", "message"),
    [
        ({"md5": "a" * 32}, "$.d.md5: unknown digest algorithm; known: sha256"),
        ({"sha256": "a" * 63}, "$.d.sha256: is 'aaa"),
        ({"sha256": "A" * 64}, "expected 64 lower-case hex digits"),
        ({"sha256": 7}, "is 7, expected 64"),
    ],
)
def test_unknown_algorithms_and_wrong_lengths_are_refused(digests, message):
    with pytest.raises(FormatError) as caught:
        check_digests(digests, what="s", path="$.d")
    assert message in str(caught.value)
