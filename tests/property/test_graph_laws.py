"""The live graph gives what the slow reference gives: any order, any instant, as of any entry, whoever asks."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.reference.live_lineage import Node, Reference, Said

from wherefrom.lineage.graph import Follower, Renderer, Scope, draw, names, walk
from wherefrom.lineage.graph.graph import holds
from wherefrom.lineage.graph.shapes import BASES, HOWS
from wherefrom.lineage.shape import SAYS_NOTHING, Column, Shape, format_shape
from wherefrom.store import Database
from wherefrom.store.bulk import bulk_insert
from wherefrom.store.graph_tables import GraphTables
from wherefrom.store.schema import aliases, corrections, deletions, entities, events, jobs, shapes

DATASETS, JOBS, RUNS = 6, 3, 4
MANY = 60
DATASET = st.integers(1, DATASETS)
JOB = st.integers(1, JOBS)
KNOWN = st.lists(st.tuples(DATASET, st.sampled_from(HOWS[:3])), max_size=3)
END = st.one_of(DATASET, st.just(0), JOB.map(lambda job: -job))
COLUMN = st.builds(
    Column,
    target=DATASET,
    target_field=st.sampled_from("ab"),
    source=DATASET,
    source_field=st.sampled_from("ab"),
    type=st.just("DIRECT"),
    subtype=st.just(""),
    masking=st.booleans(),
)
SHAPES = st.builds(
    Shape.of,
    KNOWN,
    KNOWN,
    st.one_of(
        st.none(), st.none(), st.lists(st.tuples(END, st.lists(END.filter(bool), max_size=2)), min_size=1, max_size=2)
    ),
    st.one_of(st.just([]), st.lists(COLUMN, max_size=2)),
)
AT = st.integers(0, 6)
EVENTS = st.builds(
    Said,
    kind=st.just("event"),
    at=AT,
    run=st.integers(1, RUNS),
    job=JOB,
    event_type=st.sampled_from(("START", "COMPLETE", "FAIL", "COMPLETE")),
    shape=st.one_of(SHAPES, st.just(SAYS_NOTHING)),
)
# Most histories are of runs that belong to one job; some producers do worse.
RUN_OF_JOB = EVENTS.map(lambda said: Said(**{**vars(said), "job": (said.run - 1) % JOBS + 1}))
WITHOUT_RUN = st.builds(Said, kind=st.just("event"), at=AT, job=JOB, shape=SHAPES)
OF_DATASET = st.builds(
    Said,
    kind=st.just("event"),
    at=AT,
    dataset=DATASET,
    shape=st.builds(
        lambda target, sources: Shape.of(explicit=[(target, sources)]), DATASET, st.lists(DATASET, max_size=2)
    ),
)
DELETED = st.one_of(
    st.builds(Said, kind=st.just("deletion"), at=AT, dataset=DATASET),
    st.builds(Said, kind=st.just("deletion"), at=AT, job=JOB),
)
TAKEN_BACK = st.builds(Said, kind=st.just("correction"), target=st.integers(0, 20))
ALIASES = st.builds(Said, kind=st.just("alias"), dataset=DATASET, other=DATASET)


def possible(history: list[Said]) -> list[Said]:
    """Without the corrections of what is not recorded before them."""
    made: list[Said] = []
    for said in history:
        if said.kind != "correction" or said.target < len(made):
            made.append(said)
    return made


HISTORIES = st.lists(
    st.one_of(RUN_OF_JOB, RUN_OF_JOB, RUN_OF_JOB, EVENTS, WITHOUT_RUN, OF_DATASET, DELETED, TAKEN_BACK, ALIASES),
    max_size=16,
).map(possible)


@pytest.fixture(autouse=True)
def merge_as_before(monkeypatch):
    monkeypatch.setattr(names, "SMALL", names.SMALL)


class Views:
    """View tables with names in them, to which a history is added entry by entry."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.size = 0
        self._shapes: dict[str, int] = {}
        bulk_insert(connection, entities, [(n, f"space{n % 3}", f"d{n}", 0) for n in range(1, DATASETS + 1)])
        bulk_insert(connection, jobs, [(n, f"space{n % 3}", f"j{n}", 0) for n in range(1, JOBS + 1)])

    def add(self, said: Said) -> None:
        entry, self.size = self.size, self.size + 1
        if said.kind == "event":
            shape = 0 if said.shape == SAYS_NOTHING else self._shape(format_shape(said.shape), entry)
            row = (entry, said.run, said.job, said.dataset, said.event_type, "", said.at, shape)
            bulk_insert(self.connection, events, [row])
        elif said.kind == "deletion":
            bulk_insert(self.connection, deletions, [(entry, said.dataset, said.job, said.at, None)])
        elif said.kind == "correction":
            bulk_insert(self.connection, corrections, [(entry, said.target, "retract")])
        else:
            bulk_insert(self.connection, aliases, [(entry + 1, said.dataset, said.other, "symlinks", entry, None)])

    def _shape(self, body: str, entry: int) -> int:
        if body not in self._shapes:
            self._shapes[body] = len(self._shapes) + 1
            digest = hashlib.sha256(body.encode()).digest()
            bulk_insert(self.connection, shapes, [(self._shapes[body], digest, body, entry)])
        return self._shapes[body]


