"""Lineage over HTTP on a graph in layers: milliseconds at 8 clients, as of now and as of earlier, on both databases.

The small graph has the numbers of a Marquez of which its users said that a question takes 10 to 15 s (its issue 3058):
55,646 jobs, 114,964 inputs and outputs, here in 20 layers. The rows of the views are written as they are: what is
measured is the graph, from the start of the server to the bytes of an answer.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
import urllib.parse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import machine

from server import running
from server.load import template

if TYPE_CHECKING:
    from ledger.databases import Place

    from wherefrom.archive import Archive

LAYERS = 20
SKEW = 3
SMALL = (55_646, 114_964)
LARGE = (1_000_000, 2_066_000)  # as many inputs and outputs for each job
# The large one on one database: questions are answered from memory, whatever the database.
SIZES = {"sqlite": (SMALL, LARGE), "postgresql": (SMALL,)}
LIMITS = (1000, 5000)  # nodes: the default, and the most
CLIENTS = 8
QUESTIONS = 40  # by each client
SPACES = 20
SETTLE_S = 3  # after the start: a server makes text ahead where all of it can be kept
START_US = 1_790_000_000_000_000


@dataclass(frozen=True)
class Layered:
    """A graph in layers, in order of jobs: what each reads and makes, as ids of data sets, which begin at 1."""

    jobs: list[tuple[list[int], list[int]]]
    datasets: int


def make_layered(jobs: int, ports: int, *, layers: int = LAYERS, seed: int = 1) -> Layered:
    """Each job makes one data set of its layer, and reads from the layer before; so many inputs and outputs in all.

    Some data sets are read by very many jobs, most by few or none.
    """
    chance = random.Random(seed)
    per_layer = -(-jobs // layers)
    inputs = ports - jobs
    made: list[tuple[list[int], list[int]]] = []
    sources = per_layer  # those that no job makes
    spare = inputs - jobs
    for job in range(jobs):
        layer = job // per_layer
        first = 1 if layer == 0 else 1 + sources + (layer - 1) * per_layer
        count = 1 + (chance.random() < spare / jobs)
        reads = {first + int(per_layer * chance.random() ** SKEW) for _ in range(count)}
        made.append((sorted(reads), [1 + sources + job]))
    return Layered(made, sources + jobs)


def fill(root: Path, graph: Layered, *, history: int = 0, database: str | None = None) -> int:
    """Make an archive in `root` whose views hold the graph, one event of each job; gives the entry of the first.

    The entries are in the ledger's tree, with nothing in them: recording is measured elsewhere.

    Args:
        history: of so many jobs, an earlier event, which said that they read something else.
        database: URL of the PostgreSQL schema that the archive is kept in; a file of the folder when None.
    """
    from wherefrom.archive import Archive
    from wherefrom.lineage.shape import Shape, format_shape
    from wherefrom.store.bulk import bulk_insert
    from wherefrom.store.schema import entities, events, jobs, runs, shapes

    archive = Archive.init(root, namespace="bench", database_url=database)
    base = archive.size()
    chance = random.Random(2)
    said = [(job, [chance.randrange(1, graph.datasets)], graph.jobs[job - 1][1]) for job in range(1, history + 1)]
    said += [(job, *ports) for job, ports in enumerate(graph.jobs, 1)]
    _append_entries(archive, len(said))
    names = [(n, f"warehouse{n % SPACES}", f"schema{n % 97}.table_{n:07}", base) for n in range(1, graph.datasets + 1)]
    job_names = [(n, f"team{n % SPACES}", f"pipeline{n % 89}.task_{n:07}", base) for n in range(1, len(graph.jobs) + 1)]
    rows: dict[str, list[tuple[object, ...]]] = {"runs": [], "events": [], "shapes": []}
    numbers: dict[str, int] = {}
    for entry, (job, inputs, outputs) in enumerate(said, base):
        body = format_shape(Shape.of([(n, "declared") for n in inputs], [(n, "declared") for n in outputs]))
        if body not in numbers:
            numbers[body] = len(numbers) + 1
            rows["shapes"].append((numbers[body], hashlib.sha256(body.encode()).digest(), body, entry))
        run = entry - base + 1
        at = START_US + entry
        rows["runs"].append((run, f"00000000-0000-4000-8000-{run:012}", job, None, entry))
        rows["events"].append((entry, run, job, 0, "COMPLETE", "2026-09-21T00:00:00Z", at, numbers[body]))
    with archive.writing() as connection:
        bulk_insert(connection, entities, names)
        bulk_insert(connection, jobs, job_names)
        for table in (runs, shapes, events):
            bulk_insert(connection, table, rows[table.name])
    archive.close()
    return base


def _append_entries(archive: Archive, count: int) -> None:
    from wherefrom.archive.folder import ArchiveFolder
    from wherefrom.ledger import Ledger, Submission, make_signed
    from wherefrom.statements import Envelope, make_event_statement
    from wherefrom.store import LedgerTables

    event = json.loads(template(0)[1].replace(b"column_", b"c"))
    statement = make_event_statement(event)
    signer = ArchiveFolder(archive.folder).read_key("log")
    for start in range(0, count, 10_000):
        numbers = range(start, min(count, start + 10_000))
        with archive.writing() as connection:
            some = [Submission(make_signed(statement, Envelope(b"%d" % n, ())), ("bench+00000000",)) for n in numbers]
            Ledger(signer).append(LedgerTables(connection), some)


def pick_nodes(graph: Layered, count: int, *, seed: int = 3) -> list[str]:
    """Data sets of the layers in the middle, as ids: each is read by some job, as those are that people ask about."""
    chance, middle = random.Random(seed), len(graph.jobs) // 2
    width = len(graph.jobs) // LAYERS
    picked = [graph.jobs[middle + chance.randrange(-4 * width, 4 * width)][0][0] for _ in range(count)]
    return [f"dataset:warehouse{n % SPACES}:schema{n % 97}.table_{n:07}" for n in picked]


@dataclass(frozen=True)
class Asked:
    """What the clients of one round saw: seconds, bytes and nodes of each answer; what the server's processor spent."""

    spent: list[float]
    sizes: list[int]
    nodes: list[int]
    server_s: float = 0.0

    @property
    def cuts(self) -> list[float]:
        return statistics.quantiles(self.spent, n=100)

    def say(self, what: str) -> str:
        cuts, nodes = self.cuts, sorted(self.nodes)
        return (
            f"{what}: {len(self.spent)} answers, p50 {cuts[49] * 1e3:6.1f} ms  p95 {cuts[94] * 1e3:6.1f} ms  "
            f"p99 {cuts[98] * 1e3:6.1f} ms;  nodes: median {nodes[len(nodes) // 2]:,}, most {nodes[-1]:,};  "
            f"bytes: median {sorted(self.sizes)[len(nodes) // 2]:,};  "
            f"{self.server_s / len(self.spent) * 1e3:.1f} ms of server an answer"
        )


