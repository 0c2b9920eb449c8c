"""Laws of the views: how statements are batched doesn't matter, and two programs draw the same graph."""

import itertools
import json
import tempfile
from pathlib import Path

from events import FACET, dataset, event, run_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherefrom.archive import Archive, erasing
from wherefrom.lineage.shape import SAYS_NOTHING, merge, ports
from wherefrom.lineage.shaping import shape_of
from wherefrom.statements import (
    canonical_name,
    event_kind_of,
    event_of,
    make_correction_statement,
    make_deletion_statement,
    parse_event_statement,
    primary_digest,
)
from wherefrom.store import VIEWS, LineageTables
from wherefrom.verify import TracedEdge, read_graph, retrace

names = st.sampled_from(["a", "b", "c", "d"])
contents = st.sampled_from([None, "1", "2", "3"])
datasets = st.lists(
    st.builds(dataset, names, contents, how=st.sampled_from(["observed", "declared", "inferred"])), max_size=3
)
kinds = st.sampled_from(["START", "RUNNING", "COMPLETE", "FAIL"])
events = st.builds(event, st.sampled_from(["r1", "r2", "r3", "r4"]), datasets, datasets, kind=kinds)
histories = st.lists(st.one_of(events, st.integers(0, 30)), min_size=1, max_size=12)


named = st.builds(
    lambda place, name: {"namespace": place, "name": name},
    st.sampled_from(["s3://b", "s3a://b", "n"]),
    st.sampled_from(["t", "/t/", "t/dt=1", "u"]),
)
inputs_of = st.lists(
    st.builds(
        lambda one, kind, field: {**one, "type": kind, **({"field": field} if field else {})},
        named,
        st.sampled_from(["DATASET", "DATASET", "JOB", "?"]),
        st.sampled_from(["x", ""]),
    ),
    max_size=2,
)
facets = st.fixed_dictionaries(
    {},
    optional={
        "columnLineage": st.builds(
            lambda sources: {**FACET, "fields": {"x": {"inputFields": [{**one, "field": "y"} for one in sources]}}},
            st.lists(named, max_size=2),
        ),
        "symlinks": st.builds(lambda one: {**FACET, "identifiers": [{**one, "type": "T"}]}, named),
        "version": st.sampled_from(["1", "2", 3]).map(lambda version: {**FACET, "datasetVersion": version}),
        "lifecycleStateChange": st.just({**FACET, "lifecycleStateChange": "DROP"}),
        "lineage": st.builds(lambda sources: {**FACET, "inputs": sources}, inputs_of),
    },
)
foreign_datasets = st.lists(
    st.builds(lambda one, held: {**one, "facets": held}, named, facets) | st.just(7), max_size=2
)


def foreign(job, run, kind, inputs, outputs, entries, time):
    """An event as somebody else sends it, of a run, a job or a data set."""
    said = {**FACET, "entries": [{**target, "inputs": sources} for target, sources in entries]}
    facets = {"lineage": said} if entries else {}
    made = {"eventTime": time, "producer": FACET["_producer"], "inputs": inputs, "outputs": outputs}
    made["job"] = {"namespace": "n", "name": job, "facets": facets}
    if run:
        made |= {"eventType": kind, "run": {"runId": run_id(run)}}
    elif outputs and kind == "START" and isinstance(outputs[0], dict):
        made = {"eventTime": time, "dataset": outputs[0]}
    return parse_event_statement(json.dumps(made).encode())


targets = st.builds(lambda one, kind: {**one, "type": kind}, named, st.sampled_from(["DATASET", "JOB"]))
times = st.sampled_from(["2026-11-21T08:00:00Z", "2026-11-21T08:00:01", "2026-11-21T08:00:02Z", "then"])
foreign_events = st.builds(
    foreign,
    st.sampled_from(["j", "k"]),
    st.sampled_from(["r1", "r2", ""]),
    st.sampled_from(["START", "COMPLETE", "FAIL", "DONE"]),
    foreign_datasets,
    foreign_datasets,
    st.lists(st.tuples(targets, inputs_of), max_size=2),
    times,
)
deletions = st.builds(
    lambda one, kind: make_deletion_statement(kind, **one, at="2026-11-21T08:00:00Z", reason="gone"),
    named,
    st.sampled_from(["dataset", "job"]),
)
foreign_histories = st.lists(
    st.one_of(foreign_events, foreign_events, deletions, st.integers(0, 30)), min_size=1, max_size=10
)


