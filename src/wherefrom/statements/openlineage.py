"""OpenLineage events (spec 2-0-2), kept verbatim as predicates and read for what lineage needs.

Read leniently, since a quarter of what producers send breaks the schema: what can't be read is left out and listed as a
problem with its JSON path. What lineage doesn't need is kept and not looked at. Our own events are refused for any.

Most events of a job say what others of that job said, but for the time and the run; so `parse_event_statement` reads
that part once for many events, and gives the very same object.
"""

from __future__ import annotations

import functools
import hashlib
import pickle  # nosec B403
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from wherefrom.errors import FormatError
from wherefrom.statements.canonical import format_canonical
from wherefrom.statements.digests import check_digests
from wherefrom.statements.flow import Flow, Node, read_dataset_facets, read_job_facets, read_role_facets
from wherefrom.statements.problems import MOST as MOST_PROBLEMS
from wherefrom.statements.problems import WHAT, Problem, Problems
from wherefrom.statements.statement import Statement, Subject
from wherefrom.statements.times import parse_time
from wherefrom.strict import MAX_DEPTH, Fields, is_shallow, pack_json, parse_json, unpack_json

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
EventKind = Literal["RunEvent", "DatasetEvent", "JobEvent"]
EVENT_KINDS: tuple[EventKind, ...] = ("RunEvent", "DatasetEvent", "JobEvent")
EVENT_TYPES = ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
FINGERPRINT_FACET = "wherefrom_fingerprint"
KNOWN = ("observed", "declared", "inferred")
MOST_ID_CHARACTERS = 255
# What is remembered of what events said: so many, from events of no more bytes.
_MOST_SAID, _SMALL_EVENT = 2048, 8192

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
# Times that can only mean one thing, though they are not RFC 3339: no zone, no seconds, a space, Java's `[Region]`.
_NEARLY_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"\s?([Zz]|[+-]\d\d(?::?\d\d)?)?(?:\[[\w/+:-]*\])?",
    re.ASCII,
)


@dataclass(frozen=True)
class Dataset:
    """A data set as an event names it.

    Attributes:
        digests: in preference order; empty when the event has none.
        how: "observed", "declared" or "inferred"; an event without our facet declares.
        total_bytes, rows: None when not said.
        records: what `wf-records-1` among the digests is of, as our facet has it; None when it doesn't.
    """

    namespace: str
    name: str
    digests: dict[str, str]
    how: str
    total_bytes: int | None
    rows: int | None
    records: Any = None


@dataclass(frozen=True)
class Said:
    """What an event says, but for when and in which run.

    Attributes:
        job_namespace, job_name: "" in a DatasetEvent.
        inputs, outputs: by the names in the event. The data set of a DatasetEvent is an output.
        flow: what the facets say about lineage.
        problems: where this part of the event breaks the specification, as far as it was looked at.
    """

    job_namespace: str
    job_name: str
    inputs: tuple[Dataset, ...]
    outputs: tuple[Dataset, ...]
    flow: Flow
    problems: tuple[Problem, ...]

    def __reduce__(self) -> tuple[Callable[[bytes], Said], tuple[bytes]]:
        return _unpack_said, (self._packed,)

    @functools.cached_property
    def _packed(self) -> bytes:
        """For another process of ours, which unpacks what is often said but once."""
        said = (self.job_namespace, self.job_name, self.inputs, self.outputs, self.flow, self.problems)
        return pickle.dumps(said, pickle.HIGHEST_PROTOCOL)


@functools.lru_cache(_MOST_SAID)
def _unpack_said(packed: bytes) -> Said:
    return Said(*pickle.loads(packed))  # noqa: S301 - from a process that this one started  # nosec B301


@dataclass(frozen=True)
class Event:
    """`event_type` and `run_id` are "" for events that are not of a run.

    Attributes:
        time: None when the event doesn't say when it happened; then it has neither inputs, outputs nor flow.
        run_id, parent_run_id, root_run_id: UUIDs as Python spells them, or other text; "" and None when not said.
        said: all the rest; events that say the same may share it.
        problems: where the whole event breaks the specification.
    """

    kind: EventKind
    time: datetime | None
    time_text: str
    event_type: str
    run_id: str
    parent_run_id: str | None
    root_run_id: str | None
    said: Said
    problems: tuple[Problem, ...]

    @property
    def job_namespace(self) -> str:
        return self.said.job_namespace

    @property
    def job_name(self) -> str:
        return self.said.job_name

    @property
    def inputs(self) -> tuple[Dataset, ...]:
        return self.said.inputs

    @property
    def outputs(self) -> tuple[Dataset, ...]:
        return self.said.outputs

    @property
    def flow(self) -> Flow:
        return self.said.flow


