"""The live graph gives what the slow reference gives: any order, any instant, as of any entry, whoever asks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.reference.live_lineage import Node, Reference, Said

from wherefrom.lineage.graph import NEVER, Follower, Renderer, Scope, names, timelines, walk
from wherefrom.lineage.graph.adjacency import Adjacency
from wherefrom.lineage.graph.drawing import draw_many
from wherefrom.lineage.graph.few import draw_few
from wherefrom.lineage.graph.fold import ADD, COMPLETE, Member, step
from wherefrom.lineage.graph.graph import Graph, holds
from wherefrom.lineage.graph.shapes import BASES, HOWS
from wherefrom.lineage.graph.timelines import BEGINNING
from wherefrom.lineage.shape import SAYS_NOTHING, Column, Shape, format_shape
from wherefrom.store import Database
from wherefrom.store.bulk import bulk_insert
from wherefrom.store.graph_tables import GraphTables
from wherefrom.store.schema import aliases, corrections, deletions, entities, events, jobs, shapes

DATASETS, JOBS, RUNS = 6, 3, 4
MANY = 100
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
    min_size=1,
    max_size=16,
).map(possible)
# What most walks have to go through: each job reads something and makes something.
CHAINS = st.lists(
    st.builds(
        lambda said, one, other: Said(**{**vars(said), "shape": Shape.of([(one, "declared")], [(other, "declared")])}),
        RUN_OF_JOB,
        DATASET,
        DATASET,
    ),
    min_size=3,
    max_size=6,
)


@pytest.fixture(autouse=True)
def merge_as_before(monkeypatch):
    monkeypatch.setattr(names, "SMALL", names.SMALL)


class Views:
    """View tables with names in them, to which a history is added entry by entry."""

    def __init__(self, connection: sa.Connection, *, datasets: int = DATASETS, of_jobs: int = JOBS) -> None:
        self.connection = connection
        self.size = 0
        self._shapes: dict[str, int] = {}
        bulk_insert(connection, entities, [(n, f"space{n % 3}", f"d{n}", 0) for n in range(1, datasets + 1)])
        bulk_insert(connection, jobs, [(n, f"space{n % 3}", f"j{n}", 0) for n in range(1, of_jobs + 1)])

    def add(self, said: Said) -> None:
        entry, self.size = self.size, self.size + 1
        if said.kind == "event":
            shape = 0 if said.shape == SAYS_NOTHING else self._shape(format_shape(said.shape), entry)
            row = (entry, said.run, said.job, said.dataset, said.event_type, "", said.at, shape)
            bulk_insert(self.connection, events, [row])
            bulk_insert(self.connection, deletions, [(entry, dataset, 0, said.at, None) for dataset in said.drops])
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
@given(st.builds(lambda chain, more: possible(chain + more), CHAINS, HISTORIES), st.data())
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
        as_of = data.draw(st.one_of(st.just(len(history)), st.integers(0, len(history))), label="as of")
        valid_at = data.draw(st.one_of(st.just(NEVER - 1), st.integers(0, 7)), label="valid at")
        depth = data.draw(st.sampled_from((4, 9, 0, 1, 2)), label="depth")
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
        drawn = draw_many(graph, scope, number_of(start), [way], depth=depth, most=10_000)
        renderer = Renderer(graph)
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


@dataclass(frozen=True)
class Kinds:
    """How likely what is rare is, in a history made at random."""

    job_as_end: float = 0.0
    alias: float = 0.0
    hidden: bool = False


def make_history(chance: random.Random, kinds: Kinds, *, datasets: int, of_jobs: int, events: int) -> list[Said]:
    def some(most: int) -> list[int]:
        return [chance.randint(1, datasets) for _ in range(chance.randint(0, most))]

    made = []
    for run in range(1, events + 1):
        at, job, rare = chance.randrange(7), chance.randint(1, of_jobs), chance.random()
        if rare < 0.1:
            target, sources = chance.randint(1, datasets), some(2)
            made.append(Said("event", at=at, dataset=target, shape=Shape.of(explicit=[(target, sources)])))
        elif rare < 0.15:
            made.append(Said("deletion", at=at, dataset=chance.randint(1, datasets)))
        elif rare < 0.2 and made:
            made.append(Said("correction", target=chance.randrange(len(made))))
        elif rare < 0.2 + kinds.alias:
            made.append(Said("alias", dataset=chance.randint(1, datasets), other=chance.randint(1, datasets)))
        else:
            explicit = None
            if chance.random() < kinds.job_as_end:
                explicit = [(-chance.randint(1, of_jobs), some(2)), (chance.randint(1, datasets), [-job, *some(1)])]
            known = [[(n, "declared") for n in some(2)] for _ in range(2)]
            made.append(Said("event", at=at, run=run, job=job, shape=Shape.of(*known, explicit)))
    return made


def fold_at_once(graph: Graph, owner: int) -> set[object]:
    """Each member that an owner has at some time, and when it ends, by one fold over all that was observed."""
    eras, shapes = graph.eras, graph.shapes
    found: set[tuple[Member, int]] = set()
    members: list[Member] = []
    of_runs: dict[int, int] = {}
    for seen in sorted(eras._observed_from(owner, BEGINNING)[0]):
        run_shape = seen.what
        if seen.op in (ADD, COMPLETE):
            run_shape = of_runs[seen.run] = shapes.merge(of_runs.get(seen.run, 0), seen.what)
        after = step(shapes, members, seen, run_shape)
        found |= {(member, seen.at) for member in members if member not in after and member.since < seen.at}
        members = after
    return in_full(graph, owner, found | {(member, NEVER) for member in members})


def eras_of(graph: Graph, owner: int) -> set[object]:
    """The same, as the graph has it."""
    eras = graph.eras
    found = {
        (eras._member(era), eras.t_next.values[era])
        for era in range(len(eras.owner))
        if eras.owner.values[era] == owner
        and eras.e_close.values[era] == NEVER
        and eras.t_from.values[era] < eras.t_next.values[era]
    }
    return in_full(graph, owner, found)


def in_full(graph: Graph, owner: int, found: set[tuple[Member, int]]) -> set[object]:
    """With what shapes say in place of their numbers: one that was put together may have two."""
    return {(str(graph.shapes.flows(m.shape, owner)), m.event, m.since, end) for m, end in found}


def check_late(seeds: range, *, count: int, of_jobs: int, events: int, shared: bool = False) -> None:
    """Long histories of few jobs, where nearly all comes late; runs go on for a while, and may be of several jobs."""
    for seed in seeds:
        chance = random.Random(seed)
        history = make_history(chance, Kinds(), datasets=5, of_jobs=of_jobs, events=events)
        for number, said in enumerate(history):
            if said.run:
                kind, run = chance.choice(("START", "FAIL", "COMPLETE", "COMPLETE")), chance.randint(1, events // 2)
                run = run * of_jobs + (0 if shared else said.job)
                few = chance.choice((Shape.of([(1, "declared")], [(2, "declared")]), said.shape, SAYS_NOTHING))
                drops = tuple({chance.randint(1, 5) for _ in range(2)}) if chance.random() < 0.1 else ()
                history[number] = replace(said, run=run, event_type=kind, shape=few, drops=drops)
        reference = Reference(history)
        with contextlib.closing(Database.in_memory()) as database, database.writing() as connection:
            tables, follower = Views(connection, datasets=5, of_jobs=of_jobs), Follower()
            for said in history:
                tables.add(said)
                if chance.random() < 0.5:
                    follower.catch_up(GraphTables(connection), tables.size)
            follower.catch_up(GraphTables(connection), tables.size)
            follower.graph.shapes.read_bodies = GraphTables(connection).read_bodies
            for as_of in {tables.size, *(chance.randint(1, tables.size) for _ in range(count))}:
                for valid_at in range(-1, 8):
                    wanted: set[object] = set()
                    for flow in reference.flows(valid_at=valid_at, as_of=as_of):
                        wanted |= pairs(*flow)
                    assert flows_of(follower, valid_at=valid_at, as_of=as_of) == wanted, (seed, as_of, valid_at)
            graph, histories = follower.graph, follower.graph.eras._histories.values()
            assert graph.eras._remembered == sum(map(len, histories))
            for owner in set(graph.eras.owner.values):
                assert eras_of(graph, owner) == fold_at_once(graph, owner), seed


def test_what_comes_late_is_as_if_it_had_been_known_and_earlier_answers_stay(monkeypatch):
    check_late(range(40), count=4, of_jobs=1, events=30)
    monkeypatch.setattr("wherefrom.lineage.graph.history._MIN_IDLE", 0)  # forget at once
    check_late(range(40, 60), count=4, of_jobs=2, events=30)
    monkeypatch.undo()
    monkeypatch.setattr(timelines, "MAX_REMEMBERED", 9)
    check_late(range(60, 80), count=4, of_jobs=3, events=40)
    check_late(range(80, 100), count=4, of_jobs=2, events=40, shared=True)


@pytest.mark.parametrize(("most", "remembered"), [(5, {1, 3}), (4, {3}), (0, {3})])
def test_the_histories_needed_longest_ago_are_forgotten_when_they_are_many(monkeypatch, most, remembered):
    monkeypatch.setattr(timelines, "MAX_REMEMBERED", most)
    shape = Shape.of([(1, "declared")], [(2, "declared")])
    order = [(9, 1), (8, 1), (9, 2), (9, 3), (8, 3), (7, 1), (7, 3)]
    with contextlib.closing(Database.in_memory()) as database, database.writing() as connection:
        tables, follower = Views(connection), Follower()
        for run, (at, job) in enumerate(order, 1):
            tables.add(Said("event", at=at, run=run, job=job, event_type="COMPLETE", shape=shape))
        follower.catch_up(GraphTables(connection), tables.size)
        assert {owner // 2 for owner in follower.graph.eras._histories} == remembered


@pytest.mark.parametrize(
    "kinds", [Kinds(), Kinds(job_as_end=0.05), Kinds(alias=0.05), Kinds(hidden=True)], ids=["plain", *"jae"]
)
def test_what_is_drawn_without_numpy_is_what_numpy_would_draw(kinds, monkeypatch):
    drawn = left = 0
    for seed in range(60):
        chance = random.Random(seed)
        history = make_history(chance, kinds, datasets=16, of_jobs=10, events=24)
        names.SMALL = chance.choice((0, 3, 4096))
        with contextlib.closing(Database.in_memory()) as database, database.writing() as connection:
            tables, follower = Views(connection, datasets=16, of_jobs=10), Follower()
            for said in history:
                tables.add(said)
            follower.catch_up(GraphTables(connection), tables.size)
            graph = follower.graph
            seen = [name != "space1" for name in graph.names.namespaces] if kinds.hidden else None
            for _ in range(40):
                as_of, valid_at = chance.choice((tables.size, chance.randrange(25))), chance.choice((NEVER - 1, 3, 5))
                scope = Scope(min(as_of, tables.size), valid_at, None if seen is None else np.array(seen))
                start = number_of(chance.choice((("job", chance.randint(1, 10)), ("dataset", chance.randint(1, 16)))))
                ways, depth = chance.choice((["up"], ["down"], ["up", "down"])), chance.choice((0, 1, 2, 9))
                most = chance.choice((3, 10, 1000))
                few = draw_few(graph, scope, start, ways, depth=depth, most=most)
                if few is None:
                    left += 1
                else:
                    drawn += len(few.sources) > 2
                    assert few == draw_many(graph, scope, start, ways, depth=depth, most=most)
    assert drawn > (0 if kinds.hidden else 50) and left > 50


def test_what_is_small_and_plain_is_drawn_without_numpy_and_what_is_not_is_left_to_it(monkeypatch):
    chain = [
        Said("event", at=n, run=n, job=n, shape=Shape.of([(n, "declared")], [(n + 1, "declared")])) for n in range(1, 4)
    ]
    with contextlib.closing(Database.in_memory()) as database, database.writing() as connection:
        tables, follower = Views(connection), Follower()
        for said in chain:
            tables.add(said)
        follower.catch_up(GraphTables(connection), tables.size)
        graph, middle = follower.graph, number_of(("dataset", 2))

        def few(seen=None, most=10):
            return draw_few(graph, Scope(tables.size, seen=seen), middle, ["up", "down"], depth=9, most=most)

        drawn = few()
        assert [node_of(node) for node in drawn.nodes] == [
            ("dataset", 2),
            ("job", 1),
            ("dataset", 1),
            ("job", 2),
            ("dataset", 3),
            ("job", 3),
            ("dataset", 4),
        ]
        assert drawn.steps == [0, 1, 1, 1, 1, 2, 2] and len(drawn.sources) == len(drawn.targets) == 3
        assert few(most=7) is None
        assert few(np.array([name != "space1" for name in graph.names.namespaces])) is None
        monkeypatch.setattr("wherefrom.lineage.graph.few.FEW", 7)
        assert few() is None


def test_what_many_read_is_left_to_numpy_however_little_of_it_is_asked_for(monkeypatch):
    read = [Said("event", at=0, run=n, job=n, shape=Shape.of([(1, "declared")], [])) for n in range(1, 21)]
    with contextlib.closing(Database.in_memory()) as database, database.writing() as connection:
        tables, follower = Views(connection, of_jobs=20), Follower()
        for said in read:
            tables.add(said)
        follower.catch_up(GraphTables(connection), tables.size)
        graph, looked_at = follower.graph, []
        monkeypatch.setattr(Adjacency, "of", lambda self, node: looked_at.append(node))
        monkeypatch.setattr("wherefrom.lineage.graph.few.FEW", 19)
        scope, popular = Scope(tables.size), number_of(("dataset", 1))
        assert draw_few(graph, scope, popular, ["down"], depth=1, most=1000) is None
        assert looked_at == []
        assert len(draw_many(graph, scope, popular, ["down"], depth=1, most=1000).nodes) == 21
