import bisect
import sys

import duckdb
import pyarrow as pa
import pytest
from tests.reference import wf_records

from wherefrom import merkle
from wherefrom.errors import FormatError, InclusionError, MismatchError, NotFoundError, UnavailableError
from wherefrom.fingerprints import Key, Secret, commit_keys, fingerprint_records, fingerprint_with_keys, pool, rows
from wherefrom.merkle import EMPTY_ROOT

TABLE = pa.table({"id": [3, 1, 2, 1], "name": ["c", "a", None, "a"]})


def test_arrow_objects_of_every_kind_are_one_table():
    ids = {
        fingerprint_records(source).id
        for source in (
            TABLE,
            TABLE.to_reader(),
            TABLE.to_batches()[0],
            pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]),
            TABLE.select(["name", "id"]).take([3, 2, 1, 0]),
            duckdb.from_arrow(TABLE),
        )
    }
    assert len(ids) == 1


def test_a_reader_is_read_once():
    reader = TABLE.to_reader()
    assert fingerprint_records(reader).rows == 4
    assert fingerprint_records(reader).rows == 0


def test_batches_of_several_chunks_come_out_the_same(monkeypatch):
    whole = fingerprint_records(TABLE)
    monkeypatch.setattr(rows, "_CHUNK_BYTES", 1)
    for workers in (1, 2, 5):
        monkeypatch.setattr(pool, "worker_count", lambda workers=workers: workers)
        assert fingerprint_records(TABLE) == whole


def test_empty_tables_have_columns_without_types():
    empty = fingerprint_records(TABLE.slice(0, 0))
    assert (empty.rows, empty.root) == (0, EMPTY_ROOT)
    assert [(column.name, str(column.type)) for column in empty.columns] == [("id", "null"), ("name", "null")]
    assert fingerprint_records(pa.table({})).rows == 0
    assert fingerprint_records(TABLE.select([])).rows == 4
    assert fingerprint_records(TABLE.schema.empty_table().to_reader()) == empty


def test_progress_tells_rows_and_their_total(monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", 1)
    told = []
    fingerprint_records(TABLE, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4), (0, 4), (4, 4)]  # read, then sorted into the tree
    told.clear()
    fingerprint_records(TABLE.to_reader(), progress=lambda done, total: told.append((done, total)))
    assert (4, None) in told
    assert told[-1] == (4, 4)


def test_an_error_in_progress_ends_the_reading():
    def refuse(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fingerprint_records(TABLE, progress=refuse)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"a": [1]}, "no table in a dict; expected a path"),
        ([1, 2], "no table in a list"),
        (None, "no table in a NoneType"),
        (pa.array([1]), "no table in a pyarrow.lib.Int64Array"),
        (3, "no table in a int"),
    ],
)
def test_other_objects_are_refused(source, message):
    with pytest.raises(FormatError, match=message):
        fingerprint_records(source)


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(FormatError, match="two columns are named 'a'; names must be unique"):
        fingerprint_records(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))


def test_a_format_is_for_files_only(tmp_path):
    with pytest.raises(FormatError, match=r"format is 'csv', but the source is a pyarrow\.lib\.Table, not a file"):
        fingerprint_records(TABLE, format="csv")
    path = tmp_path / "table.data"
    path.write_text("id\n1\n")
    assert fingerprint_records(path, format="csv").rows == 1
    with pytest.raises(
        FormatError, match="its name doesn't tell a table format; give one of csv, tsv, jsonl, parquet, arrow"
    ):
        fingerprint_records(path)
    with pytest.raises(FormatError, match="unknown table format 'xls'; known: csv"):
        fingerprint_records(path, format="xls")
    with pytest.raises(FormatError, match=r"is a folder; a folder is read as Parquet files.*, not as csv"):
        fingerprint_records(tmp_path, format="csv")
    with pytest.raises(NotFoundError, match=r"no file or folder at '.*nothing\.csv'"):
        fingerprint_records(tmp_path / "nothing.csv")


