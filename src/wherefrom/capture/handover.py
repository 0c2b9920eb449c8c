"""Tables in memory, handed from the captured process to its recorder, so that fingerprinting them doesn't hold it up.

The table is pickled (protocol 5) with its large buffers beside it, into a private file in shared memory, which the
recorder unlinks before it reads it. What comes back is a snapshot; the program may change its table at once. Only
frames, series, arrays and Arrow tables are handed over, and what unpickling may call is limited to their libraries:
objects in their cells don't get to run code in the recorder.

    u32 length of the pickle | pickle | for each buffer: u64 length | its bytes
"""

from __future__ import annotations

import io
import mmap
import os
import pickle  # nosec B403
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FOLDER = "/dev/shm"  # noqa: S108 - made private by mkstemp  # nosec B108
_TYPES = {
    "pandas": {"DataFrame", "Series"},
    "polars": {"DataFrame", "Series"},
    "pyarrow": {"Table", "RecordBatch"},
    "numpy": {"ndarray"},
}

_LIBRARIES = {*_TYPES, "datetime", "decimal", "zoneinfo", "uuid", "_codecs", "pytz", "dateutil"}
_BUILTINS = {"slice", "set", "frozenset", "complex", "range", "bytearray"}


def is_table(value: object) -> bool:
    """Whether a value is of a type that can be handed over and fingerprinted. Imports nothing."""
    kind = type(value)
    if kind.__name__ not in _TYPES.get(kind.__module__.partition(".")[0], ()):
        return False
    return not getattr(getattr(value, "dtype", None), "hasobject", False)


def size_of(value: Any) -> int:
    """About how many bytes a table takes."""
    kind = type(value).__module__.partition(".")[0]
    if kind == "polars":
        return int(value.estimated_size())
    if kind == "pandas":
        return int(value.memory_usage().sum() if type(value).__name__ == "DataFrame" else value.memory_usage())
    return int(value.nbytes)


class Cost:
    """What handing over has cost this process, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0


cost = Cost()


def give(value: Any) -> str:
    """Write a table for the recorder: the file's path. Raises what pickling or writing raises."""
    began = time.perf_counter()
    try:
        return _give(value)
    finally:
        cost.seconds += time.perf_counter() - began


def _give(value: Any) -> str:
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    folder = _FOLDER if Path(_FOLDER).is_dir() else None
    number, path = tempfile.mkstemp(prefix="wherefrom-", dir=folder)
    try:
        with open(number, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            file.write(struct.pack("<I", len(text)) + text)
            for buffer in buffers:
                raw = buffer.raw()
                file.write(struct.pack("<Q", raw.nbytes))
                written = 0
                while written < raw.nbytes:
                    written += file.write(raw[written:])
    except BaseException:
        os.unlink(path)  # noqa: PTH108
        raise
    return path


def take(path: str) -> Callable[[], Any]:
    """What loads the table that was written there; the file's name is gone when this returns."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        os.unlink(path)  # noqa: PTH108
    except OSError as error:
        problem = error

        def fail() -> Any:
            raise problem

        return fail
    return lambda: _load(memoryview(text))


def _load(text: memoryview) -> Any:
    (length,) = struct.unpack_from("<I", text)
    at = 4 + length
    buffers = []
    while at < len(text):
        (size,) = struct.unpack_from("<Q", text, at)
        buffers.append(text[at + 8 : at + 8 + size])
        at += 8 + size
    return _Unpickler(io.BytesIO(text[4 : 4 + length]), buffers=buffers).load()


class RefusedError(pickle.UnpicklingError):
    """A pickle asks for something that no table needs."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        root = module.partition(".")[0]
        if root not in _LIBRARIES and (root != "builtins" or name not in _BUILTINS):
            raise RefusedError(f"{module}.{name} in a table's pickle")
        return super().find_class(module, name)
