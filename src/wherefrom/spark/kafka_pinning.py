"""Open ends of a batch read from Kafka closed before it begins, so that its plan says which offsets were read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from wherefrom.errors import FormatError, NotFoundError, UnavailableError

_PREFIX: Final = "kafka."
_DESERIALIZER: Final = "org.apache.kafka.common.serialization.ByteArrayDeserializer"
_OPEN: Final = {"earliest": "beginningOffsets", "latest": "endOffsets"}


def pin_kafka_offsets(spark: Any, options: Mapping[str, str]) -> dict[str, str]:
    """Options of `spark.read.format("kafka")` with the offsets that "earliest" and "latest" stand for now, as numbers.

    The read is the same, but for what comes to the topics after this call. Only `subscribe`: topics by their names.
    Example: `spark.read.format("kafka").options(**pin_kafka_offsets(spark, options)).load()`

    Raises FormatError: no `subscribe`, or ends given by time. NotFoundError: no such topic. UnavailableError: the
    brokers don't answer, or Spark has no Kafka client.
    """
    topics = [topic.strip() for topic in options.get("subscribe", "").split(",") if topic.strip()]
    if not topics or f"{_PREFIX}bootstrap.servers" not in options:
        raise FormatError(
            "offsets are pinned for the options `kafka.bootstrap.servers` and `subscribe`, which are not given"
        )
    if by_time := sorted(name for name in options if name.lower().endswith("timestamp")):
        raise FormatError(f"option {by_time[0]!r}: ends given by time cannot be pinned")
    ends = {
        "startingOffsets": options.get("startingOffsets", "earliest"),
        "endingOffsets": options.get("endingOffsets", "latest"),
    }
    if all(value not in _OPEN for value in ends.values()):
        return dict(options)
    from py4j.protocol import Py4JError

    try:
        consumer = _open_consumer(spark, options)
        try:
            partitions = _list_partitions(spark, consumer, topics)
            pinned = {
                name: json.dumps(_offsets(getattr(consumer, _OPEN[value])(partitions))) if value in _OPEN else value
                for name, value in ends.items()
            }
        finally:
            consumer.close()
    except (Py4JError, TypeError) as error:  # TypeError: the class is not there, so py4j takes it for a package
        raise UnavailableError(f"Kafka's offsets cannot be asked for: {str(error).splitlines()[0]}") from error
    return {**options, **pinned}


def _open_consumer(spark: Any, options: Mapping[str, str]) -> Any:
    jvm = spark._jvm  # noqa: SLF001 - Spark's own Kafka client is asked
    settings = jvm.java.util.HashMap()
    for name, value in options.items():
        if name.startswith(_PREFIX):
            settings.put(name.removeprefix(_PREFIX), value)
    for side in ("key", "value"):
        settings.put(f"{side}.deserializer", _DESERIALIZER)
    return jvm.org.apache.kafka.clients.consumer.KafkaConsumer(settings)


def _list_partitions(spark: Any, consumer: Any, topics: list[str]) -> Any:
    jvm = spark._jvm  # noqa: SLF001
    found = jvm.java.util.ArrayList()
    for topic in topics:
        listed = consumer.partitionsFor(topic)
        if listed is None or listed.isEmpty():
            raise NotFoundError(f"Kafka has no topic {topic!r}")
        for partition in listed:
            found.add(jvm.org.apache.kafka.common.TopicPartition(topic, partition.partition()))
    return found


def _offsets(found: Any) -> dict[str, dict[str, int]]:
    answer: dict[str, dict[str, int]] = {}
    for place in found.keySet():
        answer.setdefault(str(place.topic()), {})[str(place.partition())] = int(found.get(place))
    return answer
