"""Row-by-row comparison of kept trees, against counting."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_trees import keep, keep_keys, leaves_of, number_rows

from wherefrom.commitments import Secret
from wherefrom.errors import FormatError
from wherefrom.fingerprints import KeptTrees, compare, fingerprint_records
from wherefrom.fingerprints.compare import compare_rows, compare_trees

numbers = st.lists(st.integers(0, 30), max_size=40)
repeats = st.sampled_from([1, 1, 1, 300, 700])


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """So that trees of hundreds of leaves have several, and one leaf can fill more than one."""
    monkeypatch.setattr(compare, "_BLOCK_TILES", 1)


@given(numbers, numbers, repeats, repeats)
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_multisets(tmp_path_factory, before, after, some, others):
    folder = tmp_path_factory.mktemp("trees")
    sides = []
    for name, side, times in (("before", before, some), ("after", after, others)):
        rows = side + side[:1] * times
        sides.append((Counter(rows), keep(folder / name, sorted(leaves_of(number_rows(*rows))))))
    (one, before_tree), (other, after_tree) = sides
    with before_tree, after_tree:
        found = compare_trees(before_tree, after_tree)
    assert (found.common, found.removed, found.added) == (
        (one & other).total(),
        (one - other).total(),
        (other - one).total(),
    )
    for leaves, expected in ((found.removed_leaves, one - other), (found.added_leaves, other - one)):
        got = {leaf.tobytes() for part in leaves for leaf in part}
        assert got == set(leaves_of(number_rows(*expected)))


def test_sets_that_can_not_be_compared_are_refused(tmp_path):
    leaves = sorted(leaves_of(number_rows(1, 2)))
    secret = Secret(b"s" * 32)
    rows, keys = keep(tmp_path / "rows", leaves), keep_keys(tmp_path / "keys", leaves)
    sequence = keep(tmp_path / "sequence", leaves, order="sequence")
    private = keep(tmp_path / "private", sorted(leaves_of(number_rows(1), secret=secret)), secret=secret)
    for other, message in ((keys, "not keys"), (sequence, "sequence order"), (private, "different secrets")):
        with pytest.raises(FormatError, match=message):
            compare_trees(rows, other)
    for tree in (rows, keys, sequence, private):
        tree.close()


def test_rows_are_found_again_in_a_csv_whose_types_show_at_its_end(tmp_path):
    """The file is read a second time once a late text shows that its column is none of numbers."""
    ids = np.arange(400_000)
    codes = [str(number) for number in ids]
    sources = []
    for name, last in (("before", "x"), ("after", "y")):
        path = tmp_path / f"{name}.csv"
        lines = [f"{number},{code}" for number, code in zip(ids, [*codes[:-1], last], strict=True)]
        path.write_text("\n".join(["id,code", *lines]) + "\n")
        sources.append(path)
    trees = KeptTrees(tmp_path / "leaves")
    opened = [trees.open(fingerprint_records(path, keep=trees)) for path in sources]
    found = compare_rows(*opened, sources=sources, key=["id"], samples=5)
    assert (found["common"], found["removed"], found["added"], found["changed"]) == (399_999, 0, 0, 1)
    assert found["changedRows"] == [[{"id": 399_999, "code": "x"}, {"id": 399_999, "code": "y"}]]
    with pytest.raises(FormatError, match="no column 'none'"):
        compare_rows(*opened, sources=sources, key=["none"], samples=5)
    with pytest.raises(FormatError, match="where both tables can be read"):
        compare_rows(*opened, sources=[sources[0], None], key=["id"], samples=5)
    without = compare_rows(*opened, sources=[None, None], key=[], samples=5)
    assert (without["removed"], without["removedRows"], without["changed"]) == (1, [], None)
    for tree in opened:
        tree.close()


def test_samples_are_as_many_as_asked_for(tmp_path):
    trees = KeptTrees(tmp_path)
    tables = [pa.table({"id": pa.array(range(first, first + 50))}) for first in (0, 25)]
    opened = [trees.open(fingerprint_records(table, keep=trees)) for table in tables]
    found = compare_rows(*opened, sources=tables, key=[], samples=3)
    assert (found["common"], found["removed"], found["added"]) == (25, 25, 25)
    assert (len(found["removedRows"]), len(found["addedRows"])) == (3, 3)
    assert all(row["id"] < 25 for row in found["removedRows"])
    for tree in opened:
        tree.close()