@dataclass(frozen=True)
class Facets:
    """The facets of an event that are objects, each as it is, by name.

    Attributes:
        datasets: those of each data set, by relation ("used" or "was_generated_by"), namespace and name.
    """

    run: dict[str, Any]
    job: dict[str, Any]
    datasets: dict[tuple[str, str, str], dict[str, Any]]


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
    read = read_event(event)
    if read.problems:
        raise read.problems[0].to_error()
    made = _event_statement(read, dict(event), format_canonical(dict(event)))
    if is_shallow(event, MAX_DEPTH - 1):  # or else no reader takes it, and `parse_statement` says so
        made.keep_checked(read)
    return made


def parse_event_statement(data: bytes) -> Statement:
    """The statement that carries an event as it came, byte for byte; `event_of` says where it breaks the spec.

    Raises FormatError, with the JSON path, for bytes that are not strict JSON, or no object.
    """
    event = parse_json(data, what=WHAT, depth=1)
    read = _read_event(Fields.of(event, what=WHAT).value, _said_in_small if len(data) <= _SMALL_EVENT else _said_in)
    made = _event_statement(read, event, data)
    made.keep_checked(read)
    return made


def _event_statement(read: Event, event: dict[str, Any], body: bytes) -> Statement:
    subjects = [run_subject(read.run_id)] if read.run_id else []
    subjects += [Subject(f"{d.namespace}/{d.name}", d.digests) for d in read.outputs if d.digests]
    if not subjects:  # a DatasetEvent or JobEvent without a digest is about its own text
        subjects = [Subject(f"event:{read.kind}", {"sha256": hashlib.sha256(body).hexdigest()})]
    return Statement(tuple(subjects), predicate_type_of(read.kind), event, body)


def event_of(statement: Statement) -> Event:
    """The event that a statement carries, read once. Raises FormatError as `read_event`."""
    return statement.checked if isinstance(statement.checked, Event) else read_event(statement.predicate)


Reading = Event | Statement
"""What was read of a statement: an event, or, of any other kind, the statement itself."""


def reading_of(statement: Statement) -> Reading:
    return event_of(statement) if event_kind_of(statement.predicate_type) else statement


def read_event(event: Mapping[str, Any]) -> Event:
    """Read what lineage needs of an event, and list where it breaks the spec. Raises FormatError for no object."""
    return _read_event(Fields.of(event, what=WHAT).value, _said_in)


def read_facets(event: Mapping[str, Any]) -> Facets:
    """All facets of an event, which `read_event` looks at and doesn't keep."""
    datasets = {
        (relation, one["namespace"], one["name"]): _facets_of(one)
        for key, relation in (("inputs", "used"), ("outputs", "was_generated_by"))
        for _, one in Problems().objects(dict(event), key, "$")
        if type(one.get("namespace")) is str and type(one.get("name")) is str
    }
    return Facets(_facets_of(event.get("run")), _facets_of(event.get("job")), datasets)


def _facets_of(owner: Any) -> dict[str, Any]:
    facets = owner.get("facets") if type(owner) is dict else None
    return {name: one for name, one in facets.items() if type(one) is dict} if type(facets) is dict else {}


