"""The graph of columns: from which columns each one was made and, when asked, which were made from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from fastapi import Query, Response

from wherefrom.archive.live import Sight, live_graph
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.lineage.graph import NEVER, dataset_node, job_node
from wherefrom.lineage.graph.graph import holds
from wherefrom.lineage.shape import Column, columns_of
from wherefrom.server.marquez.datasets import find_version
from wherefrom.server.marquez.facets import facets_of_dataset, fields_in
from wherefrom.server.marquez.jobs import find_job_version
from wherefrom.server.marquez.lineage import Depth, resolve
from wherefrom.server.marquez.naming import NodeId, format_node_id, parse_node_id
from wherefrom.server.marquez.reading import Opened, Opener, Reader
from wherefrom.server.marquez.routing import READ, answer, make_named_router
from wherefrom.server.marquez.runs import written_versions

router = make_named_router()
MAX_COLUMNS = 10_000


class Field(NamedTuple):
    """A column: of an entity, by number."""

    entity: int
    name: str


class _Columns:
    """The columns of the graph, which is locked meanwhile, as they were at an instant."""

    def __init__(self, sight: Sight, opened: Opener, valid_at: int) -> None:
        self._graph, self._views, self._size, self._valid_at = sight.graph, sight.views(), sight.size, valid_at
        self._seen = np.array([opened.sees(name) for name in sight.graph.names.namespaces], np.bool_)
        self._known: dict[tuple[int, str], list[Column]] = {}
        self._by_era: dict[int, list[Column]] = {}

    def _of_ports(self, ports: Any) -> Iterator[Column]:
        """What the owners of these ports, if they are seen, say of columns with names at both ends."""
        views = self._views
        ports = ports[self._seen[views.namespace[views.port_owner[ports]]]]
        eras = np.unique(views.port_era[ports])
        for era in eras[holds(views, eras, valid_at=self._valid_at, as_of=self._size)].tolist():
            if era not in self._by_era:
                shape = self._graph.shapes[self._graph.eras.shape.values[era]]
                self._by_era[era] = [one for one in columns_of(shape) if self._is_between_fields(one)]
            yield from self._by_era[era]

    def _is_between_fields(self, one: Column) -> bool:
        return (
            one.target > 0
            and one.source > 0
            and bool(one.target_field and one.source_field)
            and all(self._seen[self._views.namespace[dataset_node(entity)]] for entity in (one.target, one.source))
        )

    def of_job(self, job: int) -> list[Column]:
        return list(self._of_ports(self._graph.edges.owned.gather(np.array([job_node(job)], np.int64))))

    def at(self, entity: int, side: Literal["target", "source"]) -> list[Column]:
        """Those that lead into a data set, or out of it."""
        key = (entity, side)
        if key not in self._known:
            edges, views, node = self._graph.edges, self._views, np.array([dataset_node(entity)], np.int64)
            if side == "target":
                ports = np.concatenate((views.target_port[edges.writers.gather(node)], edges.owned.gather(node)))
            else:
                ports = views.source_port[edges.readers.gather(node)]
            self._known[key] = [one for one in self._of_ports(ports) if getattr(one, side) == entity]
        return self._known[key]

    def walk(self, starts: Iterable[Field], depth: int, side: Literal["target", "source"]) -> set[Column]:
        """Go so many steps from some columns to those that they were made from (`target`), or that they made."""
        found: set[Column] = set()
        known = set(starts)
        level = set(known)
        for _ in range(depth):
            further: set[Field] = set()
            for entity in {field.entity for field in level}:
                for one in self.at(entity, side):
                    here, there = Field(one.target, one.target_field), Field(one.source, one.source_field)
                    if side == "source":
                        here, there = there, here
                    if here in level:
                        found.add(one)
                        further.add(there)
            level = further - known
            known |= level
            if not level or len(known) > MAX_COLUMNS:
                break
        return found


@router.get("/api/v1/column-lineage", openapi_extra=READ)
def get_column_lineage(
    opened: Opened,
    node_id: Annotated[str, Query(alias="nodeId", max_length=16384)],
    depth: Depth = 20,
    with_downstream: Annotated[bool, Query(alias="withDownstream")] = False,
) -> Response:
    """Columns from which those of a data set, one of its columns, or those that a job writes were made.

    With a version in the node id, as that was known when it was written. An edge's `destination` is always the other
    column: so it is with Marquez, and its pages count on it.
    """
    node = parse_node_id(node_id)
    if node.version and with_downstream:
        raise FormatError("Node version cannot be specified when withDownstream is true")
    with opened() as reader:
        thing, number, name = _resolve(reader, node)
        valid_at = _when(reader, thing, number, node.version) if node.version else NEVER - 1
        starts = _fields_to_start(reader, number, name) if thing == "dataset" else set()
    with live_graph(opened.archive).asking() as sight:
        columns = _Columns(sight, opened, valid_at)
        if thing == "job":
            starts |= {Field(one.target, one.target_field) for one in columns.of_job(number)}
        elif not name:
            starts |= {Field(one.target, one.target_field) for one in columns.at(number, "target")}
            starts |= {Field(one.source, one.source_field) for one in columns.at(number, "source")}
        found = columns.walk(starts, depth, "target")
        if with_downstream:
            found |= columns.walk(starts, depth, "source")
        del columns
    with opened() as reader:
        return answer({"graph": _draw(reader, starts, found, valid_at if node.version else None)})


def _resolve(reader: Reader, node: NodeId) -> tuple[str, int, str]:
    """What a node id means: "job" or "dataset", its number, and of a column its name. Raises NotFoundError."""
    if node.kind == "run":
        raise FormatError("column lineage is of data sets, their columns, and jobs")
    if node.kind != "datasetField":
        return *resolve(reader, node), ""
    for cut in range(len(node.text) - 1, 0, -1):
        if node.text[cut] == ":":
            for namespace, name in NodeId("dataset", node.text[:cut], "").splits():
                if (number := reader.find("dataset", namespace, name)) is not None:
                    return "dataset", number, node.text[cut + 1 :]
    raise NotFoundError("Could not find node")


def _when(reader: Reader, thing: str, number: int, version: str) -> int:
    """When a version was written. Raises NotFoundError."""
    return find_version(reader, number, version).at if thing == "dataset" else find_job_version(reader, number, version)


def _fields_to_start(reader: Reader, entity: int, name: str) -> set[Field]:
    return {Field(entity, name)} if name else {Field(entity, one) for one in _types(reader, [entity])[entity]}


def _types(reader: Reader, entities: list[int]) -> dict[int, dict[str, str | None]]:
    """The types of the columns of data sets, as the newest schemas say them."""
    written, read = (reader.index.newest_mentions(entities, role, 3) for role in ("output", "input"))
    reader.load_events({event for found in (written, read) for events in found.values() for event in events})
    return {
        entity: {
            field["name"]: field["type"]
            for field in fields_in(facets_of_dataset(reader, entity, written.get(entity, ()), read.get(entity, ())))
        }
        for entity in entities
    }


def _draw(reader: Reader, starts: set[Field], found: set[Column], version_at: int | None) -> list[dict[str, Any]]:
    sources: dict[Field, dict[Field, Column]] = {}
    targets: dict[Field, set[Field]] = {}
    for one in sorted(found):
        target, source = Field(one.target, one.target_field), Field(one.source, one.source_field)
        sources.setdefault(target, {})[source] = one
        targets.setdefault(source, set()).add(target)
    fields = starts | sources.keys() | targets.keys()
    entities = sorted({field.entity for field in fields})
    reader.load_names("dataset", entities)
    types = _types(reader, entities)
    versions: dict[int, str | None] = dict.fromkeys(entities)
    if version_at is not None:
        versions = {one: written_versions(reader, one).before(version_at, run=0).id(reader) for one in entities}

    def id_of(field: Field) -> str:
        version = versions[field.entity]
        node_id = format_node_id("datasetField", *reader.name("dataset", field.entity), field.name)
        return f"{node_id}#{version}" if version else node_id

    def describe(field: Field) -> dict[str, Any]:
        namespace, name = reader.name("dataset", field.entity)
        return {"namespace": namespace, "dataset": name, "datasetVersion": versions[field.entity], "field": field.name}

    drawn = []
    for field in fields:
        inputs = [
            describe(source)
            | {
                "transformationDescription": None,
                "transformationType": ":".join(filter(None, (column.type, column.subtype))) or None,
            }
            for source, column in sources.get(field, {}).items()
        ]
        change = {
            key: inputs[0][key] if inputs else None for key in ("transformationDescription", "transformationType")
        }
        data = describe(field) | {"fieldType": types[field.entity].get(field.name) or ""} | change
        drawn.append(
            {
                "id": id_of(field),
                "type": "DATASET_FIELD",
                "data": data | {"inputFields": inputs},
                "inEdges": _edges(id_of(field), map(id_of, sources.get(field, ()))),
                "outEdges": _edges(id_of(field), map(id_of, targets.get(field, ()))),
            }
        )
    return sorted(drawn, key=lambda one: str(one["id"]))


def _edges(here: str, others: Iterable[str]) -> list[dict[str, str]]:
    return [{"origin": here, "destination": other} for other in sorted(others)]
