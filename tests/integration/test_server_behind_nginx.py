"""Two `wherefrom serve` on one PostgreSQL behind a real nginx, with the configuration of docs/deploy.md: one ledger."""
# ruff: noqa: S310 - loopback

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lineage_events import body_of, run_event
from live_server import DEADLINE_S, running_server

from wherefrom.archive import Archive

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
THREADS, EACH = 6, 25


def nginx_config(servers, port, folder):
    """The page's configuration on loopback and without TLS, which needs a certificate."""
    [shown] = re.findall(r"^```nginx\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    shown = re.sub(r"server 127\.0\.0\.1:\d+;\n", "", shown)
    upstream = "".join(f"server {urlsplit(one).netloc};" for one in servers)
    shown = shown.replace("upstream wherefrom {", f"upstream wherefrom {{ {upstream}")
    shown = re.sub(r"\s*ssl_certificate.*", "", shown).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    return (
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;"
        f"events {{ worker_connections 256; }} http {{ access_log off; {paths}\n{shown} }}"
    )


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextlib.contextmanager
def nginx(servers):
    """Gives the URL of an nginx before the servers."""
    binary = shutil.which("nginx") or (Path("/usr/sbin/nginx").exists() and "/usr/sbin/nginx")
    if not binary:
        pytest.skip("needs nginx")
    folder = Path(tempfile.mkdtemp(prefix="wf-nginx-"))
    port = free_port()
    (folder / "nginx.conf").write_text(nginx_config(servers, port, folder))
    command = [binary, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with (folder / "out").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                assert process.poll() is None, (folder / "out").read_text() + (folder / "error.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
            shutil.rmtree(folder, ignore_errors=True)


def ask(url, path, token, body=None):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}{path}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture
def two(tmp_path, postgresql_url):
    with running_server(tmp_path, args=("--init", "--database", postgresql_url)) as one:
        token = one.token
        with running_server(tmp_path) as other:
            other.token = token
            yield one, other


def test_two_processes_behind_nginx_are_one_ledger(two, tmp_path):
    one, other = two
    with nginx([one.url, other.url]) as url:
        connection = http.client.HTTPConnection(urlsplit(other.url).netloc, timeout=DEADLINE_S)
        connection.request("GET", "/v1/live?from=0", headers={"Authorization": f"Bearer {one.token}"})
        live, heard = connection.getresponse(), []
        listening = threading.Thread(target=listen, args=(live, heard))
        listening.start()
        answered, lock = [], threading.Lock()

        def send(number):
            for i in range(EACH):
                status, said = ask(url, "/api/v1/lineage", one.token, body_of(run_event(i, job=f"job {number}")))
                assert status in {200, 201}, said
                with lock:
                    answered.append(said)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert len({said["index"] for said in answered}) == THREADS * EACH
        wait_until(lambda: {said["index"] for said in answered} <= {said["index"] for said in heard})
        indexes = [said["index"] for said in heard]
        assert indexes == list(range(len(indexes)))  # each once, in order, whoever recorded it
        for server in two:  # both recorded some
            taken = metric(server, 'wherefrom_events_total{outcome="taken"}')
            assert 0 < taken < THREADS * EACH
        sizes = {ask(server.url, "/v1/consistency?from=1", one.token)[1]["to"]["root"] for server in two}
        assert len(sizes) == 1
        connection.sock.shutdown(socket.SHUT_RDWR)
        listening.join(DEADLINE_S)
        live.close()
        connection.close()
        # One goes away: what comes meanwhile is taken by the other.
        one.stop()
        for i in range(5):
            assert ask(url, "/api/v1/lineage", one.token, body_of(run_event(i, job="after")))[0] == 201
    archive = Archive.find(tmp_path)
    assert all(not problems for _, problems in archive.check())
    archive.close()


def test_a_grant_recorded_by_one_counts_in_the_other(two):
    one, other = two
    who = "service:etl"
    body = {"principal": who, "role": "producer", "namespaces": "team"}
    status, said = ask(one.url, "/v1/grants", one.token, json.dumps(body).encode())
    assert status in {200, 201}, said
    status, said = ask(one.url, "/v1/tokens", one.token, json.dumps({"principal": who}).encode())
    assert status == 201, said
    token = said["token"]
    event = body_of(run_event(namespace="team"))
    wait_until(lambda: ask(other.url, "/api/v1/lineage", token, event)[0] in {200, 201})
    assert ask(other.url, "/api/v1/lineage", token, body_of(run_event(namespace="else")))[0] == 403
    request = urllib.request.Request(
        f"{other.url}/v1/tokens/{said['tokenId']}", method="DELETE", headers={"Authorization": f"Bearer {one.token}"}
    )
    urllib.request.urlopen(request, timeout=DEADLINE_S).close()
    wait_until(lambda: ask(one.url, "/api/v1/lineage", token, event)[0] == 401)


def listen(live, heard):
    with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
        event = b""
        for line in live:
            if line.startswith(b"event: "):
                event = line
            if line.startswith(b"data: ") and event == b"event: entry\n":
                heard.append(json.loads(line.removeprefix(b"data: ")))


def metric(server, name):
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=DEADLINE_S) as reply:
        text = reply.read().decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
