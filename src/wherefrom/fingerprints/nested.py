"""Cells of lists, structs and maps: SHA-256 over the cells of what they hold."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wherefrom.commitments import Column, LogicalType, list_of, map_of, name_bytes, struct_of
from wherefrom.errors import FormatError
from wherefrom.fingerprints.arrow import read_indices, read_nulls
from wherefrom.fingerprints.cells import TAG_LIST, TAG_MAP, TAG_STRUCT, cells_of, put_digests
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
    # `flatten` leaves out what a slice or a null hides, so its values are exactly those of the lists, in order.
    elements = array.flatten()
    element_cells = cells_of(elements, depth=depth + 1)
    packed = pack([element_cells], count=len(elements))
    offsets = packed.offsets[_starts(pc.list_value_length(array))]
    return _digest_cells(list_of(element_cells.type), TAG_LIST, array, Packed(packed.data, offsets))


def _struct_cells(array: AnyArray, depth: int) -> Cells:
    # `flatten` makes the fields of a null struct null.
    fields = dict(sorted(zip(_field_names(array.type), array.flatten(), strict=True), key=lambda f: name_bytes(f[0])))
    columns = {name: cells_of(values, depth=depth + 1) for name, values in fields.items()}
    logical_type = struct_of(tuple(Column(name, cells.type) for name, cells in columns.items()))
    return _digest_cells(logical_type, TAG_STRUCT, array, pack(list(columns.values()), count=len(array)))


def _field_names(struct: pa.StructType) -> list[str]:
    names = [struct.field(index).name for index in range(struct.num_fields)]
    if len(set(names)) < len(names):
        raise FormatError(f"type {struct} has two fields of one name")
    return names


def _map_cells(array: AnyArray, depth: int) -> Cells:
    entries = _entries_of(array)
    keys, values = entries.flatten().flatten()
    key_cells, value_cells = cells_of(keys, depth=depth + 1), cells_of(values, depth=depth + 1)
    packed = pack([key_cells, value_cells], count=len(keys))
    starts = _starts(pc.list_value_length(entries))
    in_order = Packed(_sort_entries(packed, starts), packed.offsets[starts])
    return _digest_cells(map_of(key_cells.type, value_cells.type), TAG_MAP, array, in_order)


def _entries_of(array: AnyArray) -> AnyArray:
    """The same memory as a list of structs, which the functions for lists understand.

    Arrow's own cast makes arrays that are not valid of some maps, and to read these ends the process.
    """
    entries = pa.StructArray.from_arrays([array.keys, array.items], names=["key", "value"])
    kind = pa.list_(entries.type)
    return pa.Array.from_buffers(kind, len(array), array.buffers()[:2], offset=array.offset, children=[entries])


def _sort_entries(packed: Packed, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """The entries of each map in the order of their bytes; by key, as no key's cell is the start of another's."""
    data, offsets = packed.data.tobytes(), packed.offsets.tolist()
    entries = [data[start:end] for start, end in pairwise(offsets)]
    bounds = starts.tolist()
    ordered = [entry for start, end in pairwise(bounds) for entry in sorted(entries[start:end])]
    return np.frombuffer(b"".join(ordered), np.uint8)


def _starts(lengths: AnyArray) -> npt.NDArray[np.int64]:
    """Where each list's elements start among all elements, and where the last ends; a null list has none."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(read_indices(lengths), out=starts[1:])
    return starts


def _digest_cells(logical_type: LogicalType, tag: int, array: AnyArray, packed: Packed) -> Cells:
    def fill(out: npt.NDArray[np.uint8]) -> None:
        put_digests(out, tag, hash_slices(packed.data, packed.offsets))

    return Cells(logical_type, 33, read_nulls(array), fill)