def _read_event(value: dict[str, Any], said_in: Callable[[EventKind, dict[str, Any]], Said]) -> Event:
    problems = Problems()
    kind = _kind_of(value, problems)
    time, time_text = _read_time(value, problems)
    problems.text(value, "producer", "$")
    problems.text(value, "schemaURL", "$")
    event_type, run_id, parent, root = "", "", None, None
    if kind == "RunEvent":
        if "eventType" in value and value["eventType"] not in EVENT_TYPES:
            problems.strictly(lambda: Fields(value, "$", WHAT).literal("eventType", *EVENT_TYPES), "$.eventType")
        elif "eventType" in value:
            event_type = value["eventType"]
        run = problems.object(value, "run", "$")
        if run:
            run_id = _read_id(run, "$.run", problems)
            parent, root = _read_parents(_read_facets(run, "facets", "$.run", problems), problems)
    said = said_in(kind, value)
    if time is None or not (said.job_name or run_id or kind == "DatasetEvent"):
        # nobody knows where in time, or in the graph, this belongs
        said = replace(said, inputs=(), outputs=(), flow=Flow())
    found = (*problems.found, *said.problems)[:MOST_PROBLEMS]
    return Event(kind, time, time_text, event_type, run_id, parent, root, said, found)


_SAID_BY: dict[EventKind, tuple[str, ...]] = {
    "RunEvent": ("job", "inputs", "outputs"),
    "JobEvent": ("job", "inputs", "outputs"),
    "DatasetEvent": ("dataset",),
}


def _said_in_small(kind: EventKind, value: dict[str, Any]) -> Said:
    """What `_said_in` gives, for an event that was JSON; the same object for what was said before."""
    packed = pack_json({key: value[key] for key in _SAID_BY[kind] if key in value})
    return _said_in(kind, value) if packed is None else _said_before(kind, packed)


@functools.lru_cache(_MOST_SAID)
def _said_before(kind: EventKind, packed: bytes) -> Said:
    return _said_in(kind, unpack_json(packed))


def _said_in(kind: EventKind, value: dict[str, Any]) -> Said:
    """What the members of an event say that `_SAID_BY` lists; it depends on no others."""
    problems, flow = Problems(), Flow()
    if kind == "DatasetEvent":
        dataset = _read_dataset(problems.object(value, "dataset", "$"), "$.dataset", "", flow, problems)
        about = (dataset,) if dataset else ()
        return Said("", "", (), about, flow if about else Flow(), tuple(problems.found))
    job = problems.object(value, "job", "$")
    namespace = problems.text(job, "namespace", "$.job") if job else ""
    name = problems.text(job, "name", "$.job") if job else ""
    job_facets = _read_facets(job, "facets", "$.job", problems) if job else {}
    inputs = _read_datasets(value, "inputs", "used", flow, problems)
    outputs = _read_datasets(value, "outputs", "was_generated_by", flow, problems)
    if job_facets:
        read_job_facets(flow, job_facets, "$.job.facets", problems)
    if not (namespace and name):
        namespace = name = ""
    return Said(namespace, name, inputs, outputs, flow, tuple(problems.found))


def _kind_of(value: dict[str, Any], problems: Problems) -> EventKind:
    """What an event is of follows from what it has; what else it may call itself says nothing."""
    if value.get("run") is not None:
        return "RunEvent"
    if value.get("dataset") is not None:
        if "job" in value:
            problems.add("$.job", "is there beside a dataset, expected an event of one of them")
        return "DatasetEvent"
    return "JobEvent"


def _read_time(value: dict[str, Any], problems: Problems) -> tuple[datetime | None, str]:
    """The time, and its text if it is one. The one thing assumed is that a time without a zone is UTC."""
    text = problems.text(value, "eventTime", "$")
    if not text:
        return None, ""
    try:
        return parse_time(text, what=WHAT, path="$.eventTime"), text
    except FormatError as error:
        problem = str(error).removeprefix(f"{WHAT}: $.eventTime: ")
    nearly = _NEARLY_TIME.fullmatch(text)
    if nearly is None:
        problems.add("$.eventTime", problem)
        return None, ""
    day, hour, minute, second, fraction, zone = nearly.groups()
    zone = "Z" if zone is None else zone.upper()
    if len(zone) > 1:
        digits = zone[1:].replace(":", "")
        zone = f"{zone[0]}{digits[:2]}:{digits[2:] or '00'}"
    plain = f"{day}T{hour}:{minute}:{second or '00'}.{fraction or '0'}{zone}"
    try:
        time = parse_time(plain, what=WHAT, path="$.eventTime")
    except FormatError:
        problems.add("$.eventTime", problem)
        return None, ""
    problems.add("$.eventTime", f"{problem}; read as {plain}")
    return time, text


