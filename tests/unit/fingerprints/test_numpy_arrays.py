import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from wherefrom.errors import FormatError
from wherefrom.fingerprints import fingerprint_records


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


def test_columns_are_numbered_and_nan_is_missing_as_in_pandas():
    array = np.array([[1.5, np.nan], [3.0, -0.0]])
    assert same(array, pd.DataFrame(array), pa.table({"0": [1.5, 3.0], "1": [None, 0.0]}))
    assert same(array, np.asfortranarray(array), array[::-1], array.astype(np.float32))
    assert not same(array, array[:, ::-1])
    assert same(np.array([1, 2, 3]), np.array([[1], [2], [3]], np.int8))


def test_fields_of_a_structured_array_are_columns():
    array = np.array([(1, "x"), (2, "y")], dtype=[("id", "i4"), ("name", "U5")])
    assert same(
        array, pd.DataFrame({"id": [1, 2], "name": ["x", "y"]}), array.astype([("id", ">i8"), ("name", object)])
    )


@pytest.mark.parametrize(
    ("array", "arrow"),
    [
        (np.array([1, 2], ">u2"), pa.array([1, 2])),
        (np.array([True, False]), pa.array([True, False])),
        (np.array([0.5, np.inf], np.float16), pa.array([0.5, np.inf])),
        (np.array(["a", "é"]), pa.array(["a", "é"])),
        (np.array([b"a", b"bc"]), pa.array([b"a", b"bc"])),
        (np.array(["2013-01-01T05", "NaT"], "M8[ns]"), pa.array([1357016400, None], pa.timestamp("s"))),
        (np.array(["2013-01-01"], "M8[D]"), pa.array([15706], pa.date32())),
        (np.array([5, "NaT"], "m8[s]"), pa.array([5, None], pa.duration("s"))),
        (np.ma.masked_array([1, 2], [False, True]), pa.array([1, None])),
        (np.array([[1, 2], None], dtype=object), pa.array([[1, 2], None])),
        (np.array(["x", None], dtype=object), pa.array(["x", None])),
    ],
)
def test_each_dtype_is_its_logical_type(array, arrow):
    assert same(array, pa.table({"0": arrow}))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(1), r"shape \(\) is not a table"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\) is not a table"),
        (np.zeros(2, complex), "column '0' of type complex128"),
        (np.array(["2013-01"], "M8[M]"), r"column '0' of type datetime64\[M\]"),
        (np.array([1, "x"], dtype=object), "column '0' of type object: holds Python objects of types int, str"),
        (np.zeros(1, [("a", [("b", "i4")])]), "column 'a'"),
        (np.zeros(1, [("a", "i4", (2,))]), "column 'a'"),
    ],
)
def test_what_has_no_canonical_form_is_refused(array, message):
    with pytest.raises(FormatError, match=message):
        fingerprint_records(array)


def test_arrays_without_rows_or_columns_are_tables():
    assert fingerprint_records(np.zeros((0, 2))).rows == 0
    assert fingerprint_records(np.zeros((2, 0))).rows == 2
