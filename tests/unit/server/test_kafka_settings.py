"""What reading from Kafka is told."""

import pytest

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.server.kafka import KafkaIntake, KafkaSettings, parse_options

UNSHOWN = "hunter2-and-more"


def settings(**options):
    return KafkaSettings("broker:9092", ("events",), options=options)


def test_options_come_from_a_file_and_from_pairs_which_go_before_it(tmp_path):
    file = tmp_path / "kafka.options"
    file.write_text(f"# a comment\n\nsasl.username = reader\nsasl.password={UNSHOWN}=\nclient.id=file\n")
    assert parse_options(["client.id=pair"], file=file) == {
        "sasl.username": "reader",
        "sasl.password": f"{UNSHOWN}=",
        "client.id": "pair",
    }


@pytest.mark.parametrize("line", [UNSHOWN, f"={UNSHOWN}"])
def test_a_line_that_is_no_option_is_refused_without_being_shown(tmp_path, line):
    file = tmp_path / "kafka.options"
    file.write_text(f"client.id=a\n{line}\n")
    with pytest.raises(FormatError, match="line 2: expected name=value") as refused:
        parse_options([], file=file)
    assert UNSHOWN not in str(refused.value)
    with pytest.raises(NotFoundError, match="there is no file"):
        parse_options([], file=tmp_path / "other")


@pytest.mark.parametrize(
    "name", ["enable.auto.commit", "consumer.enable.auto.commit", "group.id", "producer.acks", "plugin.library.paths"]
)
def test_what_exactness_rests_on_is_not_an_option(name):
    with pytest.raises(FormatError, match="is not yours to set"):
        settings(**{name: "true"})


def test_options_go_to_the_side_they_name_and_to_both_without_a_name():
    made = settings(**{"security.protocol": "SSL", "consumer.fetch.min.bytes": "9", "producer.linger.ms": "1"})
    consumer, producer = made.consumer_config(), made.producer_config()
    assert consumer["security.protocol"] == producer["security.protocol"] == "SSL"
    assert (consumer["fetch.min.bytes"], producer["linger.ms"]) == ("9", "1")
    assert "linger.ms" not in consumer
    assert "fetch.min.bytes" not in producer
    assert consumer["enable.auto.commit"] == "false"
    assert producer["acks"] == "all"


def test_dead_letters_have_a_topic_of_their_own():
    assert settings().dead_letter_topic == "events.dead-letters"
    with pytest.raises(FormatError, match="is read and the one for dead letters"):
        KafkaSettings("broker:9092", ("a", "b"), dead_letter_topic="b")
    with pytest.raises(FormatError, match="at least one topic"):
        KafkaSettings("broker:9092", ())


def test_no_value_of_an_option_is_shown(archive):
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing: pip install 'wherefrom[kafka]'")
    made = settings(**{"security.protocol": UNSHOWN})
    assert UNSHOWN not in repr(made)
    with pytest.raises(UnavailableError, match=r"security\.protocol") as refused:
        KafkaIntake(archive, made)
    assert UNSHOWN not in str(refused.value)
    assert refused.value.__cause__ is None
