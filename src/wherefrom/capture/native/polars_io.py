"""Polars: every reader, scanner, writer and sink of files. What is scanned counts as read where it is scanned."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from wherefrom.capture.datasets import note_paths
from wherefrom.capture.journal import Journal
from wherefrom.capture.native.points import leaves_gap, listen, listen_to_functions, reads
from wherefrom.capture.wrap import Before, argument

_READ = "avro csv delta excel ipc ipc_schema ipc_stream json lines ndjson ods parquet parquet_metadata parquet_schema"
_UNNAMED = ("read_database", "scan_iceberg", "scan_lance")
_WRITTEN = ("avro", "csv", "delta", "ipc", "ipc_stream", "json", "ndjson", "parquet")


def patch(polars: ModuleType) -> None:
    names = [f"{verb}_{kind}" for verb in ("read", "scan") for kind in _READ.split()]
    points = [(name, reads(f"polars.{name}", 0, "source")) for name in names]
    points += [(name, leaves_gap(f"polars.{name}")) for name in _UNNAMED]
    listen_to_functions(polars, points)
    for owner, verb in ((polars.DataFrame, "write"), (polars.LazyFrame, "sink")):
        for kind in _WRITTEN:
            name = f"{verb}_{kind}"
            listen(owner, f"polars.{name}", name, _writes(f"polars.{name}", always_folder=kind == "delta"))
        for kind in ("database", "iceberg"):
            listen(owner, f"polars.{verb}_{kind}", f"{verb}_{kind}", leaves_gap(f"polars.{verb}_{kind}"))


def _writes(via: str, *, always_folder: bool) -> Before:
    def note(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        target = (
            args[1] if len(args) > 1 else next((kwargs[n] for n in ("file", "path", "target") if n in kwargs), None)
        )
        is_folder = always_folder or argument(args, kwargs, 99, "partition_by") is not None
        if type(target).__module__.startswith("polars"):  # a PartitionBy, which keeps its folder to itself
            base = getattr(getattr(target, "_pl_partition_by", None), "base_path", None)
            if base is None:
                journal.gap("not seen", f"{via}: which files a {type(target).__name__} writes was not seen")
            target, is_folder = base, True
        note_paths(journal, target, way="write", via=via, is_folder=is_folder)

    return note
