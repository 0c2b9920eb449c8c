import os

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherefrom.errors import FormatError, NotFoundError, UnavailableError, WherefromError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import open_table

TABLE = pa.table({"id": [3, 1, 2, 1], "year": [2013, 2014, 2013, 2014], "name": ["c", "a", None, "a"]})


def ids(*sources):
    return {fingerprint_records(source).id for source in sources}


def write(path, table, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


def test_how_the_file_is_written_does_not_matter(tmp_path):
    for index, options in enumerate(
        [
            {},
            {"compression": "zstd", "row_group_size": 1},
            {"use_dictionary": False, "version": "1.0", "store_schema": False},
            {"data_page_version": "2.0", "data_page_size": 1},
        ]
    ):
        write(tmp_path / f"{index}.parquet", TABLE.take([index, *({0, 1, 2, 3} - {index})]), **options)
    assert ids(*sorted(tmp_path.iterdir())) == ids(TABLE)
    assert fingerprint_records(tmp_path / "0.parquet").read_options == {"format": "parquet"}


def test_a_large_row_group_is_read_in_batches(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"a": range(200_000)}), row_group_size=200_000)
    sizes = [batch.num_rows for batch in open_table(tmp_path / "a.parquet").iter_batches()]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 2**16


def test_a_folder_is_one_table_whatever_the_parts_machine_types(tmp_path):
    folder = tmp_path / "parts"
    write(
        folder / "a.parquet", TABLE.slice(0, 1).cast(pa.schema({"id": "int8", "year": "int16", "name": "large_string"}))
    )
    write(folder / "sub" / "b.parquet", TABLE.slice(1).select(["name", "id", "year"]))
    write(folder / "c.parquet", TABLE.slice(0, 0))
    (folder / "_SUCCESS").touch()
    (folder / ".a.parquet.crc").touch()
    write(folder / "_metadata.parquet", pa.table({"other": [1]}))
    write(folder / "_temporary" / "d.parquet", pa.table({"other": [1]}))
    assert ids(folder, str(folder)) == ids(TABLE)
    assert fingerprint_records(folder, format="parquet").rows == 4
    folder.rename(tmp_path / "parts.parquet")
    assert ids(tmp_path / "parts.parquet") == ids(TABLE)


def test_links_are_followed_and_one_that_leads_nowhere_is_no_smaller_table(tmp_path):
    write(tmp_path / "elsewhere" / "b.parquet", TABLE.slice(1))
    write(tmp_path / "parts" / "a.parquet", TABLE.slice(0, 1))
    (tmp_path / "parts" / "more").symlink_to(tmp_path / "elsewhere")
    assert ids(tmp_path / "parts") == ids(TABLE)
    (tmp_path / "elsewhere" / "b.parquet").rename(tmp_path / "elsewhere" / "c.parquet")
    (tmp_path / "parts" / "d.parquet").symlink_to(tmp_path / "elsewhere" / "b.parquet")
    with pytest.raises(WherefromError, match=r"d\.parquet"):
        fingerprint_records(tmp_path / "parts")


def test_a_folder_that_can_not_be_listed_is_no_smaller_table(tmp_path, monkeypatch):
    write(tmp_path / "a.parquet", TABLE)
    write(tmp_path / "sub" / "b.parquet", TABLE)
    real = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnavailableError, match="sub"):
        fingerprint_records(tmp_path)


def test_values_in_folder_names_are_columns(tmp_path):
    by_year = tmp_path / "by year"
    pq.write_to_dataset(TABLE, by_year, partition_cols=["year"])
    assert ids(by_year, pl.read_parquet(by_year, hive_partitioning=True)) == ids(TABLE)
    by_name = tmp_path / "by name"
    pq.write_to_dataset(
        TABLE.set_column(2, "name", pa.array(["a/b", "1", None, "1"])), by_name, partition_cols=["name", "year"]
    )
    assert ids(by_name) == ids(TABLE.set_column(2, "name", pa.array(["a/b", "1", None, "1"])))


