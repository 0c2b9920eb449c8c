"""From statements to the graph: a pure function of the ledger's entries in order, written into the views.

What each kind of statement adds stands here and nowhere else. The same entries give the same rows, byte for byte; that
is what `rebuild` checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from wherefrom.errors import FormatError
from wherefrom.statements import (
    CORRECTION,
    ERASURE_KINDS,
    GAP,
    KEY,
    SOURCE,
    Dataset,
    Statement,
    event_kind_of,
    event_of,
    name_of,
    named_by,
    primary_digest,
)
from wherefrom.store import LineageWriter, Named

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def prepare(views: LineageWriter, statements: Iterable[Statement]) -> None:
    """Look up together what `project` will need for each of these statements; it gives the same without."""
    named: list[Named] = []
    run_ids: set[str] = set()
    job_names: set[tuple[str, str]] = set()
    for statement in statements:
        if event_kind_of(statement.predicate_type):
            event = event_of(statement)
            run_ids.add(event.run_id)
            job_names.add((event.job_namespace, event.job_name))
            for datasets, relation in ((event.inputs, "used"), (event.outputs, "was_generated_by")):
                named += [
                    Named(d.namespace, d.name, primary_digest(d.digests), tuple(d.digests), event.run_id, relation)
                    for d in datasets
                ]
    views.look_up(run_ids - {""}, named, job_names - {("", "")})


def project(views: LineageWriter, index: int, statement: Statement, *, index_of: dict[str, int] | None = None) -> None:
    """Add what the statement of entry `index` says to the views.

    Args:
        index_of: indexes of the statements that a correction names, by statement id; the caller looks them up.
    """
    kind, predicate = statement.predicate_type, statement.predicate
    if event_kind_of(kind):
        _project_event(views, index, statement)
    elif kind == GAP:
        views.add_gap(predicate["runId"], entry=index)
    elif kind == SOURCE:
        entity = views.ensure_entity(predicate["namespace"], predicate["name"], entry=index)
        digests = next((dict(s.digests) for s in statement.subjects), {})
        views.add_source(_version(views, index, entity, digests, None, None), entry=index)
    elif kind == KEY:
        label = "+".join(predicate["verifierKey"].split("+", 2)[:2])
        views.add_key(label, entry=index)
    elif kind == CORRECTION:
        target = (index_of or {}).get(predicate["corrects"])
        if target is None or target >= index:
            raise FormatError(f"correction of statement {predicate['corrects']}, which is not recorded before it")
        views.add_correction(target, predicate["action"], entry=index)
    elif kind in ERASURE_KINDS:
        named = named_by(statement)
        target = (index_of or {}).get(named) if named else None
        if named and (target is None or target >= index):
            raise FormatError(f"{name_of(kind)} names statement {named}, which is not recorded before it")
        views.add_erasure(name_of(kind), target, entry=index)


def _project_event(views: LineageWriter, index: int, statement: Statement) -> None:
    event = event_of(statement)
    run, job = None, 0
    if event.job_name:
        job = views.ensure_job(event.job_namespace, event.job_name, entry=index)
    if event.run_id:
        run = views.ensure_run(event.run_id, job, parent=event.parent_run_id, entry=index)
    at = (event.time - _EPOCH) // timedelta(microseconds=1)
    views.add_event((run or 0, job, 0), event.event_type, event.time_text, at, 0, entry=index)
    # Content that was seen comes first: beside it, the same name without a digest says nothing new.
    for dataset in sorted(event.inputs, key=lambda dataset: not dataset.digests):
        _project_input(views, index, run, dataset)
    for dataset in event.outputs:
        version = _version_of(views, index, dataset)
        if run is not None:
            views.ensure_edge(run, version, "was_generated_by", dataset.how, entry=index)


def _project_input(views: LineageWriter, index: int, run: int | None, dataset: Dataset) -> None:
    """An input without a digest is taken to be the version then newest of that name: inferred, and said so."""
    if run is None:
        _version_of(views, index, dataset)
        return
    if dataset.digests:
        views.ensure_edge(run, _version_of(views, index, dataset), "used", dataset.how, entry=index)
        return
    entity = views.ensure_entity(dataset.namespace, dataset.name, entry=index)
    if views.uses_entity(run, entity):
        return
    newest = views.newest_version(entity, as_of=index)
    if newest is not None and newest[1]:
        views.ensure_edge(run, newest[0], "used", "inferred", entry=index)
    else:
        views.ensure_edge(run, _version_of(views, index, dataset), "used", dataset.how, entry=index)


def _version_of(views: LineageWriter, index: int, dataset: Dataset) -> int:
    entity = views.ensure_entity(dataset.namespace, dataset.name, entry=index)
    return _version(views, index, entity, dataset.digests, dataset.total_bytes, dataset.rows)


def _version(
    views: LineageWriter, index: int, entity: int, digests: dict[str, str], total_bytes: int | None, rows: int | None
) -> int:
    digest = primary_digest(digests)
    version = views.ensure_version(entity, digest, total_bytes=total_bytes, rows=rows, entry=index)
    for algorithm, text in digests.items():
        views.ensure_digest(version, algorithm, text, entry=index)
    return version
