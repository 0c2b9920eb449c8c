"""What an event says about lineage beyond its inputs and outputs, by the names that it uses: facets, read leniently.

Source: OpenLineage's ColumnLineageDatasetFacet 1-2-0 (and its older forms), LineageFacet 1-0-0, SymlinksDatasetFacet
1-0-1, DatasetVersionDatasetFacet 1-0-1, LifecycleStateChangeDatasetFacet 1-0-1, Iceberg's scan and commit reports; and
`wherefrom_kafkaOffsets`, docs/spec/openlineage-facets.md. What they mean: docs/spec/lineage.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wherefrom.statements.problems import WHAT, Problems
from wherefrom.strict import Fields

OFFSETS_FACET = "wherefrom_kafkaOffsets"
MOST_VERSION_CHARACTERS = 500
_NOTHING: tuple[tuple[str, str, bool], ...] = (("", "", False),)  # no transformation is said


class Node(NamedTuple):
    """A data set, or a job, as an event names it."""

    kind: str  # "DATASET" or "JOB"
    namespace: str
    name: str


OWN_JOB = Node("JOB", "", "")
"""The event's own job, which a `lineage` facet names by giving no name."""


class FieldFlow(NamedTuple):
    """A field of the target comes from a field of the source; "" stands for all of it, or not known which."""

    target: Node
    target_field: str
    source: Node
    source_field: str
    type: str
    subtype: str
    masking: bool


class Symlink(NamedTuple):
    """Another name of a data set: `namespace` and `name` of the data set itself first."""

    namespace: str
    name: str
    other_namespace: str
    other_name: str


class VersionName(NamedTuple):
    """A version as the system that holds it calls it. `relation`: "used", "was_generated_by", or "" for neither."""

    namespace: str
    name: str
    version: str
    relation: str


@dataclass
class Flow:
    """Filled while an event is read, and not changed after.

    Attributes:
        explicit: entries of `lineage` facets, each a target and what feeds it; None when there is no such facet.
        columns, explicit_columns: of the `columnLineage` facets, and of the `lineage` facets.
        dropped: namespaces and names of data sets that the event says are no more.
    """

    explicit: list[tuple[Node, list[Node]]] | None = None
    columns: list[FieldFlow] = field(default_factory=list)
    explicit_columns: list[FieldFlow] = field(default_factory=list)
    symlinks: list[Symlink] = field(default_factory=list)
    versions: list[VersionName] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)


