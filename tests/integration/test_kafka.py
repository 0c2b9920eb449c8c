"""OpenLineage events from a topic: each in the ledger once, and what is no event with the dead letters."""

import contextlib
import hashlib
import threading
import uuid

import pytest
from kafka_brokers import apache_kafka, free_ports
from kafka_events import committed, create_topic, make_event, read_all, recorded_events, send, wait_for

from wherefrom import fetch
from wherefrom.errors import UnavailableError
from wherefrom.server.kafka import KafkaIntake, KafkaSettings, consumer

pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing: pip install 'wherefrom[kafka]'")


@pytest.fixture(scope="module")
def broker():
    with apache_kafka() as running:
        yield running


@pytest.fixture
def topic(broker):
    name = f"events-{uuid.uuid4().hex[:8]}"
    create_topic(broker, name)
    create_topic(broker, f"{name}.dead-letters", 1)
    return name


@contextlib.contextmanager
def consuming(archive, broker, topic, **settings):
    """An intake that runs while the block does."""
    intake = KafkaIntake(archive, KafkaSettings(broker.address, (topic,), "readers", **settings))
    intake.start()
    try:
        yield intake
    finally:
        intake.stop()


def ids(count):
    return {str(uuid.UUID(int=number + 1)) for number in range(count)}


def test_events_are_recorded_and_their_offsets_committed_so_nothing_is_read_again(archive, broker, topic):
    send(broker, topic, *(make_event(number) for number in range(50)))
    with consuming(archive, broker, topic, batch_events=7) as intake:
        wait_for(lambda: intake.counts.recorded == 50)
    assert sorted(recorded_events(archive)) == sorted(ids(50))
    assert committed(broker, topic, "readers") == 50
    send(broker, topic, make_event(50))
    with consuming(archive, broker, topic) as again:
        wait_for(lambda: again.counts.recorded == 1)
    assert again.counts.read == 1


def test_an_event_read_twice_is_in_the_ledger_once(archive, broker, topic):
    send(broker, topic, *(make_event(number) for number in (0, 1, 0)))
    with consuming(archive, broker, topic) as intake:
        wait_for(lambda: intake.counts.recorded == 3)
    assert sorted(recorded_events(archive)) == sorted(ids(2))


def test_what_is_no_event_goes_to_the_dead_letters_whole_with_the_reason_and_the_rest_is_recorded(
    archive, broker, topic
):
    bad = b'{"eventTime": not JSON'
    send(
        broker,
        topic,
        *({"value": value, "partition": 0} for value in (make_event(0), make_event(1) + b" " * 100_000, b"")),
        {"value": bad, "key": b"k", "headers": {"trace": b"t1"}, "partition": 2},
        {"value": None, "key": b"tombstone", "partition": 2},
        {"value": make_event(2), "partition": 2},
    )
    with consuming(archive, broker, topic, max_event_bytes=50_000) as intake:
        wait_for(lambda: intake.counts.read == 6)
    assert sorted(recorded_events(archive)) == sorted({str(uuid.UUID(int=1)), str(uuid.UUID(int=3))})
    assert (intake.counts.dead_letters, intake.counts.empty) == (3, 1)
    assert committed(broker, topic, "readers") == 6
    letters = {letter.value(): letter for letter in read_all(broker, f"{topic}.dead-letters", 3)}
    headers = dict(letters[bad].headers())
    assert letters[bad].key() == b"k"
    assert headers["trace"] == b"t1"
    assert b"JSON" in headers["wherefrom-error"]
    assert (headers["wherefrom-topic"], headers["wherefrom-partition"]) == (topic.encode(), b"2")
    assert headers["wherefrom-offset"] == b"0"
    large = next(letter for value, letter in letters.items() if value and len(value) > 100_000)
    assert b"more than the limit of 50000" in dict(large.headers())["wherefrom-error"]
    assert b"" in letters


def test_a_dead_letter_too_large_for_its_topic_comes_without_its_value_and_the_offset_is_committed(
    archive, broker, topic
):
    small = f"{topic}.small"
    create_topic(broker, small, 1, **{"max.message.bytes": "2000"})
    bad = b"no event " * 1000
    send(broker, topic, {"value": bad, "key": b"k", "partition": 0}, {"value": b"short", "partition": 0})
    with consuming(archive, broker, topic, dead_letter_topic=small) as intake:
        wait_for(lambda: intake.counts.dead_letters == 2)
    assert committed(broker, topic, "readers") == 2
    letters = {dict(letter.headers())["wherefrom-offset"]: letter for letter in read_all(broker, small, 2)}
    headers = dict(letters[b"0"].headers())
    assert (letters[b"0"].value(), letters[b"0"].key()) == (None, b"k")
    assert headers["wherefrom-bytes"] == b"9000"
    assert headers["wherefrom-sha256"] == hashlib.sha256(bad).hexdigest().encode()
    assert letters[b"1"].value() == b"short"


