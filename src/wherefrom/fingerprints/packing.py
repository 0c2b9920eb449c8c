"""Cells of several columns, laid side by side into one run of bytes for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wherefrom.fingerprints.arrow import read_values, to_arrow, to_boolean_arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from wherefrom.commitments import LogicalType


@dataclass(frozen=True, slots=True)
class Cells:
    """One column's cells, ready to be written: a tag and a payload of fixed width for each row."""

    type: LogicalType
    width: int
    """Bytes of a cell that is not null."""
    nulls: npt.NDArray[np.bool_] | None
    """(n,), true where the cell is null; None when no cell is."""
    fill: Callable[[npt.NDArray[np.uint8]], None]
    """Write the cells into an (n, width) view; what lands in the rows of nulls doesn't matter."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows of different lengths, one after the other."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    """(n + 1,): row i is data[offsets[i]:offsets[i + 1]]."""


def pack(columns: Sequence[Cells], *, count: int, prefix: bytes = b"") -> Packed:
    """Concatenate, for each of `count` rows, the prefix and each column's cell; a null's cell is its tag alone."""
    width = len(prefix) + sum(cells.width for cells in columns)
    matrix = np.empty((count, width), np.uint8)
    matrix[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    keep: npt.NDArray[np.bool_] | None = None
    lengths = np.full(count, width, np.int64)
    start = len(prefix)
    for cells in columns:
        end = start + cells.width
        cells.fill(matrix[:, start:end])
        if cells.nulls is not None:
            matrix[cells.nulls, start] = 0
            if keep is None:
                keep = np.ones((count, width), np.bool_)
            keep[cells.nulls, start + 1 : end] = False
            lengths[cells.nulls] -= cells.width - 1
        start = end
    if keep is None:
        return Packed(matrix.reshape(-1), np.arange(count + 1, dtype=np.int64) * width)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Packed(_compress(matrix.reshape(-1), keep.reshape(-1)), offsets)


def _compress(data: npt.NDArray[np.uint8], keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """`data[keep]`; through Arrow, because numpy takes four times as long."""
    kept = pc.filter(to_arrow(data, pa.uint8()), to_boolean_arrow(keep))
    return read_values(kept, np.uint8)
