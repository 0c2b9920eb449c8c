"""Arrow arrays to canonical cells. Source: docs/spec/fingerprint-records-v1.md section 3.

A cell is a tag and a payload whose width depends on the tag alone; what decides both is the value, never the machine
type that a reader happened to give it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from wherefrom.commitments import MAX_DEPTH, NULL, LogicalType
from wherefrom.errors import FormatError
from wherefrom.fingerprints.arrow import read_booleans, read_indices, read_nulls, read_values
from wherefrom.fingerprints.decimals import normalise_decimals
from wherefrom.fingerprints.gather import decode, is_binary, is_text, list_bounds, list_children
from wherefrom.fingerprints.packing import Cells
from wherefrom.fingerprints.sha256 import hash_values

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray

TAG_NULL: Final = 0x00
TAG_BOOLEAN: Final = 0x01
TAG_INTEGER: Final = 0x02
TAG_LARGE_INTEGER: Final = 0x03
TAG_FLOAT: Final = 0x04
TAG_DECIMAL: Final = 0x05
TAG_TEXT: Final = 0x06
TAG_BINARY: Final = 0x07
TAG_DATE: Final = 0x08
TAG_TIME: Final = 0x09
TAG_DATETIME: Final = 0x0A
TAG_INSTANT: Final = 0x0B
TAG_DURATION: Final = 0x0C
TAG_INTERVAL: Final = 0x0D
TAG_LIST: Final = 0x0E
TAG_STRUCT: Final = 0x0F
TAG_MAP: Final = 0x10

_CANONICAL_NAN: Final = 0x7FF8000000000000
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MS_PER_DAY: Final = 86_400_000

# Values looked at to tell a column of few distinct texts, each of which is then hashed once, from one where finding the
# distinct ones would cost more than it saves.
_SAMPLE: Final = 1_024
_FEW_IN_SAMPLE: Final = 896


def cells_of(array: AnyArray, *, depth: int = 1) -> Cells:
    """Cells of an array of any type; FormatError for one that has no canonical form."""
    if depth > MAX_DEPTH:
        raise FormatError(f"nested more than {MAX_DEPTH} levels deep")
    array = plain(array)
    if array.null_count == len(array):
        return Cells(NULL, 1, None, _fill_null)
    if pa.types.is_dictionary(array.type):
        return _dictionary_cells(array, depth)
    for is_of_type, make in _MAKERS:
        if is_of_type(array.type):
            return make(array)
    if pa.types.is_nested(array.type):
        from wherefrom.fingerprints.nested import nested_cells

        return nested_cells(array, depth)
    raise FormatError(f"type {array.type} has no form in wf-records-1")


def bytes_in_cells(array: AnyArray, *, depth: int = 1) -> int:
    """About how many bytes the cells of an array take while they are made, nested ones included."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return bytes_in_cells(array.storage, depth=depth)
    if pa.types.is_run_end_encoded(kind):
        return bytes_in_cells(array.values, depth=depth) * len(array) // max(1, len(array.values))
    if pa.types.is_dictionary(kind):
        return bytes_in_cells(array.dictionary, depth=depth) * len(array) // max(1, len(array.dictionary))
    if pa.types.is_struct(kind) and depth <= MAX_DEPTH:
        fields = (array.field(index) for index in range(kind.num_fields))
        return 33 * len(array) + sum(bytes_in_cells(field, depth=depth + 1) for field in fields)
    if pa.types.is_nested(kind) and not pa.types.is_union(kind) and len(array) and depth <= MAX_DEPTH:
        elements = int(list_bounds(array)[1].sum())
        children = list_children(array)
        return 33 * len(array) + sum(
            bytes_in_cells(child, depth=depth + 1) * elements // max(1, len(child)) for child in children
        )
    if is_text(kind) or _is_binary(kind) or pa.types.is_decimal(kind):
        return 37 * len(array)
    return 13 * len(array)


def put(out: npt.NDArray[np.uint8], start: int, dtype: str, values: npt.NDArray[Any]) -> None:
    """Write one fixed-width value into each row, from byte `start` of the row on."""
    out[:, start : start + np.dtype(dtype).itemsize].view(dtype)[:, 0] = values


def put_digests(out: npt.NDArray[np.uint8], tag: int, digests: npt.NDArray[np.uint8]) -> None:
    out[:, 0] = tag
    put(out, 1, "V32", np.ascontiguousarray(digests).view("V32")[:, 0])


def plain(array: AnyArray, *, keep_dictionaries: bool = True) -> AnyArray:
    """Strip what changes how values are kept, not what they are; dictionaries may stay where they save work."""
    while True:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif pa.types.is_run_end_encoded(array.type) or (
            pa.types.is_dictionary(array.type) and not (keep_dictionaries and _is_dictionary_worth_it(array))
        ):
            array = decode(array)
        else:
            return array


def _is_dictionary_worth_it(array: AnyArray) -> bool:
    values = array.dictionary
    # Only values that rows refer to count: a nested or null value in a dictionary must not be seen unless it is used.
    return len(values) <= len(array) and values.null_count == 0 and any(is_of(values.type) for is_of, _ in _MAKERS)


def _dictionary_cells(array: AnyArray, depth: int) -> Cells:
    distinct = cells_of(array.dictionary, depth=depth)

    def fill(out: npt.NDArray[np.uint8]) -> None:
        table = np.empty((len(array.dictionary), distinct.width), np.uint8)
        distinct.fill(table)
        chosen = np.take(table.view(f"V{distinct.width}")[:, 0], read_indices(array.indices))
        put(out, 0, f"V{distinct.width}", chosen)

    return Cells(distinct.type, distinct.width, read_nulls(array), fill)


