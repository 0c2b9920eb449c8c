"""Kafka offsets that a Spark application reads, kept as lineage: OpenLineage's own listener names topics, not offsets.

Each query that read a topic becomes one OpenLineage event of the application's run, with the facet
`wherefrom_kafkaOffsets` on its input data set: docs/spec/openlineage-facets.md.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final, Self

from wherefrom import fetch
from wherefrom.errors import FormatError, UnavailableError, WherefromError
from wherefrom.spark.kafka_plans import TopicOffsets, read_batch_plan, read_progress
from wherefrom.version import __version__

PRODUCER: Final = f"https://w3id.org/wherefrom/{__version__}"
FACET: Final = "wherefrom_kafkaOffsets"
_FACET_SCHEMA: Final = f"https://w3id.org/wherefrom/facets/1-0-0/{FACET}.json"
_EVENT_SCHEMA: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_LISTENER: Final = "io.openlineage.spark.agent.OpenLineageSparkListener"
_TRANSPORT: Final = "spark.openlineage.transport."
_FIND_RUN_S: Final = 30.0
_ATTEMPTS: Final = 5
_LOG: Final = logging.getLogger("wherefrom.spark")

Send = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class SparkRun:
    """The run that events are of; `run_id` a UUID."""

    namespace: str
    job: str
    run_id: str


def keep_kafka_offsets(spark: Any, *, send: Send | None = None, run: SparkRun | None = None) -> KafkaOffsets:
    """Have the offsets of all topics that this session reads sent as OpenLineage events, until `close`.

    Structured streaming: what each micro-batch read. Batch reads: what the plan says; an end left open ("earliest",
    "latest", Spark's defaults) is not in it, `pin_kafka_offsets` closes it. A problem is logged, as "wherefrom.spark",
    and never breaks the application.

    Args:
        spark: a classic session, not Spark Connect.
        send: gets each event; by default it is posted where the session's OpenLineage HTTP transport posts.
        run: by default the application's run, as the session's OpenLineage listener has it.

    Raises UnavailableError: Spark Connect, or no OpenLineage listener to tell `run` by. FormatError: no HTTP transport
    to tell where to send.
    """
    if not hasattr(spark, "_jsparkSession"):
        raise UnavailableError("Kafka offsets are kept in classic Spark sessions, this one is of Spark Connect")
    return KafkaOffsets(spark, send or _http_sender(spark), run or _find_run(spark))


class KafkaOffsets:
    """Listens until `close`; a context manager. `sent` counts events that were taken."""

    def __init__(self, spark: Any, send: Send, run: SparkRun) -> None:
        self.sent = 0
        self._spark, self._send, self._run = spark, send, run
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._queries: dict[str, Any] = {}
        self._sender = threading.Thread(target=self._send_all, name="wherefrom-kafka-offsets", daemon=True)
        self._sender.start()
        # As pyspark's own listeners do. By import_module, since whether pyspark's types are there differs.
        gateway = import_module("pyspark.java_gateway")
        gateway.ensure_callback_server_started(spark.sparkContext._gateway)  # noqa: SLF001
        self._batches = _BatchListener(self)
        self._streams = _make_stream_listener(self)
        spark._jsparkSession.listenerManager().register(self._batches)  # noqa: SLF001
        spark.streams.addListener(self._streams)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, once Spark has told of what is finished; return when that is sent. Before `spark.stop()`."""
        session = self._spark._jsparkSession  # noqa: SLF001
        if self._sender.is_alive() and not session.sparkContext().isStopped():
            session.sparkContext().listenerBus().waitUntilEmpty()
            session.listenerManager().unregister(self._batches)
            self._spark.streams.removeListener(self._streams)
        self._events.put(None)
        self._sender.join()

    def on_batch(self, execution: Any) -> None:
        """A batch query is done: its QueryExecution."""
        self._queue(read_batch_plan(execution.executedPlan()), {"reading": "batch", "execution": int(execution.id())})

    def on_query(self, query_id: str) -> None:
        """A streaming query begins: found here, because it may have ended when its last progress comes."""
        found = self._spark._jsparkSession.streams().get(query_id)  # noqa: SLF001
        if found is not None:
            self._queries[query_id] = found.streamingQuery() if hasattr(found, "streamingQuery") else found

    def on_progress(self, progress: Any) -> None:
        """A micro-batch is done."""
        query = self._queries.get(str(progress.id))
        if query is not None and progress.numInputRows:
            what = {"id": str(progress.id), "runId": str(progress.runId), "batch": int(progress.batchId)}
            self._queue(read_progress(progress.sources, query), {"reading": "stream", "query": what})

    def on_query_end(self, query_id: str) -> None:
        self._queries.pop(query_id, None)

    def guarded(self, call: Callable[[], None]) -> None:
        """Spark's thread goes on, whatever happens here."""
        try:
            call()
        except Exception:  # noqa: BLE001 - a hook never breaks what it watches
            _LOG.warning("the Kafka offsets of a query are not kept", exc_info=True)

    def _queue(self, read: Sequence[TopicOffsets], how: dict[str, Any]) -> None:
        if inputs := [_to_input(one, how) for one in read if not one.is_empty()]:
            self._events.put(_make_event(self._run, inputs))

    def _send_all(self) -> None:
        while (event := self._events.get()) is not None:
            for attempt in range(_ATTEMPTS):
                try:
                    self._send(event)
                    self.sent += 1
                    break
                except Exception as error:  # noqa: BLE001 - whatever the given `send` raises
                    if attempt + 1 == _ATTEMPTS or not isinstance(error, UnavailableError):
                        _LOG.warning("an event with Kafka offsets is lost: %s", error)
                        break
                    time.sleep(2**attempt / 4)


class _BatchListener:
    """org.apache.spark.sql.util.QueryExecutionListener, called by Spark through py4j."""

    def __init__(self, keeper: KafkaOffsets) -> None:
        self._keeper = keeper

    def onSuccess(self, _name: str, execution: Any, _duration_ns: int) -> None:  # noqa: N802 - Spark's name
        self._keeper.guarded(lambda: self._keeper.on_batch(execution))

    def onFailure(self, _name: str, _execution: Any, _exception: Any) -> None:  # noqa: N802
        """What a failed query read is not known."""

    class Java:
        """What py4j asks: the interfaces that this object stands for."""

        implements: Final = ["org.apache.spark.sql.util.QueryExecutionListener"]


def _make_stream_listener(keeper: KafkaOffsets) -> Any:
    base: Any = import_module("pyspark.sql.streaming.listener").StreamingQueryListener

    class StreamListener(base):  # type: ignore[misc]
        def onQueryStarted(self, event: Any) -> None:  # noqa: N802
            keeper.guarded(lambda: keeper.on_query(str(event.id)))

        def onQueryProgress(self, event: Any) -> None:  # noqa: N802
            keeper.guarded(lambda: keeper.on_progress(event.progress))

        def onQueryIdle(self, event: Any) -> None:  # noqa: N802
            """Nothing was read."""

        def onQueryTerminated(self, event: Any) -> None:  # noqa: N802
            keeper.guarded(lambda: keeper.on_query_end(str(event.id)))

    return StreamListener()


def _to_input(read: TopicOffsets, how: dict[str, Any]) -> dict[str, Any]:
    facet: dict[str, Any] = {"_producer": PRODUCER, "_schemaURL": _FACET_SCHEMA, **how}
    ranges = sorted(
        (number, first, end) for number, (first, end) in read.partitions.items() if None not in {first, end}
    )
    facet["partitions"] = [
        {"partition": number, "first": first, "last": end - 1} for number, first, end in ranges if end and first != end
    ]
    if left_open := sorted(number for number, ends in read.partitions.items() if None in ends):
        facet["open"] = left_open
    return {"namespace": f"kafka://{read.brokers}", "name": read.topic, "inputFacets": {FACET: facet}}


def _make_event(run: SparkRun, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        # The application goes on: this adds to what is known of its run.
        "eventType": "OTHER",
        "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "run": {"runId": run.run_id},
        "job": {"namespace": run.namespace, "name": run.job},
        "inputs": inputs,
        "outputs": [],
        "producer": PRODUCER,
        "schemaURL": _EVENT_SCHEMA,
    }


def _http_sender(spark: Any) -> Send:
    conf = spark.sparkContext.getConf()
    url, kind = conf.get(f"{_TRANSPORT}url"), conf.get(f"{_TRANSPORT}type")
    if not url or kind != "http":
        raise FormatError(
            f"{_TRANSPORT}type is {kind!r} and {_TRANSPORT}url {url!r}: expected http and where to send",
            hint="or give a function: keep_kafka_offsets(spark, send=…)",
        )
    endpoint = conf.get(f"{_TRANSPORT}endpoint") or "api/v1/lineage"
    token = conf.get(f"{_TRANSPORT}auth.apiKey")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    target = f"{url.rstrip('/')}/{endpoint.lstrip('/')}"

    def send(event: dict[str, Any]) -> None:
        reply = fetch.request("POST", target, body=json.dumps(event).encode(), headers=headers)
        if reply.status >= 300:
            text = f"{target} answered {reply.status}: {reply.body[:500].decode(errors='replace')}"
            raise UnavailableError(text) if reply.status in {429, 500, 502, 503, 504} else WherefromError(text)

    return send


def _find_run(spark: Any) -> SparkRun:
    """The application's run: OpenLineage's listener chose its id and spelled its job's name."""
    from py4j.java_gateway import get_field

    listeners = spark.sparkContext._jsc.sc().listenerBus().listeners()  # noqa: SLF001
    all_of_them = [listeners.get(position) for position in range(listeners.size())]
    for listener in all_of_them:
        if str(listener.getClass().getName()) != _LISTENER:
            continue
        field = listener.getClass().getDeclaredField("contextFactory")
        field.setAccessible(True)
        deadline = time.monotonic() + _FIND_RUN_S
        while (factory := field.get(listener)) is None and time.monotonic() < deadline:
            time.sleep(0.05)  # it is made when the application's start is told, in a thread of Spark's
        if factory is not None:
            emitter = get_field(factory, "openLineageEventEmitter")
            return SparkRun(
                str(emitter.getJobNamespace()), str(emitter.getApplicationJobName()), str(emitter.getApplicationRunId())
            )
    raise UnavailableError(
        "this Spark session has no OpenLineage listener that tells the application's run",
        hint=f"set spark.extraListeners to {_LISTENER}, or give keep_kafka_offsets(spark, run=SparkRun(…))",
    )
