import contextlib
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.memory import InMemoryCatalog

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import open_table

TABLE = pa.table({"id": [3, 1, 2], "name": ["c", "a", None], "tags": [["x"], [], None]})


@pytest.fixture
def table(tmp_path):
    catalog = InMemoryCatalog("catalog", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("shop")
    yield catalog.create_table("shop.orders", schema=TABLE.schema)
    catalog.close()


def location(table):
    return table.metadata_location.removeprefix("file://")


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


def test_tables_scans_and_metadata_files_are_one(table):
    table.append(TABLE.slice(0, 1))
    table.append(TABLE.slice(1))
    assert same(table, table.scan(), f"iceberg:{location(table)}", f"iceberg:{table.metadata_location}", TABLE)
    assert not same(table, TABLE.slice(1))


def test_the_snapshot_is_pinned_beside_the_fingerprint(table):
    table.append(TABLE)
    first = table.current_snapshot().snapshot_id
    opened = open_table(table)
    table.append(TABLE)
    assert opened.read_options == {
        "format": "iceberg",
        "table": str(table.metadata.table_uuid),
        "snapshot": str(first),
    }
    assert sum(batch.num_rows for batch in opened.iter_batches()) == opened.rows == 3
    assert same(table.scan(snapshot_id=first), TABLE)
    assert fingerprint_records(table).rows == 6


def test_deleted_rows_and_files_of_before_do_not_count(table):
    table.append(TABLE)
    table.delete("id = 1")
    assert same(table, TABLE.filter(pa.compute.field("id") != 1))


def test_a_scan_keeps_its_filter_columns_and_limit(table):
    table.append(TABLE)
    scan = table.scan(row_filter="id > 1", selected_fields=("id",))
    opened = open_table(scan)
    assert opened.rows is None
    assert (opened.read_options["filter"], opened.read_options["columns"]) == (str(scan.row_filter), ["id"])
    assert same(scan, pa.table({"id": [2, 3]}))
    assert fingerprint_records(table.scan(limit=1)).rows == 1


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.struct({"a": pa.int64()})),
        pa.map_(pa.string(), pa.struct({"a": pa.int64()})),
        pa.list_(pa.list_(pa.struct({"a": pa.int64()}))),
        pa.struct({"parts": pa.list_(pa.struct({"a": pa.int64()}))}),
    ],
)
def test_types_in_which_pyiceberg_loses_nulls_are_refused(tmp_path, kind):
    with contextlib.closing(InMemoryCatalog("catalog", warehouse=f"file://{tmp_path}")) as catalog:
        catalog.create_namespace("shop")
        table = catalog.create_table("shop.nested", schema=pa.schema({"column": kind}))
        with pytest.raises(
            FormatError, match=r"shop\.nested snapshot None': column 'column' of type .*: pyiceberg reads"
        ):
            fingerprint_records(table)


def test_a_table_without_a_snapshot_is_empty(table):
    assert same(table, TABLE.slice(0, 0))
    assert open_table(table).read_options["snapshot"] is None


def test_a_data_file_that_is_gone_is_named(table, tmp_path):
    table.append(TABLE)
    (data,) = tmp_path.rglob("*.parquet")
    data.unlink()
    with pytest.raises(NotFoundError, match=rf"shop\.orders snapshot \d+': a file that .* not there: .*{data.name}"):
        fingerprint_records(table)


def test_what_is_no_metadata_file_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match=r"no Iceberg metadata file at '.*none\.metadata\.json'"):
        fingerprint_records(f"iceberg:{tmp_path}/none.metadata.json")
    (tmp_path / "some.metadata.json").write_text("{}")
    with pytest.raises(FormatError, match=r"some\.metadata\.json' is no Iceberg metadata file"):
        fingerprint_records(f"iceberg:{tmp_path}/some.metadata.json")


def test_a_folder_of_iceberg_is_not_taken_for_parquet(table):
    table.append(TABLE)
    folder = Path(location(table)).parents[1]
    with pytest.raises(FormatError, match="is an Iceberg table's folder") as caught:
        fingerprint_records(folder)
    assert f"iceberg:{folder}/metadata/" in caught.value.hint
    assert fingerprint_records(folder, format="parquet").rows == 3
