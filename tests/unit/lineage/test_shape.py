"""Shapes: what an event says about lineage, what events of a run say together, and what feeds what."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.lineage.shape import (
    SAYS_NOTHING,
    Column,
    Shape,
    columns_of,
    format_shape,
    merge,
    newest_in,
    parse_shape,
    ports,
)
from wherefrom.lineage.shaping import shape_of
from wherefrom.statements import canonical_name, read_event

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "lineage" / "shapes.json").read_text())["cases"]

numbers = st.integers(1, 4)
known = st.lists(st.tuples(numbers, st.sampled_from(["observed", "declared", "inferred"])), max_size=4)
nodes = st.integers(-2, 4)
texts = st.sampled_from(["", "x", "y"])
columns = st.lists(st.builds(Column, nodes, texts, nodes, texts, texts, texts, st.booleans()), max_size=4)
entries = st.lists(st.tuples(nodes, st.lists(nodes, max_size=3)), max_size=3)
shapes = st.builds(Shape.of, known, known, st.none() | entries, columns, columns)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["desc"])
def test_an_event_has_the_shape_and_the_ports_that_the_rules_give(case):
    datasets = {tuple(name): number for number, name in enumerate(case["datasets"], 1)}
    jobs = {tuple(name): number for number, name in enumerate(case["jobs"], 1)}

    def dataset_of(namespace, name):
        found = canonical_name(namespace, name)
        return datasets[found.namespace, found.name]

    event = read_event(case["event"])
    shape = shape_of(event, dataset_of, lambda *name: jobs[name])
    assert json.loads(format_shape(shape)) == case["shape"]
    assert [
        {
            "target": port.target,
            "targetJob": port.target_job,
            "sources": [list(source) for source in port.sources],
            "sourceJobs": list(port.source_jobs),
            "basis": port.basis,
        }
        for port in ports(shape)
    ] == case["ports"]
    assert [problem.path for problem in event.problems] == case["marks"]


@given(shapes, shapes, shapes)
def test_merging_is_commutative_associative_and_idempotent(a, b, c):
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a
    assert merge(a, SAYS_NOTHING) == a == merge(SAYS_NOTHING, a)


@given(shapes)
def test_a_shape_is_read_back_as_it_was_written(shape):
    body = format_shape(shape)
    assert parse_shape(body) == shape
    assert format_shape(parse_shape(body)) == body
    assert (body == "{}") == (shape == SAYS_NOTHING)


@given(shapes)
def test_each_target_has_one_port_and_every_input_is_in_some(shape):
    found = ports(shape)
    targets = [(port.target, port.target_job) for port in found]
    assert len(set(targets)) == len(targets)
    assert {n for n, _ in shape.outputs} <= {port.target for port in found}
    assert {n for n, _ in shape.inputs} <= {n for port in found for n, _ in port.sources}
    assert all(port.basis == "lineage" for port in found) == (shape.explicit is not None) or not found


@given(shapes)
def test_the_newest_numbers_of_a_shape_are_the_greatest_written_in_it(shape):
    written = [n for n, _ in (*shape.inputs, *shape.outputs)]
    written += [n for c in (*shape.columns, *shape.explicit_columns) for n in (c.target, c.source)]
    written += [n for target, sources in shape.explicit or () for n in (target, *sources)]
    assert newest_in(shape) == (max([0, *written]), max([0, *(-n for n in written)]))


def test_columns_of_a_lineage_facet_go_before_those_of_column_lineage():
    one, other = Column(1, "x", 2, "y", "", "", False), Column(1, "x", 3, "y", "", "", False)
    assert columns_of(Shape.of(columns=[one], explicit_columns=[other])) == (one,)
    assert columns_of(Shape.of(explicit=[], columns=[one], explicit_columns=[other])) == (other,)


@pytest.mark.parametrize("body", ["", "[]", "7", '{"inputs":7}', '{"inputs":[[1]]}', '{"columns":[[1,2]]}', "nope"])
def test_what_is_no_shape_is_refused(body):
    with pytest.raises(FormatError, match="shape"):
        parse_shape(body)
