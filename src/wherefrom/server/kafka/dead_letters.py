"""The topic for messages that are no event: kept whole, with the reason, before their offset is committed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from wherefrom.errors import UnavailableError
from wherefrom.server.logs import LOGGER

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

    from wherefrom.server.kafka.settings import KafkaSettings

_FLUSH_S: Final = 60
_MAX_REASON: Final = 2000


class DeadLetters:
    """Sends messages to the dead-letter topic, with headers beside their own.

    `wherefrom-error` says why, `wherefrom-topic`, `wherefrom-partition`, `wherefrom-offset` and `wherefrom-timestamp`
    (milliseconds, as the message had it) where from. A message too large for the topic is sent without its value, with
    `wherefrom-bytes` and `wherefrom-sha256`.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Producer | None = None
        self._sent: set[tuple[str, int, int]] = set()

    def send(self, refused: Sequence[tuple[Message, str]]) -> None:
        """Return when the broker has acknowledged all. Asked again for the same batch, only what is missing is sent.

        Raises UnavailableError: some could not be sent.
        """
        from confluent_kafka import KafkaError

        waiting = [(message, reason) for message, reason in refused if _place(message) not in self._sent]
        if not waiting:
            return
        problems = self._send(waiting, whole=True)
        too_large = {
            place for place, error in problems.items() if error and error.code() == KafkaError.MSG_SIZE_TOO_LARGE
        }
        if too_large:
            again = [(message, reason) for message, reason in waiting if _place(message) in too_large]
            problems |= self._send(again, whole=False)
        self._sent |= {place for place, error in problems.items() if error is None}
        if failed := [error for error in problems.values() if error]:
            topic = self._settings.dead_letter_topic
            why = self._settings.redact(failed[0].str())
            raise UnavailableError(f"{len(failed)} dead letters could not be sent to topic {topic!r}: {why}")

    def forget(self) -> None:
        """The batch is done: its messages will not be sent again."""
        self._sent.clear()

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(0)
            self._producer = None

    def _send(
        self, refused: Sequence[tuple[Message, str]], *, whole: bool
    ) -> dict[tuple[str, int, int], KafkaError | None]:
        """What the broker said of each message; None where it has it."""
        from confluent_kafka import KafkaError, KafkaException

        producer = self._open()
        timed_out = KafkaError(KafkaError._MSG_TIMED_OUT)  # noqa: SLF001 - librdkafka's own name
        answers: dict[tuple[str, int, int], KafkaError | None] = {_place(message): timed_out for message, _ in refused}
        for message, reason in refused:
            place = _place(message)

            def delivered(error: KafkaError | None, _: Message, place: tuple[str, int, int] = place) -> None:
                answers[place] = error

            try:
                producer.produce(
                    self._settings.dead_letter_topic,
                    value=message.value() if whole else None,
                    key=message.key(),
                    headers=_headers(message, reason, whole=whole),
                    on_delivery=delivered,
                )
            except KafkaException as error:
                answers[place] = error.args[0]
            except BufferError:  # the client's queue is full: the rest goes with the next attempt
                break
        producer.flush(_FLUSH_S)
        return dict(answers)

    def _open(self) -> Producer:
        from confluent_kafka import KafkaException, Producer

        if self._producer is None:
            try:
                self._producer = Producer(self._settings.producer_config(), logger=LOGGER)
            except KafkaException as error:
                raise UnavailableError(f"Kafka's producer: {self._settings.redact(str(error))}") from None
        return self._producer


def _place(message: Message) -> tuple[str, int, int]:
    return str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)


def _headers(message: Message, reason: str, *, whole: bool) -> list[tuple[str, Any]]:
    topic, partition, offset = _place(message)
    value = message.value() or b""
    ours = {
        "wherefrom-error": reason[:_MAX_REASON],
        "wherefrom-topic": topic,
        "wherefrom-partition": str(partition),
        "wherefrom-offset": str(offset),
        "wherefrom-timestamp": str(message.timestamp()[1]),
    }
    if not whole:
        ours |= {"wherefrom-bytes": str(len(value)), "wherefrom-sha256": hashlib.sha256(value).hexdigest()}
    headers = cast("list[tuple[str, Any]]", message.headers() or [])
    theirs = [(name, content) for name, content in headers if name not in ours]
    return [*theirs, *((name, content.encode("utf-8", "backslashreplace")) for name, content in ours.items())]
