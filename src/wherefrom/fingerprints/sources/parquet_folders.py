"""Folders of Parquet files, local or not, with values in the folders' names."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.formats import table_format
from wherefrom.fingerprints.sources.parquet_files import Part, open_parts
from wherefrom.fingerprints.sources.places import LocalFile
from wherefrom.fingerprints.walk import list_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from wherefrom.fingerprints.arrow import AnyScalar
    from wherefrom.fingerprints.sources.base import Table
    from wherefrom.fingerprints.sources.places import Place

_HIVE_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


def open_folder(folder: Path, *, columns: Sequence[str] | None = None) -> Table:
    """All Parquet files below a folder are parts of one table.

    A part below folders named `key=value` has these as columns: numbers if all values of a key are whole numbers, else
    text.
    """
    # As for wf-files-1: links are followed, and what can't be listed is an error, not a smaller table.
    names = choose_parts(list_files(str(folder)).names, folder=str(folder))
    places = {name: LocalFile.at(folder / name) for name in names}
    return open_named_parts(places, folder=str(folder), columns=columns, read_options={})


def choose_parts(names: Iterable[str], *, folder: str) -> list[str]:
    """Which files below a folder are the table's, in order.

    Those that begin with "_" or "." are not, nor is what lies in folders called so, by the habit of Spark and Hive.
    """
    parts = [
        name
        for name in names
        if table_format(name) == "parquet" and not any(part.startswith(("_", ".")) for part in name.split("/"))
    ]
    if not parts:
        raise FormatError(f"no Parquet files in the folder '{folder}'")
    return sorted(parts, key=lambda name: name.split("/"))


def open_named_parts(
    places: Mapping[str, Place],
    *,
    folder: str,
    columns: Sequence[str] | None = None,
    read_options: Mapping[str, object],
) -> Table:
    """Parts by their names below the folder, in order; `columns` as in `open_table`."""
    keys = _partition_columns(list(places))
    parts = [Part(place, keys[name], name) for name, place in places.items()]
    return open_parts(parts, name=folder, columns=columns, read_options=read_options)


def _partition_columns(names: list[str]) -> dict[str, dict[str, AnyScalar]]:
    texts: dict[str, dict[str, str | None]] = {}
    for name in names:
        pairs = [part.partition("=") for part in PurePosixPath(name).parts[:-1] if "=" in part]
        texts[name] = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, _, value in pairs}
    by_key: dict[str, list[str | None]] = {}
    for values in texts.values():
        for key, value in values.items():
            by_key.setdefault(key, []).append(value)
    types = {
        key: pa.int64() if all(value is None or _WHOLE_NUMBER.fullmatch(value) for value in values) else pa.string()
        for key, values in by_key.items()
    }
    return {
        name: {
            key: pa.scalar(int(value) if value is not None and types[key] == pa.int64() else value, types[key])
            for key, value in values.items()
        }
        for name, values in texts.items()
    }
