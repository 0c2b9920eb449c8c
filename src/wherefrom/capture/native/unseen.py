"""Libraries that read or write files in native code, and that have no wrapper here: using one leaves a gap."""

from __future__ import annotations

from types import ModuleType

from wherefrom.capture.current import current
from wherefrom.capture.imports import when_imported
from wherefrom.capture.journal import Journal

UNSEEN = (
    *("catboost", "cv2", "deltalake", "lance", "lightgbm", "netCDF4", "pyiceberg", "pyspark", "rasterio"),
    *("soundfile", "tables", "tensorflow", "tiledb", "xgboost"),
)
_imported: list[str] = []


def install_gaps() -> None:
    for name in UNSEEN:
        when_imported(name, _note)


def leave_gaps(journal: Journal) -> None:
    """For a run that begins: of the libraries that are imported already."""
    for name in _imported:
        _leave_gap(journal, name)


def _note(module: ModuleType) -> None:
    _imported.append(module.__name__)
    journal = current()
    if journal is not None:
        _leave_gap(journal, module.__name__)


def _leave_gap(journal: Journal, name: str) -> None:
    journal.gap("not seen", f"{name} was imported; files that it opens in its own native code were not seen")
