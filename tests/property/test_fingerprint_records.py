"""Laws of `wf-records-1`: the fast road agrees with the reference, whatever a table looks like in memory."""

import random
from collections.abc import Callable
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import wf_records
from tests.unit.fingerprints.tables import DrawnColumn, arrow_of, notation_of, tables, texts

from wherefrom.fingerprints import commit_keys, fingerprint_records, sha256


@pytest.fixture(params=["hashlib", "native"], scope="module", autouse=True)
def hasher(request):
    """Each law for both: small tables would never reach the native hasher by themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sha256, "_is_native_better", lambda count: request.param == "native")
        yield


def expected(columns, rows):
    return wf_records.identity(notation_of(columns), rows)


def rows_in(columns):
    return len(next(iter(columns.values())).raws) if columns else 0


@given(tables())
@settings(max_examples=100, deadline=None)
def test_the_fast_road_agrees_with_the_reference(columns):
    fingerprint = fingerprint_records(arrow_of(columns))
    identity = expected(columns, rows_in(columns))
    assert fingerprint.to_json() == identity
    assert fingerprint.id == wf_records.identifier(identity)


def ways_to_keep(kind: pa.DataType, *, is_all_null: bool) -> list[Callable[[pa.Array], pa.Array]]:
    """The same values in other machine types."""
    ways: list[Callable[[pa.Array], pa.Array]] = [lambda array: array]
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        ways += [lambda array: array.cast(pa.int64())]
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        ways += [lambda array: array.cast(pa.float64())]
    if pa.types.is_string(kind):
        ways += [lambda array: array.cast(pa.large_string()), lambda array: array.cast(pa.string_view())]
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_integer(kind) or pa.types.is_duration(kind):
        ways += [lambda array: array.dictionary_encode(), pc.run_end_encode]
    if pa.types.is_dictionary(kind):
        ways += [lambda array: array.dictionary_decode()]
    if pa.types.is_list(kind):
        ways += [lambda array: array.cast(pa.large_list(kind.value_type))]
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        ways += [lambda array: array.cast(pa.timestamp(kind.unit, "America/Lima"))]
    if is_all_null:
        ways += [lambda array: pa.nulls(len(array)), lambda array: pa.nulls(len(array), pa.list_(pa.float32()))]
    return ways


def disguise(column: DrawnColumn, order: list[int], cuts: list[int], rng: random.Random) -> pa.ChunkedArray:
    """A column in another order, type and batches, some of which are slices: bitmaps that start inside a byte."""
    is_all_null = all(raw is None for raw in column.raws)
    keep = rng.choice(ways_to_keep(column.kind.type, is_all_null=is_all_null))
    chunks = []
    for start, end in pairwise([0, *cuts, len(order)]):
        before = [rng.choice(order) for _ in range(rng.randrange(12))] if order else []
        after = [rng.choice(order) for _ in range(rng.randrange(3))] if order else []
        raws = [column.raws[index] for index in [*before, *order[start:end], *after]]
        chunks.append(keep(column.kind.arrow(raws)).slice(len(before), end - start))
    return pa.chunked_array(chunks)


@given(tables(min_columns=1), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_row_order_column_order_batches_and_memory_layout_do_not_matter(columns, rng):
    order = list(range(rows_in(columns)))
    rng.shuffle(order)
    cuts = sorted(rng.randrange(len(order) + 1) for _ in range(rng.randrange(3)))
    names = list(columns)
    rng.shuffle(names)
    same = pa.Table.from_arrays([disguise(columns[name], order, cuts, rng) for name in names], names=names)
    assert fingerprint_records(same).to_json() == expected(columns, len(order))


@given(tables(min_columns=1, min_rows=1), st.data())
@settings(max_examples=100, deadline=None)
def test_any_changed_added_dropped_or_repeated_row_or_renamed_column_is_another_fingerprint(columns, data):
    original = fingerprint_records(arrow_of(columns))
    values = notation_of(columns)
    row = data.draw(st.integers(0, rows_in(columns) - 1), label="row")
    name = data.draw(st.sampled_from(list(columns)), label="column")
    kind = columns[name].kind

    def with_rows(indexes):
        return arrow_of(
            {
                key: DrawnColumn(column.kind, [column.raws[index] for index in indexes])
                for key, column in columns.items()
            }
        )

    every = list(range(rows_in(columns)))
    assert fingerprint_records(with_rows([*every, row])).id != original.id
    assert fingerprint_records(with_rows(every[:row] + every[row + 1 :])).id != original.id

    raw = data.draw(st.none() | kind.raw, label="value")
    changed = {
        **columns,
        name: DrawnColumn(kind, [*columns[name].raws[:row], raw, *columns[name].raws[row + 1 :]]),
    }
    is_same_row = wf_records.cell(notation_of(changed)[name][row]) == wf_records.cell(values[name][row])
    assert (fingerprint_records(arrow_of(changed)).id == original.id) == is_same_row

    other_name = data.draw(texts.filter(lambda text: text not in columns), label="name")
    renamed = {other_name if key == name else key: column for key, column in columns.items()}
    assert fingerprint_records(arrow_of(renamed)).id != original.id
    dropped = {key: column for key, column in columns.items() if key != name}
    assert fingerprint_records(arrow_of(columns), columns=list(dropped)).id != original.id


@given(tables(min_columns=1), st.data())
@settings(deadline=None)
def test_key_commitments_agree_with_the_reference(columns, data):
    key = data.draw(st.lists(st.sampled_from(list(columns)), min_size=1, unique=True))
    commitment = commit_keys(arrow_of(columns), columns=key)
    assert commitment.to_json() == wf_records.key_identity(notation_of(columns), key)
