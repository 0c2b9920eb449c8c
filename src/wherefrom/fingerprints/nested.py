"""Cells of lists, structs and maps: SHA-256 over the cells of what they hold."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from wherefrom.commitments import Column, LogicalType, list_of, map_of, name_bytes, struct_of
from wherefrom.errors import FormatError
from wherefrom.fingerprints.arrow import read_nulls
from wherefrom.fingerprints.cells import TAG_LIST, TAG_MAP, TAG_STRUCT, cells_of, put_digests
from wherefrom.fingerprints.gather import list_bounds, list_elements, struct_fields
from wherefrom.fingerprints.packing import Cells, Packed, pack
from wherefrom.fingerprints.sha256 import hash_slices

if TYPE_CHECKING:
    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray


def nested_cells(array: AnyArray, depth: int) -> Cells:
    """Cells of a list of any layout, a struct or a map; FormatError for a union."""
    if pa.types.is_map(array.type):
        return _map_cells(array, depth)
    if pa.types.is_struct(array.type):
        return _struct_cells(array, depth)
    if pa.types.is_union(array.type):
        raise FormatError(f"type {array.type} has no form in wf-records-1")
    return _list_cells(array, depth)


def _list_cells(array: AnyArray, depth: int) -> Cells:
    (elements,) = list_elements(array)
    element_cells = cells_of(elements, depth=depth + 1)
    packed = pack([element_cells], count=len(elements))
    offsets = packed.offsets[_starts(array)]
    return _digest_cells(list_of(element_cells.type), TAG_LIST, array, Packed(packed.data, offsets))


def _struct_cells(array: AnyArray, depth: int) -> Cells:
    names = _field_names(array.type)
    fields = dict(sorted(zip(names, struct_fields(array), strict=True), key=lambda field: name_bytes(field[0])))
    columns = {name: cells_of(values, depth=depth + 1) for name, values in fields.items()}
    logical_type = struct_of(tuple(Column(name, cells.type) for name, cells in columns.items()))
    return _digest_cells(logical_type, TAG_STRUCT, array, pack(list(columns.values()), count=len(array)))


def _field_names(struct: pa.StructType) -> list[str]:
    names = [struct.field(index).name for index in range(struct.num_fields)]
    if len(set(names)) < len(names):
        raise FormatError(f"type {struct} has two fields of one name")
    return names


def _map_cells(array: AnyArray, depth: int) -> Cells:
    keys, values = list_elements(array)
    key_cells, value_cells = cells_of(keys, depth=depth + 1), cells_of(values, depth=depth + 1)
    packed = pack([key_cells, value_cells], count=len(keys))
    starts = _starts(array)
    in_order = Packed(_sort_entries(packed, starts), packed.offsets[starts])
    return _digest_cells(map_of(key_cells.type, value_cells.type), TAG_MAP, array, in_order)


def _sort_entries(packed: Packed, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """The entries of each map in the order of their bytes; by key, as no key's cell is the start of another's."""
    data, offsets = packed.data.tobytes(), packed.offsets.tolist()
    entries = [data[start:end] for start, end in pairwise(offsets)]
    bounds = starts.tolist()
    ordered = [entry for start, end in pairwise(bounds) for entry in sorted(entries[start:end])]
    return np.frombuffer(b"".join(ordered), np.uint8)


def _starts(array: AnyArray) -> npt.NDArray[np.int64]:
    """Where each list's elements start among all elements, and where the last ends; a null list has none."""
    return np.concatenate(([0], np.cumsum(list_bounds(array)[1])))


def _digest_cells(logical_type: LogicalType, tag: int, array: AnyArray, packed: Packed) -> Cells:
    def fill(out: npt.NDArray[np.uint8]) -> None:
        put_digests(out, tag, hash_slices(packed.data, packed.offsets))

    return Cells(logical_type, 33, read_nulls(array), fill)