def test_parts_with_other_columns_are_refused_naming_both_files_and_the_column(tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    write(tmp_path / "b.parquet", TABLE)
    assert fingerprint_records(tmp_path).rows == 8
    write(tmp_path / "b.parquet", TABLE.drop_columns(["name"]))
    with pytest.raises(FormatError, match=r"b\.parquet' has no column 'name', and '.*a\.parquet' has;"):
        fingerprint_records(tmp_path)
    write(tmp_path / "b.parquet", TABLE.append_column("new", TABLE["id"]))
    with pytest.raises(FormatError, match=r"a\.parquet' has no column 'new', and '.*b\.parquet' has;"):
        fingerprint_records(tmp_path)
    write(tmp_path / "b.parquet", TABLE)
    write(tmp_path / "key=1" / "c.parquet", TABLE)
    with pytest.raises(FormatError, match=r"a\.parquet' has no column 'key', and '.*c\.parquet' has;"):
        fingerprint_records(tmp_path)


def test_parts_with_other_types_are_refused_naming_both_files_and_the_column(tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    write(tmp_path / "b.parquet", TABLE.set_column(0, "id", pa.array([None, None, "x", None])))
    with pytest.raises(FormatError, match=r"column 'id' holds text in '.*b\.parquet', and number in '.*a\.parquet'"):
        fingerprint_records(tmp_path)
    # A column without values has no type, whatever the file's schema says.
    write(tmp_path / "b.parquet", TABLE.set_column(0, "id", pa.array([None] * 4, pa.string())))
    assert fingerprint_records(tmp_path).rows == 8
    write(tmp_path / "a.parquet", TABLE.set_column(0, "id", pa.array([None] * 4, pa.int64())))
    write(tmp_path / "b.parquet", TABLE.set_column(0, "id", pa.array(["x"] * 4)))
    write(tmp_path / "c.parquet", TABLE.set_column(0, "id", pa.array([[1]] * 4)))
    with pytest.raises(
        FormatError, match=r"column 'id' holds list<number> in '.*c\.parquet', and text in '.*b\.parquet'"
    ):
        fingerprint_records(tmp_path)


def test_parts_may_differ_in_columns_that_do_not_count(tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    write(tmp_path / "b.parquet", TABLE.append_column("__index_level_0__", TABLE["id"]))
    whole = fingerprint_records(tmp_path)
    assert (whole.rows, whole.left_out) == (8, ("__index_level_0__",))
    write(tmp_path / "b.parquet", TABLE.drop_columns(["name"]).set_column(1, "year", pa.array(["x"] * 4)))
    with pytest.raises(FormatError, match="has no column 'name'"):
        fingerprint_records(tmp_path)
    assert fingerprint_records(tmp_path, columns=["id"]).rows == 8
    with pytest.raises(FormatError, match="column 'year' holds text in"):
        fingerprint_records(tmp_path, columns=["id", "year"])


def test_a_part_that_changes_while_it_is_read_is_named(tmp_path):
    write(tmp_path / "a.parquet", TABLE)
    write(tmp_path / "b.parquet", TABLE)
    table = open_table(tmp_path)
    assert table.rows == 8
    write(tmp_path / "b.parquet", TABLE.slice(1))
    with pytest.raises(UnavailableError, match=r"b\.parquet' changed while it was read"):
        list(table.iter_batches())


def test_a_key_that_the_files_hold_too_is_refused(tmp_path):
    write(tmp_path / "year=2013" / "a.parquet", TABLE)
    with pytest.raises(FormatError, match="two columns are named 'year'"):
        fingerprint_records(tmp_path)


def test_damaged_files_are_refused_by_name(tmp_path):
    path = tmp_path / "table.parquet"
    write(path, pa.table({"a": list(range(1000))}), compression="none", use_dictionary=False)
    data = path.read_bytes()
    for damaged in (b"", b"PAR1", data[:-20], data[:100], b"x" * 500):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"table\.parquet"):
            fingerprint_records(path)
    with pytest.raises(NotFoundError):
        fingerprint_records(tmp_path / "none.parquet")
    path.unlink()
    with pytest.raises(FormatError, match="no Parquet files in the folder"):
        fingerprint_records(tmp_path)


def test_one_cell_changed_is_another_fingerprint(tmp_path):
    rows = list(range(100_000))
    write(tmp_path / "a.parquet", pa.table({"a": rows}))
    rows[54_321] += 1
    write(tmp_path / "b.parquet", pa.table({"a": rows}))
    assert len(ids(tmp_path / "a.parquet", tmp_path / "b.parquet")) == 2
