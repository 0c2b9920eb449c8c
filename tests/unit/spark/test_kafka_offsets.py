"""What can be said of Kafka offsets without a Spark; with one: tests/integration/test_spark_openlineage.py."""

import pytest

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.spark import SparkRun, keep_kafka_offsets, pin_kafka_offsets
from wherefrom.spark.kafka_offsets import KafkaOffsets, _make_event, _to_input
from wherefrom.spark.kafka_plans import TopicOffsets
from wherefrom.statements import read_event

OPTIONS = {"kafka.bootstrap.servers": "broker:9092", "subscribe": "clicks"}
RUN = SparkRun("shop", "daily", "0199a1b2-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"subscribe": ""}, "`subscribe`"),
        ({"subscribePattern": "a.*", "subscribe": " , "}, "`subscribe`"),
        ({"startingTimestamp": "1"}, "'startingTimestamp': ends given by time"),
        ({"endingOffsetsByTimestamp": "{}"}, "'endingOffsetsByTimestamp': ends given by time"),
    ],
)
def test_what_cannot_be_pinned_is_refused_before_spark_is_asked(changed, why):
    with pytest.raises(FormatError, match=why):
        pin_kafka_offsets(None, OPTIONS | changed)


def test_ends_that_are_numbers_already_stay_as_they_are():
    given = OPTIONS | {"startingOffsets": '{"clicks": {"0": 1}}', "endingOffsets": '{"clicks": {"0": 3}}'}
    assert pin_kafka_offsets(None, given) == given


def test_a_session_of_spark_connect_is_refused():
    with pytest.raises(UnavailableError, match="Spark Connect"):
        keep_kafka_offsets(object(), send=print, run=RUN)


def test_the_facet_has_both_ends_inclusive_leaves_empty_partitions_out_and_names_open_ones():
    read = TopicOffsets("broker:9092", "clicks", {2: (5, 9), 0: (0, 0), 1: (None, 7), 3: (0, 1)})
    event = _make_event(RUN, [_to_input(read, {"reading": "batch", "execution": 4})])
    (dataset,) = event["inputs"]
    assert (dataset["namespace"], dataset["name"]) == ("kafka://broker:9092", "clicks")
    facet = dataset["inputFacets"]["wherefrom_kafkaOffsets"]
    assert facet["partitions"] == [{"partition": 2, "first": 5, "last": 8}, {"partition": 3, "first": 0, "last": 0}]
    assert facet["open"] == [1]
    assert read_event(event).problems == ()
    assert [version.version for version in read_event(event).flow.versions] == ["2:5-8,3:0-0"]


def test_what_goes_wrong_with_one_query_is_logged_and_breaks_nothing(caplog):
    def fail():
        raise AttributeError("Spark changed")

    KafkaOffsets.guarded(object.__new__(KafkaOffsets), fail)
    assert "the Kafka offsets of a query are not kept" in caplog.text
    assert "Spark changed" in caplog.text
