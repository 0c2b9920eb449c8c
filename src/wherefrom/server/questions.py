"""Questions about lineage: what a node comes from and feeds, what a change touches, how two connect, what changed.

Each answer names the checkpoint that it rests on and says whether it is all there is; docs/questions.md. Who asks gets
nothing, not even a name, of namespaces that he may not read: where lineage crosses that border, an opaque node stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from wherefrom.errors import FormatError
from wherefrom.lineage.graph import Drawn, Renderer, Way, draw, list_eras
from wherefrom.lineage.graph.columns import FieldEdge, FieldsFound, NodeField, list_columns, walk_columns
from wherefrom.lineage.graph.paths import Hop, find_paths
from wherefrom.server.asking import (
    Asked,
    AskedThen,
    Depth,
    MaxNodes,
    NodeAsked,
    Proof,
    Question,
    add_question,
    answer,
)
from wherefrom.server.parameters import PlainRoute

DEFAULT_DEPTH: Final = 10
MAX_PATHS: Final = 10
_WAYS: Final[dict[str, tuple[Way, ...]]] = {"up": ("up",), "down": ("down",), "both": ("up", "down")}

Direction = Annotated[str, Field(pattern="^(up|down|both)$", description="What it comes from, what it feeds, or both.")]


class LineageAsked(NodeAsked, AskedThen):
    direction: Direction = "both"
    depth: Depth = DEFAULT_DEPTH
    columns: Annotated[bool, Field(description="Add the columns' lineage between the nodes given.")] = False
    field: Annotated[
        str | None, Field(max_length=1000, description="Only what comes from this field, or goes into it.")
    ] = None
    kinds: Annotated[str, Field(pattern="^(dataset|job|dataset,job|job,dataset)$")] = "dataset,job"
    max_nodes: MaxNodes = 1000
    proof: Proof = False


class ImpactAsked(NodeAsked, AskedThen):
    depth: Depth = 100
    max_nodes: MaxNodes = 5000


class PathAsked(AskedThen):
    source: Annotated[str, Field(alias="from", max_length=10_000)]
    target: Annotated[str, Field(alias="to", max_length=10_000)]
    count: Annotated[int, Field(ge=1, le=MAX_PATHS, description="How many of the shortest ones.")] = 3
    depth: Depth = 100


class DiffAsked(NodeAsked, Asked):
    since: Annotated[str, Field(alias="from", max_length=64, description="An entry, a time or a day.")]
    as_of: Annotated[str | None, Field(alias="to", max_length=64, description="Likewise; now by default.")] = None
    direction: Direction = "both"
    depth: Depth = DEFAULT_DEPTH
    max_nodes: MaxNodes = 1000


def make_router() -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["questions"], route_class=PlainRoute)
    add_question(router, "/lineage", LineageAsked, lineage, "What a data set, job or run comes from, and what it feeds")
    add_question(router, "/impact", ImpactAsked, impact, "What a change of a node touches, by distance and namespace")
    add_question(router, "/path", PathAsked, path, "How one node is connected with another")
    add_question(router, "/diff", DiffAsked, diff, "How a node's lineage changed between two entries or times")
    return router


def lineage(question: Question, asked: LineageAsked) -> Response:
    start = question.find_asked(asked)
    if asked.field is not None:
        return _field_lineage(question, NodeField(start, asked.field), asked)
    ways = _WAYS[asked.direction]
    drawn = draw(question.graph, question.scope, start, ways, depth=asked.depth, most=asked.max_nodes)
    nodes, edges = question.renderer.nodes(drawn), question.renderer.edges(drawn)
    if "," not in asked.kinds:
        nodes, edges = _contract(drawn, nodes, edges, asked.kinds)
    more: dict[str, bytes | list[bytes]] = {}
    if asked.columns:
        found = list_columns(question.graph, list_eras(question.graph, drawn), set(drawn.nodes))
        more["columns"] = [orjson.dumps(_field_edge(question, edge)) for edge in found]
    if asked.proof:
        more["evidence"] = orjson.dumps(question.prove(list_eras(question.graph, drawn)))
    head = question.head(truncated=drawn.truncated, hidden=len(drawn.hidden))
    return answer(head, node=question.renderer.id_of(start), nodes=nodes, edges=edges, **more)


def impact(question: Question, asked: ImpactAsked) -> Response:
    start = question.find_asked(asked)
    drawn = draw(question.graph, question.scope, start, ("down",), depth=asked.depth, most=asked.max_nodes)
    return answer(
        question.head(truncated=drawn.truncated, hidden=len(drawn.hidden)),
        node=question.renderer.id_of(start),
        total=orjson.dumps({"datasets": _count(drawn, 0), "jobs": _count(drawn, 1)}),
        byDistance=orjson.dumps(_group(question, drawn)),
        nodes=question.renderer.nodes(drawn),
    )


def path(question: Question, asked: PathAsked) -> Response:
    ends = question.find_node(asked.source), question.find_node(asked.target)
    graph, views, scope = question.graph, question.sight.views(), question.scope
    direction, found = "down", find_paths(graph, views, scope, *ends, count=asked.count, depth=asked.depth)
    is_cut = found.is_cut
    if not found.paths and ends[0] != ends[1]:  # the other way round
        direction, ends = "up", (ends[1], ends[0])
        found = find_paths(graph, views, scope, *ends, count=asked.count, depth=asked.depth)
        is_cut |= found.is_cut
    paths = [_path(question.renderer, hops) for hops in found.paths]
    head = question.head(truncated="depth" if is_cut and not paths else None)
    head["found"] = {"connected": bool(paths), "direction": direction if paths else None}
    return answer(head | {"steps": found.steps, "more": found.more}, paths=paths)


def diff(question: Question, asked: DiffAsked) -> Response:
    before, start = question.parse_as_of(asked.since), question.find_asked(asked)
    old, new = (
        draw(question.graph, scope, start, _WAYS[asked.direction], depth=asked.depth, most=asked.max_nodes)
        for scope in (question.as_of(before), question.scope)
    )
    ended = _list_ended(question, list_eras(question.graph, old))
    limits = {old.truncated, new.truncated}
    truncated = next((limit for limit in ("maxNodes", "depth") if limit in limits), None)
    head = question.head(truncated=truncated, hidden=max(len(old.hidden), len(new.hidden)))
    head |= {"from": before - 1, "to": question.size - 1}
    return answer(head, node=question.renderer.id_of(start), **_compare(question.renderer, old, new, ended))


def _contract(drawn: Drawn, nodes: list[bytes], edges: list[bytes], kind: str) -> tuple[list[bytes], list[bytes]]:
    """Only data sets, joined through the jobs between them; or only jobs, joined through data sets."""
    said = [edge for edge in map(orjson.loads, edges) if not edge.get("opaque")]
    into: dict[Any, list[dict[str, Any]]] = {}
    plain: list[dict[str, Any]] = []
    for edge in said:
        key = _middle(edge["to"], edge, kind)
        if key is None:
            plain.append(edge)
        else:
            into.setdefault(key, []).append(edge)
    made: dict[tuple[str, str, str], dict[str, Any]] = {}
    for edge in plain:
        key = _middle(edge["from"], edge, kind)
        if key is None and edge["from"].startswith(f"{kind}:") and edge["to"].startswith(f"{kind}:"):
            made[edge["from"], edge["to"], ""] = edge
    for edge in said:
        if (key := _middle(edge["from"], edge, kind)) is not None:
            for first in into.get(key, ()):
                how = first["how"] if kind == "dataset" else edge["how"]
                joined = {**edge, "from": first["from"], "through": edge["from"], "how": how}
                made.setdefault((first["from"], edge["to"], edge["from"]), joined)
    of_kind = [text for text, node in zip(nodes, drawn.nodes, strict=False) if node % 2 == (kind == "job")]
    return of_kind, [orjson.dumps(edge) for edge in made.values()]


def _middle(end: str, edge: dict[str, Any], kind: str) -> Any:
    """What joins two edges at this end when nodes of other kinds are left out: a job's port, or a data set."""
    if end.startswith(f"{kind}:"):
        return None
    return (end, edge.get("port"), edge.get("entry")) if kind == "dataset" else end


