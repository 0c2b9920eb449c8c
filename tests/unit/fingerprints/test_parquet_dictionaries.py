import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import parquet_files

ROWS = 20_000
TABLE = pa.table(
    {
        "few": [None if row % 7 == 0 else f"name {row % 50}" for row in range(ROWS)],
        "all": [f"name {row}" for row in range(ROWS)],
        "bytes": [b"few" for _ in range(ROWS)],
        "number": [row % 3 for row in range(ROWS)],
        "list": [["few"] for _ in range(ROWS)],
    }
)


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ({}, ["few"]),
        ({"use_dictionary": ["all"]}, []),
        ({"row_group_size": 5_000}, ["few"]),
        ({"row_group_size": 1}, []),
    ],
    ids=["usual", "no dictionary", "several groups", "tiny groups"],
)
def test_texts_that_repeat_are_read_once_each_and_the_fingerprint_is_the_same(tmp_path, options, want):
    table = TABLE if options != {"row_group_size": 1} else TABLE.slice(0, 50)
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, **options)
    with path.open("rb") as file:
        assert parquet_files._repetitive_texts(file) == want
    assert fingerprint_records(path) == fingerprint_records(table)


def test_a_file_without_rows_or_groups_is_read_all_the_same(tmp_path):
    path = tmp_path / "table.parquet"
    with pq.ParquetWriter(path, TABLE.schema):
        pass
    assert fingerprint_records(path) == fingerprint_records(TABLE.slice(0, 0))
