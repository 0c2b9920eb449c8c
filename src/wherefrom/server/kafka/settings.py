"""What reading from Kafka is told, and options of librdkafka passed through. No value of an option is ever printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wherefrom.errors import FormatError, NotFoundError

DEAD_LETTERS_SUFFIX: Final = ".dead-letters"

# What exactness rests on, or what has an argument of its own.
_OURS: Final = {
    "bootstrap.servers": "given as the brokers",
    "group.id": "given as the group",
    "enable.auto.commit": "false: offsets are committed after the durable record",
    "enable.auto.offset.store": "false: offsets are committed after the durable record",
    "enable.idempotence": "true: dead letters are acknowledged by all replicas",
    "acks": "all: dead letters are acknowledged by all replicas",
    "request.required.acks": "all: dead letters are acknowledged by all replicas",
    "batch.num.messages": "1: dead letters are refused one by one",
    "plugin.library.paths": "not taken: it would load code",
}


@dataclass(frozen=True)
class KafkaSettings:
    """Where to read, and how much at once.

    Attributes:
        brokers: `host:port`, separated by commas.
        topics: read all.
        group: of consumers that share the topics' partitions.
        dead_letter_topic: where messages go that are no event; the first topic's name and `.dead-letters` by default.
        options: properties of librdkafka, SASL and TLS above all. `consumer.NAME` and `producer.NAME` are for one side
            only, the producer being that of dead letters.
        strict: refuse events that break OpenLineage's specification: dead letters too.
        batch_events, batch_bytes: recorded in one transaction at most; a larger event goes alone.
        linger_s: how long a batch that is not full waits for more.
        max_event_bytes: a larger message is a dead letter.
    """

    brokers: str
    topics: tuple[str, ...]
    group: str = "wherefrom"
    dead_letter_topic: str = ""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    strict: bool = False
    batch_events: int = 1000
    batch_bytes: int = 8 << 20
    linger_s: float = 0.05
    max_event_bytes: int = 10 << 20

    def __post_init__(self) -> None:
        if not self.brokers or not self.group or not self.topics or not all(self.topics):
            raise FormatError("reading from Kafka needs brokers (host:port), at least one topic and a group")
        if not self.dead_letter_topic:
            object.__setattr__(self, "dead_letter_topic", self.topics[0] + DEAD_LETTERS_SUFFIX)
        if self.dead_letter_topic in self.topics:
            raise FormatError(f"topic {self.dead_letter_topic!r} is read and the one for dead letters: name another")
        for name in self.options:
            if why := _OURS.get(name.removeprefix("consumer.").removeprefix("producer.")):
                raise FormatError(f"Kafka option {name!r} is not yours to set; it is {why}")

    def consumer_config(self) -> dict[str, str]:
        """Properties of the consumer; the brokers' defaults come first, so that `options` may change them."""
        return {
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # Not cooperative-sticky: leaving during a rebalance may abort the process (librdkafka issues 4308, 4312).
            "partition.assignment.strategy": "range,roundrobin",
            # What is fetched ahead lies in memory: enough for the next batches.
            "queued.max.messages.kbytes": "32768",
            **self._options("consumer."),
            "bootstrap.servers": self.brokers,
            "group.id": self.group,
            "enable.auto.commit": "false",
        }

    def producer_config(self) -> dict[str, str]:
        """Properties of the producer of dead letters."""
        return {
            # The topic's own limit decides, not the client's.
            "message.max.bytes": "1000000000",
            "message.timeout.ms": "30000",
            **self._options("producer."),
            "bootstrap.servers": self.brokers,
            "enable.idempotence": "true",
            "acks": "all",
            # A broker refuses a batch as a whole: one large letter would have its neighbours refused too.
            "batch.num.messages": "1",
        }

    def redact(self, text: str) -> str:
        """A message of the library's, without the values of options: it repeats those that it refuses."""
        for value in sorted(map(str, self.options.values()), key=len, reverse=True):
            if value and value in text:
                text = text.replace(value, "…")
        return text

    def _options(self, side: str) -> dict[str, str]:
        common = {k: v for k, v in self.options.items() if not k.startswith(("consumer.", "producer."))}
        return common | {k.removeprefix(side): v for k, v in self.options.items() if k.startswith(side)}


def parse_options(pairs: Iterable[str], *, file: Path | None = None) -> dict[str, str]:
    """Options from `name=value` texts, and from a file with one a line (`#` begins a comment line).

    The texts go before the file. Raises FormatError, which shows no value; NotFoundError for a file that is not there.
    """
    found: dict[str, str] = {}
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no file {file} with options of Kafka") from error
        except (OSError, UnicodeDecodeError) as error:
            raise FormatError(f"{file}, options of Kafka, cannot be read: {type(error).__name__}") from error
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.lstrip().startswith("#"):
                name, value = _parse_option(line, f"{file} line {number}")
                found[name] = value
    return found | dict(_parse_option(pair, "Kafka option") for pair in pairs)


def _parse_option(text: str, where: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise FormatError(f"{where}: expected name=value, as in security.protocol=SASL_SSL")
    return name.strip(), value.strip()
