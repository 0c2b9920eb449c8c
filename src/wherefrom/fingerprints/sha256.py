"""SHA-256 of many short values at once.

DataFusion hashes a whole Arrow array in native code: about 9 M short values a second on one core (measured on an EPYC
with SHA instructions), where a Python loop over hashlib manages 1.5 M. But importing it takes
0.5 s, and each call 0.4 ms.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
import threading
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from wherefrom.fingerprints.arrow import read_nulls

if TYPE_CHECKING:
    import numpy.typing as npt
    from datafusion import Expr, SessionContext

    from wherefrom.fingerprints.arrow import AnyArray

# Below this many values one call costs more than hashlib does.
_WORTH_A_CALL: Final = 1_000
# What hashlib does while DataFusion is imported. Waiting until hashlib has really done that many costs at most twice
# the better choice, whatever comes, and small tables never pay for the import.
_WORTH_THE_IMPORT: Final = 400_000
# Fewer make more calls, more leave the cache.
_BATCH_VALUES: Final = 2**16
_MAX_INT32: Final = 2**31 - 1

_lock: Final = threading.Lock()
_table_numbers: Final = itertools.count()
_done_by_hashlib = 0
_session: tuple[SessionContext, Expr] | None = None
_is_forked = False


def expect(count: int) -> None:
    """Say that about this many values are to be hashed, so that a large job starts natively."""
    global _done_by_hashlib  # noqa: PLW0603  # what the process has spent is a fact about the process
    if count >= _WORTH_THE_IMPORT:
        _done_by_hashlib = max(_done_by_hashlib, _WORTH_THE_IMPORT)


def hash_values(values: AnyArray) -> npt.NDArray[np.uint8]:
    """Hash each value of a string or binary array of any layout: (n, 32). Rows for nulls hold anything."""
    if len(values) == 0:
        return np.empty((0, 32), np.uint8)
    if pa.types.is_fixed_size_binary(values.type):
        values = values.cast(pa.binary())
    if _is_native_better(len(values)):
        return _hash_natively(values)
    digest = hashlib.sha256
    joined = b"".join([digest(value or b"").digest() for value in _to_binary(values).to_pylist()])
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def hash_slices(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Hash data[offsets[i]:offsets[i + 1]] for each i: (n, 32). Offsets ascend; `data` is contiguous."""
    count = len(offsets) - 1
    is_small = int(offsets[-1]) <= _MAX_INT32
    layout, width = (pa.binary(), np.int32) if is_small else (pa.large_binary(), np.int64)
    buffers = [None, pa.py_buffer(offsets.astype(width, copy=False).data), pa.py_buffer(data.data)]
    return hash_values(pa.Array.from_buffers(layout, count, buffers))


def hash_rows(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Hash each row of a contiguous (n, width) matrix: (n, 32)."""
    count, width = matrix.shape
    return hash_slices(matrix.reshape(-1), np.arange(count + 1, dtype=np.int64) * width)


def _is_native_better(count: int) -> bool:
    global _done_by_hashlib  # noqa: PLW0603
    if _is_forked:
        return False
    if "datafusion" in sys.modules:
        return count >= _WORTH_A_CALL
    if _done_by_hashlib + count >= _WORTH_THE_IMPORT:
        return True
    _done_by_hashlib += count
    return False


def _hash_natively(values: AnyArray) -> npt.NDArray[np.uint8]:
    context, sha256_of_value = _open_session()
    name = f"values_{next(_table_numbers)}"
    batch = pa.RecordBatch.from_arrays([values], names=["value"])
    try:
        results = context.create_dataframe([[batch]], name=name).select(sha256_of_value).collect()
    finally:
        # Else the session would keep every batch it has seen.
        context.deregister_table(name)
    parts = [_digests(result.column(0)) for result in results]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _digests(hashed: AnyArray) -> npt.NDArray[np.uint8]:
    """The (n, 32) matrix below an array of digests, which is null where the values were."""
    hashed = hashed.cast(pa.binary())
    nulls = read_nulls(hashed)
    present = len(hashed) - hashed.null_count
    first = int(np.frombuffer(hashed.buffers()[1], np.int32, 1, 4 * hashed.offset)[0])
    digests = np.frombuffer(hashed.buffers()[2], np.uint8, 32 * present, first).reshape(-1, 32)
    if nulls is None:
        return digests
    spread = np.zeros((len(hashed), 32), np.uint8)
    spread[~nulls] = digests
    return spread


def _open_session() -> tuple[SessionContext, Expr]:
    global _session  # noqa: PLW0603
    with _lock:
        if _session is None:
            from datafusion import SessionConfig, SessionContext, col, functions

            # One partition: values come back in the order in which they went in; the callers' threads are enough.
            config = SessionConfig().with_target_partitions(1).with_batch_size(_BATCH_VALUES)
            # There is nothing to optimise, and looking for it takes a fifth of a call.
            config = config.set("datafusion.optimizer.max_passes", "0")
            _session = SessionContext(config), functions.sha256(col("value"))
        return _session


def _to_binary(values: AnyArray) -> AnyArray:
    if pa.types.is_string(values.type):
        return values.cast(pa.binary())
    if pa.types.is_large_string(values.type):
        return values.cast(pa.large_binary())
    if pa.types.is_string_view(values.type):
        return values.cast(pa.binary_view())
    return values


def _after_fork() -> None:
    # DataFusion's threads don't exist in a forked child: a call would wait for them for ever.
    global _is_forked  # noqa: PLW0603
    _is_forked = "datafusion" in sys.modules


os.register_at_fork(after_in_child=_after_fork)
