import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError, WherefromError
from wherefrom.statements import Fields, format_canonical, parse_json, verify_canonical

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ_", max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":1,"a":2}', "$.a: key appears twice"),
        ('{"x":[{"b":{"c":1,"c":1}}]}', "$.x[0].b.c: key appears twice"),
        ("[NaN]", "number NaN has no JSON form"),
        ("[-Infinity]", "number -Infinity has no JSON form"),
        ('{"a":"\\ud800"}', "$.a: text has a lone surrogate"),
        ('{"\\ud800":1}', "$ (a key): text has a lone surrogate"),
        ("[" * 70 + "]" * 70, "nested deeper than 64 levels"),
        ("[" * 100_000, "thing"),
        ("[1,]", "not JSON at byte"),
        ('["é",]', "not JSON at byte"),
        ("[" + "1" * 5000 + "]", "thing"),
        ("", "not JSON at byte 0"),
    ],
)
def test_what_has_two_meanings_or_none_is_refused_with_its_place(text, message):
    with pytest.raises(FormatError, match=r"^thing: ") as caught:
        parse_json(text.encode(), what="thing")
    assert message in str(caught.value)


def test_bytes_that_are_not_utf8_are_refused_with_their_place():
    with pytest.raises(FormatError, match=r"thing: not UTF-8 at byte 2"):
        parse_json(b'["\xff"]', what="thing")


@given(json_values)
def test_what_is_written_canonically_reads_back_and_is_known_as_canonical(value):
    data = format_canonical(value)
    assert parse_json(data) == value
    verify_canonical(data, value, what="thing")


@given(json_values.filter(lambda v: isinstance(v, (list, dict)) and v))
def test_any_other_spelling_is_not_canonical(value):
    spaced = json.dumps(value, sort_keys=True).encode()
    if spaced != format_canonical(value):
        with pytest.raises(FormatError, match=r"byte \d+ is not as canonical JSON"):
            verify_canonical(spaced, value, what="thing")


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_make_the_parser_raise_anything_else(data):
    try:
        parse_json(data)
    except WherefromError as error:
        assert isinstance(error, FormatError)


def test_members_are_taken_by_kind_and_what_is_wrong_is_named_by_path():
    fields = Fields.of({"a": {"b": [{"n": True, "h": "AB", "t": "", "k": -1}]}}, what="thing")
    [item] = fields.object("a").objects("b")
    for act, message in (
        (lambda: item.integer("n"), "$.a.b[0].n: is a boolean, expected an integer"),
        (lambda: item.integer("k"), "$.a.b[0].k: is -1, expected an integer from 0"),
        (lambda: item.hex("h", size=1), "$.a.b[0].h: is 'AB', expected 2 lower-case hex digits"),
        (lambda: item.text("t"), "$.a.b[0].t: is empty"),
        (lambda: item.text("u"), "$.a.b[0].u: is missing, expected text"),
        (lambda: item.literal("h", "x", "y"), "$.a.b[0].h: is 'AB', expected 'x' or 'y'"),
        (lambda: item.only("n", "h", "t"), "$.a.b[0].k: unknown member"),
        (lambda: item.object("h"), "$.a.b[0].h: is text, expected an object"),
        (lambda: list(fields.objects("a")), "$.a: is an object, expected an array"),
        (lambda: Fields.of([], what="thing"), "$: is an array, expected an object"),
    ):
        with pytest.raises(FormatError) as caught:
            act()
        assert message in str(caught.value)


def test_numbers_that_json_cannot_hold_are_refused_when_written():
    for value in (float("nan"), float("inf"), 2**53):
        with pytest.raises(FormatError, match="no canonical JSON form"):
            format_canonical([value])
