"""Events for topics, and what became of them: in the ledger, in the dead-letter topic."""

import json
import time
import uuid

from wherefrom.statements import openlineage

DEADLINE_S = 120


def make_event(number, job="load"):
    return json.dumps(
        {
            "eventType": "COMPLETE",
            "eventTime": f"2026-03-01T00:00:00.{number:06d}Z",
            "run": {"runId": str(uuid.UUID(int=number + 1))},
            "job": {"namespace": "shop", "name": job},
            "inputs": [{"namespace": "kafka://broker:9092", "name": "clicks"}],
            "outputs": [{"namespace": "file", "name": f"/lake/{job}"}],
            "producer": "https://example.com/producer",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        }
    ).encode()


def producer_for(broker, **options):
    from confluent_kafka import Producer

    return Producer({"bootstrap.servers": broker.address, "acks": "all", **options})


def create_topic(broker, name, partitions=3, **config):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": broker.address})
    for made in admin.create_topics(
        [NewTopic(name, partitions, 1, config=config)], request_timeout=DEADLINE_S
    ).values():
        made.result(DEADLINE_S)
    wait_for(lambda: len(admin.list_topics(name, timeout=DEADLINE_S).topics[name].partitions) == partitions)


def send(broker, topic, *messages):
    """Messages are values, or dicts as `produce` takes them; all are acknowledged when this returns."""
    producer = producer_for(broker)
    for message in messages:
        producer.produce(topic, **(message if isinstance(message, dict) else {"value": message}))
    assert producer.flush(DEADLINE_S) == 0


def read_all(broker, topic, count):
    """The first `count` messages of a topic."""
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": broker.address, "group.id": f"reader-{uuid.uuid4()}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found = []

    def enough():
        message = consumer.poll(1)
        if message is not None and not message.error():
            found.append(message)
        return len(found) >= count

    wait_for(enough)
    consumer.close()
    return found


def committed(broker, topic, group, partitions=3):
    """Sum of the offsets that a group committed."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": group, "enable.auto.commit": False})
    offsets = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], timeout=DEADLINE_S)
    consumer.close()
    return sum(max(0, offset.offset) for offset in offsets)


def recorded_events(archive):
    """Run ids of the OpenLineage events in the ledger, in its order."""
    found = []
    for recorded in archive.iter_recorded():
        statement = recorded.statement
        if statement.predicate_type.startswith("https://openlineage.io/"):
            found.append(openlineage.read_event(statement.predicate).run_id)
    return found


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