def _count(drawn: Drawn, parity: int) -> int:
    return sum(node % 2 == parity for node in drawn.nodes[1:])


def _group(question: Question, drawn: Drawn) -> list[dict[str, Any]]:
    """How many nodes there are at each distance, by type and namespace; the node asked about is at 0."""
    groups: dict[int, dict[str, dict[str, int]]] = {}
    names = question.graph.names
    for node, step in zip(drawn.nodes, drawn.steps, strict=True):
        if step:
            spaces = groups.setdefault(step, {})
            of = spaces.setdefault(names.namespaces[names.namespace.values[node]], {"datasets": 0, "jobs": 0})
            of["jobs" if node % 2 else "datasets"] += 1
    return [
        {
            "distance": step,
            "datasets": sum(of["datasets"] for of in spaces.values()),
            "jobs": sum(of["jobs"] for of in spaces.values()),
            "namespaces": [{"namespace": name, **spaces[name]} for name in sorted(spaces)],
        }
        for step, spaces in sorted(groups.items())
    ]


def _path(renderer: Renderer, hops: Sequence[Hop]) -> bytes:
    nodes = [hop.source for hop in hops[:1]] + [hop.target for hop in hops if hop.target % 2 or not hop.into_port]
    edges = []
    for hop in hops:
        if hop.edge < 0:
            ends = renderer.id_of(hop.source), renderer.id_of(hop.target)
            edges.append(b'{"from":%b,"to":%b,"how":"alias"}' % ends)
        elif hop.into_port:
            edges += renderer.source_edges([hop.edge])
        elif hop.source % 2:
            edges += renderer.target_edges([hop.edge])
    return b'{"nodes":[%b],"edges":[%b]}' % (b",".join(map(renderer.id_of, nodes)), b",".join(edges))


