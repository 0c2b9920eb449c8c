"""The server on this machine: events taken per second over HTTP, and milliseconds for a question, on both databases.

    python bench/server.py [intake] [growth] [graph] [search] [--events N] [--database sqlite|postgresql]

`intake`: OpenLineage events of 3.4 KB (two inputs, one output, ten columns of lineage) in batches of 100, and singly
from 32 clients; each is durable and in the ledger when answered. `growth`: the same batches until there are N events,
and the rate in each tenth of them. `graph`: lineage over HTTP at 8 clients, on 55,646 and on 1,000,000 jobs.
`search`: names found among a million. The generator of the load runs beside the server, on the same processors. The
parts are in bench/server/.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ledger import databases, machine
from ledger.databases import Place
from server import running
from server.load import Load, send, template

JOBS = 1000
CONNECTIONS = 8
CLIENTS = 32
# Measured on a machine of this size: 2 cores, Python 3.11, PostgreSQL 15; a batch of 100, by way of Kafka.
PEER = "Data.Rentgen 0.3.1: 216/s into an empty database, 313/s when jobs and data sets are there"
PEER_RATE = 313


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part", help="intake, growth, graph, search")
    parser.add_argument("--events", type=int, default=20_000, help="to take")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this one")
    options = parser.parse_args()
    parts = options.parts or ["intake", "graph", "search"]
    if unknown := set(parts) - {"intake", "growth", "graph", "search"}:
        parser.error(f"no part {min(unknown)!r}; there are intake, growth, graph, search")
    print(f"this machine: {machine.describe()}")
    with tempfile.TemporaryDirectory() as folder:
        machine.print_floor(Path(folder))
    print(f"an event has {len(template(1)[1]):,} bytes; peer: {PEER}")
    for name in (options.database,) if options.database else ("sqlite", "postgresql"):
        with contextlib.nullcontext(databases.sqlite()) if name == "sqlite" else databases.postgresql() as place:
            if place is None:
                continue
            if "intake" in parts:
                _intake(place, options.events)
            if "growth" in parts:
                _growth(place, options.events)
            if "graph" in parts:
                from server import graph

                graph.run(place)
    if "search" in parts:
        from server import search

        search.run()


@contextlib.contextmanager
def _serving(place: Place) -> Iterator[tuple[str, str, int]]:
    """A server on a new archive: its URL, a token that may do everything, its process id."""
    with tempfile.TemporaryDirectory() as folder, running.serving(Path(folder), place.url()) as found:
        yield found


def _intake(place: Place, count: int) -> None:
    with _serving(place) as (url, token, pid):
        sent = 2 * JOBS
        send(url, token, jobs=JOBS, start=0, count=sent, batch=100, connections=CONNECTIONS)  # every job once
        for batch, connections, some in ((100, CONNECTIONS, count), (1, CLIENTS, count // 4)):
            size, before = _size(url, token), _cpu_s(pid)
            load = send(url, token, jobs=JOBS, start=sent, count=some, batch=batch, connections=connections)
            sent += some
            taken = _size(url, token) - size
            _print(place, load, taken, batch, connections, (_cpu_s(pid) - before) / max(taken, 1))


def _growth(place: Place, count: int) -> None:
    with _serving(place) as (url, token, pid):
        for tenth in range(10):
            start, before = _size(url, token), _cpu_s(pid)
            some = count // 10
            load = send(url, token, jobs=JOBS, start=tenth * some, count=some, batch=100, connections=CONNECTIONS)
            taken = _size(url, token) - start
            _print(place, load, taken, 100, CONNECTIONS, (_cpu_s(pid) - before) / max(taken, 1))
        print(f"{place.name}: {_size(url, token):,} entries; {machine.rss_mib(pid):,.0f} MiB of memory", flush=True)


def _print(place: Place, load: Load, taken: int, batch: int, connections: int, cpu_s: float) -> None:
    rate = taken / load.seconds
    how = f"batches of {batch:3}, {connections:2} connections"
    own_us = load.busy_s / max(taken, 1) * 1e6
    print(
        f"{place.name}: {how}: {rate:7,.0f} events/s, {rate / PEER_RATE:4.1f} × the peer  "
        f"{machine.spread_ms(load.spent)}  {cpu_s * 1e6:4.0f} µs of server and {own_us:3.0f} µs "
        f"of generator an event{f'  refused: {load.refused}' if load.refused else ''}",
        flush=True,
    )


def _size(url: str, token: str) -> int:
    """How many entries the ledger has: the second line of its checkpoint."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/plain"}
    request = urllib.request.Request(f"{url}/v1/checkpoint", headers=headers)  # noqa: S310 - a server of ours
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return int(answer.read().splitlines()[1])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
