"""The numbers of a consumer for Prometheus, on a port of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from wherefrom.errors import UnavailableError
from wherefrom.server.kafka.consumer import KafkaIntake

_HELP = {
    "read": "Messages read.",
    "recorded": "Events in the ledger, those read again and known already included.",
    "dead_letters": "Messages acknowledged by the dead-letter topic.",
    "empty": "Messages without a value, passed over.",
    "holds": "Times that recording had to wait for the database or the dead-letter topic.",
    "commits": "Commits of offsets.",
    "failed_commits": "Commits of offsets that failed; they are tried again.",
}


def serve_metrics(intake: KafkaIntake, *, host: str, port: int) -> tuple[int, Callable[[], None]]:
    """Answer `/metrics` in a thread; the port (0 takes a free one), and what ends it.

    Raises UnavailableError: the extra is missing, or the address is taken.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    except ImportError as error:
        raise UnavailableError("metrics need an extra: pip install 'wherefrom[server]'") from error

    class Numbers:
        def collect(self) -> Iterator[Any]:
            for name, help_text in _HELP.items():
                yield CounterMetricFamily(f"wherefrom_kafka_{name}", help_text, value=getattr(intake.counts, name))
            yield GaugeMetricFamily(
                "wherefrom_kafka_held", "1 while recording has to wait.", value=int(intake.problem is not None)
            )

    registry = CollectorRegistry()
    registry.register(Numbers())
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise UnavailableError(f"cannot listen on {host} port {port}: {error.strerror}") from error

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_port, close
