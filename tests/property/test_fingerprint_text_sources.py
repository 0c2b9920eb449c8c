"""CSV and JSON Lines: the fast readers agree with the reference, wherever a block ends."""

import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import text_sources, wf_records

from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import csv_files, json_lines


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """So that a column's type changes in a later block, and the file is read again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "_BLOCK_BYTES", 512)
        patch.setattr(json_lines, "_BLOCK_LINES", 3)
        yield


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff"), max_size=6)
integers = st.integers(-99, 99) | st.sampled_from(
    [2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30]
)
floats = st.floats(allow_nan=False) | st.integers(-9, 9).map(float)
nulls = st.sampled_from(sorted(text_sources.NULLS))
number_texts = (
    integers.map(str)
    | floats.map(repr)
    | st.sampled_from(
        ["+5", " 7", "7\t", "007", "1.", ".5", "-.5e-3", "1E5", "inf", "-Infinity", "+INF", "1e400", "-0", "-0.0"]
    )
)
near_numbers = st.sampled_from(
    [
        "0x10",
        "1_000",
        "--1",
        "1e",
        "e5",
        ".",
        "+",
        "-",
        "1-5",
        "NAN",
        "infinit",
        "1 2",
        "٣",
        " ",
        "1,5",
        "5d",
        "True ",
        "tRUE",
        "1\n",
        "true\n",
    ]
)
booleans = st.sampled_from(sorted(text_sources.TRUE | text_sources.FALSE))
pools = st.sampled_from(
    [
        nulls | booleans,
        nulls | number_texts,
        nulls | integers.map(str),
        number_texts | near_numbers,
        booleans | integers.map(str),
        texts | nulls,
        texts | near_numbers,
    ]
)


@st.composite
def csv_tables(draw):
    """Columns whose first fields come from one pool and the last from another, as when a type breaks late."""
    names = draw(st.lists(texts, min_size=1, max_size=4, unique=True))
    count = draw(st.integers(0, 40))
    columns = []
    for _ in names:
        first, last = draw(pools), draw(pools)
        split = draw(st.integers(0, count))
        columns.append(
            draw(st.lists(first, min_size=split, max_size=split))
            + draw(st.lists(last, min_size=count - split, max_size=count - split))
        )
    return names, list(zip(*columns, strict=True))


def quote(field, delimiter, *, is_quoted):
    """As a writer does; a field of nothing too, as a line of nothing is no row."""
    if is_quoted or not field or set(field) & {delimiter, '"', "\r", "\n"}:
        return '"' + field.replace('"', '""') + '"'
    return field


@given(csv_tables(), st.sampled_from([",", "\t"]), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=300)
def test_a_delimited_file_is_the_table_that_the_specification_says(table, delimiter, line_end, is_quoted, has_mark):
    names, rows = table
    lines = (delimiter.join(quote(field, delimiter, is_quoted=is_quoted) for field in row) for row in [names, *rows])
    data = (b"\xef\xbb\xbf" if has_mark else b"") + "".join(line + line_end for line in lines).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv" if delimiter == "," else "table.tsv")
        path.write_bytes(data)
        fingerprint = fingerprint_records(path)
    want = text_sources.read_csv(data, delimiter)
    assert fingerprint.to_json() == wf_records.identity(want, len(rows))


finite = floats.filter(math.isfinite)  # JSON has no infinity
scalars = st.sampled_from([st.booleans(), integers, integers | finite, texts, st.none()])
json_values = st.recursive(
    scalars,
    lambda inner: (
        inner.map(lambda values: st.lists(st.none() | values, max_size=3))
        | st.dictionaries(texts, inner, max_size=2).map(lambda fields: st.fixed_dictionaries({}, optional=fields))
    ),
    max_leaves=3,
)


@given(st.dictionaries(texts, json_values, max_size=4), st.data())
@settings(deadline=None, max_examples=300)
def test_json_lines_are_the_table_that_the_specification_says(columns, data):
    row = st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in columns.items()})
    rows = data.draw(st.lists(row, max_size=12), label="rows")
    lines = [json.dumps(item, ensure_ascii=data.draw(st.booleans())) for item in rows]
    content = "\n\n".join(lines).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.jsonl")
        path.write_bytes(content)
        fingerprint = fingerprint_records(path)
    assert fingerprint.to_json() == wf_records.identity(text_sources.read_json_lines(content), len(rows))
