"""Arrow IPC files and streams; Feather version 2 is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.sources.arrow_objects import empty_batch
from wherefrom.fingerprints.sources.base import Table
from wherefrom.fingerprints.sources.places import unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wherefrom.fingerprints.sources.places import Place

_FILE_MAGIC: Final = b"ARROW1"
_FEATHER_1_MAGIC: Final = b"FEA1"


def open_arrow(place: Place) -> Table:
    """File and stream are told apart by their first bytes, as both are found under each of the suffixes."""
    return Table(lambda: _iter_file(place), None, place.name, {"format": "arrow", **place.read_options})


def _iter_file(place: Place) -> Iterator[pa.RecordBatch]:
    try:
        with unchanged(place), place.open_arrow() as file:
            start = file.read(len(_FILE_MAGIC))
            file.seek(0)
            if start[:4] == _FEATHER_1_MAGIC:
                raise FormatError(f"'{place.name}' is Feather version 1, expected version 2 or Arrow IPC")
            if start == _FILE_MAGIC:
                with pa.ipc.open_file(file) as reader:
                    yield empty_batch(reader.schema)
                    for index in range(reader.num_record_batches):
                        yield reader.get_batch(index)
            else:
                with pa.ipc.open_stream(file) as stream:
                    yield empty_batch(stream.schema)
                    yield from stream
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"'{place.name}' can't be read as Arrow IPC: {error}") from error
