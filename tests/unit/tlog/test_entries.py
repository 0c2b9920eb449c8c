import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.tlog.entries import format_entries, parse_entries


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_what_was_formatted_is_parsed_back(entries):
    assert parse_entries(format_entries(entries)) == entries


@given(st.binary(max_size=600))
def test_any_bytes_are_one_list_of_entries_or_refused(data):
    try:
        entries = parse_entries(data)
    except FormatError:
        return
    assert format_entries(entries) == data


def test_the_bytes_are_those_of_the_specification():
    assert format_entries([b"one", b"", b"x" * 258]) == b"\x00\x03one\x00\x00\x01\x02" + b"x" * 258


def test_every_bundle_cut_short_is_refused_unless_between_entries():
    data = format_entries([b"one", b"two", b"three"])
    whole = {5, 10}
    for length in range(1, len(data)):
        if length in whole:
            parse_entries(data[:length])
        else:
            with pytest.raises(FormatError, match="ends inside its entry"):
                parse_entries(data[:length])


def test_sizes_beyond_the_format_are_refused():
    assert parse_entries(format_entries([b"x" * 65535])) == [b"x" * 65535]
    with pytest.raises(FormatError, match="65536 bytes, expected at most 65535"):
        format_entries([b"x" * 65536])
    for entries in ([], [b""] * 257):
        with pytest.raises(FormatError, match="expected 1 to 256"):
            format_entries(entries)
    with pytest.raises(FormatError, match="2 bytes behind its 256 entries"):
        parse_entries(b"\x00\x00" * 257)
    with pytest.raises(FormatError, match="is empty"):
        parse_entries(b"")