def _read_id(run: dict[str, Any], path: str, problems: Problems) -> str:
    """A run's id: a UUID in Python's spelling, or, marked, other text."""
    text = problems.text(run, "runId", path)
    if not text or _UUID.fullmatch(text):
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        shown = text if len(text) <= 60 else text[:60] + "…"
        problems.add(f"{path}.runId", f"is {shown!r}, expected a UUID")
        return text if len(text) <= MOST_ID_CHARACTERS else ""


def _read_parents(run_facets: dict[str, Any], problems: Problems) -> tuple[str | None, str | None]:
    """Ids of the parent run and the root run."""
    if "parent" not in run_facets:
        return None, None
    facet, path = run_facets["parent"], "$.run.facets.parent"
    run = problems.object(facet, "run", path)
    parent = _read_id(run, f"{path}.run", problems) if run else ""
    root = ""
    if facet.get("root") is not None and (run := problems.object(problems.object(facet, "root", path), "run", path)):
        root = _read_id(run, f"{path}.root.run", problems)
    return parent or None, root or None


def _read_facets(owner: dict[str, Any], key: str, path: str, problems: Problems) -> dict[str, Any]:
    """The facets that are objects, each as it is."""
    if key not in owner:
        return {}
    facets = problems.object(owner, key, path)
    wrong = set()
    for name, facet in facets.items():
        if type(facet) is not dict:
            problems.object(facets, name, f"{path}.{key}")
            wrong.add(name)
        elif not (facet.get("_producer") and facet.get("_schemaURL")) and facet.get("_deleted") is not True:
            problems.text(facet, "_producer", f"{path}.{key}.{name}")
            problems.text(facet, "_schemaURL", f"{path}.{key}.{name}")
    return {name: facet for name, facet in facets.items() if name not in wrong} if wrong else facets


def _read_datasets(
    value: dict[str, Any], key: str, relation: str, flow: Flow, problems: Problems
) -> tuple[Dataset, ...]:
    if not value.get(key):
        if value.get(key, []) != []:
            problems.strictly(lambda: Fields(value, "$", WHAT).items(key), f"$.{key}")
        return ()
    read = [_read_dataset(one, at, relation, flow, problems) for at, one in problems.objects(value, key, "$")]
    return tuple(dataset for dataset in read if dataset)


def _read_dataset(value: dict[str, Any], path: str, relation: str, flow: Flow, problems: Problems) -> Dataset | None:
    """A data set; None without a name. `relation`: "used", "was_generated_by", or "" in a DatasetEvent."""
    namespace, name = problems.text(value, "namespace", path), problems.text(value, "name", path)
    facets = _read_facets(value, "facets", path, problems)
    role = "inputFacets" if relation == "used" else "outputFacets"
    role_facets = _read_facets(value, role, path, problems)
    if not (namespace and name):
        return None
    node = Node("DATASET", namespace, name)
    if facets:
        read_dataset_facets(flow, node, facets, f"{path}.facets", problems, relation=relation)
    if role_facets and relation:
        read_role_facets(flow, node, role_facets, f"{path}.{role}", problems)
    digests: dict[str, str] = {}
    how, total_bytes, rows, records = "declared", None, None, None
    if FINGERPRINT_FACET in facets and facets[FINGERPRINT_FACET].get("_deleted") is not True:
        ours, at = facets[FINGERPRINT_FACET], f"{path}.facets.{FINGERPRINT_FACET}"
        read = problems.strictly(lambda: _read_fingerprint(ours, at), at)
        digests, how, total_bytes, rows = read or (digests, how, total_bytes, rows)
        records = ours.get("records")
    return Dataset(namespace, name, digests, how, total_bytes, rows, records)


def _read_fingerprint(facet: dict[str, Any], path: str) -> tuple[dict[str, str], str, int | None, int | None]:
    """Digests, how they are known, bytes and rows. Raises FormatError: half of a fingerprint is none."""
    ours = Fields(facet, path, WHAT)
    digests = check_digests(ours.object("digests").value, what=WHAT, path=f"{path}.digests")
    total_bytes = ours.integer("totalBytes") if "totalBytes" in ours else None
    rows = ours.integer("rows") if "rows" in ours else None
    return digests, ours.literal("known", *KNOWN), total_bytes, rows
