import io

import pyarrow as pa
import pytest
from pyarrow import orc

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import open_table

TABLE = pa.table(
    {
        "id": [3, 1, 2, 1],
        "name": ["c", "a", None, "a"],
        "tags": [["x"], [], None, ["y", None]],
        "at": pa.array([0, 1, None, -1], pa.timestamp("us", "UTC")),
        "where": [{"lat": 1.5}, None, {"lat": None}, {"lat": 2.0}],
        "counts": pa.array([[("a", 1)], [], None, [("b", None)]], pa.map_(pa.string(), pa.int32())),
    }
)


def write(path, table, **options):
    orc.write_table(table, path, **options)


def test_how_the_file_is_written_does_not_matter(tmp_path):
    write(tmp_path / "a.orc", TABLE)
    write(tmp_path / "b.orc", TABLE.take([3, 1, 0, 2]), compression="zstd")
    assert {fingerprint_records(path).id for path in tmp_path.iterdir()} == {fingerprint_records(TABLE).id}
    assert fingerprint_records(tmp_path / "a.orc").read_options == {"format": "orc"}


def test_stripes_are_read_one_at_a_time(tmp_path):
    table = pa.table({"a": range(200_000), "b": [str(index) for index in range(200_000)]})
    write(tmp_path / "a.orc", table, stripe_size=2**16, batch_size=1024, compression="uncompressed")
    opened = open_table(tmp_path / "a.orc")
    assert opened.rows == 200_000
    assert len(list(opened.iter_batches())) > 2
    assert fingerprint_records(tmp_path / "a.orc").id == fingerprint_records(table).id


def test_an_empty_file_is_a_table(tmp_path):
    write(tmp_path / "a.orc", TABLE.slice(0, 0))
    assert fingerprint_records(tmp_path / "a.orc").id == fingerprint_records(TABLE.slice(0, 0)).id


def test_times_that_nanoseconds_do_not_reach_are_refused_and_not_wrapped(tmp_path):
    write(tmp_path / "a.orc", pa.table({"at": pa.array([2**61], pa.timestamp("us"))}))
    with pytest.raises(FormatError, match=r"a\.orc' stripe 1 of 1: .* out of range for nanosecond"):
        fingerprint_records(tmp_path / "a.orc")


def test_cut_files_and_others_are_refused_by_name(tmp_path):
    whole = io.BytesIO()
    orc.write_table(TABLE, whole)
    path = tmp_path / "table.orc"
    for cut in (0, 1, 3, 100, len(whole.getvalue()) // 2, len(whole.getvalue()) - 1):
        path.write_bytes(whole.getvalue()[:cut])
        with pytest.raises(FormatError, match=r"table\.orc"):
            fingerprint_records(path)
    path.write_bytes(b"PAR1" * 100)
    with pytest.raises(FormatError, match=r"table\.orc' is damaged or of another format: Not an ORC file"):
        fingerprint_records(path)
    with pytest.raises(NotFoundError):
        fingerprint_records(tmp_path / "none.orc")


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path):
    write(tmp_path / "a.orc", TABLE)
    table = open_table(tmp_path / "a.orc")
    write(tmp_path / "a.orc", TABLE.slice(1))
    with pytest.raises(UnavailableError, match=r"a\.orc' changed while it was read"):
        list(table.iter_batches())