def ask(url: str, token: str, paths: list[str], *, clients: int = CLIENTS) -> Asked:
    """Each client asks its share, one question after the other, over one connection."""
    with multiprocessing.get_context("fork").Pool(clients) as pool:
        shares = [(url, token, paths[number::clients]) for number in range(clients)]
        found = [one for share in pool.starmap(_ask_some, shares) for one in share]
    return Asked(*map(list, zip(*found, strict=True)))


def _ask_some(url: str, token: str, paths: list[str]) -> list[tuple[float, int, int]]:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=600)
    answers = []
    for path in paths:
        start = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        reply = connection.getresponse()
        body = reply.read()
        spent = time.perf_counter() - start
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {body[:300]!r}")
        answers.append((spent, len(body), body))
    connection.close()
    return [(spent, size, body.count(b'"distance":')) for spent, size, body in answers]


def measure(url: str, token: str, pid: int, graph: Layered, *, most: int, as_of: int | None = None) -> Asked:
    nodes = pick_nodes(graph, CLIENTS * QUESTIONS)
    more = f"&depth={LAYERS}&direction=both&maxNodes={most}" + (f"&asOf={as_of}" if as_of is not None else "")
    before = _cpu_s(pid)
    asked = ask(url, token, [f"/v1/lineage?node={urllib.parse.quote(node)}{more}" for node in nodes])
    return replace(asked, server_s=_cpu_s(pid) - before)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(place: Place) -> None:
    """Print the figures for each size that is measured on this database."""
    for jobs, ports in SIZES[place.name]:
        graph = make_layered(jobs, ports)
        mappings = sum(len(inputs) + len(outputs) for inputs, outputs in graph.jobs)
        print(f"{place.name}: {jobs:,} jobs, {mappings:,} inputs and outputs, {LAYERS} layers", flush=True)
        history = jobs // 10
        with tempfile.TemporaryDirectory() as folder:
            base = fill(Path(folder), graph, history=history, database=place.url())
            with running.serving(Path(folder)) as (url, token, pid):
                _run_one(url, token, pid, graph, as_of=base + history + jobs - 2)


def _run_one(url: str, token: str, pid: int, graph: Layered, *, as_of: int) -> None:
    start = time.perf_counter()
    ask(url, token, [f"/v1/lineage?node={urllib.parse.quote(pick_nodes(graph, 1)[0])}&depth=1"], clients=1)
    first = time.perf_counter() - start
    time.sleep(SETTLE_S)
    print(f"  first answer, the graph made from the views: {first:.1f} s; {machine.rss_mib(pid):,.0f} MiB", flush=True)
    for most in LIMITS:
        rounds = []
        for when, at in (("now", None), ("now, again", None), ("as of the entry before", as_of)):
            rounds.append(measure(url, token, pid, graph, most=most, as_of=at))
            print("  " + rounds[-1].say(f"depth 20 both ways, {most:,} nodes at most, {when}"), flush=True)
        _, again, then = rounds
        print(
            f"  as of takes {then.cuts[49] / again.cuts[49]:.2f} times as long at p50, "
            f"{then.cuts[94] / again.cuts[94]:.2f} at p95, {then.server_s / again.server_s:.2f} of the server's time",
            flush=True,
        )


__all__ = ["LARGE", "SMALL", "Layered", "ask", "fill", "make_layered", "pick_nodes", "run"]

if __name__ == "__main__":
    print(json.dumps({"small": SMALL, "large": LARGE}))
