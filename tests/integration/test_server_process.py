"""`wherefrom serve` as a process: started, pressed, stopped."""
# ruff: noqa: S310 - loopback

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from lineage_events import body_of, run_event
from live_server import COMMAND, DEADLINE_S, running_server

from wherefrom.archive import Archive
from wherefrom.archive.granting import read_access

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")


def ask(server, path, body=None, **headers):
    """(status, headers, body) of a request with the first admin's token."""
    given = {"Authorization": f"Bearer {server.token}"} | headers
    request = urllib.request.Request(f"{server.url}{path}", data=body, headers=given)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_init_makes_archive_and_admin_once_and_the_server_says_where_it_is(tmp_path):
    with running_server(tmp_path, args=("--init", "--namespace", "team")) as server:
        assert server.token.startswith("wft_")
        assert ask(server, "/api/v1/lineage", body_of(run_event()))[0] == 201
        assert ask(server, "/readyz")[0] == 200
        token = server.token
    with running_server(tmp_path, args=("--init",)) as server:
        assert server.token is None
        server.token = token
        assert ask(server, "/api/v1/lineage", body_of(run_event()))[0] == 200
    archive = Archive.find(tmp_path)
    assert archive.namespace == "team"
    archive.close()
    assert token not in "".join(path.read_text() for path in tmp_path.glob(".server-*.log"))


