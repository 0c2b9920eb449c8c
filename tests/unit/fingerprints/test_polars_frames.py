import datetime
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import polars_frames


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


FRAME = pl.DataFrame(
    {
        "category": pl.Series(["a", "b", None], dtype=pl.Categorical),
        "enum": pl.Series(["x", "y", None], dtype=pl.Enum(["x", "y"])),
        "time": [datetime.time(1), None, datetime.time(2)],
        "duration": [datetime.timedelta(days=1)] * 3,
        "array": pl.Series([[1, 2]] * 3, dtype=pl.Array(pl.Int8, 2)),
        "struct": [{"x": 1, "y": ["t"]}] * 3,
        "decimal": [Decimal("1.50")] * 3,
        "zoned": [datetime.datetime(2013, 1, 1, tzinfo=datetime.UTC)] * 3,
        "null": [None] * 3,
    }
)


def test_polars_types_are_their_logical_types():
    types = {column.name: str(column.type) for column in fingerprint_records(FRAME).columns}
    assert types == {
        "category": "text",
        "enum": "text",
        "time": "time",
        "duration": "duration",
        "array": "list<number>",
        "struct": "struct<x: number, y: list<text>>",
        "decimal": "decimal",
        "zoned": "instant",
        "null": "null",
    }


def test_frames_lazy_frames_and_arrow_tables_are_one(monkeypatch):
    plain = FRAME.with_columns(pl.col("category", "enum").cast(pl.String))
    assert same(FRAME, FRAME.lazy(), plain, FRAME.to_arrow(), pl.concat([FRAME.head(1), FRAME.tail(2)], rechunk=False))
    monkeypatch.setattr(polars_frames, "_SLICE_ROWS", 2)
    assert same(FRAME, FRAME.lazy(), FRAME.to_arrow(), FRAME.reverse())
    assert not same(FRAME, FRAME.head(2))


def test_empty_frames_are_tables():
    assert fingerprint_records(FRAME.clear()).columns[0].type.kind == "null"
    assert same(FRAME.clear(), FRAME.clear().lazy(), FRAME.to_arrow().slice(0, 0))
    assert fingerprint_records(pl.DataFrame()).rows == 0


def test_128_bit_integers_are_numbers_if_they_fit():
    for dtype in (pl.Int128, pl.UInt128):
        assert same(pl.DataFrame({"a": [1, None]}, schema={"a": dtype}), pl.DataFrame({"a": [1, None]}))
    assert same(
        pl.DataFrame({"a": [2**64 - 1]}, schema={"a": pl.Int128}), pa.table({"a": pa.array([2**64 - 1], pa.uint64())})
    )
    with pytest.raises(FormatError, match="column 'a' of type Int128 holds integers that don't fit 64 bits"):
        fingerprint_records(pl.DataFrame({"a": [2**64]}, schema={"a": pl.Int128}))


def test_objects_are_refused_rather_than_hashed_by_address():
    frame = pl.DataFrame([pl.Series("a", [object()], dtype=pl.Object)])
    with pytest.raises(FormatError, match="column 'a' of type Object holds Python objects"):
        fingerprint_records(frame)


def test_a_lazy_frame_that_can_not_be_run_says_so(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\nx\n")
    lazy = pl.scan_csv(tmp_path / "a.csv", schema={"a": pl.Int64})
    with pytest.raises(UnavailableError, match="the lazy frame could not be run"):
        fingerprint_records(lazy)
