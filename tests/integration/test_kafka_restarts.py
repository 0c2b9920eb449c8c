"""Broker and consumer are killed while events come: each that the broker acknowledged is in the ledger once."""

import collections
import contextlib
import signal
import subprocess
import sys
import threading
import time

import pytest
from kafka_brokers import apache_kafka
from kafka_events import create_topic, make_event, producer_for, recorded_events, wait_for

from wherefrom.statements import openlineage

pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing: pip install 'wherefrom[kafka]'")

EVENTS = 2_000


@pytest.fixture(scope="module")
def broker():
    with apache_kafka() as running:
        yield running


class Consumer:
    """`wherefrom consume`, a process."""

    def __init__(self, archive, broker, topic):
        self.command = [
            *(sys.executable, "-c", "from wherefrom.cli import main; main()", "consume"),
            *("--brokers", broker.address, "--topic", topic),
            # What was killed is missed soon.
            *("--option", "consumer.session.timeout.ms=6000", "--option", "consumer.heartbeat.interval.ms=1000"),
        ]
        self.archive = archive
        self.log = archive.root / "consumer.log"
        self.start()

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.archive.root, stderr=log)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(60)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Sender(threading.Thread):
    """Sends events until all are acknowledged, whatever happens to the broker; `acknowledged` are their numbers."""

    def __init__(self, broker, topic):
        super().__init__()
        self.producer = producer_for(broker, **{"enable.idempotence": True, "message.timeout.ms": 120_000})
        self.topic = topic
        self.acknowledged = set()
        self.problems = []

    def run(self):
        for number in range(EVENTS):

            def delivered(error, _, number=number):
                self.problems.append(error) if error else self.acknowledged.add(number)

            self.producer.produce(self.topic, make_event(number), key=str(number % 7), on_delivery=delivered)
            self.producer.poll(0)
            if number % 50 == 0:
                time.sleep(0.2)
        self.producer.flush(120)


def test_broker_and_consumer_are_killed_and_each_acknowledged_event_is_recorded_once(archive, broker):
    create_topic(broker, "events")
    create_topic(broker, "events.dead-letters", 1)
    sender = Sender(broker, "events")
    with contextlib.closing(Consumer(archive, broker, "events")) as consumer:
        wait_for(lambda: "partitions assigned" in consumer.log.read_text())
        sender.start()
        for _ in range(3):
            before = archive.size()
            wait_for(lambda before=before: archive.size() > before + 50 or not sender.is_alive())
            consumer.end(signal.SIGKILL)
            consumer.start()
        before = archive.size()
        wait_for(lambda: archive.size() > before)
        broker.kill()
        time.sleep(1)
        broker.start()
        sender.join()
        assert sender.problems == []
        assert len(sender.acknowledged) == EVENTS
        wait_for(lambda: archive.size() >= EVENTS)
        assert consumer.end() == 0, consumer.log.read_text()[-3000:]
    times_recorded = collections.Counter(recorded_events(archive))
    assert len(times_recorded) == EVENTS
    assert set(times_recorded.values()) == {1}
    assert [problem for _, problems in archive.check() for problem in problems] == []


def test_events_of_openlineage_python_come_by_its_kafka_transport(archive, broker):
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.transport.kafka import KafkaConfig, KafkaTransport

    create_topic(broker, "lineage")
    transport = KafkaTransport(KafkaConfig(config={"bootstrap.servers": broker.address}, topic="lineage"))
    client = OpenLineageClient(transport=transport)
    run_id = "0199a1b2-0000-7000-8000-000000000001"
    with contextlib.closing(Consumer(archive, broker, "lineage")) as consumer:
        for state in (RunState.START, RunState.COMPLETE):
            client.emit(
                RunEvent(
                    eventType=state,
                    eventTime="2026-03-01T00:00:00Z",
                    run=Run(run_id),
                    job=Job("shop", "daily"),
                    inputs=[InputDataset("kafka://broker:9092", "clicks")],
                    outputs=[OutputDataset("s3://lake", "daily")],
                    producer="https://example.com/producer",
                )
            )
        assert client.close(60)
        wait_for(lambda: len(recorded_events(archive)) == 2)
        assert consumer.end() == 0
    (first, _) = (
        entry.statement for entry in archive.iter_recorded() if "openlineage" in entry.statement.predicate_type
    )
    event = openlineage.read_event(first.predicate)
    assert (event.run_id, event.job_name, event.problems) == (run_id, "daily", ())
    assert [(one.namespace, one.name) for one in event.outputs] == [("s3://lake", "daily")]


def test_told_to_stop_while_the_broker_is_gone_the_consumer_ends(archive, broker):
    create_topic(broker, "quiet")
    with contextlib.closing(Consumer(archive, broker, "quiet")) as consumer:
        wait_for(lambda: "partitions assigned" in consumer.log.read_text())
        broker.kill()
        try:
            assert consumer.end() == 0
        finally:
            broker.start()
