import json
import struct

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import open_table

TABLE = pa.table(
    {
        "id": [3, 1, 2],
        "name": ["c", "a", None],
        "tags": [["x"], [], None],
        "day": pa.array([0, 1, None], pa.date32()),
        "at": pa.array([0, 1, None], pa.timestamp("us", "UTC")),
    }
)


@pytest.fixture
def folder(tmp_path):
    write_deltalake(tmp_path / "a table", TABLE)
    return tmp_path / "a table"


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


def test_a_folder_with_a_log_is_the_newest_version_and_not_all_its_files(folder):
    assert same(folder, str(folder), f"file://{folder}", DeltaTable(folder), TABLE)
    write_deltalake(folder, TABLE.slice(1), mode="overwrite")
    assert same(folder, TABLE.slice(1))
    assert same(DeltaTable(folder, version=0), TABLE)
    assert not same(folder, TABLE)


def test_the_version_is_pinned_beside_the_fingerprint(folder):
    opened = open_table(folder)
    write_deltalake(folder, TABLE, mode="append")
    assert opened.read_options == {"format": "delta", "url": str(folder), "version": 0}
    assert sum(batch.num_rows for batch in opened.iter_batches()) == opened.rows == 3
    newest = fingerprint_records(folder)
    assert (newest.rows, newest.read_options["version"]) == (6, 1)


def test_a_table_without_an_order_of_rows_is_no_sequence(folder):
    with pytest.raises(FormatError, match="a table version 0' has no order of rows"):
        fingerprint_records(folder, order="sequence")


def test_partition_values_are_columns_however_the_paths_are_spelled(tmp_path):
    table = TABLE.set_column(1, "name", pa.array(["x y=z/ü%", "b", None]))
    write_deltalake(tmp_path / "parts", table, partition_by=["name"])
    assert same(tmp_path / "parts", table)


def test_an_empty_table_has_its_columns(tmp_path):
    write_deltalake(tmp_path / "empty", TABLE.slice(0, 0))
    assert same(tmp_path / "empty", TABLE.slice(0, 0))


def z85(data):
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    text = ""
    for number in struct.unpack(f">{len(data) // 4}I", data):
        text += "".join(digits[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


def test_what_deletion_vectors_delete_is_not_in_the_table(folder):
    # By the Delta protocol and RoaringFormatSpec: a bitmap with one container, an array of the rows 0 and 2.
    body = struct.pack("<iqi", 1681511377, 1, 0) + struct.pack("<IIHHI2H", 12346, 1, 0, 2 - 1, 16, 0, 2)
    log = folder / "_delta_log"
    actions = [json.loads(line) for line in (log / f"{0:020}.json").read_text().splitlines()]
    add = next(action["add"] for action in actions if "add" in action)
    vector = {"storageType": "i", "pathOrInlineDv": z85(body), "sizeInBytes": len(body), "cardinality": 2}
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    new = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        {"remove": {"path": add["path"], "deletionTimestamp": add["modificationTime"], "dataChange": True}},
        {"add": {**add, "deletionVector": vector}},
    ]
    (log / f"{1:020}.json").write_text("\n".join(map(json.dumps, new)))
    assert same(folder, TABLE.slice(1, 1))
    assert open_table(folder).rows is None


def test_a_data_file_that_is_gone_or_cut_is_named(folder):
    (data,) = folder.glob("*.parquet")
    content = data.read_bytes()
    data.write_bytes(content[:-1])
    with pytest.raises(FormatError, match=rf"a table version 0': data file '{data}' has \d+ bytes, {len(content)} in"):
        fingerprint_records(folder)
    data.unlink()
    with pytest.raises(NotFoundError, match=rf"a table version 0': no data file at '{data}', which the log names"):
        fingerprint_records(folder)


def test_a_data_file_that_is_damaged_is_refused(folder):
    (data,) = folder.glob("*.parquet")
    data.write_bytes(b"x" * data.stat().st_size)
    with pytest.raises(FormatError, match=r"a table version 0' can't be read: "):
        fingerprint_records(folder)


def test_what_is_no_delta_table_is_refused(tmp_path, folder):
    with pytest.raises(NotFoundError, match="no Delta table at"):
        fingerprint_records(tmp_path, format="delta")
    for log in (folder / "_delta_log").iterdir():
        log.write_text("{")
    with pytest.raises(FormatError, match="a table' can't be read as a Delta table"):
        fingerprint_records(folder)
    (tmp_path / "file").touch()
    with pytest.raises(FormatError, match="file' is a file; a Delta table is a folder"):
        fingerprint_records(tmp_path / "file", format="delta")


def test_its_files_as_plain_parquet_need_to_be_asked_for(folder):
    write_deltalake(folder, TABLE, mode="overwrite")
    assert fingerprint_records(folder, format="parquet").rows == 6
    assert fingerprint_records(folder).rows == 3
