"""HDF5 files opened with h5py."""

from __future__ import annotations

from types import ModuleType

from wherefrom.capture.native.points import listen, opens

_WAYS = {"r": "read", "r+": "update", "a": "update", "w": "write", "w-": "write", "x": "write"}


def patch(module: ModuleType) -> None:
    listen(module.File, "h5py.File", "__init__", opens("h5py.File", 1, "name", 2, _WAYS, default="r"))
