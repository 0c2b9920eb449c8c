"""From statements to the graph: a pure function of the ledger's entries in order, written into the views.

What each kind of statement adds stands here and nowhere else. The same entries give the same rows, byte for byte; that
is what `rebuild` checks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from wherefrom.errors import FormatError
from wherefrom.lineage.shape import SAYS_NOTHING, format_shape, newest_in
from wherefrom.lineage.shaping import iter_nodes, shape_of
from wherefrom.statements import (
    ACCESS_KINDS,
    CORRECTION,
    DELETION,
    ERASURE_KINDS,
    GAP,
    KEY,
    SOURCE,
    Dataset,
    Event,
    Reading,
    name_of,
    named_by,
    parse_time,
    primary_digest,
)
from wherefrom.store import LineageWriter, Named

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_SAYS_NOTHING = format_shape(SAYS_NOTHING)
_MOST_SETTLED = 4096


def prepare(views: LineageWriter, readings: Iterable[Reading]) -> None:
    """Look up together what `project` will need for each of these; it gives the same without."""
    events = [reading for reading in readings if isinstance(reading, Event)]
    older_runs = views.look_up_runs({event.run_id for event in events} - {""})
    # What was written before in this way, and of runs that are new, needs nothing that is not remembered.
    events = [event for event in events if id(event.said) not in views.settled or event.run_id in older_runs]
    named: list[Named] = []
    job_names: set[tuple[str, str]] = set()
    names: set[tuple[str, str]] = set()
    for event in events:
        job_names.add((event.job_namespace, event.job_name))
        for datasets, relation in ((event.inputs, "used"), (event.outputs, "was_generated_by")):
            named += [
                Named(d.namespace, d.name, primary_digest(d.digests), tuple(d.digests), event.run_id, relation)
                for d in datasets
            ]
        for node in set(iter_nodes(event)):
            (names if node.kind == "DATASET" else job_names).add((node.namespace, node.name))
        names.update(name for link in event.flow.symlinks for name in (link[:2], link[2:]))
    views.look_up(named, job_names - {("", "")}, names)
    links: set[tuple[int, int]] = set()
    versions: set[tuple[int, str]] = set()
    views.noted.clear()
    for event in {id(event.said): event for event in events}.values():
        with contextlib.suppress(KeyError):
            views.noted[id(event.said)] = event.said, format_shape(shape_of(event, views.entity_known, views.job_known))
        with contextlib.suppress(KeyError):
            links.update((views.entity_known(*link[2:]), views.entity_known(*link[:2])) for link in event.flow.symlinks)
        with contextlib.suppress(KeyError):
            versions.update((views.entity_known(one.namespace, one.name), one.version) for one in event.flow.versions)
    views.look_up_said({body for _, body in views.noted.values()}, links, versions)


def project(views: LineageWriter, index: int, reading: Reading, *, index_of: dict[str, int] | None = None) -> None:
    """Add what the statement of entry `index` says to the views.

    Args:
        reading: what was read of it.
        index_of: indexes of the statements that a correction names, by statement id; the caller looks them up.
    """
    if isinstance(reading, Event):
        _project_event(views, index, reading)
        return
    kind, predicate = reading.predicate_type, reading.predicate
    if kind == GAP:
        views.add_gap(predicate["runId"], entry=index)
    elif kind == SOURCE:
        entity = views.ensure_entity(predicate["namespace"], predicate["name"], entry=index)
        digests = next((dict(s.digests) for s in reading.subjects), {})
        views.add_source(_version(views, index, entity, digests, None, None), entry=index)
    elif kind == KEY:
        label = "+".join(predicate["verifierKey"].split("+", 2)[:2])
        views.add_key(label, entry=index)
    elif kind == CORRECTION:
        target = (index_of or {}).get(predicate["corrects"])
        if target is None or target >= index:
            raise FormatError(f"correction of statement {predicate['corrects']}, which is not recorded before it")
        views.add_correction(target, predicate["action"], entry=index)
    elif kind == DELETION:
        _project_deletion(views, index, predicate)
    elif kind in ERASURE_KINDS | ACCESS_KINDS:
        named = named_by(reading)
        target = (index_of or {}).get(named) if named else None
        if named and (target is None or target >= index):
            raise FormatError(f"{name_of(kind)} names statement {named}, which is not recorded before it")
        if kind in ACCESS_KINDS:
            views.add_access(name_of(kind), entry=index)
        else:
            views.add_erasure(name_of(kind), target, entry=index)


def _project_deletion(views: LineageWriter, index: int, predicate: Mapping[str, Any]) -> None:
    entity, at = predicate["entity"], parse_time(predicate["at"], what="deletion statement")
    name, dataset, job = (entity["namespace"], entity["name"]), 0, 0
    if entity["type"] == "dataset":
        dataset = views.ensure_canonical(*name, entry=index)
    else:
        job = views.ensure_job(*name, entry=index)
    views.add_deletion(dataset, job, (at - _EPOCH) // _MICROSECOND, entry=index)


def _project_event(views: LineageWriter, index: int, event: Event) -> None:
    run, job, dataset = None, 0, 0
    if event.job_name:
        job = views.ensure_job(event.job_namespace, event.job_name, entry=index)
    if event.run_id:
        run = views.ensure_run(event.run_id, job, parent=event.parent_run_id, entry=index)
    if event.kind == "DatasetEvent" and event.outputs:
        dataset = views.ensure_canonical(event.outputs[0].namespace, event.outputs[0].name, entry=index)
    at = (event.time - _EPOCH) // _MICROSECOND if event.time else 0
    shape = _shape(views, index, event)
    views.add_event((run or 0, job, dataset), event.event_type, event.time_text, at, shape, entry=index)
    _project_flow(views, index, event, run, at)
    for position, problem in enumerate(event.problems):
        views.add_mark(position, problem.path, problem.message, entry=index)
    # Content that was seen comes first: beside it, the same name without a digest says nothing new.
    for one in sorted(event.inputs, key=lambda one: not one.digests):
        _project_input(views, index, run, one)
    for one in event.outputs:
        version = _version_of(views, index, one)
        if run is not None:
            views.ensure_edge(run, version, "was_generated_by", one.how, entry=index)


def _shape(views: LineageWriter, index: int, event: Event) -> int:
    """The number of what the event says about lineage, 0 for nothing."""
    key, newest = id(event.said), (0, 0)
    if key in views.settled:
        return views.settled[key][1]
    if key in views.noted:
        body = views.noted[key][1]
    else:
        shape = shape_of(
            event,
            lambda namespace, name: views.ensure_canonical(namespace, name, entry=index),
            lambda namespace, name: views.ensure_job(namespace, name, entry=index),
        )
        body, newest = format_shape(shape), newest_in(shape)
    number = 0 if body == _SAYS_NOTHING else views.ensure_shape(body, newest=newest, entry=index)
    if len(views.settled) >= _MOST_SETTLED:
        views.settled.clear()
    views.settled[key] = event.said, number
    return number


def _project_flow(views: LineageWriter, index: int, event: Event, run: int | None, at: int) -> None:
    """What facets say that is no lineage: other names, versions as others name them, and what is no more."""
    flow = event.flow
    for link in flow.symlinks:
        entity = views.ensure_canonical(link.other_namespace, link.other_name, entry=index)
        canonical = views.ensure_canonical(link.namespace, link.name, entry=index)
        if entity != canonical:
            views.ensure_symlink(entity, canonical, entry=index)
    for one in flow.versions:
        entity = views.ensure_canonical(one.namespace, one.name, entry=index)
        version = views.ensure_named_version(entity, one.version, entry=index)
        if run is not None and one.relation:
            views.ensure_named_edge(run, version, one.relation, entry=index)
    is_done = event.kind == "DatasetEvent" or event.event_type == "COMPLETE"  # not what a run has in mind
    for dataset in {views.ensure_canonical(*dropped, entry=index): None for dropped in flow.dropped if is_done}:
        views.add_deletion(dataset, 0, at, entry=index)


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
