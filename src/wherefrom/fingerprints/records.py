"""`wf-records-1`: the fingerprint of a table, whatever holds it. Source: docs/spec/fingerprint-records-v1.md."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wherefrom.commitments import Column, KeyCommitment, LogicalType, RecordsFingerprint, name_bytes
from wherefrom.errors import FormatError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from wherefrom.fingerprints.leaves import LeafCollector
    from wherefrom.fingerprints.progress import Progress
    from wherefrom.fingerprints.rows import HashedRows
    from wherefrom.fingerprints.sources import Table

# How pandas names an index that has no name when it writes one to a file.
_UNNAMED_INDEX: Final = re.compile(r"__index_level_[0-9]+__")


def fingerprint_records(
    source: object,
    *,
    columns: Sequence[str] | None = None,
    format: str | None = None,  # noqa: A002  # the word that readers of tables know
    progress: Progress | None = None,
) -> RecordsFingerprint:
    """Fingerprint a table in one pass: 32 bytes kept for each row, beside a few batches.

    Args:
        source: path of a CSV, TSV, JSON Lines, Parquet or Arrow file, or of a folder of Parquet files; an Arrow table,
            record batch or reader; a pandas or Polars frame, lazy frame or series; a numpy array of one or two
            dimensions; or whatever offers the Arrow C stream interface, such as a DuckDB relation.
        columns: the ones that make up the table; all by default, but for those that pandas writes for an unnamed index.
        format: one of `FORMATS`, for files whose name doesn't tell.
        progress: told of rows.

    Row order, column order, batches, file format, integer width and dictionary encoding don't matter; each value does,
    and how many rows hold it.

    Raises NotFoundError: no such file, or no such column. FormatError: a file that does not parse, or a column that has
    no canonical form, naming it. UnavailableError: can't be read, or changed while it was read.
    """
    return fingerprint_with_keys(source, keys=(), columns=columns, format=format, progress=progress)[0]


def commit_keys(
    source: object,
    *,
    columns: Sequence[str],
    format: str | None = None,  # noqa: A002
    progress: Progress | None = None,
) -> KeyCommitment:
    """Commit to the distinct keys that the named columns hold together; bound to the fingerprint of the whole table.

    Arguments and errors as in `fingerprint_records`; `columns` names at least one.
    """
    return fingerprint_with_keys(source, keys=[columns], format=format, progress=progress)[1][0]


def fingerprint_with_keys(
    source: object,
    *,
    keys: Sequence[Sequence[str]],
    columns: Sequence[str] | None = None,
    format: str | None = None,  # noqa: A002
    progress: Progress | None = None,
) -> tuple[RecordsFingerprint, tuple[KeyCommitment, ...]]:
    """Fingerprint a table and commit to several kinds of keys in the same pass over it."""
    from wherefrom.fingerprints.sources import Reread, open_table

    for key in keys:
        if not key or isinstance(key, str) or len(set(key)) < len(key):
            raise FormatError(f"key columns are {key!r}, expected one or more different column names")
    table = open_table(source, format=format)
    while True:
        reading = _Reading(table, columns, keys, progress)
        try:
            return reading.finish()
        except Reread:
            # A later block of a file without types showed that an earlier one was misread.
            continue


@dataclass
class _Reading:
    """One pass over a table."""

    table: Table
    wanted: Sequence[str] | None
    keys: Sequence[Sequence[str]]
    progress: Progress | None
    rows: int = 0
    types: dict[str, LogicalType] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def finish(self) -> tuple[RecordsFingerprint, tuple[KeyCommitment, ...]]:
        from wherefrom.fingerprints.leaves import DistinctLeaves, SortedLeaves
        from wherefrom.fingerprints.pool import ordered_map
        from wherefrom.fingerprints.rows import merge_columns

        leaves: LeafCollector = SortedLeaves()
        key_leaves: list[LeafCollector] = [DistinctLeaves() for _ in self.keys]
        keyless = [0] * len(self.keys)
        for hashed in ordered_map(self._hash, self._iter_chunks()):
            with self._named():
                merge_columns(self.types, hashed.types)
            leaves.add(hashed.leaf_hashes)
            for index, key_hashes in enumerate(hashed.key_hashes):
                key_leaves[index].add(key_hashes)
                keyless[index] += hashed.keyless[index]
            self.rows += len(hashed.leaf_hashes)
            if self.progress is not None:
                self.progress(self.rows, self.table.rows)
        rows, root = leaves.finish()
        fingerprint = RecordsFingerprint(rows, self._columns(self.types), root, self.table.read_options, self.left_out)
        commitments = []
        for names, collector, without in zip(self.keys, key_leaves, keyless, strict=True):
            count, key_root = collector.finish()
            commitments.append(KeyCommitment(fingerprint.id, self._columns(names), count, without, key_root))
        return fingerprint, tuple(commitments)

    def _iter_chunks(self) -> Iterator[pa.RecordBatch]:
        from wherefrom.fingerprints.rows import iter_chunks, validate_batch
        from wherefrom.fingerprints.sha256 import expect

        expect(2 * (self.table.rows or 0))
        chosen: list[str] | None = None
        for batch in self.table.iter_batches():
            with self._named():
                names = self._choose(batch)
                chosen = names if chosen is None else chosen
                if missing := set(names) ^ set(chosen):
                    raise FormatError(f"column {min(missing)!r} is not in all parts of the table")
                part = batch.select(chosen)
                validate_batch(part)
            yield from iter_chunks(part)

    def _hash(self, chunk: pa.RecordBatch) -> HashedRows:
        from wherefrom.fingerprints.rows import hash_rows_of

        with self._named():
            return hash_rows_of(chunk, keys=self.keys)

    def _choose(self, batch: pa.RecordBatch) -> list[str]:
        """Which columns count; checks that they can be told apart."""
        try:
            names = batch.schema.names
        except UnicodeDecodeError as error:
            raise FormatError(f"a column name is not UTF-8: {error}") from error
        seen: set[str] = set()
        for name in names:
            name_bytes(name)
            if name in seen:
                raise FormatError(f"two columns are named {name!r}; names must be unique")
            seen.add(name)
        for name in [*(self.wanted or ()), *(name for key in self.keys for name in key)]:
            if name not in seen:
                raise NotFoundError(f"no column {name!r}; there are {', '.join(map(repr, names)) or 'none'}")
        if self.wanted is None:
            self.left_out = tuple(name for name in names if _UNNAMED_INDEX.fullmatch(name))
            return [name for name in names if name not in self.left_out]
        for name in (name for key in self.keys for name in key):
            if name not in self.wanted:
                raise NotFoundError(f"key column {name!r} is not among the columns chosen")
        return list(dict.fromkeys(self.wanted))

    def _columns(self, names: Iterable[str]) -> tuple[Column, ...]:
        return tuple(Column(name, self.types[name]) for name in sorted(names, key=name_bytes))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say in messages about columns which file they are about."""
        try:
            yield
        except (FormatError, NotFoundError) as error:
            if self.table.name is None:
                raise
            raise type(error)(f"'{self.table.name}': {error}", hint=error.hint) from error