def test_the_log_is_one_json_object_a_line_whatever_is_asked(tmp_path):
    with running_server(tmp_path, args=("--init",)) as server:
        parts = urlsplit(server.url)
        nasty = ["/x%0d%0a%7b%22level%22:%22forged%22%7d", "/%1b%5b31m", "/%e2%80%ae", "/" + "y" * 15000]
        for path in nasty:
            with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)) as connection:
                connection.request("GET", path, headers={"X-Request-Id": "mine-1", "User-Agent": "a\tb"})
                reply = connection.getresponse()
                assert (reply.status, reply.headers["x-request-id"]) == (404, "mine-1")
                reply.read()
        with socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE_S) as connection:
            connection.sendall(b"NOT HTTP AT ALL\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
        server.stop()
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        assert all(line.isascii() for line in server.log.read_text().splitlines())
    assert next(line["path"] for line in lines if line.get("requestId") == "mine-1").startswith("/x\r\n{")
    assert {line["level"] for line in lines} <= {"info", "warning"}


def test_of_two_that_start_at_once_one_makes_an_admin(tmp_path):
    Archive.init(tmp_path, namespace="team").close()

    def start(name):
        folder = tmp_path / name  # below the archive's, with an output of its own
        folder.mkdir()
        with running_server(folder, args=("--init",)) as server:
            return server.token

    with ThreadPoolExecutor(2) as pool:
        tokens = list(pool.map(start, ("one", "two")))
    assert tokens.count(None) == 1
    with closing(Archive.find(tmp_path)) as archive:
        known = read_access(archive)
        assert [(g.principal, g.role) for g in known.book.grants(as_of=known.size)] == [("user:admin", "admin")]
        assert len(known.book.tokens(as_of=known.size)) == 1


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_stopping_under_load_loses_nothing_that_was_answered(tmp_path, database, request):
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else None
    args = ("--init", "--database", url) if url else ("--init",)
    answered, lock, started = [], threading.Lock(), threading.Event()

    def send(server, number):
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=DEADLINE_S)
        with closing(connection):
            for i in range(100_000):
                body = body_of(run_event(i, job=f"job {number}"))
                try:
                    connection.request(
                        "POST", "/api/v1/lineage", body, headers={"Authorization": f"Bearer {server.token}"}
                    )
                    reply = connection.getresponse()
                    said = json.loads(reply.read())
                except (OSError, http.client.HTTPException):
                    return
                if reply.status == 503:
                    return
                assert reply.status == 201, said
                with lock:
                    answered.append((said["index"], said["statementId"]))
                    if len(answered) > 100:
                        started.set()

    with running_server(tmp_path, args=args) as server:
        threads = [threading.Thread(target=send, args=(server, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        assert started.wait(DEADLINE_S)
        assert server.stop() == 0
        for thread in threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
        assert "Traceback" not in server.log.read_text()
    archive = Archive.find(tmp_path)
    recorded = {one.index: one.statement_id for one in archive.iter_recorded()}
    archive.close()
    assert len(answered) > 100
    assert all(recorded[index] == statement_id for index, statement_id in answered)


SLOW = {"WHEREFROM_SERVER_HEADER_DEADLINE_S": "0.5", "WHEREFROM_SERVER_BODY_DEADLINE_S": "0.5"}


def test_who_sends_a_byte_now_and_then_is_cut_off_and_others_are_served(tmp_path):
    """Slow loris: in the head of the first request, of a later one, and in the body."""
    with running_server(tmp_path, env=SLOW, args=("--init",)) as server:
        address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
        head = b"POST /api/v1/lineage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n" % server.token.encode()
        whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        for start in (b"", b"GET /hea", head, whole, head + b"Content-Length: 1000\r\n\r\n"):
            with socket.create_connection(address, timeout=DEADLINE_S) as connection:
                connection.sendall(start)
                if start == whole:
                    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
                    connection.sendall(b"GET ")
                assert drip(connection), start
        assert ask(server, "/api/v1/lineage", body_of(run_event()))[0] == 201


def drip(connection):
    """Send a byte now and then; whether the server closes the connection."""
    connection.settimeout(0.1)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            connection.sendall(b"a")
            if connection.recv(4096) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_a_head_without_end_is_cut_off(tmp_path):
    with running_server(tmp_path, args=("--init",)) as server:
        address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
        with socket.create_connection(address, timeout=DEADLINE_S) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n")
            with pytest.raises(OSError):
                for i in range(100_000):
                    connection.sendall(b"X-%d: %b\r\n" % (i, b"y" * 1000))


def test_a_request_too_many_is_told_to_come_again(tmp_path):
    env = {"WHEREFROM_SERVER_MAX_REQUESTS": "2"}
    with running_server(tmp_path, env=env, args=("--init",)) as server:
        address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
        head = b"POST /api/v1/lineage HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nAuthorization: Bearer %b\r\n\r\n"
        held = [socket.create_connection(address, timeout=DEADLINE_S) for _ in range(2)]
        try:
            for connection in held:
                connection.sendall(head % server.token.encode())
            deadline = time.monotonic() + DEADLINE_S
            while (reply := ask(server, "/v1/checkpoint"))[0] != 503:
                assert time.monotonic() < deadline
            assert reply[1]["Retry-After"] == "2"
            assert ask(server, "/healthz")[0] == 200
        finally:
            for connection in held:
                connection.close()
        while ask(server, "/v1/checkpoint")[0] != 200:
            assert time.monotonic() < deadline


def test_names_of_ten_megabytes_break_nothing(tmp_path):
    with running_server(tmp_path, args=("--init",)) as server:
        huge = "n" * (10 << 20)
        assert ask(server, "/api/v1/lineage", json.dumps(run_event(job=huge)).encode())[0] == 413
        near = run_event(job=huge[: 9 << 20])
        status, _, body = ask(server, "/api/v1/lineage", json.dumps(near).encode())
        assert (status, json.loads(body)["error"]["path"]) == (400, "$.job.name")
        assert ask(server, f"/v1/statements/{huge[:15000]}")[0] == 422
        assert ask(server, f"/v1/statements/{huge[:20000]}")[0] == 414
        assert ask(server, "/api/v1/lineage", body_of(run_event()))[0] == 201


@pytest.mark.parametrize(
    ("args", "env", "says"),
    [
        ((), {}, "no archive"),
        (("--database", "postgresql://x/y"), {}, "--init"),
        (("--init", "--host", "192.0.2.1"), {}, "cannot listen"),
        (("--init",), {"WHEREFROM_SERVER_MAX_BATCH": "x"}, "WHEREFROM_SERVER_MAX_BATCH"),
    ],
)
def test_what_can_t_be_served_is_said(tmp_path, args, env, says):
    command = [*COMMAND, *args]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode in {2, 3}
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_and_its_status_says_so(tmp_path, how):
    with running_server(tmp_path, args=("--init",)) as server:
        assert server.stop(how) == 0
        assert json.loads(server.log.read_text().splitlines()[-1])["event"] == "stopped"
    assert not (tmp_path / ".wherefrom" / "archive.db-wal").exists()  # the archive was closed, too


def test_told_twice_by_who_waits_at_the_keyboard_it_leaves_what_is_under_way(tmp_path):
    with running_server(tmp_path, args=("--init",)) as server:
        address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
        head = b"POST /api/v1/lineage HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nAuthorization: Bearer %b\r\n\r\n"
        with socket.create_connection(address, timeout=DEADLINE_S) as connection:
            connection.sendall(head % server.token.encode())
            assert ask(server, "/healthz")[0] == 200  # who came before is waited for by then
            server.process.send_signal(signal.SIGINT)
            while accepts(address):
                time.sleep(0.02)
            assert server.stop(signal.SIGINT) == 130


def accepts(address):
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=DEADLINE_S):
        return True
    return False
