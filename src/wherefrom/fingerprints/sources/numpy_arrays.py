"""numpy arrays of one or two dimensions, and structured ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.sources.arrow_objects import open_columns
from wherefrom.fingerprints.sources.python_objects import objects_to_arrow

if TYPE_CHECKING:
    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray
    from wherefrom.fingerprints.sources.base import Table


def open_numpy(array: npt.NDArray[Any]) -> Table:
    """Columns are the fields of a structured array, or are called "0", "1" and so on.

    NaN, NaT and masked values are missing, as in pandas.
    """
    if array.ndim not in {1, 2} or (array.dtype.names and array.ndim != 1):
        raise FormatError(f"a numpy array of shape {array.shape} is not a table; expected one or two dimensions")
    if array.dtype.names:
        columns = [(name, array[name]) for name in array.dtype.names]
    elif array.ndim == 1:
        columns = [("0", array)]
    else:
        columns = [(str(index), array[:, index]) for index in range(array.shape[1])]
    return open_columns([(name, _to_arrow(name, column)) for name, column in columns], rows=len(array))


def _to_arrow(name: str, column: npt.NDArray[Any]) -> AnyArray:
    try:
        if column.dtype == object:
            return objects_to_arrow(column)
        return pa.array(column.astype(column.dtype.newbyteorder("="), copy=False), from_pandas=True)
    except (FormatError, pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"column {name!r} of type {column.dtype}: {error}") from error
