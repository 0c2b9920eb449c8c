"""Leaf hashes of private fingerprints: HMAC-SHA-256 over all rows of a chunk at once, without a loop over rows.

Source: docs/spec/fingerprint-records-v1.md section 4.2; HMAC: RFC 2104 section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wherefrom.fingerprints.sha256 import hash_rows, hash_values

if TYPE_CHECKING:
    import numpy.typing as npt

    from wherefrom.commitments import Secret
    from wherefrom.fingerprints.arrow import AnyArray
    from wherefrom.fingerprints.packing import Packed

_BLOCK: Final = 64
_LEAF_PREFIX: Final = b"\x00"
_MAX_INT32: Final = 2**31 - 1


def hash_salted(rows: Packed, *, secret: Secret, domain: bytes) -> npt.NDArray[np.uint8]:
    """Hash 00 ‖ salt ‖ row for each row, which has no prefix here: (n, 32)."""
    count = len(rows.offsets) - 1
    if count == 0:
        return np.empty((0, 32), np.uint8)
    values = _to_arrow(rows)
    key = np.frombuffer(secret.key.ljust(_BLOCK, b"\x00"), np.uint8)
    inner = hash_values(_join((key ^ 0x36).tobytes() + domain, values))
    outer = np.empty((count, _BLOCK + 32), np.uint8)
    outer[:, :_BLOCK] = key ^ 0x5C
    outer[:, _BLOCK:] = inner
    return hash_values(_join(_LEAF_PREFIX, _fixed(hash_rows(outer), values.type), values))


def _to_arrow(rows: Packed) -> AnyArray:
    # Room for the 65 bytes that are set before each row, lest offsets of 32 bits overflow.
    is_small = int(rows.offsets[-1]) + (_BLOCK + 1) * len(rows.offsets) <= _MAX_INT32
    kind, width = (pa.binary(), np.int32) if is_small else (pa.large_binary(), np.int64)
    offsets = rows.offsets.astype(width, copy=False)
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(rows.data.data)]
    return pa.Array.from_buffers(kind, len(rows.offsets) - 1, buffers)


def _fixed(digests: npt.NDArray[np.uint8], kind: pa.DataType) -> AnyArray:
    """(n, 32) digests as an array of the binary type given."""
    width = np.int32 if pa.types.is_binary(kind) else np.int64
    offsets = np.arange(len(digests) + 1, dtype=width) * 32
    data = np.ascontiguousarray(digests).reshape(-1)
    return pa.Array.from_buffers(kind, len(digests), [None, pa.py_buffer(offsets.data), pa.py_buffer(data.data)])


def _join(prefix: bytes, *parts: AnyArray) -> AnyArray:
    kind = parts[0].type
    return pc.call_function("binary_join_element_wise", [pa.scalar(prefix, kind), *parts, pa.scalar(b"", kind)])
