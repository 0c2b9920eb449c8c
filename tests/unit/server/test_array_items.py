"""The items of a batch keep their bytes: nothing lost, nothing merged, nothing made up."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.server.array_items import read_array, split_array
from wherefrom.strict import parse_json

SPACE = st.text(" \t\n\r", max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def split(data, most=1000):
    return split_array(data, what="batch", most=most)


def read(data, most=1000):
    """Each item's bytes, or that they are no JSON."""

    def read_one(item):
        try:
            parse_json(item)
        except FormatError as error:
            return error
        return item

    return read_array(data, read_one, what="batch", most=most)


@given(st.lists(st.tuples(VALUES, st.booleans()), max_size=8), st.lists(SPACE, min_size=4, max_size=4))
def test_every_item_comes_back_byte_for_byte(values, spaces):
    before, after, inside, around = spaces
    texts = [json.dumps(value, ensure_ascii=escaped) for value, escaped in values]
    body = f"{before}[{inside}" + f"{around},{inside}".join(texts) + f"{after}]{around}"
    items = split(body.encode("utf-8", "surrogatepass")) if _is_utf8(body) else None
    if items is None:
        with pytest.raises(FormatError):
            split(body.encode("utf-8", "surrogatepass"))
        return
    assert items == [text.encode() for text in texts]


def _is_utf8(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@given(st.lists(VALUES, min_size=1, max_size=5), st.data())
def test_a_body_cut_anywhere_is_refused(values, data):
    body = json.dumps(values).encode()
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(FormatError):
        split(body[:cut])


@given(st.binary(max_size=60))
def test_any_bytes_are_an_array_or_a_format_error(data):
    try:
        items = split(data)
    except FormatError:
        return
    assert [json.loads(item) for item in items] == json.loads(data)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"1",
        b"[",
        b"[1",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1]]",
        b"[1]x",
        b'["a',
        b"[1,,2]",
        b"\xef\xbb\xbf[]",
        b"[\xff]",
        b"[" * 100000,
        b"[" * 100000 + b"]" * 100000,
        b'[{"a":' * 50000,
    ],
    ids=range(17),
)
def test_what_is_no_array_is_refused(body):
    with pytest.raises(FormatError, match="batch: "):
        split(body)


def test_a_very_long_number_is_no_reason_to_fail():
    assert split(b"[" + b"9" * 10_000 + b"]") == [b"9" * 10_000]


def test_more_items_than_allowed_are_not_even_read():
    assert len(split(b"[1,2,3]", most=3)) == 3
    with pytest.raises(OverflowError):
        split(b"[1,2,3,]", most=2)


EVENTS = st.dictionaries(st.sampled_from(["eventType", "run", "x"]), VALUES | st.just([{"eventType": 1}]), min_size=1)


@given(st.lists(EVENTS, max_size=6), SPACE, SPACE)
def test_items_that_begin_alike_are_cut_as_items_of_any_array_are(events, before, after):
    body = f"{before},{after}".join(json.dumps(event) for event in events)
    assert read(f"[{body}]".encode()) == split(f"[{body}]".encode())


@pytest.mark.parametrize(
    "body",
    [
        b'[{"a":[{"a":1},{"a":2}]},{"a":3}]',  # inner ones begin alike, too
        b'[{"a":"},{\\"a\\":1"},{"a":3}]',
        b'[{"a":1},5,{"a":3}]',
        b'[{"a":1} , {"a":2}\n]',
        b'[{"a":1,"a":2},{"a":3}]',  # the first is none of ours, and keeps its place
    ],
)
def test_what_looks_like_a_border_and_is_none_cuts_nothing(body):
    found = [item for item in read(body) if not isinstance(item, FormatError)]
    assert found == [item for item in split(body) if b'"a":1,"a"' not in item]
    assert len(read(body)) == len(split(body))


@pytest.mark.parametrize(
    "body", [b'[{"a":1},{"a":2]', b'[{"a":1}{"a":2}]', b'[{"a":1},,{"a":2}]', b'[{"a":1},{"a":2}]]']
)
def test_a_broken_array_of_like_items_is_refused(body):
    with pytest.raises(FormatError, match="batch: "):
        read(body)


def test_more_like_items_than_allowed_are_refused():
    assert len(read(b'[{"a":1},{"a":2}]', most=2)) == 2
    with pytest.raises(OverflowError):
        read(b'[{"a":1},{"a":2},{"a":3}]', most=2)
