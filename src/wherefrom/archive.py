"""An archive: the folder `.wherefrom/` beside a project, and all one can do with it. The only wiring of the rooms.

.wherefrom/
  archive.db        ledger and views (SQLite)
  checkpoint        the checkpoint signed last: an archive that falls behind it was rolled back
  trust             public: what a verifier needs to check this archive's evidence (C2SP tlog-policy)
  keys/log          secret: signs checkpoints, and vouches for producers
  keys/producer     secret: signs statements
  outbox/           what capture could not record yet
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wherefrom import ledger, lineage
from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError, WherefromError
from wherefrom.ledger import Ledger, Receipt, Submission
from wherefrom.lineage import Answer, Direction, Run, Version
from wherefrom.notes import (
    Checkpoint,
    SigningKey,
    TrustedLog,
    TrustPolicy,
    VerifierKey,
    format_policy,
    format_signing_key,
    format_verifier_key,
    open_checkpoint,
    parse_policy,
    parse_signing_key,
    parse_verifier_key,
)
from wherefrom.statements import (
    CORRECTION,
    KEY,
    Entry,
    Envelope,
    Statement,
    check_statement,
    format_envelope,
    format_statement,
    format_time,
    make_key_statement,
    parse_entry,
    parse_envelope,
    parse_statement,
    parse_time,
    sign_envelope,
    verify_envelope,
)
from wherefrom.store import VIEWS, Database, LedgerTables, LineageTables, LineageWriter, StoredEntry
from wherefrom.version import __version__

FOLDER = ".wherefrom"
_NAME = re.compile(r"[^\s+]+")


@dataclass(frozen=True)
class Recorded:
    """An entry with the statement beside it."""

    index: int
    statement_id: str
    entry: Entry
    envelope: Envelope
    statement: Statement


class Archive:
    """One archive, open. Safe for many threads and processes; writers take turns."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] | None = None) -> None:
        """Use `init`, `find` or `open`."""
        self.folder = folder
        self._database = Database.open(folder / "archive.db")
        self._clock = clock or (lambda: datetime.now(UTC))
        with self._ledger_tables() as tables:
            self.namespace = tables.read_setting("namespace")
            self.origin = tables.read_setting("origin")

    # --- opening -----------------------------------------------------------------------------------------------------

    @classmethod
    def init(cls, root: Path, *, namespace: str | None = None, origin: str | None = None) -> Archive:
        """Make a new archive for the project folder `root`, with new keys.

        Args:
            namespace: of the project's data sets and jobs; the folder's name by default.
            origin: the ledger's name, which no other ledger may have; `<namespace>/<random>` by default.

        Raises ConflictError when there is one already.
        """
        root = root.resolve()
        folder, namespace = root / FOLDER, namespace or _plain(root.name)
        origin = origin or f"{namespace}/{secrets.token_hex(4)}"
        for what, value in (("namespace", namespace), ("origin", origin)):
            if not _NAME.fullmatch(value):
                raise FormatError(f"{what} {value!r} is empty or has spaces or a '+'")
        if (folder / "archive.db").exists():
            raise ConflictError(f"{folder} is an archive already")
        try:
            (folder / "keys").mkdir(parents=True, mode=0o700, exist_ok=True)
            log_key, producer_key = SigningKey.generate(origin), SigningKey.generate(f"{origin}/producer")
            _write_secret(folder / "keys" / "log", log_key)
            _write_secret(folder / "keys" / "producer", producer_key)
            (folder / "trust").write_bytes(format_policy(TrustPolicy((TrustedLog(log_key.verifier_key),))))
            (folder / ".gitignore").write_text("*\n")
        except OSError as error:
            raise UnavailableError(f"cannot make an archive in {root}: {error.strerror}") from error
        database = Database.create(folder / "archive.db")
        with database.writing() as connection:
            tables = LedgerTables(connection)
            tables.write_setting("namespace", namespace)
            tables.write_setting("origin", origin)
            Ledger(log_key).start(tables)
        database.close()
        archive = cls(folder)
        public = producer_key.verifier_key
        archive._record([(make_key_statement(format_verifier_key(public), public.public), log_key)])
        return archive

    @classmethod
    def find(cls, start: Path) -> Archive:
        """Open the archive of the project that `start` lies in, looking upward as git does. Raises NotFoundError."""
        start = start.resolve()
        for root in (start, *start.parents):
            if (root / FOLDER / "archive.db").exists():
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
    def trust_file(self) -> Path:
        return self.folder / "trust"

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
        key = self._read_key("producer")
        return self._record([(statement, key) for statement in statements])

    def _record(self, signed: Sequence[tuple[Statement, SigningKey]]) -> list[Receipt]:
        return self.record_envelopes(
            [sign_envelope(format_statement(statement), {key.verifier_key.label: key}) for statement, key in signed]
        )

    def record_envelopes(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Record statements that are signed already, by keys this archive knows.

        Raises as `record` does, and SignatureError for a signature that is wrong, or by nobody known.
        """
        log = Ledger(self._read_key("log"), self._clock)
        with self._database.writing() as connection:
            tables, views = LedgerTables(connection), LineageWriter(connection)
            self._verify_not_rolled_back(tables, log.verifier_key)
            verifiers = self._verifiers(LineageTables(connection), log.verifier_key)
            submissions = [self._submission(envelope, verifiers) for envelope in envelopes]
            receipts = log.append(tables, submissions)
            done: set[int] = set()
            for receipt, submission in zip(receipts, submissions, strict=True):
                if receipt.is_new and receipt.index not in done:
                    done.add(receipt.index)
                    statement = submission.statement
                    lineage.project(views, receipt.index, statement, index_of=_corrected(tables, statement))
            views.flush()
            note = tables.read_checkpoint()
        self._write_head(note)
        return receipts

    @staticmethod
    def _submission(envelope: Envelope, verifiers: dict[str, VerifierKey]) -> Submission:
        signed = verify_envelope(envelope, verifiers)
        statement = parse_statement(envelope.payload)
        check_statement(statement)
        return Submission(statement, envelope.payload, format_envelope(envelope), tuple(signed))

    def _verifiers(self, views: LineageTables, log_key: VerifierKey) -> dict[str, VerifierKey]:
        producers = [parse_verifier_key(text) for text in views.read_producers().values()]
        return {key.label: key for key in (log_key, *producers)}

    def _read_key(self, name: str) -> SigningKey:
        path = self.folder / "keys" / name
        try:
            return parse_signing_key(path.read_text().strip())
        except OSError as error:
            raise UnavailableError(f"secret key {path}: {error.strerror}", hint="only who holds it records") from error

    def _verify_not_rolled_back(self, tables: LedgerTables, log_key: VerifierKey) -> None:
        path = self.folder / "checkpoint"
        if path.exists():
            ledger.verify_grown(tables, open_checkpoint(path.read_bytes(), [log_key]))

    def _write_head(self, note: bytes) -> None:
        # Two writers may finish in either order; an older head only notices less, so the last one in may stay.
        new = self.folder / f"checkpoint.{os.getpid()}.{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):  # the statement is durable by now; a missing head costs a check, not data
            new.write_bytes(note)
            new.replace(self.folder / "checkpoint")

    # --- reading the ledger ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _ledger_tables(self) -> Iterator[LedgerTables]:
        with self._database.reading() as connection:
            yield LedgerTables(connection)

    def size(self) -> int:
        """How many statements are recorded."""
        with self._ledger_tables() as tables:
            return tables.size()

    def checkpoint(self) -> tuple[Checkpoint, bytes]:
        """The newest checkpoint, and the signed note that it comes from."""
        with self._ledger_tables() as tables:
            note = tables.read_checkpoint()
        return open_checkpoint(note, [self.log_key]), note

    @functools.cached_property
    def log_key(self) -> VerifierKey:
        """The public key that this archive's checkpoints are signed with, from its trust file."""
        return parse_policy(self.trust_file.read_bytes()).verifier_keys[0]

    def iter_recorded(self, start: int = 0, stop: int | None = None) -> Iterator[Recorded]:
        """Statements in ledger order."""
        with self._ledger_tables() as tables:
            for stored in tables.iter_entries(start, stop):
                yield _recorded(stored)

    def read_recorded(self, text: str) -> Recorded:
        """The statement that a user means: an index, or at least six digits of a statement id. Raises NotFoundError."""
        with self._ledger_tables() as tables:
            if text.isdecimal() and len(text) < 16:
                return _recorded(tables.read_entries([int(text)])[0])
            found = tables.find_leaves_by_prefix(text) if len(text) >= 6 else []
            if len(found) != 1:
                raise NotFoundError(f"{len(found) or 'no'} statements whose id begins with {text!r}")
            return _recorded(tables.read_entries(found)[0])

    # --- asking ------------------------------------------------------------------------------------------------------

    def parse_as_of(self, text: str) -> int:
        """`ENTRY`, an index, that entry included; or `TIME`, RFC 3339 or a day (UTC, to its end). Gives a tree size."""
        if text.isdecimal():
            index, size = int(text), self.size()
            if index >= size:
                raise NotFoundError(f"no entry {index} in this archive, which has {size}")
            return index + 1
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            at = parse_time(f"{text}T00:00:00Z", what="--as-of") + timedelta(days=1, microseconds=-1)
        else:
            at = parse_time(text, what="--as-of")
        with self._ledger_tables() as tables:
            return tables.size_at(format_time(at))

    def trace(
        self, what: str, *, direction: Direction = "up", depth: int | None = None, as_of: int | None = None
    ) -> Answer:
        """What a version was made from (up), or what was made with it (down).

        Args:
            what: a name, a path, or a digest, as `lineage.find_version` takes it.
            depth: runs to go; None for all.
            as_of: tree size; None for now.
        """
        with self._database.reading() as connection:
            views, tables = LineageTables(connection), LedgerTables(connection)
            as_of = tables.size() if as_of is None else as_of
            version = lineage.find_version(views, what, as_of=as_of, names=self._spellings(what))
            reader = _statement_reader(tables)
            return lineage.trace(views, version, direction=direction, as_of=as_of, depth=depth, read_statement=reader)

    def _spellings(self, what: str) -> list[str]:
        """A path may be given relative to the working folder, where the name is relative to the project."""
        return [self.name_of(Path(what))[1]] if what else []

    def find_runs(self, prefix: str) -> list[Run]:
        """Runs whose id begins so; at most ten."""
        with self._database.reading() as connection:
            views, tables = LineageTables(connection), LedgerTables(connection)
            size = tables.size()
            ids = [row.id for row in views.find_runs(prefix, as_of=size)]
            return lineage.read_runs(views, ids, as_of=size, read_statement=_statement_reader(tables))

    def list_runs(self, limit: int) -> list[Run]:
        """The newest runs first."""
        with self._database.reading() as connection:
            views, tables = LineageTables(connection), LedgerTables(connection)
            size = tables.size()
            ids = [row.id for row, _ in zip(views.iter_runs(as_of=size), range(limit), strict=False)]
            return lineage.read_runs(views, ids, as_of=size, read_statement=_statement_reader(tables))

    def versions_of(self, what: str) -> list[Version]:
        """All versions of the entity that `what` names, the newest first."""
        with self._database.reading() as connection:
            views, tables = LineageTables(connection), LedgerTables(connection)
            size, reader = tables.size(), _statement_reader(tables)
            version = lineage.find_version(views, what, as_of=size, names=self._spellings(what))
            one = lineage.read_versions(views, [version], as_of=size, read_statement=reader)[0]
            entities = [e for e in views.find_entities(one.name, as_of=size) if e.namespace == one.namespace]
            ids = [row.id for row in views.versions_of(entities[0].id, as_of=size)]
            return lineage.read_versions(views, ids, as_of=size, read_statement=reader)

    def count_rows(self) -> dict[str, int]:
        """How many rows each view has."""
        with self._database.reading() as connection:
            return {table.name: LineageTables(connection).count(table) for table in VIEWS}

    def issue_evidence(self, what: str, *, as_of: int | None = None) -> tuple[bytes, str]:
        """Record that evidence of what a version was made from is issued, and make it: the file's bytes, the report.

        Raises NotFoundError, UnavailableError, and what `record` raises.
        """
        from wherefrom import evidence  # templates and layout are needed by nothing else here

        answer = self.trace(what, as_of=as_of)
        with self._database.reading() as connection:
            tables = LedgerTables(connection)
            rows = tables.read_entries(lineage.list_entries(LineageTables(connection), answer))
            basis = tables.read_checkpoint()
        stated = [_recorded(row) for row in rows]
        report = evidence.render_report(
            answer,
            checkpoint_text=basis.decode(),
            origin=self.origin,
            statements=[
                evidence.StatementRow(
                    r.index, r.statement_id, r.entry.kind, ", ".join(r.entry.key_ids), format_time(r.entry.received)
                )
                for r in stated
            ],
            made_by=f"wherefrom {__version__}",
        )
        ids = {r.index: r.statement_id for r in stated}
        [receipt] = self.record(evidence.make_evidence_statement(answer, statement_ids=ids, report=report))
        checkpoint, note = self.checkpoint()
        proven = []
        with self._ledger_tables() as tables:
            for row in tables.read_entries([*ids, receipt.index]):
                proof = ledger.prove_entry(tables, index=row.index, size=checkpoint.size)
                proven.append(evidence.ProvenEntry(row.index, row.entry, *_beside(row), proof))
        producers = [r.statement.predicate["verifierKey"] for r in stated if r.entry.kind == KEY]
        keys = [self.log_key, *map(parse_verifier_key, producers)]
        return evidence.format_bundle(proven, checkpoint=note, keys=keys, report=report), report

    # --- health ------------------------------------------------------------------------------------------------------

    def check(self, progress: Callable[[int, int], None] | None = None) -> Iterator[tuple[str, list[str]]]:
        """Check everything there is: yields what was checked, and what was found wrong with it."""
        yield "database file", self._database.check()
        with self._database.reading() as connection:
            tables, views = LedgerTables(connection), LineageTables(connection)
            wrong = list(ledger.check_ledger(tables, self.log_key, progress=progress))
            yield "ledger: entries, statements, signatures, tree, checkpoints", wrong
            try:
                self._verify_not_rolled_back(tables, self.log_key)
                yield "last signed checkpoint", []
            except WherefromError as error:
                yield "last signed checkpoint", [str(error)]
            if wrong:
                yield "views", ["not compared: the ledger they come from is not whole"]
                return
            try:
                yield (
                    "views: equal to what the ledger gives",
                    list(lineage.compare_views(views, _iter_statements(tables))),
                )
            except WherefromError as error:
                yield "views", [str(error)]

    def rebuild(self, progress: Callable[[int], None] | None = None) -> list[str]:
        """Make all views again from entry 0. Returns where the old ones differed; nothing when they were equal.

        Raises FormatError or VerificationError, leaving the views as they were, when the ledger can't be read.
        """
        with self._database.writing() as connection:
            tables, views = LedgerTables(connection), LineageTables(connection)
            differences = list(lineage.compare_views(views, _iter_statements(tables), progress))
            if differences:
                writer = LineageWriter(connection)
                writer.clear()
                lineage.project_all(writer, _iter_statements(tables))
        return differences


def _corrected(tables: LedgerTables, statement: Statement) -> dict[str, int]:
    if statement.predicate_type != CORRECTION:
        return {}
    target = statement.predicate["corrects"]
    return {target: tables.find_leaf(bytes.fromhex(target))}


def _beside(stored: StoredEntry) -> tuple[bytes, bytes]:
    if stored.salt is None or stored.envelope is None:
        raise UnavailableError(f"entry {stored.index}: the statement beside it is gone")
    return stored.salt, stored.envelope


def _recorded(stored: StoredEntry) -> Recorded:
    envelope = parse_envelope(_beside(stored)[1])
    parts = (parse_entry(stored.entry), envelope, parse_statement(envelope.payload))
    return Recorded(stored.index, stored.leaf_hash.hex(), *parts)


def _iter_statements(tables: LedgerTables) -> Iterator[tuple[int, str, Statement]]:
    for stored in tables.iter_entries():
        recorded = _recorded(stored)
        yield recorded.index, recorded.statement_id, recorded.statement


def _statement_reader(tables: LedgerTables) -> Callable[[int], Statement]:
    return functools.cache(lambda index: _recorded(tables.read_entries([index])[0]).statement)


def _write_secret(path: Path, key: SigningKey) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{format_signing_key(key)}\n")


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "project"


__all__ = ["FOLDER", "Archive", "Receipt", "Recorded"]
