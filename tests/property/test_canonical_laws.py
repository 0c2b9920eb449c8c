"""The quick ways to read and write JSON say what the slow ones say, and refuse what they refuse."""

import json

import pytest
import rfc8785
from events import dataset, event
from hypothesis import example, given
from hypothesis import strategies as st

from wherefrom import strict
from wherefrom.errors import FormatError
from wherefrom.statements import (
    check_statement,
    event_of,
    format_canonical,
    format_statement,
    make_event_statement,
    parse_checked,
    parse_event_statement,
    parse_statement,
    read_event,
)
from wherefrom.statements import statement as statement_file
from wherefrom.strict import format_plain, parse_json

texts = st.text(max_size=8)
numbers = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=20,
)


def outcome(act):
    try:
        return act()
    except FormatError as error:
        return f"{type(error).__name__}: {error}"


@given(values)
@example({"\U0001f600": 1, "\ufb33": 2})  # UTF-16 sorts these the other way round than code points do
@example({"a": 1.0, "b": -0.0, "c": 1e21})
@example(["\x7f\u2028\b\x1f", 2**53 - 1, -(2**53) + 1, True, None, {}, []])
def test_canonical_bytes_are_those_of_the_library(value):
    assert format_canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), {1: 2}, "\ud800", {"\udfff": 1}, {3}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(FormatError, match="no canonical JSON form"):
        format_canonical({"x": [value]})


def test_a_list_that_holds_itself_has_no_canonical_form():
    circle = []
    circle.append(circle)
    with pytest.raises(FormatError, match="no canonical JSON form"):
        format_canonical(circle)


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()), st.data())
@example(b'{"a":1,"a":2}', None)
@example(b'{"a":{"b":[{"c":1,"c":1}]}}', None)
@example(b'["\\ud800"]', None)
@example(b'["\\ud83d\\ude00"]', None)
@example(b"[" * 64 + b"]" * 64, None)
@example(b"[" * 65 + b"]" * 65, None)
@example(b"[" * 65 + b"1" + b"]" * 65, None)
@example(b"[" * 100_000, None)
@example(b"\xef\xbb\xbf{}", None)
@example(b"[NaN]", None)
@example(b"1" * 5000, None)
def test_the_quick_reader_says_what_the_slow_one_says(data, draw):
    if draw is not None and data:
        at = draw.draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw.draw(st.binary(max_size=2)) + data[at:]
    depth = 0 if draw is None else draw.draw(st.integers(0, 2))
    quick = outcome(lambda: parse_json(data, what="it", depth=depth))
    slow = outcome(lambda: strict._parse_and_name_errors(data, what="it", depth=depth))
    assert repr(quick) == repr(slow)


payload = format_statement(event("r", [dataset("a", "1"), dataset("b")], [dataset("c", "2")]))
splits = [payload.rfind(b',"predicateType":'), payload.find(b'"predicate":'), len(payload) - 2]


@given(
    st.sampled_from(splits).flatmap(lambda near: st.integers(max(0, near - 25), min(len(payload), near + 25))),
    st.integers(0, 12),
    st.sampled_from(
        [b"", b" ", b"}", b"{", b'"', b",", b',"_type":"x"', b',"predicate":{}', b',"subject":[]', b"\\", b"1"]
    )
    | st.binary(max_size=3),
)
@example(len(payload), 0, b" ")
def test_a_changed_payload_is_read_as_the_slow_reader_reads_it(at, cut, put):
    changed = payload[:at] + put + payload[at + cut :]
    assert outcome(lambda: parse_statement(changed)) == outcome(lambda: statement_file._parse_whole(changed))


@given(values)
def test_what_an_event_keeps_of_its_reading_is_what_its_bytes_say(extra):
    body = dict(event("r", [dataset("a", "1")], [dataset("b", "2")]).predicate) | {"extra": extra}
    made = make_event_statement(body)
    again = parse_checked(format_statement(made))
    assert (again.predicate_bytes, again.subjects) == (made.predicate_bytes, made.subjects)
    assert event_of(again) == read_event(again.predicate)
    assert made.checked is None or made.checked == again.checked
    sent = parse_event_statement(json.dumps(body, indent=1).encode())
    assert sent.predicate_bytes == json.dumps(body, indent=1).encode()
    assert parse_checked(format_statement(sent)) == sent


def test_an_event_nested_too_deep_is_not_vouched_for_and_no_reader_takes_it():
    body, deep = dict(event("r").predicate), []
    for _ in range(62):
        deep = [deep]
    assert make_event_statement(body | {"x": deep[0]}).checked is not None
    made = make_event_statement(body | {"x": (deep,)})
    assert made.checked is None
    with pytest.raises(FormatError, match="nested deeper"):
        parse_checked(format_statement(made))
    with pytest.raises(FormatError, match="nested deeper"):
        parse_event_statement(json.dumps(body | {"x": [deep]}).encode())


def test_a_statement_made_by_hand_is_not_vouched_for():
    made = make_event_statement(dict(event("r").predicate))
    other = statement_file.Statement(made.subjects, made.predicate_type, made.predicate, b'{"eventType":"START"}')
    check_statement(other)
    assert other.checked is None


def test_plain_and_canonical_bytes_of_what_we_write_ourselves_are_the_same():
    value = {"keys": ["a+b"], "subjects": ["sha256:00"], "count": 3, "flag": True, "none": None, "ä": "ü\n\u2028"}
    assert format_plain(value) == rfc8785.dumps(value)
