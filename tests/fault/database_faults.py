"""Faults of an archive on PostgreSQL: the server or one of its processes is killed, or the way to it breaks."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from cutting import Cut, CuttingProxy
from injection import Subject, Tried, assert_kept, spread
from postgresql_server import PostgresqlServer
from workers import Worker, traced

from wherefrom.archive import Archive


def in_schema(server: PostgresqlServer, root: Path, schema: str) -> Archive:
    """A new archive in a schema of its own."""
    root.mkdir(parents=True)
    return Archive.init(root, namespace="test", database_url=f"{server.url}&schema={schema}")


def behind(proxy: CuttingProxy, server: PostgresqlServer, root: Path, schema: str) -> Subject:
    """A new archive that worker processes reach through the proxy alone."""
    archive, detour = in_schema(server, root, schema), root / "detour"
    shutil.copytree(archive.folder, detour)
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres?schema={schema}"
    (detour / "database").write_text(url)
    return Subject(archive, where=detour)


def socket_of(server: PostgresqlServer) -> Path:
    return server.folder / ".s.PGSQL.5432"


OUTAGES = ("server", "backend", "backend in fdatasync")


def kill_server(
    worker: Worker, server: PostgresqlServer, subject: Subject, dice: random.Random, rounds: int
) -> Iterator[Tried]:
    """While statements are recorded kill, in turn, all of the server, the worker's backend, or that as it commits."""
    causes = (lambda: _restart(server), lambda: _kill_backend(server), lambda: _kill_backend_in_commit(server))
    for number in range(rounds):
        outage = _Outage(causes[number % len(causes)], dice.randrange(8), dice.uniform(0, 0.03))
        name = f"{OUTAGES[number % len(causes)]} killed {number}"
        told = worker.run("record", where=subject.where, name=name, batches=None, meanwhile=outage.hear)
        server.start()  # back, if the task ended before it was
        yield subject.settle(name, told, killed=True)


@dataclass
class _Outage:
    """Causes it some time after so many receipts, and ends the task some receipts later."""

    cause: Callable[[], None]
    left: int
    delay_s: float

    def hear(self, pid: int, said: dict[str, Any]) -> None:
        if "receipts" not in said:
            return
        self.left -= 1
        if self.left == -1:
            time.sleep(self.delay_s)
            self.cause()
        elif self.left == -6:
            os.kill(pid, signal.SIGKILL)


def _restart(server: PostgresqlServer) -> None:
    server.kill()
    server.start()


def _kill_backend(server: PostgresqlServer) -> None:
    _until_hit(server, lambda pid: os.kill(pid, signal.SIGKILL) is None)


def _kill_backend_in_commit(server: PostgresqlServer) -> None:
    """At its next fdatasync, which is where a commit waits for the disk."""

    def kill(pid: int) -> bool:
        with traced(pid, "fdatasync:signal=KILL:when=1") as hits:
            pass
        return bool(hits[0])

    _until_hit(server, kill)


def _until_hit(server: PostgresqlServer, kill: Callable[[int], bool]) -> None:
    """Kill the backend begun last; another one when that ended by itself just then, as the worker opens new ones."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        " ORDER BY backend_start DESC LIMIT 1"
    )
    with psycopg.connect(server.url, autocommit=True) as connection:
        for _ in range(100):
            found = connection.execute(query).fetchone()
            with contextlib.suppress(ProcessLookupError):
                if found and kill(found[0]):
                    return
    raise RuntimeError("no backend could be killed in 100 tries")


def cut_connections(
    worker: Worker, proxy: CuttingProxy, subject: Subject, *, most: int, batches: int
) -> Iterator[Tried]:
    """Cut the worker's connection after so many bytes, for at most so many marks in each direction."""
    passed = {}
    for direction in ("to server", "to client"):
        proxy.arm(None)
        told = worker.run("record", where=subject.where, name=direction, batches=batches)
        assert_kept([subject.settle("no cut", told)])
        passed[direction] = proxy.passed(direction)
    for direction, count in passed.items():
        for after in spread(count, most):
            name = f"cut {direction} after {after}"
            proxy.arm(Cut(direction, after - 1))
            told = worker.run("record", where=subject.where, name=name, batches=batches)
            reached = not proxy.is_armed
            proxy.arm(None)
            if reached:
                yield subject.settle(name, told, once=True)
