"""Laws of rows as JSON: one at a time, without native libraries, they have the leaves that the kernel gives them."""

import json

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.fingerprints.tables import arrow_of, tables

from wherefrom.commitments import RecordsFingerprint
from wherefrom.commitments.values import leaf_of, row_bytes
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.json_rows import iter_json_rows
from wherefrom.fingerprints.rows import hash_rows_of
from wherefrom.merkle import root_of


def leaves_by_json(table, about):
    """Written as text and read back, as in a proof."""
    rows = [json.loads(json.dumps(row)) for batch in table.to_batches() for row in iter_json_rows(batch)]
    return [leaf_of(row_bytes(row, about), salt=None) for row in rows]


@given(tables(min_columns=1))
@settings(max_examples=150, deadline=None)
def test_a_row_as_json_has_the_leaf_that_the_kernel_gives_it(columns):
    table = arrow_of(columns)
    about = fingerprint_records(table)
    by_json = leaves_by_json(table, about)
    by_kernel = [leaf.tobytes() for batch in table.to_batches() for leaf in hash_rows_of(batch).leaf_hashes]
    assert by_json == by_kernel
    assert root_of(sorted(by_json)) == about.root


@given(tables(min_columns=1), st.data())
@settings(max_examples=60, deadline=None)
def test_another_value_in_a_cell_gives_another_leaf(columns, data):
    table = arrow_of(columns)
    assume(table.num_rows)
    about = fingerprint_records(table)
    rows = [row for batch in table.to_batches() for row in iter_json_rows(batch)]
    name = data.draw(st.sampled_from(table.schema.names))
    one, other = data.draw(st.sampled_from(rows)), data.draw(st.sampled_from(rows))
    changed = {**one, name: other[name]}
    is_same = row_bytes(one, about) == row_bytes(changed, about)
    assert is_same == (cell_of(one, name, about) == cell_of(other, name, about))


def cell_of(row, name, about):
    [column] = [column for column in about.columns if column.name == name]
    return row_bytes({name: row[name]}, RecordsFingerprint(1, (column,), bytes(32)))
