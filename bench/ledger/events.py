"""The whole way: OpenLineage run events of 3.4 KB with two inputs and one output, signed or verified, and projected.

Others may be at work on the machine: beside events per second stands the processor's time that this process took for
each, which hardly depends on them.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Self

from ledger.databases import Place
from ledger.machine import rss_mib, spread_ms
from wherefrom.archive import Archive
from wherefrom.server.running import keep_collector_calm
from wherefrom.statements import Statement, format_statement, parse_event_statement, sign_envelope

FACET = {"_producer": "https://example.com/bench", "_schemaURL": "https://example.com/bench"}
COLUMNS = [{"name": f"column_{number}", "type": "bigint", "description": "as measured"} for number in range(10)]


def dataset(name: str) -> dict:
    digest = hashlib.sha256(name.encode()).hexdigest()
    fingerprint = {**FACET, "digests": {"sha256": digest}, "known": "observed", "totalBytes": 1 << 20}
    return {
        "namespace": "bench",
        "name": name,
        "facets": {"wherefrom_fingerprint": fingerprint, "schema": {**FACET, "fields": COLUMNS}},
    }


def event(name: str, number: int) -> bytes:
    """One run that reads what the run before it wrote, as it would come over the network."""
    body = {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-21T08:00:00Z",
        "producer": FACET["_producer"],
        "schemaURL": FACET["_schemaURL"],
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}-{number}")), "facets": {}},
        "job": {"namespace": "bench", "name": f"step-{number % 50}"},
        "inputs": [dataset(f"{name}/t{number}"), dataset(f"{name}/side{number}")],
        "outputs": [dataset(f"{name}/t{number + 1}")],
    }
    return json.dumps(body).encode()


def statements(name: str, start: int, count: int) -> list[bytes]:
    return [event(name, number) for number in range(start, start + count)]


def column_event(name: str, number: int, *, among: int = 5000) -> bytes:
    """What a job sends each time it runs: schemas, and which of ten columns comes from where; `among` so many jobs."""
    at = number % among
    inputs, output = [f"{name}/t{at}", f"{name}/side{at}"], f"{name}/t{at + 1}"
    facet = {"_producer": FACET["_producer"], "_schemaURL": FACET["_schemaURL"]}
    schema = {**facet, "fields": [{"name": f"col_{number}", "type": "bigint"} for number in range(10)]}
    way = [{"type": "DIRECT", "subtype": "IDENTITY", "masking": False}]
    sources = [
        {"namespace": "s3://lake", "name": inputs[i % 2], "field": f"col_{i}", "transformations": way}
        for i in range(10)
    ]
    fields = {f"col_{i}": {"inputFields": [source]} for i, source in enumerate(sources)}
    body = {
        "eventType": "COMPLETE",
        "eventTime": f"2026-11-21T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "producer": FACET["_producer"],
        "schemaURL": FACET["_schemaURL"],
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}-{number}")), "facets": {}},
        "job": {"namespace": "bench", "name": f"{name}-{at}"},
        "inputs": [{"namespace": "s3://lake", "name": one, "facets": {"schema": schema}} for one in inputs],
        "outputs": [
            {
                "namespace": "s3://lake",
                "name": output,
                "facets": {"schema": schema, "columnLineage": {**facet, "fields": fields}},
            }
        ],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def column_events(name: str, start: int, count: int) -> list[bytes]:
    return [column_event(name, number) for number in range(start, start + count)]


def record_parsed(archive: Archive, bodies: list[bytes]) -> None:
    """What a server does with what it is sent: read, check, sign, record."""
    made: list[Statement] = [parse_event_statement(body) for body in bodies]
    archive.record(*made)


def open_archive(place: Place, folder: Path) -> Archive:
    url = place.url()
    return Archive.init(folder, namespace="bench", **({"database_url": url} if url else {}))


def run(place: Place, count: int) -> None:
    keep_collector_calm()  # as a server does
    with tempfile.TemporaryDirectory() as name:
        archive = open_archive(place, Path(name))
        size = len(column_event("x", 1))
        print(f"{place.name}: events of {size:,} bytes, to receipts")
        try:
            for batch in (1, 100, 1000):
                _single(place, archive, batch, min(count, 300 * batch))
            _signed_elsewhere(place, archive, min(count, 5000))
            _threads(place, archive, 2, count, batch=100)
            _threads(place, archive, 32, count // 4, batch=1)
            _processes(place, archive, 16, count // 4)
            stored = place.count_bytes(archive.folder) / archive.size()
            print(
                f"{place.name}: {archive.size():,} entries, {stored:,.0f} bytes each with views; "
                f"{rss_mib():.0f} MiB of memory",
                flush=True,
            )
        finally:
            archive.close()


class Spent:
    """Prints, at the end of a block, how fast `count` events were."""

    def __init__(self, what: str, count: int) -> None:
        self.what, self.count = what, count
        self.each: list[float] = []

    def __enter__(self) -> Self:
        self.begun, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self.begun, time.process_time() - self.cpu
        print(
            f"{self.what}: {self.count / wall:7,.0f}/s  {cpu / self.count * 1e6:5.0f} µs of processor each  "
            f"{spread_ms(self.each)}  load {os.getloadavg()[0]:.1f}",
            flush=True,
        )

    def record(self, archive: Archive, bodies: list[bytes]) -> None:
        start = time.perf_counter()
        record_parsed(archive, bodies)
        self.each.append(time.perf_counter() - start)


def _single(place: Place, archive: Archive, batch: int, count: int) -> None:
    bodies = column_events(f"single-{batch}", 0, count)
    with Spent(f"{place.name}: one producer, batches of {batch:>5,}", count) as spent:
        for at in range(0, count, batch):
            spent.record(archive, bodies[at : at + batch])


def _signed_elsewhere(place: Place, archive: Archive, count: int) -> None:
    """Envelopes that a producer signed: each signature is verified."""
    key = archive._recorder.read_key("producer")  # noqa: SLF001 - the bench plays the producer
    made = [parse_event_statement(body) for body in column_events("signed", 0, count)]
    envelopes = [sign_envelope(format_statement(one), {key.verifier_key.label: key}) for one in made]
    with Spent(f"{place.name}: signed elsewhere, batches of 100", count) as spent:
        for at in range(0, count, 100):
            start = time.perf_counter()
            archive.record_envelopes(envelopes[at : at + 100])
            spent.each.append(time.perf_counter() - start)


def _threads(place: Place, archive: Archive, producers: int, count: int, *, batch: int) -> None:
    """Threads that record at the same time share commits: one prepares its events while another one commits."""
    each = max(count // producers // batch, 1) * batch
    bodies = [column_events(f"thread-{producers}-{number}", 0, each) for number in range(producers)]
    with Spent(f"{place.name}: {producers} threads, batches of {batch}", producers * each) as spent:

        def produce(mine: list[bytes]) -> None:
            for at in range(0, each, batch):
                spent.record(archive, mine[at : at + batch])

        threads = [threading.Thread(target=produce, args=(mine,)) for mine in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _produce_in_process(folder: Path, name: str, count: int, ready: object, results: object) -> None:
    archive = Archive.open(folder)
    bodies, spent = column_events(name, 0, count), []
    ready.wait(300)  # type: ignore[attr-defined]
    for at in range(0, count, 10):
        start = time.perf_counter()
        record_parsed(archive, bodies[at : at + 10])
        spent.append(time.perf_counter() - start)
    results.put(spent)  # type: ignore[attr-defined]
    archive.close()


def _processes(place: Place, archive: Archive, producers: int, count: int) -> None:
    """Each process records batches of ten: they take turns by the database's lock."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(producers + 1), context.Queue()
    each = max(count // producers // 10 * 10, 10)
    processes = [
        context.Process(target=_produce_in_process, args=(archive.folder, f"process-{number}", each, ready, results))
        for number in range(producers)
    ]
    for process in processes:
        process.start()
    ready.wait(300)
    start = time.perf_counter()
    spent = [value for _ in processes for value in results.get(timeout=600)]
    rate = producers * each / (time.perf_counter() - start)
    for process in processes:
        process.join()
    print(f"{place.name}: {producers} processes, batches of 10: {rate:7,.0f}/s  {spread_ms(spent)}", flush=True)
