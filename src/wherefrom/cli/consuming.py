"""`consume`: OpenLineage events from Kafka into the archive, until told to stop."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from wherefrom.cli.app import app, find_archive


@app.command("consume")
def consume(
    *,
    brokers: Annotated[
        str, typer.Option(help="HOST:PORT, several separated by commas.", envvar="WHEREFROM_KAFKA_BROKERS")
    ],
    topic: Annotated[list[str], typer.Option(help="A topic with OpenLineage events; may be given again.")],
    group: Annotated[str, typer.Option(help="Consumers of one group share the work.")] = "wherefrom",
    dead_letter_topic: Annotated[
        str, typer.Option(help="For messages that are no event; else the first topic's name and `.dead-letters`.")
    ] = "",
    strict: Annotated[bool, typer.Option(help="Events that break the specification are dead letters too.")] = False,
    options: Annotated[
        Path | None, typer.Option(help="A file with options of librdkafka, NAME=VALUE a line: passwords belong there.")
    ] = None,
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, as security.protocol=SSL; many.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Answer Prometheus at /metrics here, on loopback; 0: any.")
    ] = None,
) -> None:
    """Record OpenLineage events from Kafka: each once, durably, before its offset is committed.

    Ends on SIGTERM or Ctrl-C, in order. Exit status: 0 told to stop, 1 the ledger takes nothing more,
    3 the client gave up.
    Example: `wherefrom consume --brokers localhost:9092 --topic openlineage`
    """
    from wherefrom.server.kafka import KafkaIntake, KafkaSettings, parse_options
    from wherefrom.server.kafka.metrics import serve_metrics
    from wherefrom.server.logs import configure_logs

    settings = KafkaSettings(
        brokers=brokers,
        topics=tuple(topic),
        group=group,
        dead_letter_topic=dead_letter_topic,
        options=parse_options(option or [], file=options),
        strict=strict,
    )
    configure_logs()
    archive = find_archive()
    try:
        intake = KafkaIntake(archive, settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: intake.request_stop())
        with contextlib.ExitStack() as stack:
            if metrics_port is not None:
                port, close = serve_metrics(intake, host="127.0.0.1", port=metrics_port)
                stack.callback(close)
                typer.echo(f"http://127.0.0.1:{port}/metrics")
            intake.run()
    finally:
        archive.close()