def test_keys_are_committed_in_the_same_pass():
    notation = {
        "id": [{"int": "3"}, {"int": "1"}, {"int": "2"}, {"int": "1"}],
        "name": [{"text": "c"}, {"text": "a"}, None, {"text": "a"}],
    }
    fingerprint, (by_id, by_name, by_both) = fingerprint_with_keys(TABLE, keys=[["id"], ["name"], ["name", "id"]])
    assert fingerprint == fingerprint_records(TABLE)
    assert by_id.to_json() == wf_records.key_identity(notation, ["id"])
    assert by_name.to_json() == wf_records.key_identity(notation, ["name"])
    assert by_both.to_json() == wf_records.key_identity(notation, ["id", "name"])
    assert (by_id.keys, by_id.keyless) == (3, 0)
    assert (by_name.keys, by_name.keyless) == (2, 1)
    assert (by_both.keys, by_both.keyless) == (3, 0)
    assert commit_keys(TABLE, columns=["id"]) == by_id
    assert by_id.records == fingerprint.id


def test_the_same_keys_of_another_table_are_another_commitment():
    other = TABLE.set_column(1, "name", pa.array(["x"] * 4))
    one, another = commit_keys(TABLE, columns=["id"]), commit_keys(other, columns=["id"])
    assert one.root == another.root
    assert one.id != another.id


def test_the_ledgers_proofs_show_that_a_row_is_in_the_table_or_is_not():
    rows_ = [{"id": {"int": str(number)}, "name": {"text": f"name {number}"}} for number in range(20)]
    table = pa.table({"id": range(20), "name": [f"name {number}" for number in range(20)]})
    root = fingerprint_records(table).root
    leaves = sorted(merkle.hash_leaf(wf_records.row(row)) for row in rows_)

    present = merkle.hash_leaf(wf_records.row(rows_[7]))
    index = leaves.index(present)
    proof = merkle.prove_inclusion(leaves, index)
    merkle.verify_inclusion(present, index=index, size=20, proof=proof, root=root)
    absent = merkle.hash_leaf(wf_records.row({**rows_[7], "name": {"text": "another"}}))
    with pytest.raises(InclusionError):
        merkle.verify_inclusion(absent, index=index, size=20, proof=proof, root=root)

    after = bisect.bisect(leaves, absent)
    assert 0 < after < 20
    assert leaves[after - 1] < absent < leaves[after]
    for neighbour in (after - 1, after):
        proof = merkle.prove_inclusion(leaves, neighbour)
        merkle.verify_inclusion(leaves[neighbour], index=neighbour, size=20, proof=proof, root=root)


@pytest.mark.parametrize("columns", [[], ["id", "id"], "id"])
def test_key_columns_must_be_one_or_more_different_names(columns):
    with pytest.raises(FormatError, match="expected one or more different column names"):
        commit_keys(TABLE, columns=columns)


def test_key_columns_must_be_there():
    with pytest.raises(NotFoundError, match="no column 'customer'; there are 'id', 'name'"):
        commit_keys(TABLE, columns=["customer"])
    with pytest.raises(NotFoundError, match="key column 'name' is not among the columns chosen"):
        fingerprint_with_keys(TABLE, keys=[["name"]], columns=["id"])


def test_keys_have_forms():
    table = pa.table({"name": ["Ann  Lee", "ANN lee ", "Bo", None], "page": ["https://a/#x", "HTTPS://A", None, None]})
    keys = [["name"], Key(("name",), "text"), Key(("page",), "url"), Key(("page",), "document")]
    fingerprint, (exact, text, url, document) = fingerprint_with_keys(table, keys=keys)
    assert fingerprint == fingerprint_records(table)
    assert [(key.form, key.keys, key.keyless) for key in (exact, text, url, document)] == [
        ("exact", 3, 1),
        ("text", 2, 1),
        ("url", 1, 2),
        ("document", 2, 2),
    ]
    assert [str(key.columns[0].type) for key in (exact, text, url, document)] == ["text", "text", "text", "binary"]
    normal = pa.table({"name": ["ann lee", "bo"]})
    assert commit_keys(normal, columns=["name"], form="text").root == text.root
    assert commit_keys(normal, columns=["name"]).root == text.root != exact.root
    assert commit_keys(table, columns=["name"], form="text") == text
    assert len({key.id for key in (exact, text, url, document)}) == 4