def test_an_event_that_breaks_the_specification_is_taken_unless_strict(archive, broker, topic):
    broken = make_event(0).replace(b'"COMPLETE"', b'"FINISHED"')
    send(broker, topic, broken)
    with consuming(archive, broker, topic) as lenient:
        wait_for(lambda: lenient.counts.read == 1)
    assert lenient.counts.recorded == 1
    send(broker, topic, broken)
    with consuming(archive, broker, topic, strict=True) as strict:
        wait_for(lambda: strict.counts.read == 1)
    assert strict.counts.dead_letters == 1
    (letter,) = read_all(broker, f"{topic}.dead-letters", 1)
    assert b"eventType" in dict(letter.headers())["wherefrom-error"]


def test_while_the_database_is_away_nothing_is_committed_and_nothing_passed_over(archive, broker, topic, monkeypatch):
    is_away = threading.Event()
    is_away.set()
    real = consumer.take_events

    def take(*arguments, **options):
        if is_away.is_set():
            raise UnavailableError("the database is away")
        return real(*arguments, **options)

    monkeypatch.setattr(consumer, "take_events", take)
    send(broker, topic, *(make_event(number) for number in range(10)))
    with consuming(archive, broker, topic) as intake:
        wait_for(lambda: intake.counts.holds >= 3)
        assert intake.problem == "the database is away"
        send(broker, topic, *(make_event(number) for number in range(10, 20)))
        assert committed(broker, topic, "readers") == 0
        is_away.clear()
        wait_for(lambda: intake.counts.recorded == 20)
        assert intake.problem is None
    assert sorted(recorded_events(archive)) == sorted(ids(20))
    assert committed(broker, topic, "readers") == 20


def test_told_to_stop_while_the_database_is_away_it_leaves_the_events_to_the_next(archive, broker, topic, monkeypatch):
    send(broker, topic, *(make_event(number) for number in range(5)))
    with monkeypatch.context() as patched:

        def refuse(*_, **__):
            raise UnavailableError("the database is away")

        patched.setattr(consumer, "take_events", refuse)
        with consuming(archive, broker, topic) as intake:
            wait_for(lambda: intake.counts.holds >= 1)
    assert committed(broker, topic, "readers") == 0
    with consuming(archive, broker, topic) as after:
        wait_for(lambda: after.counts.recorded == 5)


def test_an_offset_is_committed_only_when_the_dead_letter_is_acknowledged(archive, broker, topic, monkeypatch):
    from wherefrom.server.kafka.dead_letters import DeadLetters

    is_away = threading.Event()
    is_away.set()
    real = DeadLetters.send

    def send_letters(self, refused):
        if is_away.is_set() and refused:
            raise UnavailableError("nobody takes dead letters")
        real(self, refused)

    monkeypatch.setattr(DeadLetters, "send", send_letters)
    send(broker, topic, {"value": b"no event", "partition": 0})
    with consuming(archive, broker, topic) as intake:
        wait_for(lambda: intake.counts.holds >= 2)
        assert committed(broker, topic, "readers") == 0
        is_away.clear()
        wait_for(lambda: intake.counts.dead_letters == 1)
    assert committed(broker, topic, "readers") == 1


def test_consumers_of_a_group_share_a_topic_and_one_goes_on_when_another_leaves(archive, broker, topic):
    settings = KafkaSettings(broker.address, (topic,), "readers")
    first, second = KafkaIntake(archive, settings), KafkaIntake(archive, settings)
    sent = 0

    def send_some():
        nonlocal sent
        send(broker, topic, *({"value": make_event(sent + n), "partition": n % 3} for n in range(30)))
        sent += 30

    first.start()
    try:
        send_some()
        wait_for(lambda: first.counts.read == 30)
        second.start()
        try:
            wait_for(lambda: send_some() or second.counts.read > 0)
        finally:
            first.stop()
            send_some()
            wait_for(lambda: len(set(recorded_events(archive))) == sent)
    finally:
        first.stop()
        second.stop()
    assert (first.problem, second.problem) == (None, None)
    assert sorted(recorded_events(archive)) == sorted(ids(sent))
    assert committed(broker, topic, "readers") == sent


def test_the_numbers_are_there_for_prometheus(archive, broker, topic):
    pytest.importorskip("prometheus_client", reason="prometheus-client is missing: pip install 'wherefrom[server]'")
    from wherefrom.server.kafka.metrics import serve_metrics

    send(broker, topic, make_event(0), {"value": None})
    with consuming(archive, broker, topic) as intake:
        port, close = serve_metrics(intake, host="127.0.0.1", port=0)
        try:
            with pytest.raises(UnavailableError, match=f"port {port}"):
                serve_metrics(intake, host="127.0.0.1", port=port)
            # The two messages may come in one batch, or in two.
            wait_for(lambda: (intake.counts.recorded, intake.counts.empty) == (1, 1) and intake.counts.commits >= 1)
            text = fetch.get(f"http://127.0.0.1:{port}/metrics").body.decode()
        finally:
            close()
    assert "wherefrom_kafka_recorded_total 1.0" in text
    assert "wherefrom_kafka_empty_total 1.0" in text
    assert "wherefrom_kafka_held 0.0" in text


def test_a_broker_that_is_not_there_is_waited_for(archive):
    (port,) = free_ports(1)
    intake = KafkaIntake(archive, KafkaSettings(f"127.0.0.1:{port}", ("events",)))
    intake.start()
    intake.stop()
    assert intake.problem is None
    assert intake.counts.read == 0
