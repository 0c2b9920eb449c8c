"""CSV and TSV files, by the rules of docs/spec/fingerprint-records-v1.md section 6."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn, cast

import pyarrow as pa
import pyarrow.csv as pacsv

from wherefrom.errors import FormatError
from wherefrom.fingerprints.sources.base import Reread, Table
from wherefrom.fingerprints.sources.compressed import open_bytes
from wherefrom.fingerprints.sources.places import unchanged
from wherefrom.fingerprints.sources.text_columns import NULL_SPELLINGS, TextColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wherefrom.fingerprints.sources.places import Place

# Read and typed at a time; a row must fit.
_BLOCK_BYTES: Final = 4 * 2**20

# A quoted field that is still open at the end can't come out as this: it would hold the line end before it, too.
_END_OF_FILE: Final = "\x00end of file\x00"


def open_csv(place: Place) -> Table:
    """Comma-separated: UTF-8, one header line, fields quoted by " where needed, each column number, boolean or text."""
    return _open(place, "csv", ",")


def open_tsv(place: Place) -> Table:
    """The same with tabs."""
    return _open(place, "tsv", "\t")


def _open(place: Place, name: str, delimiter: str) -> Table:
    file = _DelimitedFile(place, delimiter)
    options = {
        "format": name,
        "delimiter": delimiter,
        "quote": '"',
        "encoding": "utf-8",
        "headerLines": 1,
        "nullSpellings": list(NULL_SPELLINGS),
        **place.read_options,
    }
    return Table(file.iter_batches, None, place.name, options)


@dataclass
class _DelimitedFile:
    """A file, and what is known of its columns so far: survives from one reading to the next."""

    place: Place
    delimiter: str
    columns: dict[str, TextColumn] = field(default_factory=dict)

    def iter_batches(self) -> Iterator[pa.RecordBatch]:
        with unchanged(self.place):
            names = self._read_header()
            if not self.columns:
                self.columns = {name: TextColumn() for name in names}
            yield pa.RecordBatch.from_arrays([pa.nulls(0)] * len(names), names=names)
            with open_bytes(self.place) as file:
                try:
                    yield from self._iter_typed(file, names)
                except pa.ArrowInvalid as error:
                    self._explain(error, len(names))

    def _iter_typed(self, file: IO[bytes], names: list[str]) -> Iterator[pa.RecordBatch]:
        is_misread = False
        for batch in self._iter_untyped(file, names):
            typed = [self.columns[name].read(batch.column(name)) for name in names]
            # Once a column turned out to be of another type than its first rows looked like, the rest of the file is
            # only looked at, so that the next reading knows all types from the start.
            is_misread = is_misread or any(column.is_misread for column in self.columns.values())
            if not is_misread:
                yield pa.RecordBatch.from_arrays(typed, names=names)
        if is_misread:
            for column in self.columns.values():
                column.is_misread = False
            raise Reread

    def _iter_untyped(self, file: IO[bytes], names: list[str]) -> Iterator[pa.RecordBatch]:
        """Batches of text. A last row of our own shows that the file did not end inside a quoted field."""
        end = self.delimiter.join([_END_OF_FILE] * len(names))
        reader = pacsv.open_csv(
            cast("IO[bytes]", _WithTail(file, f"\n{end}\n".encode())),
            read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pacsv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(NULL_SPELLINGS),
                strings_can_be_null=True,
            ),
        )
        if reader.schema.names != names:
            raise FormatError(f"'{self.place.name}' line 1: the header reads as {reader.schema.names} and as {names}")
        last: pa.RecordBatch | None = None
        for batch in reader:
            if last is not None:
                yield last
            last = batch if batch.num_rows else last
        if last is None or any(column[-1].as_py() != _END_OF_FILE for column in last.columns):
            raise pa.ArrowInvalid("a quoted field has no end")
        yield last.slice(0, last.num_rows - 1)

    def _read_header(self) -> list[str]:
        with open_bytes(self.place) as file, self._parse(file) as rows:
            try:
                names: list[str] | None = next(filter(None, rows), None)
            except (UnicodeDecodeError, csv.Error) as error:
                self._explain(error, None)
        if names is None:
            raise FormatError(f"'{self.place.name}' is empty, expected a header line with column names")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise FormatError(f"'{self.place.name}' line 1: two columns are named {twice!r}")
        return names

    @contextmanager
    def _parse(self, file: IO[bytes]) -> Iterator[Any]:
        """A reader of the standard library over the file: slow, but it counts lines."""
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            yield csv.reader(text, delimiter=self.delimiter, strict=True)
        finally:
            text.detach()  # whoever opened the file closes it

    def _explain(self, error: Exception, width: int | None) -> NoReturn:
        """Find the line that can't be read."""
        if "straddling" in str(error):
            raise FormatError(f"'{self.place.name}': a row is longer than {_BLOCK_BYTES // 2**20} MiB") from error
        with open_bytes(self.place) as file:
            for number, line in enumerate(iter(partial(file.readline), b""), start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as cause:
                    raise FormatError(
                        f"'{self.place.name}' line {number}: not UTF-8 at byte {cause.start + 1} of the line"
                    ) from error
        with open_bytes(self.place) as file, self._parse(file) as rows:
            try:
                for row in rows:
                    if row and width is not None and len(row) != width:
                        raise FormatError(
                            f"'{self.place.name}' line {rows.line_num}: {_fields(len(row))}, expected {width}"
                        ) from error
            except csv.Error as cause:
                raise FormatError(f"'{self.place.name}' line {rows.line_num}: {cause}") from error
        raise FormatError(f"'{self.place.name}': {error}") from error


class _WithTail(io.RawIOBase):
    """A file with some bytes behind its end.

    `read` returns as much as was asked for until nothing is left: Arrow takes a block of a single LF, after one that
    ends in CR, for the end of the file.
    """

    def __init__(self, file: IO[bytes], tail: bytes) -> None:
        self._file = file
        self._tail = tail

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts = []
        missing = size
        while missing and (data := self._file.read(missing)):
            parts.append(data)
            missing -= len(data)
        if missing:
            cut = missing if missing > 0 else len(self._tail)
            parts.append(self._tail[:cut])
            self._tail = self._tail[cut:]
        return b"".join(parts)


def _fields(count: int) -> str:
    return f"{count} field{'' if count == 1 else 's'}"
