"""The items of a batch keep their bytes: nothing lost, nothing merged, nothing made up."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.server.array_items import split_array

SPACE = st.text(" \t\n\r", max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def split(data, most=1000):
    return split_array(data, what="batch", most=most)


@given(st.lists(st.tuples(VALUES, st.booleans()), max_size=8), st.lists(SPACE, min_size=4, max_size=4))
def test_every_item_comes_back_byte_for_byte_with_what_it_says(values, spaces):
    before, after, inside, around = spaces
    texts = [json.dumps(value, ensure_ascii=escaped) for value, escaped in values]
    body = f"{before}[{inside}" + f"{around},{inside}".join(texts) + f"{after}]{around}"
    items = split(body.encode("utf-8", "surrogatepass")) if _is_utf8(body) else None
    if items is None:
        with pytest.raises(FormatError):
            split(body.encode("utf-8", "surrogatepass"))
        return
    assert [item for item, _ in items] == [text.encode() for text in texts]
    for (_, said), (value, _) in zip(items, values, strict=True):
        assert said == json.loads(json.dumps(value), parse_int=float)


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
    assert [json.loads(item) for item, _ in items] == json.loads(data)


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
    assert split(b"[" + b"9" * 10_000 + b"]")[0][0] == b"9" * 10_000


def test_more_items_than_allowed_are_not_even_read():
    assert len(split(b"[1,2,3]", most=3)) == 3
    with pytest.raises(OverflowError):
        split(b"[1,2,3,]", most=2)
