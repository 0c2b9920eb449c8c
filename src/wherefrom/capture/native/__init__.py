"""Wrappers for libraries that open files in native code, where Python's audit hook sees nothing.

Each is put in place once its library has been imported; none is imported before. What goes through Python's own
`open`, such as pandas' CSV or NumPy's files, needs none.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from wherefrom.capture.imports import when_imported

PATCHES = {
    "pyarrow": "arrow",
    "pyarrow.csv": "arrow",
    "pyarrow.dataset": "arrow",
    "pyarrow.feather": "arrow",
    "pyarrow.ipc": "arrow",
    "pyarrow.json": "arrow",
    "pyarrow.orc": "arrow",
    "pyarrow.parquet.core": "arrow",
    "polars": "polars_io",
    "duckdb": "duckdb_io",
    "safetensors": "tensors",
    "torch": "tensors",
    "h5py._hl.files": "hdf5",
    "datasets": "huggingface",
    "multiprocessing.util": "children",
    "joblib.externals.loky.backend.fork_exec": "children",
    "loky.backend.fork_exec": "children",
}
"""Module to wait for, and the module in this folder whose `patch` is then called with it."""


def install() -> None:
    from wherefrom.capture.native.unseen import install_gaps

    for name in PATCHES:
        when_imported(name, _patch)
    install_gaps()


def _patch(module: ModuleType) -> None:
    home = importlib.import_module(f"{__name__}.{PATCHES[module.__name__]}")
    home.patch(module)
