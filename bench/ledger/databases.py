"""The databases that are measured: a file of SQLite, and a throw-away cluster of PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# What docs/postgresql.md advises for a ledger: room for the log between checkpoints, and hot indexes in memory.
SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "min_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "wal_buffers": "64MB",
}


@dataclass(frozen=True)
class Place:
    """Where an archive keeps its database.

    Attributes:
        location: for `Database.create`; None stands for a file in the archive's own folder.
        count_bytes: what the database takes on disk, given the archive's folder.
    """

    name: str
    location: Callable[[Path], Path | str]
    url: Callable[[], str | None]
    count_bytes: Callable[[Path], int]


def sqlite() -> Place:
    def count(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.glob("archive.db"))

    return Place("sqlite", lambda folder: folder / "archive.db", lambda: None, count)


@contextlib.contextmanager
def postgresql() -> Iterator[Place | None]:
    """A cluster of its own, gone afterwards; None, and a line that says so, where PostgreSQL is not installed."""
    binaries = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
    if binaries is None or not (binaries / "initdb").exists():
        print("postgresql: left out, its server (initdb, postgres) is not installed")
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="wf-bench-", dir=tempfile.gettempdir()))
    as_user: list[str] = []
    if os.geteuid() == 0:  # which PostgreSQL refuses to be
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    server: subprocess.Popen[bytes] | None = None
    try:
        subprocess.run(
            [*as_user, str(binaries / "initdb"), *options, "-D", str(folder / "data")],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )
        settings = {**SETTINGS, "listen_addresses": "", "unix_socket_directories": str(folder)}
        command = [*as_user, str(binaries / "postgres"), "-D", str(folder / "data")]
        log = (folder / "log").open("wb")
        with log:
            arguments = [f"--{name}={value}" for name, value in settings.items()]
            server = subprocess.Popen([*command, *arguments], cwd="/", stdout=log, stderr=log)
        base = f"postgresql://postgres@/postgres?host={folder}"
        _wait(base)
        yield _postgresql_place(base)
    finally:
        if server is not None:
            server.terminate()
            server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql_place(base: str) -> Place:
    import psycopg

    made = 0

    def url() -> str:
        nonlocal made
        made += 1
        return f"{base}&schema=bench_{made}"

    def count(_folder: Path) -> int:
        query = (
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'"
        )
        with psycopg.connect(base) as connection:
            row = connection.execute(query, [f"bench_{made}"]).fetchone()
        return int(row[0]) if row else 0

    return Place("postgresql", lambda _folder: url(), url, count)


def _wait(url: str) -> None:
    import psycopg

    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
