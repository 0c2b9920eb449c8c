"""Load on a server from outside: OpenLineage events over HTTP/1.1 on connections that stay open, from one process.

What the generator spends counts against the machine too, so it is kept small: events come from templates, requests go
out as bytes on plain sockets, and of an answer only status and length are read.
"""

from __future__ import annotations

import json
import multiprocessing
import queue
import selectors
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

FACET = {"_producer": "https://example.com/bench", "_schemaURL": "https://example.com/bench/1-0-0/Facet.json"}
_RUN = "00000000-0000-4000-8000-000000000000"
_TIME = "2026-01-01T00:00:00.000Z"


def template(job: int) -> tuple[bytes, bytes]:
    """START and COMPLETE of a job that reads two tables and writes one, ten columns of it with their lineage."""
    names = [f"layer{job % 20}/table_{job}_{side}" for side in ("left", "right")]
    columns = [{"name": f"column_{number}", "type": "bigint"} for number in range(10)]
    schema = {"schema": {**FACET, "fields": columns}}
    read = {"schema": {**FACET, "fields": columns[:6]}}
    inputs = [{"namespace": "s3://bench", "name": name, "facets": read} for name in names]
    lineage = {
        f"column_{number}": {
            "inputFields": [
                {
                    "namespace": "s3://bench",
                    "name": names[number % 2],
                    "field": f"column_{number}",
                    "transformations": [{"type": "DIRECT", "subtype": "TRANSFORMATION"}],
                }
            ]
        }
        for number in range(10)
    }
    output = {
        "namespace": "s3://bench",
        "name": f"layer{job % 20 + 1}/table_{job}",
        "facets": {**schema, "columnLineage": {**FACET, "fields": lineage}},
    }
    made = []
    for kind in ("START", "COMPLETE"):
        body = {
            "eventType": kind,
            "eventTime": _TIME,
            "producer": FACET["_producer"],
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": _RUN, "facets": {}},
            "job": {"namespace": "bench", "name": f"job_{job}", "facets": {}},
            "inputs": inputs,
            "outputs": [output],
        }
        made.append(json.dumps(body, separators=(",", ":")).encode())
    return made[0], made[1]


def events(jobs: int, start: int, count: int) -> Iterator[bytes]:
    """Events number `start` on: the runs of all jobs in turn, START and then COMPLETE of each, every run a new one."""
    templates = [template(job) for job in range(jobs)]
    for number in range(start, start + count):
        run, half = divmod(number, 2)
        run_id = str(uuid.UUID(int=(0x1000 << 112) | (4 << 76) | (8 << 60) | run)).encode()
        seconds, rest = divmod(number, 1000)
        day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1767225600 + seconds))
        at = f"{day}.{rest:03d}Z".encode()
        yield templates[run % jobs][half].replace(_RUN.encode(), run_id, 1).replace(_TIME.encode(), at, 1)


@dataclass
class _Connection:
    socket: socket.socket
    waiting: bytearray = field(default_factory=bytearray)
    sent_at: float = 0.0


@dataclass(frozen=True)
class Load:
    """What came of it.

    Attributes:
        seconds: from the first request to the last answer.
        spent: seconds that each request took.
        refused: status codes that were not 2xx, and how often.
        busy_s: processor time of the generator itself.
    """

    seconds: float
    spent: list[float]
    refused: dict[int, int]
    busy_s: float


def send(url: str, token: str, *, jobs: int, start: int, count: int, batch: int, connections: int) -> Load:
    """Send events from a process of its own, `batch` in a request (1: alone), each connection one request at a time."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (url, token, jobs, start, count, batch, connections, results)
    process = context.Process(target=_send, args=arguments)
    process.start()
    while True:
        try:
            load: Load = results.get(timeout=5)
            break
        except queue.Empty:
            if not process.is_alive() and results.empty():
                raise RuntimeError("the load generator died") from None
    process.join()
    return load


def _requests(host: str, token: str, jobs: int, start: int, count: int, batch: int) -> Iterator[bytes]:
    head = (
        f"POST /api/v1/lineage{'/batch' if batch > 1 else ''} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: "
    ).encode()
    rest = events(jobs, start, count)
    while some := list(islice(rest, batch)):
        body = b"[" + b",".join(some) + b"]" if batch > 1 else some[0]
        yield head + str(len(body)).encode() + b"\r\n\r\n" + body


def _send(url: str, token: str, jobs: int, start: int, count: int, batch: int, connections: int, results) -> None:
    parts = urlsplit(url)
    whole = count // batch * batch
    waiting = _requests(parts.netloc, token, jobs, start, whole, batch)
    chooser, spent, refused, open_now = selectors.DefaultSelector(), [], {}, 0
    began, busy = time.perf_counter(), time.process_time()
    for _ in range(connections):
        request = next(waiting, None)
        if request is None:
            break
        made = socket.create_connection((parts.hostname, parts.port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(made, sent_at=time.perf_counter())
        chooser.register(made, selectors.EVENT_READ, connection)
        made.sendall(request)
        open_now += 1
    while open_now:
        for key, _ in chooser.select(60):
            connection = key.data
            data = connection.socket.recv(1 << 16)
            if not data:
                raise RuntimeError("the server closed a connection")
            connection.waiting += data
            status = _status(connection.waiting)
            if status is None:
                continue
            now = time.perf_counter()
            spent.append(now - connection.sent_at)
            if not 200 <= status < 300:
                refused[status] = refused.get(status, 0) + 1
            connection.waiting.clear()
            request = next(waiting, None)
            if request is None:
                chooser.unregister(connection.socket)
                connection.socket.close()
                open_now -= 1
            else:
                connection.sent_at = time.perf_counter()
                connection.socket.sendall(request)
    results.put(Load(time.perf_counter() - began, spent, refused, time.process_time() - busy))


def _status(data: bytearray) -> int | None:
    """The status of an answer that has come whole; None before."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end]).lower()
    at = head.find(b"content-length:")
    length = int(head[at + 15 : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None]) if at >= 0 else 0
    return int(head.split(b" ", 2)[1]) if len(data) >= end + 4 + length else None
