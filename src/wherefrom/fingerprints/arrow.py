"""Arrow memory as numpy arrays, without pyarrow's own converters.

These import pandas wherever it is installed, which takes longer than to fingerprint a small table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

AnyArray: TypeAlias = Any
"""A `pyarrow.Array` or chunked array. Which subclass, and with which methods, is what this package finds out when it
runs; the published type stubs want it known before."""

AnyScalar: TypeAlias = Any
"""A `pyarrow.Scalar`, likewise."""


def read_values(array: AnyArray, dtype: npt.DTypeLike, *, per_value: int = 1) -> npt.NDArray[Any]:
    """An array's fixed-width values as they lie in memory, whatever lies under nulls included; no copy."""
    # A buffer may be longer than its values, and not by whole ones.
    start = array.offset * per_value * np.dtype(dtype).itemsize
    return np.frombuffer(array.buffers()[1], dtype, len(array) * per_value, start)


def read_nulls(array: AnyArray) -> npt.NDArray[np.bool_] | None:
    """Where an array is null; None when it nowhere is."""
    if array.null_count == 0:
        return None
    return ~_read_bits(array.buffers()[0], array.offset, len(array))


def read_booleans(array: AnyArray) -> npt.NDArray[np.bool_]:
    """A boolean array's values, whatever lies under nulls included."""
    return _read_bits(array.buffers()[1], array.offset, len(array))


def read_indices(array: AnyArray) -> npt.NDArray[Any]:
    """An integer array's values as indices, 0 where it is null."""
    sign = "u" if pa.types.is_unsigned_integer(array.type) else "i"
    indices = read_values(array, f"{sign}{array.type.bit_width // 8}")
    nulls = read_nulls(array)
    return indices if nulls is None else np.where(nulls, 0, indices)


def to_arrow(values: npt.NDArray[Any], kind: pa.DataType) -> AnyArray:
    """A contiguous numpy array, seen as an Arrow array of a type of the same width; no copy."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values.data)])


def to_boolean_arrow(flags: npt.NDArray[np.bool_]) -> AnyArray:
    bits = pa.py_buffer(np.packbits(flags, bitorder="little").data)
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, bits])


def _read_bits(buffer: Any, start: int, count: int) -> npt.NDArray[np.bool_]:
    first = start // 8
    packed = np.frombuffer(buffer, np.uint8, -(-(start + count) // 8) - first, first)
    return np.unpackbits(packed, bitorder="little", count=start % 8 + count)[start % 8 :].view(np.bool_)
