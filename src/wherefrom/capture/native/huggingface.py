"""Hugging Face `datasets`: data sets saved on disk, and those loaded by name or from files."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from wherefrom.capture.datasets import note_paths
from wherefrom.capture.journal import Journal
from wherefrom.capture.native.points import listen, listen_to_functions, reads, writes
from wherefrom.capture.wrap import argument


def patch(module: ModuleType) -> None:
    points = [("load_from_disk", reads("datasets.load_from_disk", 0, "dataset_path")), ("load_dataset", _loads)]
    listen_to_functions(module, points)
    for name in ("Dataset", "DatasetDict"):
        via = f"datasets.{name}.save_to_disk"
        listen(module.__dict__.get(name), via, "save_to_disk", writes(via, 1, f"{_snake(name)}_path", is_folder=True))


def _loads(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    path = argument(args, kwargs, 0, "path")
    folder, files = argument(args, kwargs, 2, "data_dir"), argument(args, kwargs, 3, "data_files")
    given = list(files.values()) if isinstance(files, dict) else files
    local = [item for item in (given, folder) if item]
    if os.path.exists(path):  # noqa: PTH110 - runs in the user's process
        local.append(path)
    if local:
        note_paths(journal, local, way="read", via="datasets.load_dataset")
    else:
        note_paths(journal, f"hf://datasets/{path}", way="read", via="datasets.load_dataset")


def _snake(name: str) -> str:
    return "dataset" if name == "Dataset" else "dataset_dict"
