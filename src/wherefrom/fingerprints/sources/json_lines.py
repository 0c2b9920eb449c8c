"""JSON Lines files: one object for each row."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, Never

import pyarrow as pa

from wherefrom.errors import FormatError
from wherefrom.fingerprints.sources.arrow_objects import batch_without_columns
from wherefrom.fingerprints.sources.base import Reread, Table
from wherefrom.fingerprints.sources.compressed import open_bytes
from wherefrom.fingerprints.sources.json_columns import JsonColumn
from wherefrom.fingerprints.sources.places import unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wherefrom.fingerprints.sources.places import Place

_BLOCK_LINES: Final = 2**13
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def open_json_lines(place: Place) -> Table:
    """UTF-8, an object on each line that is not blank; a member that is absent is null."""
    options = {"format": "jsonl", "encoding": "utf-8", **place.read_options}
    return Table(_JsonLinesFile(place).iter_batches, None, place.name, options)


@dataclass
class _JsonLinesFile:
    """A file, and what is known of its rows so far: survives from one reading to the next."""

    place: Place
    rows: JsonColumn = field(default_factory=lambda: JsonColumn("struct"))

    def iter_batches(self) -> Iterator[pa.RecordBatch]:
        is_misread = False
        is_empty = True
        with unchanged(self.place), open_bytes(self.place) as file:
            for lines in _iter_blocks(file):
                before = copy.deepcopy(self.rows)
                try:
                    typed = self.rows.read([_parse_line(line) for _, line in lines])
                except (ValueError, RecursionError, OverflowError, pa.ArrowException) as error:
                    raise self._explain(lines, before) from error
                # As for CSV: the rest is only looked at.
                is_misread = is_misread or self.rows.is_misread()
                if not is_misread:
                    is_empty = False
                    yield pa.RecordBatch.from_struct_array(typed)
        if is_misread:
            self.rows.forget_misreading()
            raise Reread
        if is_empty:
            yield batch_without_columns(0)

    def _explain(self, lines: list[tuple[int, bytes]], rows: JsonColumn) -> FormatError:
        """Read a block again, a line at a time, to say which one is wrong."""
        for number, line in lines:
            try:
                rows.read([_parse_line(line)])
            except json.JSONDecodeError as error:
                return FormatError(
                    f"'{self.place.name}' line {number}: no JSON: {error.msg} at character {error.colno}"
                )
            except UnicodeDecodeError as error:
                return FormatError(
                    f"'{self.place.name}' line {number}: not UTF-8 at byte {error.start + 1} of the line"
                )
            except RecursionError:
                return FormatError(f"'{self.place.name}' line {number}: nested too deeply")
            except (ValueError, OverflowError, pa.ArrowException) as error:
                return FormatError(f"'{self.place.name}' line {number}: {error}")
        return FormatError(f"'{self.place.name}' lines {lines[0][0]} to {lines[-1][0]} can't be read together")


def _iter_blocks(file: IO[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Lines that are not blank, with their numbers."""
    numbered = (
        (number, line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line)
        for number, line in enumerate(file, start=1)
    )
    rows = ((number, line) for number, line in numbered if line.strip())
    while block := list(islice(rows, _BLOCK_LINES)):
        yield block


def _parse_line(line: bytes) -> dict[str, Any]:
    row = _DECODER.decode(line.decode())
    if not isinstance(row, dict):
        raise FormatError(f"expected an object, got {type(row).__name__}")
    return row


def _no_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(members)
    if len(row) < len(members):
        names = [name for name, _ in members]
        raise FormatError(f"two members are named {next(name for name in names if names.count(name) > 1)!r}")
    return row


def _refuse_constant(text: str) -> Never:
    raise FormatError(f"{text} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_refuse_constant)
