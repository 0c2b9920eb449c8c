"""ORC files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import orc

from wherefrom.errors import FormatError
from wherefrom.fingerprints.sources.arrow_objects import empty_batch
from wherefrom.fingerprints.sources.base import Table
from wherefrom.fingerprints.sources.places import unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wherefrom.fingerprints.sources.places import Place


def open_orc(place: Place) -> Table:
    """Read a stripe at a time. Timestamps that nanoseconds of 64 bits can't hold (years 1677 to 2262) are refused."""
    with unchanged(place), place.open_arrow() as source:
        rows = _open(place, source).nrows
    return Table(lambda: _iter_stripes(place), rows, place.name, {"format": "orc", **place.read_options})


def _iter_stripes(place: Place) -> Iterator[pa.RecordBatch]:
    with unchanged(place), place.open_arrow() as source:
        file = _open(place, source)
        yield empty_batch(file.schema)
        for index in range(file.nstripes):
            try:
                stripe = file.read_stripe(index)
            except (pa.ArrowException, UnicodeDecodeError) as error:
                raise FormatError(f"'{place.name}' stripe {index + 1} of {file.nstripes}: {error}") from error
            yield stripe


def _open(place: Place, source: pa.NativeFile) -> orc.ORCFile:
    try:
        return orc.ORCFile(source)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise FormatError(f"'{place.name}' can't be read as ORC: {error}") from error