def node_of(number: int) -> Node:
    return ("job" if number % 2 else "dataset", number // 2)


def number_of(node: Node) -> int:
    return 2 * node[1] + (node[0] == "job")


def flows_of(follower: Follower, *, valid_at: int, as_of: int) -> set[object]:
    """What holds, of each pair of a source and a target: with neither, whichever there is."""
    graph, views = follower.graph, follower.graph.views()
    live = holds(views, views.port_era, valid_at=valid_at, as_of=as_of)
    found: set[object] = set()
    edges = graph.edges
    for port in np.flatnonzero(live).tolist():
        sources = {
            (node_of(edges.source_node.values[e]), HOWS[edges.source_how.values[e]])
            for e in range(edges.source_from.values[port], edges.source_from.values[port + 1])
        }
        targets = {
            node_of(edges.target_node.values[e])
            for e in range(edges.target_from.values[port], edges.target_from.values[port + 1])
        }
        found |= pairs(node_of(edges.owner.values[port]), sources, targets, BASES[edges.basis.values[port]])
    return found


def name_to_node(text: str) -> Node:
    kind, _, name = text.split(":")
    return kind, int(name[1:])


def pairs(owner, sources, targets, basis) -> set[object]:
    return {(owner, s, t, basis) for s in (sources or {None}) for t in (targets or {None})}


@settings(max_examples=MANY, deadline=None)
@given(HISTORIES, st.data())
def test_every_answer_is_that_of_the_whole_history_and_never_changes(history, data):
    note("\n".join(map(repr, history)))
    database = Database.in_memory()
    with database.writing() as connection:
        views, reference = Views(connection), Reference(history)
        names.SMALL = data.draw(st.sampled_from((0, 3, 4096)), label="new edges merged above")
        follower, again = Follower(), []
        for entry, said in enumerate(history):
            views.add(said)
            if data.draw(st.booleans(), label=f"asked after entry {entry}"):
                follower.catch_up(GraphTables(connection), views.size)
                again.append(views.size)
        follower.catch_up(GraphTables(connection), views.size)
        follower.graph.shapes.read_bodies = GraphTables(connection).read_bodies
        for as_of in range(len(history) + 1):
            for valid_at in (-1, 0, 1, 2, 3, 4, 5, 6, 99):
                wanted: set[object] = set()
                for flow in reference.flows(valid_at=valid_at, as_of=as_of):
                    wanted |= pairs(*flow)
                assert flows_of(follower, valid_at=valid_at, as_of=as_of) == wanted, (as_of, valid_at)
    database.close()


@settings(max_examples=MANY, deadline=None)
@given(HISTORIES, st.data())
def test_every_walk_goes_where_the_reference_goes(history, data):
    note("\n".join(map(repr, history)))
    database = Database.in_memory()
    with database.writing() as connection:
        tables = Views(connection)
        names.SMALL = data.draw(st.sampled_from((0, 3, 4096)), label="new edges merged above")
        follower = Follower()
        for said in history:
            tables.add(said)
            if data.draw(st.booleans(), label="followed"):
                follower.catch_up(GraphTables(connection), tables.size)
        follower.catch_up(GraphTables(connection), tables.size)
        graph = follower.graph
        as_of = data.draw(st.integers(0, len(history)), label="as of")
        valid_at = data.draw(st.integers(0, 7), label="valid at")
        depth = data.draw(st.integers(0, 4), label="depth")
        hidden = data.draw(st.sampled_from((None, "space1")), label="hidden")
        start = data.draw(st.one_of(DATASET.map(lambda n: ("dataset", n)), JOB.map(lambda n: ("job", n))))
        seen = None
        if hidden:
            seen = np.array([name != hidden for name in graph.names.namespaces], np.bool_)
        down = data.draw(st.booleans(), label="down")

        def sees(node: Node) -> bool:
            return hidden is None or f"space{node[1] % 3}" != hidden

        if not sees(start):
            return
        way = "down" if down else "up"
        views = graph.views()
        scope = Scope(as_of, valid_at, seen)
        found = walk(graph, views, scope, [number_of(start)], [way], depth=depth, most=10_000)[way]
        again = walk(graph, views, scope, [number_of(start)], [way], depth=depth, most=10_000)[way]
        assert [n.tolist() for n in again.nodes] == [n.tolist() for n in found.nodes]
        nodes = {node_of(n) for part in (*found.nodes, *found.owners) for n in part.tolist()}
        drawn, renderer = draw(graph, views, scope, {way: found}, most=10_000), Renderer(graph)
        edges = {
            (name_to_node(edge["from"]), name_to_node(edge["to"]))
            for edge in map(json.loads, renderer.edges(drawn))
            if edge.get("how") != "alias" and not edge.get("opaque")
        }
        assert {
            name_to_node(node["id"]) for node in map(json.loads, renderer.nodes(drawn)) if not node.get("opaque")
        } == nodes
        wanted = Reference(history).walk(start, down=down, depth=depth, valid_at=valid_at, as_of=as_of, sees=sees)
        assert (nodes, edges) == wanted
    database.close()
