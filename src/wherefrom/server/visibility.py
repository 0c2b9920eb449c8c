"""Which namespaces a statement names, so that nobody is given one that names what he may not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from wherefrom.archive.archive import Recorded, to_recorded
from wherefrom.errors import NotFoundError
from wherefrom.statements import CORRECTION, DELETION, GAP, SOURCE, Statement, event_kind_of
from wherefrom.store import LedgerTables, LineageTables

Sees = Callable[[str], bool]

# Those whose namespaces are all in themselves.
_NAMING: Final = frozenset({SOURCE, DELETION})


def list_namespaces(value: Any) -> set[str]:
    """Every text that stands in a member `namespace`, anywhere in a JSON value."""
    found: set[str] = set()
    open_values = [value]
    while open_values:
        one = open_values.pop()
        if isinstance(one, dict):
            if isinstance(name := one.get("namespace"), str):
                found.add(name)
            open_values += one.values()
        elif isinstance(one, list):
            open_values += one
    return found


def namespaces_of(statement: Statement, tables: LedgerTables, views: LineageTables) -> frozenset[str] | None:
    """The namespaces that a statement names, itself or through what it is about.

    None for one that is about the archive itself (keys, roles, evidence, erasure): for who may audit all of it.
    """
    if event_kind_of(statement.predicate_type) or statement.predicate_type in _NAMING:
        return frozenset(list_namespaces(statement.predicate))
    if statement.predicate_type == GAP:
        return find_run_namespaces(statement.predicate["runId"], views, tables.size())
    if statement.predicate_type == CORRECTION:
        return _of_corrected(statement.predicate["corrects"], tables, views)
    return None


def namespaces_of_recorded(recorded: Recorded, tables: LedgerTables, views: LineageTables) -> frozenset[str] | None:
    """The same for an entry; None when its statement was erased."""
    return namespaces_of(recorded.statement, tables, views) if recorded.text else None


def is_visible(namespaces: Iterable[str] | None, sees: Sees, *, audits: bool) -> bool:
    """Whether a statement that names these may be given to somebody."""
    if namespaces is None:
        return audits
    return all(sees(namespace) for namespace in namespaces)


def find_run_namespaces(run_id: str, views: LineageTables, as_of: int) -> frozenset[str] | None:
    """The namespace of a run's job; None when nobody spoke of the run yet."""
    rows = [row for row in views.find_runs(run_id, as_of=as_of) if row.run_id == run_id] if run_id else []
    return frozenset(str(row.job_namespace) for row in rows) or None


def _of_corrected(statement_id: str, tables: LedgerTables, views: LineageTables) -> frozenset[str] | None:
    try:
        [stored] = tables.read_entries([tables.find_leaf(bytes.fromhex(statement_id))])
    except NotFoundError:
        return None
    target = to_recorded(stored, tables)
    if target.text is None or target.statement.predicate_type == CORRECTION:  # erased; or a chain, for auditors
        return None
    return namespaces_of(target.statement, tables, views)