def facet_of(facets: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A facet that is there and not deleted."""
    facet = facets.get(name)
    return facet if type(facet) is dict and facet.get("_deleted") is not True else None


def read_job_facets(flow: Flow, facets: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Take up what the `lineage` facet of a job says."""
    facet = facet_of(facets, "lineage")
    if facet is None:
        return
    path = f"{path}.lineage"
    if type(facet.get("entries")) is not list:
        problems.strictly(lambda: Fields(facet, path, WHAT).items("entries"), f"{path}.entries")
        return
    flow.explicit = flow.explicit or []
    for at, entry in problems.objects(facet, "entries", path):
        target = _read_node(entry, at, problems)
        if target is not None:
            _read_entry(flow, target, entry, at, problems)


def read_dataset_facets(
    flow: Flow, dataset: Node, facets: Mapping[str, Any], path: str, problems: Problems, *, relation: str
) -> None:
    """Take up what the facets of a data set say. `relation`: as of a `VersionName`; "" in a DatasetEvent."""
    if "symlinks" in facets and (facet := facet_of(facets, "symlinks")):
        for at, other in problems.objects(facet, "identifiers", f"{path}.symlinks"):
            namespace, name = problems.text(other, "namespace", at), problems.text(other, "name", at)
            if namespace and name:
                flow.symlinks.append(Symlink(dataset.namespace, dataset.name, namespace, name))
    if "version" in facets and (facet := facet_of(facets, "version")):
        _add_version(flow, dataset, facet, "datasetVersion", f"{path}.version", problems, relation)
    if relation == "used":
        return
    if "columnLineage" in facets and (facet := facet_of(facets, "columnLineage")):
        _read_columns(flow, dataset, facet, f"{path}.columnLineage", problems)
    changed = facet_of(facets, "lifecycleStateChange") if "lifecycleStateChange" in facets else None
    if changed and problems.text(changed, "lifecycleStateChange", f"{path}.lifecycleStateChange") == "DROP":
        flow.dropped.append((dataset.namespace, dataset.name))
    if "lineage" in facets:
        if (facet := facet_of(facets, "lineage")) is None:
            if not relation:  # deleted: nothing feeds the data set any more
                flow.explicit = []
            return
        if relation:
            problems.add(f"{path}.lineage", "is the facet of a DatasetEvent; an event of a job has it on its job")
        flow.explicit = flow.explicit or []
        _read_entry(flow, dataset, facet, f"{path}.lineage", problems)


def read_role_facets(flow: Flow, dataset: Node, facets: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Take up versions from `inputFacets` or `outputFacets`."""
    if facet := facet_of(facets, "icebergScanReport"):
        _add_version(flow, dataset, facet, "snapshotId", f"{path}.icebergScanReport", problems, "used")
    if facet := facet_of(facets, "icebergCommitReport"):
        _add_version(flow, dataset, facet, "snapshotId", f"{path}.icebergCommitReport", problems, "was_generated_by")
    if facet := facet_of(facets, OFFSETS_FACET):
        path = f"{path}.{OFFSETS_FACET}"
        spans = [_read_offsets(one, at, problems) for at, one in problems.objects(facet, "partitions", path)]
        if known := sorted(span for span in spans if span):
            text = ",".join(f"{partition}:{first}-{last}" for partition, first, last in known)
            flow.versions.append(VersionName(dataset.namespace, dataset.name, _shorten(text), "used"))


def _read_offsets(one: dict[str, Any], path: str, problems: Problems) -> tuple[int, int, int] | None:
    partition, first, last = (one.get(key) for key in ("partition", "first", "last"))
    if isinstance(partition, int) and isinstance(first, int) and isinstance(last, int) and 0 <= first <= last:
        return partition, first, last
    problems.add(path, "has no partition, first and last that are integers, in order")
    return None


def _add_version(
    flow: Flow, dataset: Node, facet: dict[str, Any], key: str, path: str, problems: Problems, relation: str
) -> None:
    value = facet.get(key)
    if type(value) is int:  # a snapshot id; or text that a producer wrote as a number
        if key == "datasetVersion":
            problems.add(f"{path}.{key}", f"is {value}, expected text")
        text = str(value)
    elif value is None and key == "snapshotId":  # a table that has no snapshot yet
        return
    else:
        text = problems.text(facet, key, path)
    if text:
        flow.versions.append(VersionName(dataset.namespace, dataset.name, _shorten(text), relation))


def _shorten(version: str) -> str:
    """What is too long for an index is told apart by its SHA-256; the event has it whole."""
    if len(version) <= MOST_VERSION_CHARACTERS:
        return version
    return f"{version[: MOST_VERSION_CHARACTERS - 80]}… sha256:{hashlib.sha256(version.encode()).hexdigest()}"


def _read_columns(flow: Flow, target: Node, facet: dict[str, Any], path: str, problems: Problems) -> None:
    for name, said in problems.object(facet, "fields", path).items():
        if type(said) is not dict:
            problems.add(f"{path}.fields.{name}", "is no object")
            continue
        older = said.get("transformationType")  # 1-0-1 and before, where a field had one for all its inputs
        sources = said.get("inputFields")
        if type(sources) is list:
            plain = [_read_plain_column(target, name, one) for one in sources]
            if None not in plain:
                flow.columns += plain  # type: ignore[arg-type]
                continue
        _add_columns(flow.columns, target, name, said, "inputFields", f"{path}.fields.{name}", problems, older)
    if "dataset" in facet:
        _add_columns(flow.columns, target, "", facet, "dataset", path, problems, None)


def _read_plain_column(target: Node, target_field: str, source: Any) -> FieldFlow | None:
    """What most columns are, quickly: all is said, and one transformation. None for any other."""
    try:
        way = source["transformations"]
        if len(way) != 1:
            return None
        texts = namespace, name, source_field, kind, subtype = (
            source["namespace"],
            source["name"],
            source["field"],
            way[0]["type"],
            way[0]["subtype"],
        )
        if "\0" in "".join(texts) or not (namespace and name and source_field and kind):
            return None
        node = Node("DATASET", namespace, name)
        is_masking = way[0].get("masking") is True
    except (TypeError, KeyError, AttributeError):
        return None
    return FieldFlow(target, target_field, node, source_field, kind, subtype, is_masking)


def _add_columns(
    columns: list[FieldFlow],
    target: Node,
    target_field: str,
    owner: dict[str, Any],
    key: str,
    path: str,
    problems: Problems,
    older: object,
) -> None:
    for at, source in problems.objects(owner, key, path):
        namespace, name = problems.text(source, "namespace", at), problems.text(source, "name", at)
        source_field = problems.text(source, "field", at)
        if not namespace or not name:
            continue
        ways = _read_transformations(source, at, problems)
        if "transformations" not in source and older in ("IDENTITY", "MASKED"):
            ways = (("DIRECT", "IDENTITY" if older == "IDENTITY" else "", older == "MASKED"),)
        node = Node("DATASET", namespace, name)
        columns += [FieldFlow(target, target_field, node, source_field, *way) for way in ways]


def _read_transformations(source: dict[str, Any], path: str, problems: Problems) -> tuple[tuple[str, str, bool], ...]:
    """Type, subtype and masking of each; one of "" and "" when none is said."""
    if not source.get("transformations"):
        return _NOTHING
    found = []
    for at, one in problems.objects(source, "transformations", path):
        kind, subtype = problems.text(one, "type", at), one.get("subtype")
        found.append((kind, subtype if type(subtype) is str else "", one.get("masking") is True))
    return tuple(found) or _NOTHING


def _read_entry(flow: Flow, target: Node, entry: dict[str, Any], path: str, problems: Problems) -> None:
    """What feeds a target: as a whole, and field by field."""
    sources: dict[Node, None] = {}
    for source, one, at in _iter_sources(entry, path, problems):
        sources[source] = None
        source_field = one.get("field")
        source_field = source_field if type(source_field) is str else ""
        ways = _read_transformations(one, at, problems)
        if source_field or ways is not _NOTHING:
            flow.explicit_columns += [FieldFlow(target, "", source, source_field, *way) for way in ways]
    if target.kind == "DATASET" and "fields" in entry:
        for name, said in problems.object(entry, "fields", path).items():
            at = f"{path}.fields.{name}"
            if type(said) is not dict:
                problems.add(at, "is no object")
                continue
            for source, one, where in _iter_sources(said, at, problems):
                sources[source] = None
                source_field = one.get("field")
                source_field = source_field if type(source_field) is str else ""
                for way in _read_transformations(one, where, problems):
                    flow.explicit_columns.append(FieldFlow(target, name, source, source_field, *way))
    if flow.explicit is not None:
        flow.explicit.append((target, list(sources)))


def _iter_sources(owner: dict[str, Any], path: str, problems: Problems) -> Iterator[tuple[Node, dict[str, Any], str]]:
    for at, one in problems.objects(owner, "inputs", path):
        node = _read_node(one, at, problems)
        if node is not None:
            yield node, one, at


def _read_node(said: dict[str, Any], path: str, problems: Problems) -> Node | None:
    kind = said.get("type")
    if kind not in ("DATASET", "JOB"):
        problems.add(f"{path}.type", f"is {kind!r:.60}, expected 'DATASET' or 'JOB'")
        return None
    if kind == "JOB" and "namespace" not in said and "name" not in said:
        return OWN_JOB
    namespace, name = problems.text(said, "namespace", path), problems.text(said, "name", path)
    return Node(kind, namespace, name) if namespace and name else None
