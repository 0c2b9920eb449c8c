"""HTTP as a client, against a server on loopback that behaves in every way there is."""

import contextlib
import http.server
import os
import socket
import threading
import time

import pytest

from wherefrom import fetch
from wherefrom.errors import FormatError, UnavailableError


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = set()  # noqa: RUF012 - of the test at hand

    def log_message(self, *_):
        pass

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.connections.add(self.client_address)
        match self.path:
            case "/moved":
                self._answer(302, Location="/here")
            case "/busy":
                self._answer(503, b"later", **{"Retry-After": "3"})
            case "/round":
                self._answer(302, Location="/round")
            case "/cut":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True
            case "/drip":
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                with contextlib.suppress(OSError):
                    while True:
                        self.wfile.write(b".")
                        time.sleep(0.02)
            case "/mute":
                self.server.released.wait(60)
            case "/babble":
                self.wfile.write(b"this is not HTTP\r\n\r\n")
                self.close_connection = True
            case "/missing":
                self._answer(404, b"nothing")
            case _:
                self._answer(200, self.path.encode(), X_Kind="test")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/moved":
            self._answer(307, Location="/here")
        else:
            self._answer(200, self.headers["Content-Type"].encode() + b" " + body)


@pytest.fixture
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.released = threading.Event()
    Handler.connections.clear()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    fetch._pool().clear()
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_reply_is_status_headers_by_lower_case_name_and_body(url):
    reply = fetch.get(f"{url}/a")
    assert (reply.status, reply.body, reply.headers["x_kind"]) == (200, b"/a", "test")


def test_any_status_is_a_reply(url):
    assert (fetch.get(f"{url}/missing").status, fetch.get(f"{url}/missing").body) == (404, b"nothing")


def test_post_sends_body_and_type(url):
    assert fetch.post(f"{url}/p", b"\x00x", content_type="text/plain").body == b"text/plain \x00x"


def test_get_follows_a_redirect_and_post_does_not(url):
    assert fetch.get(f"{url}/moved").body == b"/here"
    assert fetch.post(f"{url}/moved", b"x", content_type="text/plain").status == 307


def test_a_server_that_says_when_to_come_again_has_answered(url):
    reply = fetch.get(f"{url}/busy")
    assert (reply.status, reply.body, reply.headers["retry-after"]) == (503, b"later", "3")


def test_a_stream_gives_what_comes_as_it_comes_and_says_when_it_breaks(url):
    with fetch.stream(f"{url}/drip", timeout_s=60) as (reply, parts):
        assert (reply.status, next(parts)[:1]) == (200, b".")
    with fetch.stream(f"{url}/busy") as (reply, parts):
        assert (reply.status, reply.body, list(parts)) == (503, b"later", [])
    with (
        fetch.stream(f"{url}/cut", timeout_s=60) as (_, parts),
        pytest.raises(UnavailableError, match=f"GET {url}/cut: "),
    ):
        list(parts)
    with pytest.raises(UnavailableError, match=f"GET {url}/mute: "), fetch.stream(f"{url}/mute", timeout_s=0.1):
        pass
    with pytest.raises(FormatError, match="does not begin with http"), fetch.stream("file:///etc/hosts"):
        pass


def test_the_connection_is_kept_from_one_request_to_the_next(url):
    for number in range(5):
        fetch.get(f"{url}/{number}")
    assert len(Handler.connections) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_takes_connections_of_its_own(url):
    fetch.get(f"{url}/a")
    child = os.fork()
    if child == 0:
        os._exit(0 if fetch.get(f"{url}/b").body == b"/b" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert fetch.get(f"{url}/c").body == b"/c"
    assert len(Handler.connections) == 2


def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(url):
    assert fetch.get(f"{url}/{'a' * 9}", max_bytes=10).body == b"/" + b"a" * 9
    with pytest.raises(UnavailableError, match="over 10 bytes"):
        fetch.get(f"{url}/{'a' * 10}", max_bytes=10)


@pytest.mark.parametrize("path", ["cut", "drip", "mute", "babble", "round"])
def test_what_does_not_come_to_an_end_could_not_be_fetched(url, path):
    with pytest.raises(UnavailableError, match=rf"GET {url}/{path}: "):
        fetch.get(f"{url}/{path}", timeout_s=0.5)


def test_nobody_there_could_not_be_fetched(url):
    port = int(url.rpartition(":")[2])
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        free = bound.getsockname()[1]
    assert free != port
    with pytest.raises(UnavailableError, match=f"GET http://127.0.0.1:{free}/: [^(]*refused"):
        fetch.get(f"http://127.0.0.1:{free}/")


@pytest.mark.parametrize("wrong", ["file:///etc/hosts", "ftp://example.com/", "example.com", "", "http://[::1/"])
def test_what_is_no_http_url_is_refused(wrong):
    with pytest.raises(FormatError, match="URL"):
        fetch.get(wrong)
