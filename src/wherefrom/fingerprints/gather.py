"""Chosen values of an Arrow array of any type, plain and nothing else with them.

Arrow's own kernels (take, flatten, decode) refuse many types inside others, such as views and runs in fixed-size lists,
or let what a null hides show through. Here only flat values are left to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wherefrom.errors import FormatError
from wherefrom.fingerprints.arrow import read_indices, read_nulls, to_arrow, to_boolean_arrow

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray

NULL_INDEX: Final = -1
# Intervals of months, and of days and milliseconds; those of months, days and nanoseconds are fine.
_WITHOUT_ARRAYS: Final = frozenset({"month_interval", "day_time_interval"})


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_binary(kind: pa.DataType) -> bool:
    """Binary whose values may be of different lengths."""
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def unreadable_type(kind: pa.DataType) -> pa.DataType | None:
    """The first type at or below this one that pyarrow knows, but has no arrays of: to touch them is a KeyError."""
    if str(kind) in _WITHOUT_ARRAYS:
        return kind
    if isinstance(kind, pa.BaseExtensionType):
        return unreadable_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return unreadable_type(kind.value_type)
    inner = (unreadable_type(kind.field(index).type) for index in range(kind.num_fields))
    return next(filter(None, inner), None)


def decode(array: AnyArray) -> AnyArray:
    """The values that a dictionary- or run-end-encoded array stands for."""
    return gather(array, np.arange(len(array)))


def gather(array: AnyArray, indices: npt.NDArray[np.int64]) -> AnyArray:
    """The values at these indices, null at `NULL_INDEX`: never a dictionary, runs or an extension type at the top.

    Lists come out as large lists, maps as maps; hidden values stay behind. FormatError: unions; more than 2^31 entries
    of maps.
    """
    if isinstance(array, pa.ExtensionArray):
        return gather(array.storage, indices)
    kind = array.type
    if pa.types.is_run_end_encoded(kind):
        return gather(array.values, _runs_at(array, indices))
    if not len(array) or pa.types.is_null(kind):
        return pa.nulls(len(indices), pa.null())
    indices = _null_where(array, indices)
    if pa.types.is_dictionary(kind):
        chosen = read_indices(array.indices).astype(np.int64)[indices]
        return gather(array.dictionary, np.where(indices < 0, NULL_INDEX, chosen))
    if pa.types.is_struct(kind):
        return _gather_structs(array, indices)
    if pa.types.is_union(kind):
        raise FormatError(f"type {kind} has no form in wf-records-1")
    if pa.types.is_nested(kind):
        return _gather_lists(array, indices)
    return _gather_flat(array, indices)


def list_children(array: AnyArray) -> tuple[AnyArray, ...]:
    """What the lists of an array are cut out of, slices and hidden values included: elements, or keys and items."""
    if pa.types.is_map(array.type):
        # Not `keys` and `items`: these overlook that the entries may be a slice.
        return array.values.field(0), array.values.field(1)
    return (array.values,)


def list_bounds(array: AnyArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each list or map starts in its children, and how many elements it has; none where it is null."""
    kind = array.type
    count = len(array)
    if pa.types.is_fixed_size_list(kind):
        starts = (np.arange(count) + array.offset) * kind.list_size
        lengths = np.full(count, kind.list_size)
    else:
        is_large = pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind)
        width = 8 if is_large else 4
        buffers = array.buffers()
        if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
            starts, lengths = (
                np.frombuffer(buffer, f"i{width}", count, array.offset * width).astype(np.int64)
                for buffer in buffers[1:3]
            )
        else:
            offsets = np.frombuffer(buffers[1], f"i{width}", count + 1, array.offset * width).astype(np.int64)
            starts, lengths = offsets[:-1], np.diff(offsets)
    nulls = read_nulls(array)
    return starts, lengths if nulls is None else np.where(nulls, 0, lengths)


