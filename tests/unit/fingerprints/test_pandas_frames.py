"""What a pandas frame stands for: the examples of ADR 0003."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints import fingerprint_records

UTC = datetime.UTC


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


def test_integers_that_became_floats_beside_missing_values_are_the_integers():
    frame = pd.DataFrame({"a": [1, 2, None]})
    assert frame["a"].dtype == np.float64
    assert same(frame, pa.table({"a": [1, 2, None]}), pl.DataFrame({"a": [1, 2, None]}), frame.astype("Int64"))
    assert not same(frame, pa.table({"a": [1, 2, 0]}))


def test_integers_that_a_float_can_not_hold_are_other_integers():
    exact = pa.table({"a": [2**53 + 1, None]})
    assert not same(exact, exact.to_pandas())
    assert same(exact, exact.to_pandas(integer_object_nulls=True))
    assert same(pa.table({"a": [2**53, None]}), pa.table({"a": [2**53, None]}).to_pandas())


def test_nan_is_missing_in_pandas_and_a_value_in_arrow_and_polars():
    frame, value, missing = (
        pd.DataFrame({"a": [1.5, np.nan]}),
        pa.table({"a": [1.5, np.nan]}),
        pa.table({"a": [1.5, None]}),
    )
    assert same(frame, missing, pl.DataFrame({"a": [1.5, None]}), frame.to_numpy()[:, 0:1].view([("a", "f8")])[:, 0])
    assert same(
        value, pl.DataFrame({"a": [1.5, np.nan]}), pd.DataFrame({"a": pd.arrays.ArrowExtensionArray(value["a"])})
    )
    assert not same(frame, value)


def test_object_columns_of_text_are_text():
    objects = pd.DataFrame({"a": pd.Series(["x", None, np.nan, pd.NA, "y"], dtype=object)})
    assert same(
        objects,
        pa.table({"a": ["x", None, None, None, "y"]}),
        pd.DataFrame({"a": pd.array(["x", None, None, None, "y"], dtype="string")}),
        pd.DataFrame({"a": pd.array(["x", None, None, None, "y"], dtype="str")}),
        pd.DataFrame({"a": pd.Categorical(["x", None, None, None, "y"])}),
    )


@pytest.mark.parametrize(
    ("values", "arrow"),
    [
        ([True, None, False], pa.array([True, None, False])),
        ([1, None, 2.5, np.float32(0.5), np.int8(3)], pa.array([1.0, None, 2.5, 0.5, 3.0])),
        ([2**64 - 1, None, 0], pa.array([2**64 - 1, None, 0], pa.uint64())),
        ([b"x", None], pa.array([b"x", None])),
        ([Decimal("1.50"), None, Decimal(7)], pa.array([Decimal("1.5"), None, Decimal(7)])),
        ([datetime.date(2013, 1, 1), None], pa.array([15706, None], pa.date32())),
        ([datetime.datetime(2013, 1, 1), pd.NaT], pa.array([1356998400, None], pa.timestamp("s"))),  # noqa: DTZ001
        ([datetime.datetime(2013, 1, 1, tzinfo=UTC)], pa.array([1356998400], pa.timestamp("s", "Asia/Tokyo"))),
        ([datetime.time(1, 2), None], pa.array([3720, None], pa.time32("s"))),
        ([datetime.timedelta(days=1), pd.Timedelta(0)], pa.array([86400, 0], pa.duration("s"))),
        ([np.timedelta64(1, "s"), None], pa.array([1, None], pa.duration("s"))),
        ([pd.Timestamp(1), datetime.datetime(1970, 1, 1)], pa.array([1, 0], pa.timestamp("ns"))),  # noqa: DTZ001
        ([pd.Timestamp(1, tz="Asia/Tokyo"), None], pa.array([1, None], pa.timestamp("ns", "UTC"))),
        ([pd.Timedelta(1), datetime.timedelta(0)], pa.array([1, 0], pa.duration("ns"))),
        ([[1, 2], None, (), np.array([0.5])], pa.array([[1.0, 2.0], None, [], [0.5]])),
        ([[1, np.nan], np.array([np.nan])], pa.array([[1, None], [None]])),
        ([{"x": 1}, None, {"y": "t"}], pa.array([{"x": 1, "y": None}, None, {"x": None, "y": "t"}])),
        ([None, np.nan], pa.nulls(2)),
    ],
)
def test_object_columns_of_one_type_are_that_type(values, arrow):
    assert same(pd.DataFrame({"a": pd.Series(values, dtype=object)}), pa.table({"a": arrow}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["x", 1], "Python objects of types int, str"),
        ([1, True], "Python objects of types bool, int"),
        ([b"x", "x"], "Python objects of types bytes, str"),
        ([0.5, "x"], "Python objects of types float, str"),
        ([Decimal(1), 1], "Python objects of types Decimal, int"),
        ([datetime.date(2013, 1, 1), datetime.datetime(2013, 1, 1)], "types date, datetime"),  # noqa: DTZ001
        (
            [datetime.datetime(2013, 1, 1), datetime.datetime(2013, 1, 1, tzinfo=UTC)],  # noqa: DTZ001
            "with and without a time zone",
        ),
        ([[1], ["x"]], "types int, str"),
        ([[b"x"], ["x"]], "types bytes, str"),
        ([{"x": 1}, {"x": "1"}], "types int, str"),
        ([{1: 1}], "a dict with the key 1"),
        ([1, np.timedelta64(1, "s")], "Python objects of types int, timedelta64"),
        ([datetime.time(1, tzinfo=UTC)], "times with a time zone"),
        ([datetime.time(1), datetime.time(1, tzinfo=UTC)], "times with and without a time zone"),
        ([[pd.Timestamp(1)]], "nanoseconds inside a list or dict"),
        ([{"x": pd.Timedelta(1)}], "nanoseconds inside a list or dict"),
        ([pd.Timestamp(1), datetime.datetime(3000, 1, 1)], "out of bounds for nanosecond"),  # noqa: DTZ001
        ([Decimal("Infinity")], "column 'a'"),
        ([Decimal("1E+80")], "Decimal precision out of range"),
        ([{1, 2}], "type builtins.set, which have no canonical form"),
        ([object()], "type builtins.object"),
        ([1j], "type builtins.complex"),
        ([2**64], "column 'a' of type object"),
        (["\ud800"], "surrogates not allowed"),
    ],
)
def test_object_columns_of_several_types_or_none_that_we_know_are_refused(values, message):
    with pytest.raises(FormatError, match="column 'a' of type object") as caught:
        fingerprint_records(pd.DataFrame({"a": pd.Series(values, dtype=object)}))
    assert message in str(caught.value)


def test_columns_that_have_no_arrow_form_are_refused_by_name():
    with pytest.raises(FormatError, match="column 'z' of type complex128"):
        fingerprint_records(pd.DataFrame({"a": [1], "z": [1j]}))


def test_categories_stand_for_their_values_and_unused_ones_for_nothing():
    categories = pd.Categorical(["b", "a", "b"], categories=["c", "b", "a"], ordered=True)
    assert same(pd.DataFrame({"a": categories}), pd.DataFrame({"a": ["b", "a", "b"]}))
    assert same(pd.DataFrame({"a": pd.Categorical([1, 2, 1])}), pd.DataFrame({"a": [1.0, 2.0, 1.0]}))


def test_naive_timestamps_are_not_instants():
    naive = pd.DataFrame({"a": pd.to_datetime(["2013-01-01 05:00"])})
    utc = pd.DataFrame({"a": naive["a"].dt.tz_localize("UTC")})
    paris = pd.DataFrame({"a": utc["a"].dt.tz_convert("Europe/Paris")})
    assert same(utc, paris)
    assert not same(naive, utc)
    assert same(naive, pd.DataFrame({"a": naive["a"].astype("datetime64[ns]")}), naive.astype("datetime64[s]"))


def test_sparse_and_nullable_columns_are_their_values():
    assert same(
        pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.5, np.nan])}),
        pd.DataFrame({"a": pd.array([0, 1.5, None], dtype="Float32")}),
        pa.table({"a": [0, 1.5, None]}),
    )


def test_an_index_without_a_name_is_not_data():
    frame = pd.DataFrame({"x": [3, 1, 2], "y": ["a", "b", "c"]})
    assert same(frame, frame.sort_values("x"), frame.set_index(np.array([5, 6, 7])), frame.iloc[::-1])


def test_an_index_with_a_name_is_a_column():
    frame = pd.DataFrame({"x": [3, 1, 2], "y": ["a", "b", "c"]})
    assert same(frame, frame.set_index("x"), frame.set_index(["x", "y"]), frame.set_index("x").sort_index())
    named = frame.rename_axis("id")
    assert not same(frame, named)
    assert same(named, frame.assign(id=[0, 1, 2]))
    assert same(named, named.sample(frac=1, random_state=3))
    with pytest.raises(FormatError, match="two columns are named 'x'"):
        fingerprint_records(frame.rename_axis("x"))


def test_the_index_column_that_pandas_writes_is_left_out_and_reported(tmp_path):
    frame = pd.DataFrame({"x": [3, 1, 2]})
    frame.sort_values("x").to_parquet(tmp_path / "sorted.parquet")
    polars = pl.read_parquet(tmp_path / "sorted.parquet")
    assert polars.columns == ["x", "__index_level_0__"]
    assert same(frame, tmp_path / "sorted.parquet", polars, pd.read_parquet(tmp_path / "sorted.parquet"))
    assert fingerprint_records(polars).left_out == ("__index_level_0__",)
    asked = fingerprint_records(polars, columns=["__index_level_0__", "x"])
    assert asked.left_out == ()
    assert [column.name for column in asked.columns] == ["__index_level_0__", "x"]


def test_a_series_is_a_table_of_one_column():
    assert same(pd.Series([1, 2], name="a"), pd.DataFrame({"a": [1, 2]}), pl.Series("a", [1, 2]))
    assert same(pd.Series([1, 2]), pd.DataFrame({"0": [1, 2]}), np.array([1, 2]))


def test_column_labels_are_text_or_whole_numbers():
    assert same(pd.DataFrame(np.eye(2)), pd.DataFrame(np.eye(2), columns=["0", "1"]), np.eye(2))
    with pytest.raises(FormatError, match=r"column label 1\.5 is a float, expected text"):
        fingerprint_records(pd.DataFrame({1.5: [1]}))
    with pytest.raises(FormatError, match="column label True is a bool"):
        fingerprint_records(pd.DataFrame({True: [1]}))
    with pytest.raises(FormatError, match="two columns are named '1'"):
        fingerprint_records(pd.DataFrame([[1, 2]], columns=[1, "1"]))
    with pytest.raises(FormatError, match="columns of several levels"):
        fingerprint_records(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])))


def test_a_frame_without_columns_has_rows():
    assert fingerprint_records(pd.DataFrame(index=range(3))).rows == 3
    assert same(pd.DataFrame(index=range(3)), pd.DataFrame({"a": [1, 2, 3]})[[]])
    assert not same(pd.DataFrame(index=range(3)), pd.DataFrame(index=range(4)))


def test_subclasses_are_frames():
    class Frame(pd.DataFrame):
        pass

    assert same(Frame({"a": [1]}), pd.DataFrame({"a": [1]}))


def test_columns_can_be_chosen():
    frame = pd.DataFrame({"a": [1], "b": ["x"]})
    assert fingerprint_records(frame, columns=["a"]).id == fingerprint_records(frame[["a"]]).id
    assert fingerprint_records(frame, columns=["b", "a"]).id == fingerprint_records(frame).id
    assert fingerprint_records(frame, columns=[]).columns == ()
    with pytest.raises(NotFoundError, match="no column 'c'; there are 'a', 'b'"):
        fingerprint_records(frame, columns=["a", "c"])
