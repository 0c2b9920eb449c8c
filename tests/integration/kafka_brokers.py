"""Apache Kafka on loopback: one broker, which can be killed and started again."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from service_jars import jars_for

DEADLINE_S = 90


def free_ports(count):
    """Ports below those that the system hands out by itself: one that a stopped broker had is not taken meanwhile."""
    found = []
    while len(found) < count:
        port = random.randint(20_000, 32_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


class ApacheKafka:
    """One broker in KRaft mode, which keeps what it acknowledged in `folder` when it is killed."""

    def __init__(self, folder, jars):
        self.folder, self.jars = Path(folder), jars
        self.port, controller = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        self.process = None
        self.settings = self.folder / "server.properties"
        self.settings.write_text(
            "\n".join(
                f"{name}={value}"
                for name, value in {
                    "process.roles": "broker,controller",
                    "node.id": 1,
                    "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}",
                    "advertised.listeners": f"PLAINTEXT://{self.address}",
                    "controller.listener.names": "CONTROLLER",
                    "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                    "log.dirs": self.folder / "data",
                    "num.partitions": 3,
                    "offsets.topic.num.partitions": 1,
                    "offsets.topic.replication.factor": 1,
                    "transaction.state.log.num.partitions": 1,
                    "transaction.state.log.replication.factor": 1,
                    "transaction.state.log.min.isr": 1,
                    "group.initial.rebalance.delay.ms": 0,
                    "log.cleaner.dedupe.buffer.size": 4 << 20,
                }.items()
            )
        )
        self._java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", self.settings).wait(60)
        self.start()

    def _java(self, *arguments):
        with (self.folder / "broker.log").open("ab") as log:
            return subprocess.Popen(
                ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, self.jars)), *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def start(self):
        self.process = self._java("kafka.Kafka", self.settings)
        wait_for_port(self.port, self.process)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()


def wait_for_port(port, process):
    deadline = time.monotonic() + DEADLINE_S
    while True:
        assert process.poll() is None, f"the broker ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the broker does not listen"
            time.sleep(0.1)


@contextlib.contextmanager
def apache_kafka():
    """Apache Kafka, or the test is skipped with what is missing."""
    jars = jars_for("kafka")
    if not jars:
        pytest.skip("Apache Kafka's jars are missing: python tests/integration/service_jars.py")
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        pytest.skip("java is missing, which Kafka runs on")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(ApacheKafka(folder, jars)) as broker:
        yield broker
