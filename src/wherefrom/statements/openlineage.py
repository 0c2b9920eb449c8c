"""OpenLineage events (spec 2-0-2), kept verbatim as predicates and read for what lineage needs.

Read strictly: what the schema requires must be there, a run id is a UUID, an event time has a zone, each facet names
its producer and schema. Everything else in an event is kept and not looked at.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from wherefrom.statements.canonical import format_canonical
from wherefrom.statements.digests import check_digests
from wherefrom.statements.statement import Statement, Subject
from wherefrom.statements.times import parse_time
from wherefrom.strict import MAX_DEPTH, Fields, is_shallow, parse_json

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
EventKind = Literal["RunEvent", "DatasetEvent", "JobEvent"]
EVENT_KINDS: tuple[EventKind, ...] = ("RunEvent", "DatasetEvent", "JobEvent")
EVENT_TYPES = ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
FINGERPRINT_FACET = "wherefrom_fingerprint"
KNOWN = ("observed", "declared", "inferred")

WHAT = "OpenLineage event"


@dataclass(frozen=True)
class Dataset:
    """A data set as an event names it.

    Attributes:
        digests: in preference order; empty when the event has none.
        how: "observed", "declared" or "inferred"; an event without our facet declares.
        total_bytes, rows: None when not said.
    """

    namespace: str
    name: str
    digests: dict[str, str]
    how: str
    total_bytes: int | None
    rows: int | None
    facets: Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """`event_type` and `run_id` are "" for events that are not of a run; so are job names in a DatasetEvent."""

    kind: EventKind
    time: datetime
    time_text: str
    event_type: str
    run_id: str
    parent_run_id: str | None
    job_namespace: str
    job_name: str
    run_facets: Mapping[str, Any]
    job_facets: Mapping[str, Any]
    inputs: tuple[Dataset, ...]
    outputs: tuple[Dataset, ...]


def predicate_type_of(kind: EventKind) -> str:
    return SPEC + kind


def event_kind_of(predicate_type: str) -> EventKind | None:
    """The event kind that a predicate type names; None for other predicates."""
    return next((kind for kind in EVENT_KINDS if predicate_type == SPEC + kind), None)


def run_subject(run_id: str) -> Subject:
    return Subject(f"run:{run_id}", {"wf-run-1": hashlib.sha256(run_id.encode()).hexdigest()})


def make_event_statement(event: Mapping[str, Any]) -> Statement:
    """The statement that carries an event of ours: about its run, and about each output with a known digest.

    Raises FormatError, with the JSON path, for an event that breaks the spec.
    """
    return _event_statement(read_event(event), dict(event), format_canonical(dict(event)))


def parse_event_statement(data: bytes) -> Statement:
    """The statement that carries an event as it came, byte for byte; what `make_event_statement` says of it holds.

    Raises FormatError, with the JSON path, for bytes that are no strict JSON, or an event that breaks the spec.
    """
    event = parse_json(data, what=WHAT, depth=1)
    return _event_statement(read_event(event), event, data)


def _event_statement(read: Event, event: dict[str, Any], body: bytes) -> Statement:
    subjects = [run_subject(read.run_id)] if read.run_id else []
    subjects += [Subject(f"{d.namespace}/{d.name}", d.digests) for d in read.outputs if d.digests]
    if not subjects:  # a DatasetEvent or JobEvent without a digest is about its own text
        subjects = [Subject(f"event:{read.kind}", {"sha256": hashlib.sha256(body).hexdigest()})]
    made = Statement(tuple(subjects), predicate_type_of(read.kind), event, body)
    if is_shallow(event, MAX_DEPTH - 1):  # or else no reader takes it, and `parse_statement` says so
        made.keep_checked(read)
    return made


def event_of(statement: Statement) -> Event:
    """The event that a statement carries, read once. Raises FormatError with the JSON path, as `read_event`."""
    return statement.checked if isinstance(statement.checked, Event) else read_event(statement.predicate)


def read_event(event: Mapping[str, Any]) -> Event:
    """Check an event and read what lineage needs of it. Raises FormatError with the JSON path."""
    fields = Fields.of(event, what=WHAT)
    kind: EventKind = "RunEvent" if "run" in fields else "DatasetEvent" if "dataset" in fields else "JobEvent"
    time_text = fields.text("eventTime")
    time = parse_time(time_text, what=WHAT, path="$.eventTime")
    fields.text("producer")
    fields.text("schemaURL")
    event_type, run_id, parent, run_facets = "", "", None, Fields.of({}, what=WHAT)
    if kind == "RunEvent":
        if "eventType" in fields:
            event_type = fields.literal("eventType", *EVENT_TYPES)
        run = fields.object("run")
        run_id = _uuid(run, "runId")
        run_facets = _facets(run)
        if "parent" in run_facets:
            parent = _uuid(run_facets.object("parent").object("run"), "runId")
    if kind == "DatasetEvent":
        outputs: tuple[Dataset, ...] = (_dataset(fields.object("dataset")),)
        return Event(kind, time, time_text, "", "", None, "", "", {}, {}, (), outputs)
    job = fields.object("job")
    inputs = tuple(_dataset(d) for d in fields.objects("inputs")) if "inputs" in fields else ()
    outputs = tuple(_dataset(d) for d in fields.objects("outputs")) if "outputs" in fields else ()
    namespace, name = job.text("namespace"), job.text("name")
    facets = (run_facets.value, _facets(job).value)
    return Event(kind, time, time_text, event_type, run_id, parent, namespace, name, *facets, inputs, outputs)


def _uuid(fields: Fields, key: str) -> str:
    text = fields.text(key)
    try:
        return str(uuid.UUID(text))
    except ValueError:
        fields.fail(key, f"is {text!r}, expected a UUID")


def _facets(owner: Fields, key: str = "facets") -> Fields:
    if key not in owner:
        return Fields.of({}, what=owner.what, path=f"{owner.path}.{key}")
    facets = owner.object(key)
    for name in facets.value:
        facet = facets.object(name)
        if not facet.value.get("_deleted"):
            facet.text("_producer")
            facet.text("_schemaURL")
    return facets


def _dataset(fields: Fields) -> Dataset:
    facets = _facets(fields)
    for direction in ("inputFacets", "outputFacets"):
        _facets(fields, direction)
    digests: dict[str, str] = {}
    how, total_bytes, rows = "declared", None, None
    if FINGERPRINT_FACET in facets:
        ours = facets.object(FINGERPRINT_FACET)
        digests = check_digests(ours.object("digests").value, what=WHAT, path=f"{ours.path}.digests")
        how = ours.literal("known", *KNOWN)
        total_bytes = ours.integer("totalBytes") if "totalBytes" in ours else None
        rows = ours.integer("rows") if "rows" in ours else None
    return Dataset(fields.text("namespace"), fields.text("name"), digests, how, total_bytes, rows, facets.value)
