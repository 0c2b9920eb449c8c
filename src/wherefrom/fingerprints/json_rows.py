"""Rows of Arrow tables as JSON, for people and proofs. Notation: docs/spec/fingerprint-proofs-v1.md section 2.

Value by value: for the few rows that somebody looks at.
"""

from __future__ import annotations

import base64
import math
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.rows import validate_batch
from wherefrom.fingerprints.sources import Reread, open_table

if TYPE_CHECKING:
    from collections.abc import Iterator

_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH: Final = date(1970, 1, 1)
_MS_PER_DAY: Final = 86_400_000
_EXACT: Final = 2**53


def iter_json_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Each row of a batch, its values in the notation of proofs.

    Raises FormatError naming the column whose type has no such notation.
    """
    names = batch.schema.names
    for index in range(batch.num_rows):
        row = {}
        for name, column in zip(names, batch.columns, strict=True):
            try:
                row[name] = _to_json(column[index])
            except FormatError as error:
                raise FormatError(f"column {name!r}: {error}") from error
        yield row


def read_json_rows(source: object) -> Iterator[dict[str, Any]]:
    """Each row of a table from any source, as `iter_json_rows`; errors as `fingerprint_records`.

    A table whose types are known only at its end, a CSV file, is read before the first row comes.
    """
    table = open_table(source)
    while True:
        batches = []
        try:
            for batch in table.iter_batches():
                validate_batch(batch)
                batches.append(batch)
        except Reread:
            continue
        for batch in batches:
            yield from iter_json_rows(batch)
        return


def _to_json(value: Any) -> Any:
    if isinstance(value, (pa.ExtensionScalar, pa.DictionaryScalar, pa.RunEndEncodedScalar)):
        return _to_json(value.value)
    if not value.is_valid:
        return None
    kind = value.type
    if pa.types.is_nested(kind):
        return _nested(value)
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return value.as_py()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number(value.as_py())
    if pa.types.is_string_view(kind):
        return value.as_py()
    if pa.types.is_decimal(kind):
        return str(Decimal(value.as_py()))
    if pa.types.is_temporal(kind):
        return _temporal(value)
    if isinstance(value.as_py(), bytes):
        return {"base64": base64.b64encode(value.as_py()).decode()}
    raise FormatError(f"type {kind} has no notation as JSON")


def _nested(value: Any) -> Any:
    if pa.types.is_struct(value.type):
        return {name: _to_json(item) for name, item in value.items()}
    if pa.types.is_map(value.type):
        return [[_to_json(entry["key"]), _to_json(entry["value"])] for entry in value.values]
    if pa.types.is_union(value.type):
        raise FormatError(f"type {value.type} has no notation as JSON")
    return [_to_json(item) for item in value.values]


def _number(number: float) -> Any:
    """Integers beyond 2^53 and what JSON has no number for are text, so that every reader keeps them."""
    if isinstance(number, int):
        return number if abs(number) <= _EXACT else str(number)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _temporal(value: Any) -> Any:
    kind = value.type
    if pa.types.is_interval(kind):
        return [value.as_py().months, value.as_py().days, value.as_py().nanoseconds]
    if pa.types.is_date(kind):
        return _day(value.value if pa.types.is_date32(kind) else value.value // _MS_PER_DAY)
    seconds, rest = divmod(value.value, _PER_SECOND[kind.unit])
    nanoseconds = rest * (10**9 // _PER_SECOND[kind.unit])
    if pa.types.is_time(kind):
        return _clock(seconds, nanoseconds)
    if pa.types.is_duration(kind):
        return [seconds, nanoseconds]
    day = _day(seconds // 86_400)
    if not isinstance(day, str):
        return [seconds, nanoseconds]
    return f"{day}T{_clock(seconds % 86_400, nanoseconds)}{'Z' if kind.tz else ''}"


def _day(days: int) -> Any:
    try:
        return (_EPOCH + timedelta(days)).isoformat()
    except OverflowError:
        return days


def _clock(seconds: int, nanoseconds: int) -> Any:
    if not 0 <= seconds < 86_400:
        return seconds * 10**9 + nanoseconds
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{nanoseconds:09}".rstrip("0") if nanoseconds else "")
