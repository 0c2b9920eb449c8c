"""Data sets of Hugging Face's `datasets`. Only imported when the caller has that library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.fingerprints.sources.arrow_objects import batch_without_columns, empty_batch
from wherefrom.fingerprints.sources.base import Table
from wherefrom.fingerprints.sources.python_objects import columns_to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH_ROWS: Final = 2**12


def open_dataset(source: Any) -> Table:
    """A `Dataset` or `IterableDataset` as its features say, nothing decoded; an iterable one is run, in batches.

    Examples of an iterable data set without features are Python objects: one type in each column, or refused.
    """
    info = source.info
    known = {
        "name": info.dataset_name or info.builder_name,
        "config": info.config_name,
        "revision": str(info.version) if info.version else None,
        "split": str(source.split) if source.split else None,
    }
    options = {"format": "datasets", **{key: value for key, value in known.items() if value}}
    rows = source.num_rows if hasattr(source, "num_rows") else None
    return Table(lambda: _iter_batches(source), rows, read_options=options)


def open_dataset_dict(source: Any) -> Table:
    """Refuse several tables in one."""
    names = ", ".join(map(repr, source))
    raise FormatError(
        f"a {type(source).__name__} holds several tables ({names}), expected one",
        hint=f"fingerprint each of them, such as source[{next(iter(source), 'train')!r}]",
    )


def _iter_batches(source: Any) -> Iterator[pa.RecordBatch]:
    try:
        if source.features is None:
            yield from _iter_examples(source)
            return
        yield empty_batch(source.features.arrow_schema)
        if not source.features:
            yield batch_without_columns(getattr(source, "num_rows", 0))
            return
        media = [name for name, feature in source.features.items() if hasattr(feature, "decode")]
        for table in source.with_format("arrow").iter(_BATCH_ROWS):
            for name in media:
                _check_content(name, table[name])
            yield from table.to_batches()
    except (WherefromError, pa.ArrowException) as error:
        if isinstance(error, WherefromError):
            raise
        raise FormatError(f"the data set can't be read: {error}") from error
    except Exception as error:  # of the user's own functions, or of whatever an iterable data set reads
        raise UnavailableError(f"the data set could not be run: {type(error).__name__}: {error}") from error


def _iter_examples(source: Any) -> Iterator[pa.RecordBatch]:
    names: list[str] | None = None
    for examples in source.iter(_BATCH_ROWS):
        names = names or list(examples)
        yield columns_to_batch(list(examples), list(examples.values()))
    if names is None:
        yield batch_without_columns(0)


def _check_content(name: str, column: Any) -> None:
    """Images, sounds and films are kept as bytes, or as nothing but the path of a file on some disk."""
    if not pa.types.is_struct(column.type):
        return
    lacking = pc.and_(column.is_valid(), pc.struct_field(column, "bytes").is_null())
    if pc.any(lacking).as_py():
        raise FormatError(
            f"column {name!r} holds paths of files, whose content is not part of the data set",
            hint="read the files into it first: datasets.table.embed_table_storage",
        )
