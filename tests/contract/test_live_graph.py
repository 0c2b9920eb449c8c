"""The live graph beside writers: threads, several followers of one ledger, views that are made again."""

import threading
import time

import pytest
from events import FACET, dataset, event

from wherefrom.archive import Archive
from wherefrom.archive.live import LiveGraph, live_graph
from wherefrom.lineage.graph import Follower, Renderer, Scope, draw, walk
from wherefrom.statements import make_correction_statement
from wherefrom.store.graph_tables import GraphTables, count_making

EVENTS = 30


def feeds(sight, name):
    """The names of data sets that a data set feeds."""
    graph, views = sight.graph, sight.views()
    node = graph.names.find("test", name, jobs=False)
    found = walk(graph, views, Scope(sight.size), [node], ["down"], depth=100, most=10_000)["down"]
    return {graph.names[node].name for part in found.nodes[1:] for node in part.tolist()}


def test_what_was_acknowledged_is_in_the_next_answer_while_others_write_and_ask(archive):
    archive.record(event("first", [dataset("raw")], [dataset("made-first")]))
    live, wrong, done = live_graph(archive), [], threading.Event()
    assert live_graph(archive) is live

    def write(writer):
        for number in range(EVENTS):
            name = f"{writer}-{number}"
            archive.record(event(name, [dataset("raw")], [dataset(name)]))
            with live.asking() as sight:
                if name not in feeds(sight, "raw"):
                    wrong.append(name)

    def ask():
        while not done.is_set():
            with live.asking() as sight:
                feeds(sight, "raw")

    readers = [threading.Thread(target=ask) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not wrong
    with live.asking() as one, LiveGraph(archive).asking() as other:
        assert feeds(one, "raw") == feeds(other, "raw") and len(feeds(one, "raw")) == 2 * EVENTS + 1


def test_several_processes_follow_one_ledger(archive):
    other = Archive.open(archive.folder)
    here, there = live_graph(archive), live_graph(other)
    assert here is not there
    for number, writer in enumerate((archive, other, archive)):
        writer.record(event(f"job-{number}", [dataset("raw")], [dataset(f"made-{number}")]))
        for live in (here, there):
            with live.asking() as sight:
                assert f"made-{number}" in feeds(sight, "raw")
    other.close()


def test_a_graph_ahead_of_a_snapshot_answers_as_of_the_snapshot(archive):
    archive.record(event("one", [dataset("raw")], [dataset("old")]))
    live = live_graph(archive)
    with archive.reading() as (ledger, _):
        size = ledger.size()
        archive.record(event("two", [dataset("raw")], [dataset("new")]))
        live.follow()
    with live.asking() as sight:
        views = sight.views()
        node = sight.graph.names.find("test", "raw", jobs=False)
        found = walk(sight.graph, views, Scope(size), [node], ["down"], depth=9, most=99)["down"]
        assert {sight.graph.names[n].name for part in found.nodes[1:] for n in part.tolist()} == {"old"}
        assert feeds(sight, "raw") == {"old", "new"}


def test_views_that_are_made_again_are_read_again(archive):
    archive.record(event("one", [dataset("raw")], [dataset("made")]))
    live = live_graph(archive)
    with live.asking() as sight:
        before = sight.graph
    with archive.writing() as connection:
        count_making(connection)
    archive.record(event("two", [dataset("raw")], [dataset("more")]))
    with live.asking() as sight:
        assert sight.graph is not before and feeds(sight, "raw") == {"made", "more"}


def test_a_view_kept_over_a_question_does_not_stop_the_graph_from_growing(archive):
    archive.record(event("one", [dataset("raw")], [dataset("made")]))
    live = live_graph(archive)
    with live.asking() as sight:
        kept = sight.views()
    archive.record(event("two", [dataset("raw")], [dataset("more")]))
    with live.asking() as sight:
        assert feeds(sight, "raw") == {"made", "more"}
    assert len(kept.port_era) == 1


def test_what_fails_by_half_is_read_again_from_the_beginning(archive, monkeypatch):
    archive.record(event("one", [dataset("raw")], [dataset("made")]))
    live = live_graph(archive)
    live.follow()
    archive.record(event("two", [dataset("raw")], [dataset("more")]))
    with monkeypatch.context() as broken:
        broken.setattr("wherefrom.lineage.graph.graph.Graph.add_event", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            live.follow()
    with live.asking() as sight:
        assert feeds(sight, "raw") == {"made", "more"}


def test_a_graph_that_keeps_up_has_followed_before_anybody_asks(archive):
    live = live_graph(archive)
    live.keep_up()
    archive.record(event("one", [dataset("raw")], [dataset("made")]))
    deadline = time.monotonic() + 60
    while live.size < archive.size():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    live.close()
    archive.record(event("two", [dataset("raw")], [dataset("more")]))
    assert live.size < archive.size()


def test_an_event_that_says_several_data_sets_are_no_more_can_be_taken_back(archive):
    def drops(one):
        return {**one, "facets": {"lifecycleStateChange": {**FACET, "lifecycleStateChange": "DROP"}}}

    for name in ("one", "two"):
        archive.record(event(f"make {name}", [dataset("raw")], [dataset(name)]))
    gone = [drops(dataset(name)) for name in ("one", "two")]
    [dropped] = archive.record(event("cleaner", [], gone, at="2026-11-21T09:00:00Z"))
    live = live_graph(archive)
    with live.asking() as sight:
        assert feeds(sight, "raw") == set()
    archive.record(event("third", [dataset("one"), dataset("two")], [dataset("made")], at="2026-11-21T07:00:00Z"))
    archive.record(make_correction_statement(dropped.statement_id, reason="a mistake"))
    with live.asking() as sight, LiveGraph(archive).asking() as other:
        assert feeds(sight, "raw") == feeds(other, "raw") == {"one", "two", "made"}


def test_text_is_made_ahead_while_nobody_asks_and_is_the_same(archive, monkeypatch):
    archive.record(event("one", [dataset("raw")], [dataset("made")]))
    made, make_targets = threading.Event(), Renderer._make_targets
    monkeypatch.setattr(Renderer, "_make_targets", lambda *given: made.set() or make_targets(*given))
    live = live_graph(archive)
    monkeypatch.setattr("wherefrom.archive.live.AHEAD", 1)
    live.keep_up()
    assert made.wait(60)  # the last of a graph that has one edge of each kind
    live.close()
    with live.asking() as sight:
        raw = sight.graph.names.find("test", "raw", jobs=False)
        drawn = draw(sight.graph, Scope(sight.size), raw, ["down"], depth=9, most=10)
        assert len(drawn.nodes) == 3 and len(drawn.sources) == len(drawn.targets) == 1
        fresh = Renderer(sight.graph)
        wanted = fresh.nodes(drawn), fresh.edges(drawn)
        for kept in ("_ids", "_nodes", "_sources", "_targets"):
            monkeypatch.setattr(getattr(sight.renderer, kept), "_make", None)
        assert (sight.renderer.nodes(drawn), sight.renderer.edges(drawn)) == wanted
        assert not sight.renderer.prepare(100)


def test_no_text_is_made_ahead_where_not_all_of_it_could_be_kept(archive, monkeypatch):
    archive.record(event("one", [dataset("raw")], [dataset("made")]))
    with live_graph(archive).asking() as sight:
        monkeypatch.setattr("wherefrom.lineage.graph.render._KEPT", 2)
        assert not sight.renderer.prepare(100)
        monkeypatch.setattr("wherefrom.lineage.graph.render._KEPT", 100)
        assert sight.renderer.prepare(100)


def test_a_long_way_is_followed_like_a_short_one(archive):
    for number in range(3):  # a run that says more as it goes on: its shapes are put together
        archive.record(
            event(f"job-{number}", [dataset("raw")], kind="START"),
            event(f"job-{number}", [], [dataset(f"made-{number}")]),
        )
    with archive.reading() as (ledger, _):
        size, graphs = ledger.size(), []
        for is_long in (False, True):
            follower = Follower()
            follower.catch_up(GraphTables(ledger.connection, is_long=is_long), size)
            graphs.append(follower.graph)
    short, long = (graph.views() for graph in graphs)
    assert all(
        (one == other).all() if hasattr(one, "all") else one == other for one, other in zip(short, long, strict=True)
    )
    with live_graph(archive).asking() as sight:
        assert feeds(sight, "raw") == {"made-0", "made-1", "made-2"}
