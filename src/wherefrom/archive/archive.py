"""An archive, open: the folder `.wherefrom/` beside a project, and what one records and asks there."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from wherefrom import ledger, lineage
from wherefrom.archive.folder import FOLDER, ArchiveFolder
from wherefrom.archive.keyring import Keyring
from wherefrom.archive.recorder import Recorder
from wherefrom.errors import ConflictError, FormatError, NotFoundError, SignatureError, UnavailableError, WherefromError
from wherefrom.ledger import Ledger, Order, Receipt, Signed, sign_statement
from wherefrom.lineage import Answer, Direction, Run, Version
from wherefrom.notes import (
    Checkpoint,
    SigningKey,
    TrustedLog,
    TrustPolicy,
    VerifierKey,
    format_policy,
    format_verifier_key,
    open_checkpoint,
    parse_policy,
)
from wherefrom.statements import (
    Entry,
    Envelope,
    Statement,
    make_key_statement,
    parse_checked,
    parse_entry,
    parse_envelope,
    parse_statement,
)
from wherefrom.store import VIEWS, VIEWS_VERSION, Database, LedgerTables, LineageTables, LineageWriter, StoredEntry

_NAME = re.compile(r"[^\s+]+")


@dataclass(frozen=True)
class Recorded:
    """An entry with the statement beside it; `redaction` is what erased that, if something did."""

    index: int
    statement_id: str
    entry: Entry
    text: tuple[Envelope, Statement] | None
    redaction: Order | None = None

    @property
    def envelope(self) -> Envelope:
        """Raises UnavailableError when it was erased."""
        return self._read()[0]

    @property
    def statement(self) -> Statement:
        """Raises UnavailableError when it was erased."""
        return self._read()[1]

    def _read(self) -> tuple[Envelope, Statement]:
        if self.text is None:
            why = f"was redacted by {o.by} because {o.reason}" if (o := self.redaction) else "has lost its statement"
            raise UnavailableError(f"entry {self.index} {why}")
        return self.text


class Archive:
    """One archive, open. Safe for many threads and processes; writers take turns."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] | None = None) -> None:
        """Use `init`, `find` or `open`."""
        self.folder = folder
        self._files = ArchiveFolder(folder)
        self._database = Database.open(self._files.database)
        self._recorder = Recorder(self._database, self._files, clock or (lambda: datetime.now(UTC)))
        with self._ledger_tables() as tables:
            self.namespace = tables.read_setting("namespace")
            self.origin = tables.read_setting("origin")
            views = tables.find_setting("views")
        if views != VIEWS_VERSION:  # of an older wherefrom, which had others
            self.rebuild()

    # --- opening -----------------------------------------------------------------------------------------------------

    @classmethod
    def init(
        cls, root: Path, *, namespace: str | None = None, origin: str | None = None, database_url: str | None = None
    ) -> Archive:
        """Make a new archive for the project folder `root`, with new keys.

        Args:
            namespace: of the project's data sets and jobs; the folder's name by default.
            origin: the ledger's name, which no other ledger may have; `<namespace>/<random>` by default.
            database_url: `postgresql://…?schema=NAME`, to keep the ledger there; in a file of the folder by default.

        Raises ConflictError when there is one already, in the folder or in the schema.
        """
        root = root.resolve()
        folder, namespace = root / FOLDER, namespace or _plain(root.name)
        files = ArchiveFolder(folder)
        origin = origin or f"{namespace}/{secrets.token_hex(4)}"
        for what, value in (("namespace", namespace), ("origin", origin)):
            if not _NAME.fullmatch(value):
                raise FormatError(f"{what} {value!r} is empty or has spaces or a '+'")
        if files.exists:
            raise ConflictError(f"{folder} is an archive already")
        try:
            (folder / "keys").mkdir(parents=True, mode=0o700, exist_ok=True)
            log_key = SigningKey.generate(origin)
            files.write_key("log", log_key)
            # A project whose runs a server recorded up to now has a key of its own already, and keeps it.
            had_key = files.key_path("producer").exists()
            if not had_key:
                files.write_key("producer", SigningKey.generate(f"{origin}/producer"))
            producer_key = files.read_key("producer")
            files.trust.write_bytes(format_policy(TrustPolicy((TrustedLog(log_key.verifier_key),))))
            (folder / ".gitignore").write_text("*\n")
        except OSError as error:
            raise UnavailableError(f"cannot make an archive in {root}: {error.strerror}") from error

        def start(connection: sa.Connection) -> None:
            tables = LedgerTables(connection)
            tables.write_setting("namespace", namespace)
            tables.write_setting("origin", origin)
            tables.write_setting("views", VIEWS_VERSION)
            Ledger(log_key).start(tables)

        try:
            Database.create(database_url or files.database, start).close()
        except BaseException:
            files.remove_keys("log", *(() if had_key else ("producer",)))
            raise
        if database_url:
            files.write_database(database_url)
        archive = cls(folder)
        public = producer_key.verifier_key
        vouched = make_key_statement(format_verifier_key(public), public.public)
        archive._recorder.record([sign_statement(vouched, [log_key])])
        return archive

    @classmethod
    def find(cls, start: Path) -> Archive:
        """Open the archive of the project that `start` lies in, looking upward as git does. Raises NotFoundError."""
        start = start.resolve()
        for root in (start, *start.parents):
            if ArchiveFolder(root / FOLDER).exists:
                return cls.open(root / FOLDER)
        raise NotFoundError(f"no archive in {start} or above it", hint="`wherefrom init` makes one")

    @classmethod
    def open(cls, folder: Path, *, clock: Callable[[], datetime] | None = None) -> Archive:
        """Open the archive in a folder `.wherefrom`. Raises NotFoundError, FormatError, UnavailableError."""
        return cls(folder, clock=clock)

    def close(self) -> None:
        self._database.close()

    @property
    def root(self) -> Path:
        """The project folder."""
        return self.folder.parent

    @property
    def keys(self) -> Keyring:
        """The secret keys that sign here."""
        return self._recorder.keys

    @property
    def trust_file(self) -> Path:
        return self._files.trust

    def name_of(self, path: Path) -> tuple[str, str]:
        """The entity (namespace, name) that a file or folder is: below the project folder by its relative path."""
        path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow symbolic links
        if path.is_relative_to(self.root):
            return self.namespace, path.relative_to(self.root).as_posix()
        return "file", path.as_posix()

    # --- recording ---------------------------------------------------------------------------------------------------

    def record(self, *statements: Statement) -> list[Receipt]:
        """Sign statements with the producer's key and record them, durably, in one transaction.

        A statement recorded before gets the receipt it got then. Raises FormatError for a statement that breaks its
        kind's form, UnavailableError (read-only, clock behind, another writer for too long), ConflictError or
        VerificationError when the stored ledger is not the one last signed. Nothing is recorded then.
        """
        return self.record_signed(self._recorder.keys.sign(statements))

    def record_signed(self, signed: Sequence[Signed]) -> list[Receipt]:
        """Record what was signed just now with the producer's key, in this process or another one of ours.

        Raises as `record` does.
        """
        try:
            return self._recorder.record(signed)
        except SignatureError:  # the key was changed meanwhile, perhaps
            statements = [parse_checked(parse_envelope(one.envelope).payload) for one in signed]
            return self._recorder.record(self._recorder.keys.sign(statements))

    def record_envelopes(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Record statements that are signed already, by keys this archive knows.

        Raises as `record` does, and SignatureError for a signature that is wrong, or by nobody known.
        """
        return self._recorder.record_envelopes(envelopes)

    # --- reading the ledger ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[tuple[LedgerTables, LineageTables]]:
        """The ledger and its views as they are now; what is recorded meanwhile is not seen."""
        with self._database.reading() as connection:
            yield LedgerTables(connection), LineageTables(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other writer overlaps. What extends the ledger goes through `record` alone."""
        with self._database.writing() as connection:
            yield connection

    @contextlib.contextmanager
    def outside_transactions(self) -> Iterator[sa.Connection]:
        """A connection on which each statement stands alone: for what a transaction can't do."""
        with self._database.outside_transactions() as connection:
            yield connection

    @contextlib.contextmanager
    def _ledger_tables(self) -> Iterator[LedgerTables]:
        with self.reading() as (tables, _):
            yield tables

    def size(self) -> int:
        """How many statements are recorded."""
        with self._ledger_tables() as tables:
            return tables.size()

    def checkpoint(self) -> tuple[Checkpoint, bytes]:
        """The newest checkpoint, and the signed note that it comes from."""
        with self._ledger_tables() as tables:
            note = tables.read_checkpoint()
        return open_checkpoint(note, [self.log_key]), note

    @property
    def log_key(self) -> VerifierKey:
        """The public key that this archive's checkpoints are signed with, from its trust file, where it may change."""
        try:
            trust = self.trust_file.read_bytes()
        except OSError as error:
            raise UnavailableError(f"trust file {self.trust_file}: {error.strerror}") from error
        return parse_policy(trust).log_keys[0]

    def iter_recorded(self, start: int = 0, stop: int | None = None) -> Iterator[Recorded]:
        """Statements in ledger order."""
        with self._ledger_tables() as tables:
            for stored in tables.iter_entries(start, stop):
                yield to_recorded(stored, tables)

    def read_recorded(self, text: str) -> Recorded:
        """The statement that a user means: an index, or at least six digits of a statement id. Raises NotFoundError."""
        with self._ledger_tables() as tables:
            if text.isdecimal() and len(text) < 16 and (len(text) < 6 or int(text) < tables.size()):
                retired = ledger.read_orders(tables, kind="retirement")
                if retired.retirement_of(int(text)):
                    raise NotFoundError(ledger.say_gone(retired, int(text)))
                return to_recorded(tables.read_entries([int(text)])[0], tables)
            found = tables.find_leaves_by_prefix(text) if len(text) >= 6 else []
            if len(found) != 1:
                raise NotFoundError(f"{len(found) or 'no'} statements whose id begins with {text!r}")
            return to_recorded(tables.read_entries(found)[0], tables)

    # --- asking ------------------------------------------------------------------------------------------------------

    def parse_as_of(self, text: str) -> int:
        """A tree size, as `ledger.parse_as_of` reads it."""
        with self._ledger_tables() as tables:
            return ledger.parse_as_of(tables, text, size=tables.size())

    def trace(
        self, what: str, *, direction: Direction = "up", depth: int | None = None, as_of: int | None = None
    ) -> Answer:
        """What a version was made from (up), or what was made with it (down).

        Args:
            what: a name, a path, or a digest, as `lineage.find_version` takes it.
            depth: runs to go; None for all.
            as_of: tree size; None for now.
        """
        with self.reading() as (tables, views):
            as_of = tables.size() if as_of is None else as_of
            version = lineage.find_version(views, what, as_of=as_of, names=self._spellings(what))
            reader = _statement_reader(tables)
            return lineage.trace(views, version, direction=direction, as_of=as_of, depth=depth, read_statement=reader)

    def _spellings(self, what: str) -> list[str]:
        """A path may be given relative to the working folder, where the name is relative to the project."""
        return [self.name_of(Path(what))[1]] if what else []

    def find_runs(self, prefix: str) -> list[Run]:
        """Runs whose id begins so; at most ten."""
        with self.reading() as (tables, views):
            size = tables.size()
            ids = [row.id for row in views.find_runs(prefix, as_of=size)]
            return lineage.read_runs(views, ids, as_of=size, read_statement=_statement_reader(tables))

    def list_runs(self, limit: int) -> list[Run]:
        """The newest runs first."""
        with self.reading() as (tables, views):
            size = tables.size()
            ids = [row.id for row, _ in zip(views.iter_runs(as_of=size), range(limit), strict=False)]
            return lineage.read_runs(views, ids, as_of=size, read_statement=_statement_reader(tables))

    def versions_of(self, what: str) -> list[Version]:
        """All versions of the entity that `what` names, the newest first."""
        with self.reading() as (tables, views):
            size, reader = tables.size(), _statement_reader(tables)
            version = lineage.find_version(views, what, as_of=size, names=self._spellings(what))
            one = lineage.read_versions(views, [version], as_of=size, read_statement=reader)[0]
            entities = [e for e in views.find_entities(one.name, as_of=size) if e.namespace == one.namespace]
            ids = [row.id for row in views.versions_of(entities[0].id, as_of=size)]
            return lineage.read_versions(views, ids, as_of=size, read_statement=reader)

    def count_rows(self) -> dict[str, int]:
        """How many rows each view has."""
        with self.reading() as (_, views):
            return {table.name: views.count(table) for table in VIEWS}

    # --- health ------------------------------------------------------------------------------------------------------

    def check(self, progress: Callable[[int, int], None] | None = None) -> Iterator[tuple[str, list[str]]]:
        """Check everything there is: yields what was checked, and what was found wrong with it."""
        yield "database", self._database.check()
        with self.reading() as (tables, views):
            try:
                wrong = list(ledger.check_ledger(tables, self.log_key, progress=progress))
            except WherefromError as error:  # so badly damaged that nothing more can be read
                wrong = [str(error)]
            yield "ledger: entries, statements, signatures, tree, checkpoints", wrong
            try:
                self._recorder.verify_not_rolled_back(tables, self.log_key)
                yield "last signed checkpoint", []
            except WherefromError as error:
                yield "last signed checkpoint", [str(error)]
            if wrong:
                yield "views", ["not compared: the ledger they come from is not whole"]
                return
            try:
                yield (
                    "views: equal to what the ledger gives",
                    list(lineage.compare_views(views, ledger.iter_statements(tables))),
                )
            except WherefromError as error:
                yield "views", [str(error)]

    def rebuild(self, progress: Callable[[int], None] | None = None) -> list[str]:
        """Make all views, and the index of hashes, again from entry 0. Returns where the old ones differed.

        Raises FormatError or VerificationError, leaving the views as they were, when the ledger can't be read.
        """
        with self._database.writing() as connection:
            tables, views = LedgerTables(connection), LineageTables(connection)
            differences = list(lineage.compare_views(views, ledger.iter_statements(tables), progress))
            if differences:
                writer = LineageWriter(connection)
                writer.clear()
                lineage.project_all(writer, ledger.iter_statements(tables))
            tables.change_setting("views", VIEWS_VERSION)
            if not tables.is_index_whole():
                differences.append("the index of hashes: not that of the entries")
                tables.fill_index()
        return differences


def to_recorded(stored: StoredEntry, tables: LedgerTables) -> Recorded:
    """Read what the ledger's tables hold for an entry, and, if its statement is gone, why."""
    entry, statement_id = parse_entry(stored.entry), stored.leaf_hash.hex()
    if stored.envelope is None:
        return Recorded(stored.index, statement_id, entry, None, ledger.find_redaction(tables, stored))
    envelope = parse_envelope(stored.envelope)
    return Recorded(stored.index, statement_id, entry, (envelope, parse_statement(envelope.payload)))


def _statement_reader(tables: LedgerTables) -> Callable[[int], Statement]:
    return functools.cache(lambda index: to_recorded(tables.read_entries([index])[0], tables).statement)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "project"
