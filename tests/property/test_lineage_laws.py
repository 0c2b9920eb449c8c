"""Laws of the views: how statements are batched doesn't matter, and two programs draw the same graph."""

import tempfile
from pathlib import Path

from events import dataset, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherefrom.archive import Archive
from wherefrom.statements import make_correction_statement, primary_digest
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


def record(folder, history, *, size):
    """An archive with the history; a number is a correction of one of the statements before."""
    archive = Archive.init(Path(folder), namespace="test", origin="example.com/test")
    ids, batch = [], []
    for item in history:
        if isinstance(item, int):
            if batch:
                ids += [r.statement_id for r in archive.record(*batch)]
                batch = []
            if not ids:
                continue
            corrected = make_correction_statement(ids[item % len(ids)], reason="wrong")
            ids += [r.statement_id for r in archive.record(corrected)]
        else:
            batch.append(item)
            if len(batch) == size:
                ids += [r.statement_id for r in archive.record(*batch)]
                batch = []
    if batch:
        archive.record(*batch)
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
