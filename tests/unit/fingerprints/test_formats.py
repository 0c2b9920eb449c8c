import pytest

from wherefrom.fingerprints import FORMATS, table_format


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("flights.csv", "csv"),
        ("/data/FLIGHTS.CSV", "csv"),
        ("flights.csv.zip", "csv"),
        ("flights.2013.csv.gz", "csv"),
        ("a.tsv.zst", "tsv"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson.xz", "jsonl"),
        ("a.parquet", "parquet"),
        ("a.snappy.parquet", "parquet"),
        ("a.feather", "arrow"),
        ("a.arrows", "arrow"),
        ("a.orc", "orc"),
        ("a.orc.gz", None),
        ("a.parquet.gz", None),
        ("a.zip", None),
        (".csv", None),
        ("csv", None),
        ("a.json", None),
        ("model.joblib", None),
        ("", None),
    ],
)
def test_a_name_tells_the_format_or_none(name, want):
    assert table_format(name) == want
    assert want is None or want in FORMATS
