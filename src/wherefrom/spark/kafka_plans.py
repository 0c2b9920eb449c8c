"""Which offsets of which topics a query of Spark's read, as its plans and its progress say; through py4j."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_KAFKA: Final = "org.apache.spark.sql.kafka010."


@dataclass(frozen=True)
class TopicOffsets:
    """What was read of one topic.

    Attributes:
        brokers: `host:port`, the first of those that Spark was given.
        partitions: by number, the first offset and the one after the last; None where the plan leaves it to the tasks
            ("earliest", "latest").
    """

    brokers: str
    topic: str
    partitions: Mapping[int, tuple[int | None, int | None]]

    def is_empty(self) -> bool:
        return all(first is not None and first == end for first, end in self.partitions.values())


def read_batch_plan(plan: Any) -> list[TopicOffsets]:
    """What a finished batch query read, from the physical plan that Spark executed."""
    found: dict[tuple[str, str], dict[int, tuple[int | None, int | None]]] = defaultdict(dict)
    for brokers, offsets in _iter_ranges(plan):
        partition = int(offsets.partition())
        # -2 and -1 stand for the earliest and the latest offset there is when the task begins.
        first, end = (
            value if value >= 0 else None for value in (int(offsets.fromOffset()), int(offsets.untilOffset()))
        )
        before = found[brokers, str(offsets.topic())].get(partition, (first, end))
        found[brokers, str(offsets.topic())][partition] = _hull(before, (first, end))
    return [TopicOffsets(brokers, topic, partitions) for (brokers, topic), partitions in found.items()]


def read_progress(sources: Any, query: Any) -> list[TopicOffsets]:
    """What one micro-batch read: `sources` of its progress, and the running query, as a Java object."""
    streams = {str(stream.toString()): stream for stream in _iter_streams(query.lastExecution().executedPlan())}
    found = []
    for source in sources:
        stream = streams.get(source.description)
        if stream is None:
            continue
        # The first batch of all has no start in its progress; Spark keeps it in the checkpoint.
        start = _parse_offsets(source.startOffset) or _parse_offsets(str(stream.initialOffset().json()))
        brokers = _first(_private(stream, "options").get("kafka.bootstrap.servers"))
        for topic, ends in _parse_offsets(source.endOffset).items():
            # A partition that came up meanwhile is read from its beginning.
            partitions = {int(number): (start.get(topic, {}).get(number, 0), end) for number, end in ends.items()}
            found.append(TopicOffsets(brokers, topic, partitions))
    return found


def _iter_ranges(plan: Any) -> Iterator[tuple[str, Any]]:
    for node in _iter_nodes(plan):
        name = _name(node)
        if name == "RowDataSourceScanExec" and (rdd := _find_source(node.rdd())) is not None:
            brokers = _first(_private(rdd, "executorKafkaParams").get("bootstrap.servers"))
            for partition in rdd.partitions():
                yield brokers, partition.offsetRange()
        elif name == "BatchScanExec" and str(node.scan().getClass().getName()).startswith(_KAFKA):
            for partition in _iter_seq(node.inputPartitions()):
                yield _first(partition.executorKafkaParams().get("bootstrap.servers")), partition.offsetRange()


def _iter_streams(plan: Any) -> Iterator[Any]:
    for node in _iter_nodes(plan):
        if _name(node) == "MicroBatchScanExec" and str(node.stream().getClass().getName()).startswith(_KAFKA):
            yield node.stream()


def _iter_nodes(plan: Any) -> Iterator[Any]:
    """All operators, those behind adaptive execution, commands and caches too."""
    name = _name(plan)
    yield plan
    if name == "AdaptiveSparkPlanExec":
        yield from _iter_nodes(plan.executedPlan())
    elif name.endswith("QueryStageExec"):
        yield from _iter_nodes(plan.plan())
    elif name == "CommandResultExec":
        yield from _iter_nodes(plan.commandPhysicalPlan())
    elif name == "InMemoryTableScanExec":
        yield from _iter_nodes(plan.relation().cachedPlan())
    for child in (*_iter_seq(plan.children()), *_iter_seq(plan.subqueries())):
        yield from _iter_nodes(child)


def _find_source(rdd: Any) -> Any:
    while str(rdd.getClass().getName()) != f"{_KAFKA}KafkaSourceRDD":
        dependencies = rdd.dependencies()
        if dependencies.isEmpty():
            return None
        rdd = dependencies.head().rdd()
    return rdd


def _parse_offsets(text: str | None) -> dict[str, dict[str, int]]:
    """`{"topic": {"0": 17}}`. There may be none, which pyspark spells in more than one way."""
    return json.loads(text) if text and text.startswith("{") else {}


def _hull(one: tuple[int | None, int | None], other: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    """Spark cuts one partition into several ranges when it is told a number of partitions to have."""
    firsts, ends = zip(one, other, strict=True)
    return (
        None if None in firsts else min(value for value in firsts if value is not None),
        None if None in ends else max(value for value in ends if value is not None),
    )


def _private(owner: Any, field: str) -> Any:
    found = owner.getClass().getDeclaredField(field)
    found.setAccessible(True)
    return found.get(owner)


def _iter_seq(sequence: Any) -> Iterator[Any]:
    """A Scala sequence."""
    for position in range(sequence.size()):
        yield sequence.apply(position)


def _name(node: Any) -> str:
    return str(node.getClass().getSimpleName())


def _first(brokers: Any) -> str:
    return str(brokers).split(",", maxsplit=1)[0].strip()
