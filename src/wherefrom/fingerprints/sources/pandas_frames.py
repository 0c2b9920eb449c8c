"""pandas frames and series. Only imported when the caller has pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.sources.arrow_objects import open_columns
from wherefrom.fingerprints.sources.python_objects import objects_to_arrow

if TYPE_CHECKING:
    from wherefrom.fingerprints.arrow import AnyArray
    from wherefrom.fingerprints.sources.base import Table


def open_pandas(source: pd.DataFrame | pd.Series[Any]) -> Table:
    """Columns, then the levels of the index that have a name; an index without one is not data, and left out."""
    if isinstance(source, pd.Series):
        source = source.to_frame()
    if isinstance(source.columns, pd.MultiIndex):
        raise FormatError("columns of several levels have no names that are text; flatten them first")
    columns = [(column_name(label), source.iloc[:, index]) for index, label in enumerate(source.columns)]
    for level, label in enumerate(source.index.names):
        if label is not None:
            columns.append((column_name(label), source.index.get_level_values(level).to_series()))
    return open_columns([(name, _to_arrow(name, series)) for name, series in columns], rows=len(source))


def column_name(label: object) -> str:
    """Text as it is, whole numbers in decimal (pandas numbers columns that have no names)."""
    if isinstance(label, str):
        return label
    if isinstance(label, (int, np.integer)) and not isinstance(label, (bool, np.bool_)):
        return str(int(label))
    raise FormatError(f"column label {label!r} is a {type(label).__name__}, expected text")


def _to_arrow(name: str, series: pd.Series[Any]) -> AnyArray:
    values: Any = series
    try:
        if isinstance(series.dtype, pd.SparseDtype):
            values = values.sparse.to_dense()
        if series.dtype == object:
            return objects_to_arrow(series.to_numpy())
        return pa.array(values, from_pandas=True)
    except (FormatError, pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"column {name!r} of type {series.dtype}: {error}") from error