def _list_ended(question: Question, eras: Sequence[int]) -> dict[int, int]:
    """By which entry each of these eras ended, of those that did, by the entry that they rest on."""
    ended, of = {}, question.graph.eras
    for era in eras:
        by = of.e_close.values[era]
        by = by if by < question.size else of.e_next.values[era]
        if by < question.size:
            ended[of.event_entry.values[of.event.values[era]]] = by
    return ended


def _compare(renderer: Renderer, old: Drawn, new: Drawn, ended: dict[int, int]) -> dict[str, bytes | list[bytes]]:
    old_edges, new_edges = _keyed(renderer.edges(old)), _keyed(renderer.edges(new))
    went = [{**edge, "endedBy": ended.get(edge["entry"])} for key, edge in old_edges.items() if key not in new_edges]
    return {
        "nodesCame": _nodes_beyond(renderer, new, old),
        "nodesWent": _nodes_beyond(renderer, old, new),
        "edgesCame": [orjson.dumps(edge) for key, edge in new_edges.items() if key not in old_edges],
        "edgesWent": [orjson.dumps(edge) for edge in went],
    }


def _nodes_beyond(renderer: Renderer, one: Drawn, other: Drawn) -> list[bytes]:
    """The nodes of the first that the second has not; without those hidden, which are not the same in both."""
    known = set(other.nodes)
    return [text for text, node in zip(renderer.nodes(one), one.nodes, strict=False) if node not in known]


def _keyed(edges: Sequence[bytes]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Edges by what they say, whichever statement says it; opaque ones left out."""
    said = [edge for edge in map(orjson.loads, edges) if not edge.get("opaque")]
    return {(edge["from"], edge["to"], edge["how"], edge.get("basis")): edge for edge in said}


def _field_lineage(question: Question, start: NodeField, asked: LineageAsked) -> Response:
    graph, views, scope = question.graph, question.sight.views(), question.scope
    walks = [
        walk_columns(graph, views, scope, [start], way, depth=asked.depth, most=asked.max_nodes)
        for way in _WAYS[asked.direction]
    ]
    fields: dict[NodeField, int] = {}
    edges: dict[FieldEdge, None] = {}
    for found in walks:
        for one, step in found.fields.items():
            fields.setdefault(one, step)
        edges.update(found.edges)
    if len(edges) == 0 and len(fields) == 1 and not any(found.hidden for found in walks) and not start.name:
        raise FormatError("field is empty")
    id_of = question.renderer.id_of
    nodes = [{"id": orjson.Fragment(id_of(one.node)), "field": one.name, "distance": fields[one]} for one in fields]
    members: dict[str, bytes | list[bytes]] = {
        "node": id_of(start.node),
        "field": orjson.dumps(start.name),
        "fields": [orjson.dumps(node) for node in nodes],
        "columns": [orjson.dumps(_field_edge(question, edge)) for edge in edges],
        "silentJobs": [id_of(job) for found in walks for job in found.silent],
    }
    if asked.proof:
        members["evidence"] = orjson.dumps(question.prove(sorted({edge.era for edge in edges})))
    return answer(question.head(truncated=_why_cut(walks), hidden=int(any(found.hidden for found in walks))), **members)


def _why_cut(walks: Sequence[FieldsFound]) -> str | None:
    if any(found.is_cut_by_size for found in walks):
        return "maxNodes"
    return "depth" if any(found.is_cut_by_depth for found in walks) else None


def _field_edge(question: Question, edge: FieldEdge) -> dict[str, Any]:
    def say(node: int) -> orjson.Fragment:
        return orjson.Fragment(question.renderer.id_of(node))

    eras = question.graph.eras
    return {
        "from": {"id": say(edge.source.node), "field": edge.source.name},
        "to": {"id": say(edge.target.node), "field": edge.target.name},
        "job": say(edge.owner) if edge.owner % 2 else None,
        "type": edge.type,
        "subtype": edge.subtype,
        "masking": edge.masking,
        "entry": eras.event_entry.values[eras.event.values[edge.era]],
    }
