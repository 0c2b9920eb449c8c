import pyarrow as pa
import pytest
from pyarrow import feather

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints import fingerprint_records

TABLE = pa.table({"id": [3, 1, 2, 1], "name": pa.array(["c", "a", None, "a"]).dictionary_encode()})


def ids(*sources):
    return {fingerprint_records(source).id for source in sources}


def write_file(path, table, **options):
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=3)


def write_stream(path, table):
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


def test_files_streams_and_feather_are_one_table_under_any_suffix(tmp_path):
    write_file(tmp_path / "a.arrow", TABLE)
    write_file(tmp_path / "b.arrows", TABLE, compression="zstd")
    write_stream(tmp_path / "c.arrow", TABLE)
    write_stream(tmp_path / "d.ipc", TABLE)
    feather.write_feather(TABLE, tmp_path / "e.feather")
    assert ids(*tmp_path.iterdir()) == ids(TABLE)
    assert fingerprint_records(tmp_path / "a.arrow", columns=["id"]).rows == 4


def test_feather_version_1_is_named(tmp_path):
    (tmp_path / "old.feather").write_bytes(b"FEA1" + bytes(100))
    with pytest.raises(FormatError, match=r"old\.feather' is Feather version 1, expected version 2 or Arrow IPC"):
        fingerprint_records(tmp_path / "old.feather")


def test_damaged_files_are_refused_and_never_read_past_their_end(tmp_path):
    path = tmp_path / "table.arrow"
    table = pa.table({"text": ["some text"] * 50, "list": [[1, 2]] * 50})
    for write in (write_file, write_stream):
        write(path, table)
        data, want = path.read_bytes(), fingerprint_records(path).id
        for cut in (0, 1, 6, 7, 100, len(data) // 2):
            path.write_bytes(data[:cut])
            with pytest.raises(FormatError, match=r"table\.arrow"):
                fingerprint_records(path)
        outcomes = set()
        for position in range(0, len(data), 41):
            path.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
            try:
                outcomes.add(fingerprint_records(path).id == want)  # a byte of padding, or another value
            except FormatError:
                outcomes.add("refused")
        assert outcomes == {True, False, "refused"}


def test_messages_name_the_file_and_the_column(tmp_path):
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    write_file(tmp_path / "union.arrow", pa.table({"a": union}))
    with pytest.raises(FormatError, match=r"union\.arrow': column 'a': type sparse_union"):
        fingerprint_records(tmp_path / "union.arrow")
    with pytest.raises(NotFoundError, match=r"union\.arrow': no column 'b'; there are 'a'"):
        fingerprint_records(tmp_path / "union.arrow", columns=["b"])


def test_no_file_is_not_found(tmp_path):
    with pytest.raises(NotFoundError):
        fingerprint_records(tmp_path / "none.arrow")