def _fill_null(out: npt.NDArray[np.uint8]) -> None:
    out[:, 0] = TAG_NULL


def _flat(
    kind: str, width: int, fill: Callable[[AnyArray, npt.NDArray[np.uint8]], None]
) -> Callable[[AnyArray], Cells]:
    def make(array: AnyArray) -> Cells:
        return Cells(LogicalType(kind), width, read_nulls(array), lambda out: fill(array, out))

    return make


def _fill_boolean(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    out[:, 0] = TAG_BOOLEAN
    out[:, 1] = read_booleans(array)


def _fill_integer(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    sign = "u" if pa.types.is_unsigned_integer(array.type) else "i"
    values = read_values(array, f"{sign}{array.type.bit_width // 8}")
    out[:, 0] = TAG_INTEGER
    if pa.types.is_uint64(array.type):
        out[values >= 2**63, 0] = TAG_LARGE_INTEGER
        put(out, 1, ">u8", values)
    else:
        put(out, 1, ">i8", values)


def _fill_float(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    # Signalling NaNs, and the casts below of values that are no integers and are not used, are no cause for warnings.
    with np.errstate(invalid="ignore"):
        values = read_values(array, f"f{array.type.bit_width // 8}").astype(np.float64, copy=False)
        is_integer = (np.trunc(values) == values) & (values >= -(2.0**63)) & (values < 2.0**64)
        is_large = is_integer & (values >= 2.0**63)
        payload = np.where(is_integer, values.astype(np.int64), values.view(np.int64))
        payload[is_large] = values[is_large].astype(np.uint64).view(np.int64)
    payload[np.isnan(values)] = _CANONICAL_NAN
    out[:, 0] = np.where(is_integer, np.uint8(TAG_INTEGER), np.uint8(TAG_FLOAT))
    out[is_large, 0] = TAG_LARGE_INTEGER
    put(out, 1, ">i8", payload)


def _fill_decimal(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    exponents, coefficients = normalise_decimals(array)
    out[:, 0] = TAG_DECIMAL
    put(out, 1, ">i4", exponents)
    put(out, 5, "V32", coefficients.view("V32")[:, 0])


def _fill_text(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    put_digests(out, TAG_TEXT, _hash_texts(array))


def _fill_binary(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    put_digests(out, TAG_BINARY, hash_values(array))


def _hash_texts(array: AnyArray) -> npt.NDArray[np.uint8]:
    if len(array) < 4 * _SAMPLE or len(distinct_texts(array.slice(0, _SAMPLE)).dictionary) > _FEW_IN_SAMPLE:
        return hash_values(array)
    encoded = distinct_texts(array)
    digests = hash_values(encoded.dictionary)
    chosen: npt.NDArray[np.uint8] = np.take(digests.view("V32")[:, 0], read_indices(encoded.indices)).view(np.uint8)
    return chosen.reshape(-1, 32)


def distinct_texts(array: AnyArray) -> AnyArray:
    """Dictionary of the texts in an array of any layout."""
    if pa.types.is_string_view(array.type):  # Arrow has no kernel for these
        array = array.cast(pa.large_string())
    return array.dictionary_encode()


def _fill_date(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    # Arrow's validation has made sure that a date64 is a whole number of days.
    days = read_values(array, "i4") if pa.types.is_date32(array.type) else read_values(array, "i8") // _MS_PER_DAY
    out[:, 0] = TAG_DATE
    put(out, 1, ">i8", days)


def _fill_time(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    values = read_values(array, f"i{array.type.bit_width // 8}").astype(np.int64)
    out[:, 0] = TAG_TIME
    put(out, 1, ">i8", values * (10**9 // _PER_SECOND[array.type.unit]))


def _fill_timestamp(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    _fill_seconds(array, out, TAG_DATETIME if array.type.tz is None else TAG_INSTANT)


def _fill_duration(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    _fill_seconds(array, out, TAG_DURATION)


def _fill_seconds(array: AnyArray, out: npt.NDArray[np.uint8], tag: int) -> None:
    per_second = _PER_SECOND[array.type.unit]
    seconds, rest = np.divmod(read_values(array, "i8"), per_second)
    out[:, 0] = tag
    put(out, 1, ">i8", seconds)
    put(out, 9, ">u4", rest * (10**9 // per_second))


def _fill_interval(array: AnyArray, out: npt.NDArray[np.uint8]) -> None:
    values = read_values(array, [("months", "i4"), ("days", "i4"), ("nanoseconds", "i8")])
    out[:, 0] = TAG_INTERVAL
    put(out, 1, ">i4", values["months"])
    put(out, 5, ">i4", values["days"])
    put(out, 9, ">i8", values["nanoseconds"])


def _is_binary(kind: pa.DataType) -> bool:
    return is_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _is_datetime(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is None


_MAKERS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[AnyArray], Cells]], ...]] = (
    (pa.types.is_boolean, _flat("boolean", 2, _fill_boolean)),
    (pa.types.is_integer, _flat("number", 9, _fill_integer)),
    (pa.types.is_floating, _flat("number", 9, _fill_float)),
    (pa.types.is_decimal, _flat("decimal", 37, _fill_decimal)),
    (is_text, _flat("text", 33, _fill_text)),
    (_is_binary, _flat("binary", 33, _fill_binary)),
    (pa.types.is_date, _flat("date", 9, _fill_date)),
    (pa.types.is_time, _flat("time", 9, _fill_time)),
    (_is_datetime, _flat("datetime", 13, _fill_timestamp)),
    (pa.types.is_timestamp, _flat("instant", 13, _fill_timestamp)),
    (pa.types.is_duration, _flat("duration", 13, _fill_duration)),
    (pa.types.is_interval, _flat("interval", 17, _fill_interval)),
)
