"""Making the views again from the ledger, and saying where the stored ones differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from wherefrom.lineage.projection import project
from wherefrom.statements import Statement
from wherefrom.store import VIEWS, Database, LineageTables, LineageWriter


def project_all(
    views: LineageWriter,
    statements: Iterable[tuple[int, str, Statement]],
    progress: Callable[[int], None] | None = None,
) -> None:
    """Project statements (index, statement id, statement) in index order into empty views."""
    index_of: dict[str, int] = {}
    for index, statement_id, statement in statements:
        project(views, index, statement, index_of=index_of)
        index_of[statement_id] = index
        if progress:
            progress(index + 1)
    views.flush()


def compare_views(
    stored: LineageTables,
    statements: Iterable[tuple[int, str, Statement]],
    progress: Callable[[int], None] | None = None,
) -> Iterator[str]:
    """Yield a message for each view that is not what the statements give; the stored views are left alone."""
    database = Database.in_memory()
    with database.writing() as connection:
        project_all(LineageWriter(connection), statements, progress)
        made = LineageTables(connection)
        for table in VIEWS:
            pairs = zip_longest(stored.iter_rows(table), made.iter_rows(table))
            for number, (there, expected) in enumerate(pairs):
                if there != expected:
                    yield f"view {table.name}: row {number} is {there}, the ledger gives {expected}"
                    break
    database.close()