def list_elements(array: AnyArray) -> Iterator[AnyArray]:
    """For each child, the elements of all lists in order, without those that belong to none."""
    starts, lengths = list_bounds(array)
    is_filled = lengths > 0
    first, sizes = starts[is_filled], lengths[is_filled]
    has_no_gaps = bool(np.all(first[1:] == first[:-1] + sizes[:-1]))
    for child in list_children(array):
        if has_no_gaps:
            yield child.slice(int(first[0]), int(sizes.sum())) if len(first) else child.slice(0, 0)
        else:
            yield gather(child, _expand(first, sizes))


def struct_fields(array: AnyArray) -> list[AnyArray]:
    """The fields of a struct, null where it is."""
    fields = [array.field(index) for index in range(array.type.num_fields)]
    nulls = read_nulls(array)
    if nulls is None:
        return fields
    if not any(map(_hides_from_flatten, fields)):
        return list(array.flatten())
    indices = np.where(nulls, NULL_INDEX, np.arange(len(array)))
    return [gather(field, indices) for field in fields]


def _hides_from_flatten(field: AnyArray) -> bool:
    """Runs and unions have no bitmap to set nulls in: Arrow lets the first show, for the second it ends the process."""
    kind = field.type
    return pa.types.is_run_end_encoded(kind) or pa.types.is_union(kind) or isinstance(field, pa.ExtensionArray)


def _runs_at(array: AnyArray, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    run_ends = read_indices(array.run_ends)
    runs = np.searchsorted(run_ends, indices + array.offset, side="right")
    return np.where(indices < 0, NULL_INDEX, runs)


def _null_where(array: AnyArray, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    nulls = read_nulls(array)
    return indices if nulls is None else np.where((indices < 0) | nulls[indices], NULL_INDEX, indices)


def _expand(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """start, start + 1, … for each list, one list after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _validity(indices: npt.NDArray[np.int64]) -> pa.Buffer | None:
    present = indices >= 0
    return None if present.all() else to_boolean_arrow(present).buffers()[1]


def _gather_structs(array: AnyArray, indices: npt.NDArray[np.int64]) -> AnyArray:
    fields = [gather(array.field(index), indices) for index in range(array.type.num_fields)]
    names = [array.type.field(index).name for index in range(array.type.num_fields)]
    kind = pa.struct([pa.field(name, field.type) for name, field in zip(names, fields, strict=True)])
    return pa.Array.from_buffers(kind, len(indices), [_validity(indices)], children=fields)


def _gather_lists(array: AnyArray, indices: npt.NDArray[np.int64]) -> AnyArray:
    starts, lengths = list_bounds(array)
    lengths = np.where(indices < 0, 0, lengths[indices])
    elements = _expand(starts[indices], lengths)
    # Arrow has no maps whose keys are of type null, as gathering nothing might make them.
    children = [gather(child, elements) if len(elements) else child.slice(0, 0) for child in list_children(array)]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    if not pa.types.is_map(array.type):
        kind: pa.DataType = pa.large_list(children[0].type)
        buffers = [_validity(indices), pa.py_buffer(offsets.data)]
        return pa.Array.from_buffers(kind, len(indices), buffers, children=children)
    if offsets[-1] >= 2**31:
        raise FormatError(f"holds maps of {offsets[-1]} entries together, at most 2^31 - 1 can be read at once")
    entries = pa.StructArray.from_arrays(children, names=["key", "value"])
    buffers = [_validity(indices), pa.py_buffer(offsets.astype(np.int32).data)]
    kind = pa.map_(children[0].type, children[1].type)
    return pa.Array.from_buffers(kind, len(indices), buffers, children=[entries])


def _gather_flat(array: AnyArray, indices: npt.NDArray[np.int64]) -> AnyArray:
    if is_text(array.type):
        array = array.cast(pa.large_string())
    elif is_binary(array.type):
        array = array.cast(pa.large_binary())
    if len(indices) and indices.min() < 0:
        wanted = pc.if_else(to_boolean_arrow(indices >= 0), to_arrow(indices, pa.int64()), pa.scalar(None, pa.int64()))
    else:
        wanted = to_arrow(np.ascontiguousarray(indices), pa.int64())
    return pc.take(array, wanted, boundscheck=False)
