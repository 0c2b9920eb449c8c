"""Documents are read alike with orjson and without it: the same values and types, the same refusals and messages."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wherefrom import strict
from wherefrom.errors import FormatError
from wherefrom.statements import canonical as canonical_module
from wherefrom.statements import format_canonical
from wherefrom.strict import MAX_DEPTH, format_plain, format_text, is_shallow, parse_json

pytest.importorskip("orjson")


class Pairs(list):
    """An object's members, in which a key may be twice."""


TOKENS = [
    *'{}[],: \n\t\r"\\/',
    *('"a"', '"b"', '""', '"\\""', '"\\\\"', '"\\\\\\""', '"\\u0061"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"'),
    *('"\x7f"', '"\x00"', '"é"', '"{["', '"]"', '":"', "NaN", "Infinity", "-Infinity", "null", "true", "nul", "\ufeff"),
    *("0", "-0", "1", "-1", "1.0", "1e3", "1E400", "1e-400", "-0.0", "0.1", "01", "1.", ".5", "+1", "1e", str(2**53)),
    *(str(number) for edge in (2**63, 2**64, -(2**63)) for number in (edge - 1, edge, edge + 1)),
]
KEYS = st.sampled_from(["a", "b", "", 'q"', "back\\", "é", ":", "0" * 20])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(['"', "\\", '\\"', '":"', "\n" + "  " * 70]),
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(KEYS, inner), max_size=4).map(Pairs),
    max_leaves=25,
)


def write(value, space=""):
    if isinstance(value, Pairs):
        return f"{{{space}{','.join(f'{json.dumps(k)}{space}:{space}{write(v, space)}' for k, v in value)}}}"
    if isinstance(value, list):
        return f"[{','.join(space + write(one, space) for one in value)}{space}]"
    return json.dumps(value, ensure_ascii=len(repr(value)) % 2 == 0)


def outcome(data, *, depth, with_orjson):
    """The value, with the types of all that is in it, or the message of the error."""
    kept = strict.orjson
    strict.orjson = kept if with_orjson else None
    try:
        return repr(parse_json(data, what="thing", depth=depth))
    except FormatError as error:
        return f"FormatError: {error}"
    finally:
        strict.orjson = kept


def both(data, depth=0):
    quick, plain = (outcome(data, depth=depth, with_orjson=with_orjson) for with_orjson in (True, False))
    assert quick == plain
    return plain


@settings(max_examples=300)
@given(VALUES, st.sampled_from(["", " ", "\n\t"]), st.sampled_from([0, 1, 60]))
def test_documents_with_whatever_is_doubtful_are_read_alike(value, space, depth):
    both(write(value, space).encode(), depth)


@settings(max_examples=500)
@given(st.lists(st.sampled_from(TOKENS), max_size=14).map("".join))
@example('{"a":1,"a":2}')
@example('{"\\\\":1,"\\\\":2}')
@example('["\\"",{"a":1,"a":"\\""}]')
@example('{"a":{"b":"x","c":"y"},"a":[]}')
def test_texts_that_are_hardly_json_are_read_alike(text):
    both(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=30))
def test_any_bytes_are_read_alike(data):
    both(data)
    both(b'["' + data + b'"]')


@pytest.mark.parametrize("leaf", ["1", '"x"', "[]", "{}", "[1]", '{"a":1}'])
@pytest.mark.parametrize("extra", range(-3, 4))
@pytest.mark.parametrize("pad", [0, strict._SMALL])
def test_nesting_is_refused_at_the_same_level(leaf, extra, pad):
    levels = MAX_DEPTH + extra
    data = f"{'[' * levels}{leaf}{']' * levels}{' ' * pad}".encode()
    for depth in (0, 1, 3):
        is_deep = extra + depth + (leaf in ("[1]", '{"a":1}')) > 0
        assert ("nested deeper" in both(data, depth)) == is_deep


def test_a_document_that_would_grow_when_it_is_indented_is_read_without_that():
    data = b"[" * 60 + b"1," * 200_000 + b"1" + b"]" * 60
    assert both(data).startswith("[" * 60 + "1")


def test_both_roads_are_taken(monkeypatch):
    plain = []
    monkeypatch.setattr(
        strict, "_QUICK", json.JSONDecoder(object_pairs_hook=lambda pairs: plain.append(1) or dict(pairs))
    )
    parse_json(b'{"a": {"b": "\\u00e9 \\" \\\\", "n": [1, -0, 1e3, 0.5, 4503599627370496]}}')
    assert plain == []
    parse_json(b'{"a":' + b"1" * 19 + b"}")
    assert plain == [1]


@given(VALUES.filter(lambda value: isinstance(value, list)), st.integers(0, 6))
def test_whether_a_value_is_shallow_does_not_depend_on_the_road(value, levels):
    kept, strict.orjson = strict.orjson, None
    try:
        plain = is_shallow(value, levels)
    finally:
        strict.orjson = kept
    assert is_shallow(value, levels) == plain


def as_value(pairs):
    """What a document written from VALUES stands for, with keys once."""
    if isinstance(pairs, Pairs):
        return {key: as_value(value) for key, value in pairs}
    return [as_value(one) for one in pairs] if isinstance(pairs, list) else pairs


def canonical(value, *, with_orjson):
    kept = canonical_module.orjson
    canonical_module.orjson = kept if with_orjson else None
    try:
        return format_canonical(value)
    except FormatError as error:
        return f"FormatError: {error}"
    finally:
        canonical_module.orjson = kept


@given(VALUES.map(as_value))
def test_values_are_written_canonically_alike(value):
    assert canonical(value, with_orjson=True) == canonical(value, with_orjson=False)


def test_every_character_is_written_alike_and_what_has_no_form_is_refused_alike():
    for value in (
        [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000],
        "\ud800",
        {"\ud800": 1},
        2**53,
        1.5,
        {1: 2},
        {"é": 1, "z": 2, "\U0001f600": 3, "\ufb33": 4},
        (1, 2),
        eval("[" * 80 + "]" * 80),  # noqa: S307
    ):
        written = canonical(value, with_orjson=True)
        assert written == canonical(value, with_orjson=False)
    deep = []
    for _ in range(400):
        deep = [deep]
    assert canonical(deep, with_orjson=True) == canonical(deep, with_orjson=False) == b"[" * 401 + b"]" * 401


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_alone_is_written_as_in_a_document(text):
    assert format_text(text) == format_plain(text)
