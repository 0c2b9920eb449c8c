"""What is published beside a log: statements that can be erased one by one, and digests of the lineage."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.store import VIEWS
from wherefrom.tlog.statements import (
    digest_rows,
    format_lineage,
    format_statements,
    format_statements_path,
    parse_lineage,
    parse_statements,
    parse_statements_path,
)

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "tests" / "vectors" / "tlog" / "publication.json").read_text())


def named(cases):
    return pytest.mark.parametrize("case", VECTORS[cases], ids=lambda case: case["desc"])


@named("rows")
def test_rows_have_the_digest_of_their_text(case):
    view = digest_rows(map(tuple, case["rows"]))
    assert (view.rows, view.sha256) == (len(case["rows"]), case["sha256"])


@named("statements")
def test_statements_are_read_strictly(case):
    data = case["data"].encode()
    if case["want"] == "error":
        with pytest.raises(FormatError):
            parse_statements(data, case["bundle"])
        return
    statements = parse_statements(data, case["bundle"])
    assert [statement.index for statement in statements] == case["want"]
    assert format_statements(statements) == data


@named("lineages")
def test_lineage_is_read_strictly(case):
    data = case["data"].encode()
    if case["want"] == "error":
        with pytest.raises(FormatError):
            parse_lineage(data)
    else:
        assert format_lineage(parse_lineage(data)) == data


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_bytes_are_read_or_refused(data, bundle):
    for parse in (
        lambda: format_statements(parse_statements(data, bundle)),
        lambda: format_lineage(parse_lineage(data)),
    ):
        with contextlib.suppress(FormatError):
            assert parse() == data


@given(st.integers(0, 2**40))
def test_a_path_has_one_spelling(index):
    path = format_statements_path(index)
    assert parse_statements_path(path) == index
    for wrong in (
        f"{path}.p/3",
        path.replace("statements/", "statements/x000/"),
        path.replace("statements/", ""),
        f"{path}/",
    ):
        with pytest.raises(FormatError):
            parse_statements_path(wrong)


def test_the_page_lists_the_views_and_columns_that_there_are():
    page = (ROOT / "docs" / "spec" / "publication.md").read_text()
    said = {
        name: re.sub(r"\*", "", columns).split(", ")
        for name, columns in re.findall(r"^\| `(\w+)` \| (\*\*.*) \|$", page, re.MULTILINE)
    }
    assert said == {table.name: [column.name for column in table.columns] for table in VIEWS}
    for table in VIEWS:
        key = ", ".join(f"**{column.name}**" for column in table.primary_key.columns)
        assert f"| `{table.name}` | {key}" in page


def test_bytes_in_a_row_stand_as_hex():
    assert digest_rows([(1, b"\x00\xff", "a")]) == digest_rows([(1, "00ff", "a")])
    assert digest_rows([(1, b"\x00\xff")]) != digest_rows([(1, "00fe")])
