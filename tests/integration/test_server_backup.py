"""Backup and restore as docs/deploy.md has them: a whole copy is shown to be one, and an older copy is noticed."""
# ruff: noqa: S310 - loopback

import contextlib
import json
import shutil
import sqlite3
import sys
import urllib.error
import urllib.request

import pytest
from http_servers import serving
from lineage_events import body_of, run_event
from live_server import DEADLINE_S, running_server

from wherefrom.archive import Archive
from wherefrom.cli import main
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    format_policy,
    parse_policy,
)
from wherefrom.server.witness import make_app
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_state import WitnessState

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

WITNESS = SigningKey("witness.example", bytes(range(32)), ED25519_COSIGNATURE)


def send(server, first, count):
    """The statuses of so many events, sent one by one."""
    found = []
    for number in range(first, first + count):
        request = urllib.request.Request(
            f"{server.url}/api/v1/lineage",
            data=body_of(run_event(number)),
            headers={"Authorization": f"Bearer {server.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
                found.append(reply.status)
        except urllib.error.HTTPError as error:
            with error:
                found.append(error.code)
    return found


def copy(root, to):
    """What the page says: the database by its own means while the server runs, and the folder's checkpoint."""
    to.mkdir()
    with (
        contextlib.closing(sqlite3.connect(root / ".wherefrom" / "archive.db")) as source,
        contextlib.closing(sqlite3.connect(to / "archive.db")) as target,
    ):
        source.backup(target)
    shutil.copy(root / ".wherefrom" / "checkpoint", to / "checkpoint")


def restore(root, copied, *names):
    for name in ("archive.db", "archive.db-wal", "archive.db-shm"):
        (root / ".wherefrom" / name).unlink(missing_ok=True)
    for name in ("archive.db", *names):
        shutil.copy(copied / name, root / ".wherefrom" / name)


@pytest.fixture
def run(monkeypatch, capsys):
    """`run(root, "doctor")`: (exit status, what was printed) of a command in a project."""

    def run(root, *words):
        monkeypatch.chdir(root)
        monkeypatch.setattr(sys, "argv", ["wherefrom", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr().out

    return run


def test_a_restored_archive_is_shown_to_be_whole_and_an_older_one_is_noticed(tmp_path, run):
    root, seen = tmp_path / "team", tmp_path / "seen"
    root.mkdir()

    def check(name):
        """Exit statuses of what the page says to run after a restore."""
        shutil.rmtree(tmp_path / "published", ignore_errors=True)
        doctor = run(root, "doctor")[0]
        cosign = run(root, "ledger", "cosign", "--json")[0]
        published = run(root, "ledger", "publish", str(tmp_path / "published"))[0]
        trust = ("--trust", str(root / ".wherefrom" / "trust"), "--state", str(seen))
        monitor = run(root, "ledger", "monitor", str(tmp_path / "published"), *trust)[0]
        return doctor, cosign, published, monitor

    with contextlib.ExitStack() as stack:
        with running_server(root, args=("--init",)) as server:
            token = server.token
            state = WitnessState.create(tmp_path / "witness")
            stack.callback(state.close)
            archive = Archive.find(root)
            stack.callback(archive.close)
            url = stack.enter_context(serving(make_app(Witness([WITNESS], [archive.log_key], state))))
            trusted = TrustedWitness(b"W", WITNESS.verifier_key, url.encode())
            policy = TrustPolicy((TrustedLog(archive.log_key),), (trusted,), (), b"W")
            archive.trust_file.write_bytes(format_policy(policy))
            assert parse_policy(archive.trust_file.read_bytes()).witnesses
            assert send(server, 0, 5) == [201] * 5
            copy(root, tmp_path / "older")
            assert send(server, 5, 5) == [201] * 5
            assert check("running") == (0, 0, 0, 0)
            copy(root, tmp_path / "newest")

        restore(root, tmp_path / "newest", "checkpoint")
        assert check("newest") == (0, 0, 0, 0)
        with running_server(root) as server:
            server.token = token
            assert send(server, 9, 2) == [200, 201]

        # The database alone is put back: the folder knows better, and nothing is signed in its place.
        restore(root, tmp_path / "older")
        assert run(root, "doctor")[0] == 1
        with contextlib.closing(sqlite3.connect(root / ".wherefrom" / "archive.db")) as database:
            size = database.execute("SELECT count(*) FROM entries").fetchone()[0]
        with running_server(root) as server:
            server.token = token
            assert send(server, 20, 2) == [409, 409]
        with contextlib.closing(sqlite3.connect(root / ".wherefrom" / "archive.db")) as database:
            assert database.execute("SELECT count(*) FROM entries").fetchone()[0] == size

        # All of the folder is: then only those outside know.
        restore(root, tmp_path / "older", "checkpoint")
        assert check("older") == (0, 3, 0, 1)
        assert json.loads(run(root, "ledger", "cosign", "--json")[1].splitlines()[0])["problems"]
