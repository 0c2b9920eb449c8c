"""From an event to its shape: names become numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wherefrom.lineage.shape import SAYS_NOTHING, Column, Shape
from wherefrom.statements import OWN_JOB, Event, FieldFlow, Node

NumberOf = Callable[[str, str], int]
"""Namespace and name to a number."""


def shape_of(event: Event, dataset_of: NumberOf, job_of: NumberOf) -> Shape:
    """What an event says about lineage. It says nothing when it names no owner: a job, or the data set it is about.

    Args:
        dataset_of: gives the entity that is a data set by its canonical name.
        job_of: gives a job's number.
    """
    flow = event.flow
    if not event.job_name and event.kind != "DatasetEvent":
        return SAYS_NOTHING
    numbers: dict[Node, int] = {}

    def number_of(node: Node) -> int:
        if node not in numbers:
            if node.kind == "DATASET":
                numbers[node] = dataset_of(node.namespace, node.name)
            elif node in (OWN_JOB, Node("JOB", event.job_namespace, event.job_name)):
                numbers[node] = 0
            else:
                numbers[node] = -job_of(node.namespace, node.name)
        return numbers[node]

    def columns_of(flows: list[FieldFlow]) -> list[Column]:
        return [Column(number_of(one[0]), one[1], number_of(one[2]), *one[3:]) for one in flows]

    explicit = None
    if flow.explicit is not None:
        explicit = [(number_of(target), [number_of(source) for source in sources]) for target, sources in flow.explicit]
    columns, explicit_columns = columns_of(flow.columns), columns_of(flow.explicit_columns)
    if event.kind == "DatasetEvent":
        return Shape.of((), (), explicit, columns, explicit_columns)
    return Shape.of(
        [(dataset_of(one.namespace, one.name), one.how) for one in event.inputs],
        [
            (dataset_of(one.namespace, one.name), one.how)
            for one in event.outputs
            if (one.namespace, one.name) not in flow.dropped  # named because it is no more, not because it was made
        ],
        explicit,
        columns,
        explicit_columns,
    )


def iter_nodes(event: Event) -> Iterator[Node]:
    """Every data set and job that an event's facets name, and that a shape is made of; some of them twice."""
    flow = event.flow
    for target, sources in flow.explicit or ():
        yield target
        yield from sources
    for columns in (flow.columns, flow.explicit_columns):
        for one in columns:
            yield one.target
            yield one.source
