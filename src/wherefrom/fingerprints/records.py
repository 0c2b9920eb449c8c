"""`wf-records-1`: the fingerprint of a table, whatever holds it. Source: docs/spec/fingerprint-records-v1.md."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wherefrom.commitments import (
    ORDERS,
    UNSALTED,
    Column,
    KeyCommitment,
    LogicalType,
    RecordsFingerprint,
    Secret,
    name_bytes,
)
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints.formats import UNNAMED_INDEX
from wherefrom.fingerprints.kept import KeptTrees
from wherefrom.fingerprints.keys import Key, key_type

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pyarrow as pa

    from wherefrom.fingerprints.appended import Before
    from wherefrom.fingerprints.keeping import TreeWriter
    from wherefrom.fingerprints.kept import KeptIdentity
    from wherefrom.fingerprints.leaves import LeafCollector
    from wherefrom.fingerprints.progress import Progress
    from wherefrom.fingerprints.rows import HashedRows
    from wherefrom.fingerprints.sources import Table

DEFAULT_MEMORY_BYTES: Final = 2**30
DEFAULT_KEEP_AT_MOST: Final = 2**30


def fingerprint_records(
    source: object,
    *,
    columns: Sequence[str] | None = None,
    format: str | None = None,  # noqa: A002  # the word that readers of tables know
    order: str = "sorted",
    secret: Secret | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    keep: KeptTrees | str | os.PathLike[str] | None = None,
    keep_at_most: int | None = DEFAULT_KEEP_AT_MOST,
    progress: Progress | None = None,
) -> RecordsFingerprint:
    """Fingerprint a table in one pass and bounded memory.

    Args:
        source: path or URL of a CSV, TSV, JSON Lines, Parquet, ORC or Arrow file, of a folder of Parquet files, or of a
            Delta table; `iceberg:` and the location of a metadata file; an Arrow table, batch or reader; a pandas or
            Polars frame, lazy frame or series; a numpy array of one or two dimensions; a table of deltalake,
            pyiceberg or Hugging Face's datasets; a DuckDB relation; `sql_table(…)`; or whatever offers the Arrow C
            stream interface. docs/sources.md says which extra each needs.
        columns: the ones that make up the table; all by default, but for those that pandas writes for an unnamed index.
        format: one of `FORMATS`, for files whose name doesn't tell.
        order: "sorted", or "sequence" where the order of the rows matters too, as in training; the latter can't show
            that a row is absent.
        secret: makes the fingerprint private: each row gets a salt from it, so that who sees leaf hashes can't test
            guesses of rows. Another secret gives another fingerprint.
        memory_bytes: about what this takes beyond the libraries it needs. Each row is 32 bytes, half of the memory is
            for them, and those that don't fit wait in a temporary file: in the folder for such files, or in `keep`.
        keep: the folder that keeps the tree, for proofs and comparisons that don't read the data again. Of a folder of
            Parquet files whose tree is kept, only files that were added since are read.
        keep_at_most: bytes of leaves, 32 for each row, above which a tree is not kept; None for no bound.
        progress: told of rows, twice: while they are read, and from 0 on again while their tree is made.

    Row order, column order, batches, file format, integer width and dictionary encoding don't matter; each value does,
    and how many rows hold it.

    Raises NotFoundError: no such file, or no such column. FormatError: a file that does not parse, or a column that has
    no canonical form, naming it. UnavailableError: can't be read, or changed while it was read; or there is no room for
    what waits or is kept, naming the folder.
    """
    return fingerprint_with_keys(
        source,
        keys=(),
        columns=columns,
        format=format,
        order=order,
        secret=secret,
        memory_bytes=memory_bytes,
        keep=keep,
        keep_at_most=keep_at_most,
        progress=progress,
    )[0]


def commit_keys(
    source: object,
    *,
    columns: Sequence[str],
    form: str = "exact",
    format: str | None = None,  # noqa: A002
    order: str = "sorted",
    secret: Secret | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    keep: KeptTrees | str | os.PathLike[str] | None = None,
    keep_at_most: int | None = DEFAULT_KEEP_AT_MOST,
    progress: Progress | None = None,
) -> KeyCommitment:
    """Commit to the distinct keys that the named columns hold together; bound to the fingerprint of the whole table.

    Arguments and errors as in `fingerprint_records` and `Key`; `order` is that of the whole table's leaves.
    """
    key = Key(columns, form)  # type: ignore[arg-type]  # it makes a tuple of them
    return fingerprint_with_keys(
        source,
        keys=[key],
        format=format,
        order=order,
        secret=secret,
        memory_bytes=memory_bytes,
        keep=keep,
        keep_at_most=keep_at_most,
        progress=progress,
    )[1][0]


def fingerprint_with_keys(
    source: object,
    *,
    keys: Sequence[Key | Sequence[str]],
    columns: Sequence[str] | None = None,
    format: str | None = None,  # noqa: A002
    order: str = "sorted",
    secret: Secret | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    keep: KeptTrees | str | os.PathLike[str] | None = None,
    keep_at_most: int | None = DEFAULT_KEEP_AT_MOST,
    read_all: bool = False,
    progress: Progress | None = None,
) -> tuple[RecordsFingerprint, tuple[KeyCommitment, ...]]:
    """Fingerprint a table and commit to several kinds of keys in the same pass over it; `keep` keeps the tree of each.

    Names alone are the columns of a key in form "exact". `read_all` reads every file, also those of a folder whose rows
    are kept in `keep` and whose size, times and inode are as they were then. Else as in `fingerprint_records`.
    UnavailableError as well: what a key form needs is not installed.
    """
    from wherefrom.commitments.forms import require_form
    from wherefrom.fingerprints.sources import Reread, open_table

    wanted_keys = [Key.of(key) for key in keys]
    for key in wanted_keys:
        require_form(key.form)
    if order not in ORDERS:
        raise FormatError(f"unknown order {order!r}; known: {', '.join(ORDERS)}")
    kept = keep if keep is None or isinstance(keep, KeptTrees) else KeptTrees(keep)
    table = open_table(source, format=format, columns=columns)
    if order == "sequence" and not table.has_order:
        what = table.name or f"a {type(source).__name__}"
        raise FormatError(f"'{what}' has no order of rows, and so no sequence", hint="sort it with a query first")
    while True:
        reading = _Reading(
            table, columns, wanted_keys, order, secret, progress, memory_bytes, kept, keep_at_most, read_all
        )
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
    keys: Sequence[Key]
    order: str
    secret: Secret | None
    progress: Progress | None
    memory_bytes: int
    keep: KeptTrees | None
    keep_at_most: int | None
    read_all: bool
    rows: int = 0
    types: dict[str, LogicalType] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def finish(self) -> tuple[RecordsFingerprint, tuple[KeyCommitment, ...]]:
        from wherefrom.fingerprints.appended import PARTS_FILE, format_parts
        from wherefrom.fingerprints.keeping import Building
        from wherefrom.fingerprints.leaves import make_collector

        with ExitStack() as opened:
            writers: list[TreeWriter | None] = [None] * (1 + len(self.keys))
            if self.keep is not None:
                building = opened.enter_context(Building(self.keep, most_bytes=self.keep_at_most))
                writers = [building.open_writer() for _ in writers]
            collectors = [
                opened.enter_context(
                    make_collector(
                        order="sorted" if index else self.order,
                        is_distinct=index > 0,
                        memory_bytes=self.memory_bytes // 2 // len(writers),
                        keep=writer,
                        spill_folder=None if self.keep is None else self.keep.folder,
                        expected_leaves=self.table.rows,
                    )
                )
                for index, writer in enumerate(writers)
            ]
            before = self._find_before()
            keyless = self._read(collectors) if before is None else self._read_on(before, collectors)
            rows, root = collectors[0].finish(self.progress)
            salt = self._salt
            fingerprint = RecordsFingerprint(
                rows,
                _columns(self.types),
                root,
                self.table.read_options,
                self.left_out,
                order=self.order,
                salt=salt,
            )
            commitments: list[KeyCommitment] = []
            for key, collector, without in zip(self.keys, collectors[1:], keyless, strict=True):
                count, key_root = collector.finish()
                columns = _columns({name: key_type(self.types[name], form=key.form) for name in key.columns})
                commitments.append(KeyCommitment(fingerprint.id, columns, count, without, key_root, key.form, salt))
            identities: list[KeptIdentity] = [fingerprint, *commitments]
            for identity, writer in zip(identities, writers, strict=True):
                if writer is not None:
                    parts = format_parts(self.table.portions) if identity is fingerprint else None
                    writer.publish(identity, beside={PARTS_FILE: parts} if parts else {})
        return fingerprint, tuple(commitments)

    @property
    def _salt(self) -> str:
        return UNSALTED if self.secret is None else self.secret.scheme

    def _find_before(self) -> Before | None:
        """The kept trees of files that the table still has."""
        from wherefrom.fingerprints.appended import find_before

        if self.read_all or self.keep is None or self.order != "sorted" or not self.table.portions:
            return None
        with self._named():
            columns = self._choose(next(self.table.iter_batches()))  # nothing but the schema is read for the first
        return find_before(self.keep, self.table.portions, columns=columns, keys=self.keys, salt=self._salt)

    def _read_on(self, before: Before, collectors: Sequence[LeafCollector]) -> list[int]:
        """As `_read`, but what was hashed before is taken from there."""
        from wherefrom.fingerprints.appended import add_kept

        added = {portion.name for portion in self.table.portions} - before.names
        self.types = {column.name: column.type for column in before.fingerprint.columns}
        self.rows = before.fingerprint.rows
        for identity, collector in zip(before.identities, collectors, strict=True):
            add_kept(identity, collector, trees=before.trees)
        if self.progress is not None:
            self.progress(self.rows, self.table.rows)
        keyless = self._read(collectors, added) if added else [0] * len(self.keys)
        return [new + old.keyless for new, old in zip(keyless, before.commitments, strict=True)]

    def _read(self, collectors: Sequence[LeafCollector], portions: Collection[str] | None = None) -> list[int]:
        """Hash every row into the first collector, its keys into the others; for each key, how many rows have none.

        `portions` are those to be read, all by default.
        """
        from wherefrom.fingerprints.pool import ordered_map
        from wherefrom.fingerprints.rows import merge_columns

        keyless = [0] * len(self.keys)
        for hashed in ordered_map(self._hash, self._iter_chunks(portions)):
            with self._named():
                merge_columns(self.types, hashed.types)
            for collector, hashes in zip(collectors, [hashed.leaf_hashes, *hashed.key_hashes], strict=True):
                collector.add(hashes)
            keyless = [before + more for before, more in zip(keyless, hashed.keyless, strict=True)]
            self.rows += len(hashed.leaf_hashes)
            if self.progress is not None:
                self.progress(self.rows, self.table.rows)
        return keyless

    def _iter_chunks(self, portions: Collection[str] | None) -> Iterator[pa.RecordBatch]:
        from wherefrom.fingerprints.rows import iter_chunks, validate_batch
        from wherefrom.fingerprints.sha256 import expect

        expect((2 if self.secret is None else 4) * (self.table.rows or 0))
        chosen: list[str] | None = None
        for batch in self.table.iter_batches() if portions is None else self.table.read_portions(portions):
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
            return hash_rows_of(chunk, keys=self.keys, secret=self.secret)

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
        for name in [*(self.wanted or ()), *(name for key in self.keys for name in key.columns)]:
            if name not in seen:
                raise NotFoundError(f"no column {name!r}; there are {', '.join(map(repr, names)) or 'none'}")
        if self.wanted is None:
            self.left_out = tuple(name for name in names if UNNAMED_INDEX.fullmatch(name))
            return [name for name in names if name not in self.left_out]
        for name in (name for key in self.keys for name in key.columns):
            if name not in self.wanted:
                raise NotFoundError(f"key column {name!r} is not among the columns chosen")
        return list(dict.fromkeys(self.wanted))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say in messages about columns which file they are about."""
        try:
            yield
        except (FormatError, NotFoundError) as error:
            if self.table.name is None:
                raise
            raise type(error)(f"'{self.table.name}': {error}", hint=error.hint) from error


def _columns(types: Mapping[str, LogicalType]) -> tuple[Column, ...]:
    return tuple(Column(name, types[name]) for name in sorted(types, key=name_bytes))