def record(folder, history, *, size, writers=1):
    """An archive with the history; a number is a correction of one of the statements before.

    Several writers take turns, each with a connection and a memory of its own.
    """
    archive = Archive.init(Path(folder), namespace="test", origin="example.com/test")
    turns = itertools.cycle([archive, *(Archive.open(archive.folder) for _ in range(writers - 1))])
    ids, batch = [], []
    for item in history:
        if isinstance(item, int):
            if batch:
                ids += [r.statement_id for r in next(turns).record(*batch)]
                batch = []
            if not ids:
                continue
            corrected = make_correction_statement(ids[item % len(ids)], reason="wrong")
            ids += [r.statement_id for r in next(turns).record(corrected)]
        else:
            batch.append(item)
            if len(batch) == size:
                ids += [r.statement_id for r in next(turns).record(*batch)]
                batch = []
    if batch:
        next(turns).record(*batch)
    return archive


def views(archive):
    """The rows of all views but the one that holds the archive's own key."""
    with archive._database.reading() as connection:
        tables = LineageTables(connection)
        return {table.name: list(tables.iter_rows(table)) for table in VIEWS if table.name != "keys"}


few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(histories)
def test_one_transaction_or_many_give_the_same_views_and_so_does_a_rebuild(history):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        singly, together = record(one, history, size=1), record(many, history, size=100)
        assert views(singly) == views(together)
        assert singly.rebuild() == []
        assert together.rebuild() == []


@settings(few, max_examples=20)
@given(foreign_histories)
def test_so_do_events_of_others_deletions_and_what_takes_them_back(history):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        singly, together = record(one, history, size=1), record(many, history, size=100)
        assert views(singly) == views(together)
        assert singly.rebuild() == []
        assert together.rebuild() == []


@settings(few, max_examples=20)
@given(foreign_histories, foreign_histories)
def test_what_a_writer_remembers_is_never_older_than_what_others_wrote(history, later):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        by_two, together = record(one, [*history, *later], size=1, writers=2), record(many, history, size=1)
        said = [str(r.index) for r in together.iter_recorded() if event_kind_of(r.statement.predicate_type)]
        if said:
            erasing.redact(together, said[:1], reason="asked for", by="privacy officer")  # makes the views again
        assert by_two.rebuild() == []
        together.record(*(one for one in later if not isinstance(one, int)))
        assert together.rebuild() == []


@given(st.lists(foreign_events, min_size=2, max_size=4))
def test_events_of_a_run_say_the_same_together_in_any_order(history):
    numbers = {}

    def number_of(*name):
        found = canonical_name(*name)
        return numbers.setdefault((found.namespace, found.name), len(numbers) + 1)

    shapes = [shape_of(event_of(statement), number_of, number_of) for statement in history]
    sums = set()
    for order in itertools.permutations(shapes):
        total = SAYS_NOTHING
        for shape in order:
            total = merge(total, shape)
        sums.add(total)
    assert len(sums) == 1
    [total] = sums
    assert {n for n, _ in total.inputs} <= {n for port in ports(total) for n, _ in port.sources}


@few
@given(histories, st.data())
def test_the_verifier_traces_what_the_archive_traces(history, data):
    with tempfile.TemporaryDirectory() as folder:
        archive = record(folder, history, size=100)
        as_of = data.draw(st.integers(1, archive.size()), label="as of")
        statements = [(r.index, r.statement_id, r.statement) for r in archive.iter_recorded(0, as_of)]
        with archive._database.reading() as connection:
            tables = LineageTables(connection)
            rows = [row for row in tables.iter_rows(VIEWS[1]) if row[5] < as_of and row[2]]
            entities = {row[0]: row[2] for row in tables.iter_rows(VIEWS[0])}
        for row in rows:
            answer = archive.trace(row[2].split(":")[1], as_of=as_of)
            ids = {v.key: (v.namespace, v.name, primary_digest(v.digests)) for v in answer.versions}
            traced = {TracedEdge(e.run_id, ids[e.version], e.relation, e.how, e.entry) for e in answer.edges}
            again = retrace(read_graph(statements, claimed=traced), ids[answer.subject], as_of=as_of)
            assert again == traced, entities[row[1]]
