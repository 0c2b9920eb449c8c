"""Node ids: which namespaces and names they can mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.server.marquez.naming import format_at, format_node_id, parse_node_id, stable_id, to_microseconds

NAMES = st.text("ab:/#.", min_size=1, max_size=12)
UUID = "870492da-ecfb-4be0-91b9-9a89ddd3db90"


@given(NAMES, NAMES)
def test_what_a_node_id_was_made_of_is_among_what_it_can_mean(namespace, name):
    assert (namespace, name) in set(parse_node_id(format_node_id("dataset", namespace, name)).splits())


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("food_delivery", "public.orders"),
        ("s3://bucket", "folder/file"),
        ("postgres://db.example:5432", "public.orders"),
        ("gs://a", "b"),
        ("food", "a:b"),
    ],
)
def test_the_usual_meaning_comes_first(namespace, name):
    assert next(parse_node_id(format_node_id("job", namespace, name)).splits()) == (namespace, name)


def test_a_version_is_read_only_where_it_is_one():
    assert parse_node_id(f"dataset:a:b#{UUID}").version == UUID
    assert parse_node_id("dataset:a:b#c") == parse_node_id("dataset:a:b#c")
    assert (parse_node_id("dataset:a:b#c").text, parse_node_id("dataset:a:b#c").version) == ("a:b#c", "")


@pytest.mark.parametrize("text", ["", ":", "dataset", "datasets:a:b", "JOB:a:b"])
def test_other_texts_are_no_node_ids(text):
    with pytest.raises(FormatError, match="node id"):
        parse_node_id(text)


def test_ids_depend_on_every_part_and_on_nothing_else():
    assert stable_id("job", "a", "b") == "90d90a79-48cb-5df4-bcea-1188afcb71a2"
    assert len({stable_id("job", "a", "b"), stable_id("job", "a:b"), stable_id("job", "a", ["b"])}) == 3


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_given_to_the_microsecond(moment):
    assert datetime.fromisoformat(format_at(to_microseconds(moment))) == moment


def test_times_that_no_calendar_has_are_given_as_its_ends():
    assert format_at(-(2**62)) == "0001-01-01T00:00:00.000000Z"
    assert format_at(2**62) == "9999-12-31T23:59:59.999999Z"
