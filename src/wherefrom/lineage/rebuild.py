"""Making the views again from the ledger, and saying where the stored ones differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice, zip_longest

from wherefrom.lineage.projection import prepare, project
from wherefrom.statements import ACCESS_KINDS, Entry, Statement, corrected_by, name_of, named_by, reading_of
from wherefrom.store import VIEWS, Database, LineageTables, LineageWriter

Told = Iterable[tuple[int, str, Statement | Entry]]
"""Index, statement id, and the statement; or its entry, where the statement was redacted. In index order."""

_TOGETHER = 500


def project_all(views: LineageWriter, told: Told, progress: Callable[[int], None] | None = None) -> None:
    """Project all that the ledger still holds into empty views."""
    index_of: dict[str, int] = {}
    waiting = iter(told)
    while some := list(islice(waiting, _TOGETHER)):
        prepare(views, [reading_of(statement) for _, _, statement in some if isinstance(statement, Statement)])
        for index, statement_id, statement in some:
            if isinstance(statement, Entry):
                _project_redacted(views, index, statement, index_of)
            elif _is_rooted(statement, index_of):
                project(views, index, reading_of(statement), index_of=index_of)
            index_of[statement_id] = index
        if progress:
            progress(some[-1][0] + 1)
        views.flush()


def _project_redacted(views: LineageWriter, index: int, entry: Entry, index_of: dict[str, int]) -> None:
    """A redacted statement gives nothing, but what it took back stays taken back: its entry names that."""
    corrected = corrected_by(entry)
    if corrected in index_of:
        views.add_correction(index_of[corrected], "redacted", entry=index)
    elif entry.kind in ACCESS_KINDS:
        views.add_access(name_of(entry.kind), entry=index)


def _is_rooted(statement: Statement, index_of: dict[str, int]) -> bool:
    """Whether what it names is still there: what was recorded named something, so it was retired since if it is not."""
    named = named_by(statement)
    return named is None or named in index_of


def compare_views(stored: LineageTables, told: Told, progress: Callable[[int], None] | None = None) -> Iterator[str]:
    """Yield a message for each view that is not what the statements give; the stored views are left alone."""
    database = Database.in_memory()
    with database.writing() as connection:
        project_all(LineageWriter(connection), told, progress)
        made = LineageTables(connection)
        for table in VIEWS:
            with closing(stored.iter_rows(table)) as those, closing(made.iter_rows(table)) as these:
                for number, (there, expected) in enumerate(zip_longest(those, these)):
                    if there != expected:
                        yield f"view {table.name}: row {number} is {there}, the ledger gives {expected}"
                        break
    database.close()
