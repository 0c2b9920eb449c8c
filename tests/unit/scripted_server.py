"""A server on loopback that answers as it is told to, and remembers what it was asked."""

import contextlib
import http.server
import json
import threading
from dataclasses import dataclass

DEADLINE_S = 60


@dataclass
class Asked:
    method: str
    path: str
    headers: dict
    body: bytes


class Script:
    """Answers in turn, the last one again and again: each is (status, body, headers), or a function of Asked.

    Attributes:
        asked: every request.
        url: without a slash at its end.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.url = ""
        self.connections = set()

    def answer(self, asked):
        self.asked.append(asked)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(asked) if callable(answer) else answer


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _serve(self):
        self.server.script.connections.add(self.client_address)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.script.answer(Asked(self.command, self.path, headers, body))
        if answer is None:  # cut the connection
            self.close_connection = True
            return
        status, content, headers = (*answer, {})[:3]
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        if "Connection" not in headers:
            self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve  # noqa: N815 - the names that http.server calls


@contextlib.contextmanager
def scripted(*answers):
    script = Script(*answers)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.script = script
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join(DEADLINE_S)
        server.server_close()