def test_forms_only_see_values_that_rows_hold():
    pages = pa.DictionaryArray.from_arrays(pa.array([1, None, 1], pa.int8()), pa.array(["no URL", "https://a"]))
    assert commit_keys(pa.table({"page": pages}), columns=["page"], form="url").keys == 1
    slices = pa.table({"page": pa.array(["no URL", "https://a", "no URL"]).slice(1, 1)})
    assert commit_keys(slices, columns=["page"], form="url").keys == 1


@pytest.mark.parametrize(
    ("column", "form", "message"),
    [
        ([1, 2], "text", "column 'a': holds number; key form 'text' takes text"),
        ([b"x"], "url", "column 'a': holds binary; key form 'url' takes text"),
        ([["x"]], "document", "column 'a': holds list<text>; key form 'document' takes text or binary"),
        (["https://a", "example.org/b"], "url", "column 'a': 'example.org/b' is not an absolute URL"),
        (["x" * 1000], "url", "column 'a': '" + "x" * 200 + "…' is not an absolute URL"),
    ],
)
def test_what_a_form_does_not_take_is_named(column, form, message, tmp_path):
    table = pa.table({"a": column})
    with pytest.raises(FormatError) as caught:
        commit_keys(table, columns=["a"], form=form)
    assert str(caught.value) == message
    path = tmp_path / "a.arrow"
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)
    with pytest.raises(FormatError) as caught:
        commit_keys(path, columns=["a"], form=form)
    assert str(caught.value) == f"'{path}': {message}"


def test_a_key_says_what_is_wrong_with_it_before_anything_is_read(monkeypatch):
    with pytest.raises(FormatError, match="unknown key form 'hash'; known: exact, text, url, document"):
        Key(("a",), "hash")
    with pytest.raises(FormatError, match="key form 'text' takes one column, got 'a', 'b'"):
        commit_keys("nowhere.csv", columns=["a", "b"], form="text")
    with pytest.raises(FormatError, match="expected one or more different column names"):
        Key((1,))
    monkeypatch.setitem(sys.modules, "ada_url", None)
    with pytest.raises(UnavailableError, match=r"pip install 'wherefrom\[url\]'"):
        commit_keys("nowhere.csv", columns=["a"], form="url")
    with pytest.raises(FormatError, match="unknown order 'given'; known: sorted, sequence"):
        fingerprint_records("nowhere.csv", order="given")


def test_a_sequence_is_the_tree_over_rows_as_they_come(monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", 1)
    leaves = [row.tobytes() for row in rows.hash_rows_of(TABLE.to_batches()[0]).leaf_hashes]
    sequence = fingerprint_records(TABLE, order="sequence")
    assert (sequence.order, sequence.root) == ("sequence", merkle.root_of(leaves))
    assert fingerprint_records(TABLE).root == merkle.root_of(sorted(leaves)) != sequence.root
    assert fingerprint_records(TABLE.take([1, 0, 2, 3]), order="sequence").root != sequence.root
    keys = commit_keys(TABLE, columns=["id"], order="sequence")
    assert keys.root == commit_keys(TABLE, columns=["id"]).root
    assert keys.records == sequence.id
    empty = fingerprint_records(TABLE.slice(0, 0), order="sequence")
    assert (empty.rows, empty.root) == (0, EMPTY_ROOT)


def test_a_secret_makes_a_fingerprint_that_only_it_makes_again():
    secret = Secret(bytes(range(32)))
    private, (keys,) = fingerprint_with_keys(TABLE, keys=[["id"]], secret=secret)
    assert private.salt == keys.salt == secret.scheme
    assert fingerprint_records(TABLE.take([3, 2, 1, 0]), secret=secret) == private
    assert fingerprint_records(TABLE, secret=Secret(bytes(32))).id != private.id != fingerprint_records(TABLE).id
    assert (private.rows, keys.keys) == (4, 3)
    with pytest.raises(MismatchError, match="the secret given is not the one that the fingerprint was made with"):
        Secret(bytes(32)).verify_scheme(private.salt)
