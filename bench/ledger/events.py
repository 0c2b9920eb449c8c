"""The whole way: OpenLineage run events of 3.4 KB with two inputs and one output, signed or verified, and projected."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import tempfile
import threading
import time
import uuid
from pathlib import Path

from ledger.databases import Place
from ledger.machine import rss_mib, spread_ms
from wherefrom.archive import Archive
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


def record_parsed(archive: Archive, bodies: list[bytes]) -> None:
    """What a server does with what it is sent: read, check, sign, record."""
    made: list[Statement] = [parse_event_statement(body) for body in bodies]
    archive.record(*made)


def open_archive(place: Place, folder: Path) -> Archive:
    url = place.url()
    return Archive.init(folder, namespace="bench", **({"database_url": url} if url else {}))


def run(place: Place, count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        archive = open_archive(place, Path(name))
        size = len(event("x", 1))
        print(f"{place.name}: events of {size:,} bytes, to receipts")
        try:
            for batch in (1, 100, 1000):
                _single(place, archive, batch, min(count, 300 * batch))
            _signed_elsewhere(place, archive, min(count, 5000))
            _threads(place, archive, 16, count // 4)
            _processes(place, archive, 16, count // 4)
            stored = place.count_bytes(archive.folder) / archive.size()
            print(
                f"{place.name}: {archive.size():,} entries, {stored:,.0f} bytes each with views; "
                f"{rss_mib():.0f} MiB of memory",
                flush=True,
            )
        finally:
            archive.close()


def _single(place: Place, archive: Archive, batch: int, count: int) -> None:
    bodies, spent = statements(f"single-{batch}", 0, count), []
    for at in range(0, count, batch):
        start = time.perf_counter()
        record_parsed(archive, bodies[at : at + batch])
        spent.append(time.perf_counter() - start)
    print(
        f"{place.name}: one producer, batches of {batch:>5,}: {count / sum(spent):7,.0f}/s  {spread_ms(spent)}",
        flush=True,
    )


def _signed_elsewhere(place: Place, archive: Archive, count: int) -> None:
    """Envelopes that a producer signed: each signature is verified."""
    key = archive._recorder.read_key("producer")  # noqa: SLF001 - the bench plays the producer
    made = [parse_event_statement(body) for body in statements("signed", 0, count)]
    envelopes = [sign_envelope(format_statement(one), {key.verifier_key.label: key}) for one in made]
    spent = []
    for at in range(0, count, 100):
        start = time.perf_counter()
        archive.record_envelopes(envelopes[at : at + 100])
        spent.append(time.perf_counter() - start)
    print(
        f"{place.name}: signed elsewhere, batches of 100: {count / sum(spent):7,.0f}/s  {spread_ms(spent)}", flush=True
    )


def _threads(place: Place, archive: Archive, producers: int, count: int) -> None:
    """Each thread records its events one by one: they share commits."""
    spent: list[float] = []
    bodies = [statements(f"thread-{number}", 0, count // producers) for number in range(producers)]

    def produce(mine: list[bytes]) -> None:
        for body in mine:
            start = time.perf_counter()
            record_parsed(archive, [body])
            spent.append(time.perf_counter() - start)

    threads = [threading.Thread(target=produce, args=(mine,)) for mine in bodies]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(spent) / (time.perf_counter() - start)
    print(f"{place.name}: {producers} threads, one by one: {rate:7,.0f}/s  {spread_ms(spent)}", flush=True)


def _produce_in_process(folder: Path, name: str, count: int, ready: object, results: object) -> None:
    archive = Archive.open(folder)
    bodies, spent = statements(name, 0, count), []
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
