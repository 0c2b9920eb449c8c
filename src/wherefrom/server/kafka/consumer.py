"""The loop: read a batch, record it durably, send what is no event to the dead letters, only then commit offsets."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wherefrom.archive.taking import Taken, take_events
from wherefrom.errors import ConflictError, UnavailableError, WherefromError
from wherefrom.server.kafka.dead_letters import DeadLetters
from wherefrom.server.logs import LOGGER, log

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

    from wherefrom.archive import Archive
    from wherefrom.server.kafka.settings import KafkaSettings

_POLL_S: Final = 0.5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 30.0
_WAIT_BETWEEN_COMMITS_S: Final = 5.0

_Place = tuple[str, int]  # topic and partition


@dataclass
class KafkaCounts:
    """What happened since the start, as numbers that only rise; written by one thread.

    Attributes:
        read: messages.
        recorded: events in the ledger, those read again and known already included.
        dead_letters: messages acknowledged by the dead-letter topic.
        empty: messages without a value (tombstones), which say nothing.
        holds: how often recording had to wait for the database or for the dead-letter topic.
        commits, failed_commits: of offsets; what failed is tried again.
    """

    read: int = 0
    recorded: int = 0
    dead_letters: int = 0
    empty: int = 0
    holds: int = 0
    commits: int = 0
    failed_commits: int = 0


class KafkaIntake:
    """One member of a consumer group. `run` in a thread of your own, or `start` and `stop`.

    Attributes:
        counts: see there.
        problem: why nothing can be recorded just now; None when all is well.
    """

    def __init__(self, archive: Archive, settings: KafkaSettings) -> None:
        """Raises UnavailableError: the extra is missing, or librdkafka refuses an option."""
        try:
            import confluent_kafka
        except ImportError as error:
            raise UnavailableError("reading from Kafka needs an extra: pip install 'wherefrom[kafka]'") from error
        self._archive, self._settings = archive, settings
        self.counts = KafkaCounts()
        self.problem: str | None = None
        self._dead_letters = DeadLetters(settings)
        self._early: list[Message] = []  # came while a batch was held back
        self._revoked: set[_Place] = set()  # since the batch was read
        self._done: dict[_Place, int] = {}  # the next offset to read of each partition, not committed yet
        self._commit_after = 0.0
        self._said: set[str] = set()  # problems logged since something was last recorded
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        try:
            self._consumer: Consumer = confluent_kafka.Consumer(
                settings.consumer_config() | {"error_cb": self._on_error}, logger=LOGGER
            )
        except confluent_kafka.KafkaException as error:  # its text repeats the value it refuses
            raise UnavailableError(f"Kafka's consumer: {settings.redact(str(error))}") from None

    def run(self) -> None:
        """Read until `stop`; leaves the group in order. Once.

        Raises UnavailableError when librdkafka gives up, and VerificationError when the ledger takes nothing more.
        """
        consumer, settings = self._consumer, self._settings
        consumer.subscribe(
            list(settings.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        log("consuming", topics=settings.topics, group=settings.group, deadLetters=settings.dead_letter_topic)
        try:
            while not self._stop.is_set():
                for batch in self._batches(self._read()):
                    self._settle(batch)
                self._commit()
        finally:
            self._dead_letters.close()
            consumer.close()
            log("stopped consuming", **vars(self.counts))

    def start(self) -> None:
        """`run` in a thread. What ends it before `stop` is logged, and stays as `problem`."""

        def run() -> None:
            try:
                self.run()
            except Exception as error:  # noqa: BLE001 - the thread's last words
                self.problem = f"reading from Kafka ended: {error}"
                log("consuming failed", level=logging.ERROR, error=error)

        self._thread = threading.Thread(target=run, name="wherefrom-kafka", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Have `run` return soon; safe in a signal handler."""
        self._stop.set()

    def stop(self) -> None:
        """Return when the batch under way is recorded and committed, or given back, and the group is left."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join()

    # --- reading

    def _read(self) -> list[Message]:
        """What is there to read; waits a little for the first, and `linger_s` for more."""
        self._revoked.clear()
        messages, self._early = self._early, []
        first = None if messages else self._consumer.poll(_POLL_S)
        if first is not None:
            messages = [first, *self._consumer.consume(self._settings.batch_events - 1, self._settings.linger_s)]
        good = []
        for message in messages:
            if error := message.error():
                self._on_error(error)
            else:
                good.append(message)
        self.counts.read += len(good)
        return good

    def _batches(self, messages: Sequence[Message]) -> Iterator[list[Message]]:
        batch: list[Message] = []
        size = 0
        for message in messages:
            length = len(message.value() or b"")
            if batch and (len(batch) == self._settings.batch_events or size + length > self._settings.batch_bytes):
                yield batch
                batch, size = [], 0
            batch.append(message)
            size += length
        if batch:
            yield batch

    # --- recording

    def _settle(self, batch: Sequence[Message]) -> None:
        """Record a batch, however long that takes; when told to stop meanwhile, leave it to be read again."""
        wait_s = _FIRST_WAIT_S
        is_held = False
        try:
            while not self._stop.is_set():
                # A partition that went to another member goes on there, from what was committed.
                batch = [message for message in batch if _place(message) not in self._revoked]
                try:
                    self._record(batch)
                except (UnavailableError, ConflictError) as error:
                    is_held = True
                    self._say_held(error)
                    self._hold(wait_s)
                    wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                else:
                    self._note_done(batch)
                    return
        finally:
            if is_held:
                self._consumer.resume(self._consumer.assignment())

    def _record(self, batch: Sequence[Message]) -> None:
        limit = self._settings.max_event_bytes
        events = [(message, value) for message in batch if (value := message.value()) is not None]
        fitting = [(message, value) for message, value in events if len(value) <= limit]
        refused = [
            (message, f"{len(value)} bytes, more than the limit of {limit}")
            for message, value in events
            if len(value) > limit
        ]
        answers = self._take([value for _, value in fitting])
        refused += [
            (message, str(answer.error))
            for (message, _), answer in zip(fitting, answers, strict=True)
            if answer.error is not None
        ]
        self._dead_letters.send(refused)
        self._dead_letters.forget()
        self.problem = None
        self._said.clear()
        self.counts.recorded += sum(answer.receipt is not None for answer in answers)
        self.counts.dead_letters += len(refused)
        self.counts.empty += len(batch) - len(events)
        for message, reason in refused:
            topic, partition = _place(message)
            log(
                "dead letter",
                level=logging.WARNING,
                topic=topic,
                partition=partition,
                offset=message.offset(),
                why=reason,
            )

    def _take(self, bodies: Sequence[bytes]) -> list[Taken]:
        return take_events(self._archive, bodies, strict=self._settings.strict) if bodies else []

    def _hold(self, wait_s: float) -> None:
        """Wait, staying a member of the group: partitions are paused, and polling goes on."""
        deadline = time.monotonic() + wait_s
        while not self._stop.is_set() and (left := deadline - time.monotonic()) > 0:
            self._consumer.pause(self._consumer.assignment())
            if (message := self._consumer.poll(min(left, _POLL_S))) is not None:
                self._early.append(message)  # of a partition assigned just now: its turn comes

    def _say_held(self, error: WherefromError) -> None:
        self.counts.holds += 1
        self.problem = str(error)
        self._say_once("held back", self.problem)

    # --- offsets

    def _note_done(self, batch: Sequence[Message]) -> None:
        for message in batch:
            self._done[_place(message)] = int(message.offset() or 0) + 1

    def _commit(self, only: set[_Place] | None = None) -> None:
        """Commit what is done. A failure is tried again; were it never, the messages would be read again, and known."""
        from confluent_kafka import KafkaException, TopicPartition

        chosen = {place: offset for place, offset in self._done.items() if only is None or place in only}
        if not chosen or (only is None and time.monotonic() < self._commit_after):
            return
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in chosen.items()]
        try:
            answers = self._consumer.commit(offsets=offsets, asynchronous=False) or []
            if failed := next((answer.error for answer in answers if answer.error), None):
                raise KafkaException(failed)
        except KafkaException as error:
            self.counts.failed_commits += 1
            self._commit_after = time.monotonic() + _WAIT_BETWEEN_COMMITS_S
            log("offsets not committed", level=logging.WARNING, problem=self._settings.redact(str(error)))
            return
        self.counts.commits += 1
        for place in chosen:
            del self._done[place]

    # --- librdkafka's callbacks, all called inside of poll, consume and close

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        # Read from what was committed, so whatever of them lies in the batch under way may be recorded once more.
        self._revoked -= {(one.topic, one.partition) for one in partitions}
        log("partitions assigned", partitions=[f"{one.topic}/{one.partition}" for one in partitions])

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._commit({(one.topic, one.partition) for one in partitions})
        self._forget(partitions)

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            self._revoked.add((one.topic, one.partition))
            self._done.pop((one.topic, one.partition), None)
        self._early = [message for message in self._early if _place(message) not in self._revoked]
        log("partitions given up", partitions=[f"{one.topic}/{one.partition}" for one in partitions])

    def _on_error(self, error: KafkaError) -> None:
        """Most pass by themselves: a broker restarts, a topic is not there yet."""
        text = self._settings.redact(error.str())
        if error.fatal():
            raise UnavailableError(f"Kafka's client gave up: {text}")
        self._say_once("kafka", text)

    def _say_once(self, event: str, problem: str) -> None:
        if problem not in self._said:
            log(event, level=logging.WARNING, problem=problem)
            self._said.add(problem)


def _place(message: Message) -> _Place:
    return str(message.topic()), int(message.partition() or 0)
