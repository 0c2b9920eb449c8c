"""Laws of `wf-records-1` and `wf-keys-1` in each order, with and without a secret, in each form, in odd memory."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import wf_records
from tests.unit.fingerprints.memory import odd_array
from tests.unit.fingerprints.tables import FLAT_KINDS, DrawnColumn, arrow_of, nested, notation_of, optional, tables

from wherefrom.commitments.secret import Secret
from wherefrom.fingerprints import Key, commit_keys, fingerprint_records, fingerprint_with_keys, sha256
from wherefrom.fingerprints.rows import hash_rows_of

orders = st.sampled_from(["sorted", "sequence"])
# Nested ones of every type: memory is laid out by hand, without Arrow's converters.
all_kinds = st.recursive(st.sampled_from(FLAT_KINDS), nested, max_leaves=4)
secrets = st.none() | st.binary(min_size=32, max_size=32).map(Secret)


def leaves_of(table, secret=None, keys=()):
    """Leaf hashes in the order of rows, and those of each key."""
    hashed = hash_rows_of(table.combine_chunks().to_batches()[0], keys=keys, secret=secret)
    return [[row.tobytes() for row in hashes] for hashes in (hashed.leaf_hashes, *hashed.key_hashes)]


@pytest.fixture(scope="module", autouse=True)
def natively():
    """Small tables would never reach the native hasher by themselves; the vectors are run by the other one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sha256, "_is_native_better", lambda count: True)
        yield


@given(tables(min_columns=1), orders, secrets, st.data())
@settings(max_examples=60, deadline=None)
def test_every_mode_agrees_with_the_reference(columns, order, secret, data):
    keys = data.draw(st.lists(st.lists(st.sampled_from(list(columns)), min_size=1, unique=True), max_size=2))
    whole, commitments = fingerprint_with_keys(arrow_of(columns), keys=keys, order=order, secret=secret)
    how = {"order": order, "secret": secret.key if secret else None}
    assert whole.to_json() == wf_records.identity(notation_of(columns), len(next(iter(columns.values())).raws), **how)
    for key, commitment in zip(keys, commitments, strict=True):
        assert commitment.to_json() == wf_records.key_identity(notation_of(columns), key, **how)


@given(
    st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \tAaÉ\u0301\u0378"))),
    st.sampled_from(["text", "document"]),
    secrets,
)
@settings(max_examples=50, deadline=None)
def test_keys_in_a_form_agree_with_the_reference(values, form, secret):
    notation = {"a": [None if value is None else {"text": value} for value in values]}
    want = wf_records.key_identity(notation, ["a"], form, secret=secret.key if secret else None)
    plain = pa.array(values, pa.string())
    for array in (plain, plain.cast(pa.string_view()), plain.cast(pa.large_string()), plain.dictionary_encode()):
        commitment = commit_keys(pa.table({"a": array}), columns=["a"], form=form, secret=secret)
        assert commitment.to_json() == want
    if form == "document":
        binary = fingerprint_with_keys(pa.table({"a": plain.cast(pa.binary())}), keys=[Key(("a",), form)])[1][0]
        assert (binary.root == commitment.root) == (secret is None or commitment.keys == 0)
        assert (binary.columns, binary.keys) == (commitment.columns, commitment.keys)


@given(all_kinds, st.data(), st.randoms(use_true_random=False), secrets)
@settings(max_examples=150, deadline=None)
def test_what_memory_hides_is_not_seen(kind, data, rng, secret):
    pool = data.draw(st.lists(optional(kind.raw), min_size=1, max_size=4))
    raws = data.draw(st.lists(st.sampled_from(pool), max_size=6))
    table = pa.table({"a": odd_array(kind.type, raws, rng)})
    how = {"order": "sequence", "secret": secret}
    want = wf_records.identity({"a": kind.values(raws)}, None, "sequence", secret.key if secret else None)
    assert fingerprint_records(table, **how).to_json() == want


@given(tables(min_columns=1, min_rows=2), secrets, st.data())
@settings(deadline=None)
def test_reordered_rows_are_another_sequence_and_the_same_set(columns, secret, data):
    table = arrow_of(columns)
    order = data.draw(st.permutations(range(table.num_rows)))
    # By way of raw values, as Arrow can't take rows of every type.
    reordered = arrow_of(
        {name: DrawnColumn(column.kind, [column.raws[index] for index in order]) for name, column in columns.items()}
    )
    rows = wf_records.rows_of(notation_of(columns))
    is_same_sequence = [rows[index] for index in order] == rows
    sequences = [fingerprint_records(source, order="sequence", secret=secret) for source in (table, reordered)]
    assert (sequences[0].id == sequences[1].id) == (sequences[0].root == sequences[1].root) == is_same_sequence
    sets = [fingerprint_records(source, secret=secret) for source in (table, reordered)]
    assert sets[0].id == sets[1].id != sequences[0].id


@given(tables(min_columns=1, min_rows=1), st.data())
@settings(deadline=None)
def test_no_leaf_is_the_same_under_two_secrets_or_none(columns, data):
    one, other = data.draw(st.lists(secrets, min_size=2, max_size=2, unique=True))
    table, keys = arrow_of(columns), [Key((next(iter(columns)),))]
    rows, key_rows = zip(*(leaves_of(table, secret, keys) for secret in (one, other)), strict=True)
    assert not set(rows[0]) & set(rows[1])
    assert not set(key_rows[0]) & set(key_rows[1])
    # Nor is a private key row's that of a row of the same bytes.
    if one is not None:
        assert not set(rows[0]) & set(key_rows[0])
    ids = {fingerprint_records(table, secret=secret).id for secret in (one, other)}
    assert len(ids) == 2


@given(tables(min_columns=1, min_rows=1), orders, secrets, st.data())
@settings(max_examples=50, deadline=None)
def test_a_changed_cell_is_seen_in_every_mode(columns, order, secret, data):
    row = data.draw(st.integers(0, len(next(iter(columns.values())).raws) - 1), label="row")
    name = data.draw(st.sampled_from(list(columns)), label="column")
    kind, raws = columns[name].kind, columns[name].raws
    raw = data.draw(st.none() | kind.raw, label="value")
    changed = {**columns, name: DrawnColumn(kind, [*raws[:row], raw, *raws[row + 1 :]])}
    before, after = (fingerprint_records(arrow_of(table), order=order, secret=secret) for table in (columns, changed))
    is_same = wf_records.rows_of(notation_of(columns)) == wf_records.rows_of(notation_of(changed))
    assert (before.root == after.root) == is_same
