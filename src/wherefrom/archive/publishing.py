"""Publishing an archive's ledger, and serving it: as a log of C2SP tlog-tiles, and its statements if that is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from wherefrom.archive.archive import Archive
from wherefrom.archive.keeping_keys import list_log_keys
from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.ledger import list_pending
from wherefrom.ledger.orders import Orders, read_orders
from wherefrom.ledger.stored_log import StoredLog
from wherefrom.merkle import TILE_WIDTH, format_entries_path
from wherefrom.notes import Checkpoint
from wherefrom.store import VIEWS, LedgerTables, LineageTables
from wherefrom.store.publication_tables import PublicationTables
from wherefrom.tlog.publish import Progress, Publication, publish, silent
from wherefrom.tlog.statements import (
    LINEAGE,
    MAX_LINEAGE_BYTES,
    MAX_STATEMENTS_BYTES,
    PublishedLineage,
    digest_rows,
    format_lineage,
    format_statements_path,
    parse_lineage,
)
from wherefrom.tlog.target import Target, open_target


def stored_log(archive: Archive, *, only_cosigned: bool = False) -> StoredLog:
    """The archive's ledger as a log to read from; each read sees what is recorded by then."""

    @contextlib.contextmanager
    def reading() -> Iterator[LedgerTables]:
        with archive.reading() as (tables, _):
            yield tables

    return StoredLog(reading, f"ledger {archive.origin}", only_cosigned)


def publish_ledger(
    archive: Archive,
    where: str,
    *,
    statements: bool = False,
    only_cosigned: bool = False,
    keep_partials: bool = False,
    progress: Progress = silent,
) -> Publication:
    """Bring what is published in a folder or object store up to the ledger as it is now; raises as `tlog.publish`.

    Args:
        statements: also what lies beside the entries, and digests of the lineage that it gives.
        only_cosigned: the newest checkpoint that a witness cosigned.
    """
    target, log_keys = open_target(where), list_log_keys(archive)

    def attempt() -> Publication:
        if not statements:
            source = stored_log(archive, only_cosigned=only_cosigned)
            done = publish(source, target, log_keys, keep_partials=keep_partials, progress=progress)
        else:
            # One transaction for all of it: checkpoint, statements and views must be of one size.
            with archive.reading() as (tables, views):
                source = StoredLog(lambda: contextlib.nullcontext(tables), f"ledger {archive.origin}")
                done = publish(
                    source,
                    target,
                    log_keys,
                    beside=lambda checkpoint, _: _beside(source, target, tables, views, checkpoint),
                    keep_partials=keep_partials,
                    progress=progress,
                )
        with archive.reading() as (tables, _):
            _remove_retired(tables, target)
        return done

    try:
        return attempt()
    except ConflictError:  # somebody else may have published what was recorded since we began to look
        return attempt()


def read_lineage_digests(views: LineageTables, size: int) -> PublishedLineage:
    """What the views hold now, which is what `size` entries give."""
    return PublishedLineage(size, {table.name: digest_rows(views.iter_rows(table)) for table in VIEWS})


def _beside(
    source: StoredLog, target: Target, tables: LedgerTables, views: LineageTables, checkpoint: Checkpoint
) -> Iterator[tuple[str, bytes]]:
    """Statements that are new, those of which one was erased since, and the digests of the views."""
    require_none_pending(tables)
    before = _published_size(target)
    if before == checkpoint.size:
        return
    bundles = set(range(before // TILE_WIDTH, -(-checkpoint.size // TILE_WIDTH)))
    orders = read_orders(tables)
    for statement_id, redaction in orders.redactions.items():
        if redaction.index >= before:
            with contextlib.suppress(NotFoundError):  # it was retired as well
                bundles.add(tables.find_leaf(bytes.fromhex(statement_id)) // TILE_WIDTH)
    bundles |= _retired_bundles(orders, before)
    for index in sorted(bundles):
        path = format_statements_path(index)
        yield path, source.read(path, max_bytes=MAX_STATEMENTS_BYTES)
    yield LINEAGE, format_lineage(read_lineage_digests(views, checkpoint.size))


def require_none_pending(tables: LedgerTables) -> None:
    """Raise UnavailableError where a statement's text is ordered to be erased, and still there: it must not go out."""
    ordered = {order.index for order in read_orders(tables).redactions.values()}
    if pending := sorted(ordered.intersection(list_pending(tables))):
        raise UnavailableError(
            f"{len(pending)} statements are to be erased, and still there: statement {pending[0]} orders the first",
            hint="finish erasing first",
        )


def _published_size(target: Target) -> int:
    try:
        return parse_lineage(target.read(LINEAGE, max_bytes=MAX_LINEAGE_BYTES)).size
    except (NotFoundError, FormatError):
        return 0


def _retired_bundles(orders: Orders, since: int) -> set[int]:
    """Bundles of which an entry was retired by an order of entry `since` or later."""
    spans = [order.span for order in orders.retirements if order.index >= since]
    return {index for begin, end in spans for index in range(begin // TILE_WIDTH, -(-end // TILE_WIDTH))}


def _remove_retired(tables: LedgerTables, target: Target) -> None:
    """Take away published bundles with entries that the ledger has retired since; the tiles stay."""
    folders: dict[str, set[str]] = {}
    for index in sorted(_retired_bundles(read_orders(tables), 0)):
        path = format_entries_path(index)
        folder, _, name = path.rpartition("/")
        if folder not in folders:
            folders[folder] = set(target.list_names(folder))
        start = index * TILE_WIDTH
        is_gone = len(PublicationTables(tables.connection).read_entry_bytes(start, start + TILE_WIDTH)) < TILE_WIDTH
        if name in folders[folder] and is_gone:
            target.remove(path)
        if f"{name}.p" in folders[folder] and is_gone:
            for partial in target.list_names(f"{path}.p"):
                target.remove(f"{path}.p/{partial}")
