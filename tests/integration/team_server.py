"""A server with one team whose names nobody else may learn, and principals of every role inside and outside it."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from lineage_events import run_event

OWN, OTHER = "team-zebra", "elsewhere"
ROLES = ("viewer", "producer", "steward", "auditor", "admin")
# What each role may do, as docs/access.md has it; held here a second time, so that a policy that grants more is seen.
MAY = {
    "viewer": {"read"},
    "producer": {"write"},
    "steward": {"read", "steward"},
    "auditor": {"read", "audit"},
    "admin": {"read", "write", "steward", "audit", "administer"},
}


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class Caller:
    """Calls an ASGI application on an event loop of its own; of an answer without end it takes the first part."""

    def __init__(self, app):
        self._app = app
        self._runner = asyncio.Runner()

    def close(self):
        self._runner.close()

    def __call__(self, method, path, *, body=b"", headers=None):
        return self._runner.run(self._call(method, path, body, headers or {}))

    async def _call(self, method, path, body, headers):
        parts = urlsplit(path)
        given = [(b"host", b"test"), (b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        given += [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1"}
        scope |= {"method": method, "scheme": "http", "path": unquote(parts.path), "raw_path": parts.path.encode()}
        scope |= {"query_string": parts.query.encode(), "root_path": "", "headers": given, "client": ("127.0.0.1", 1)}
        scope |= {"server": ("test", 80), "state": {}}
        gone, sent, messages = asyncio.Event(), [], [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if message["type"] == "http.response.body" and message.get("body"):
                gone.set()

        async with asyncio.timeout(60):
            await self._app(scope, receive, send)
        start = sent[0]
        named = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], named, b"".join(m.get("body", b"") for m in sent[1:]))


@dataclass
class Team:
    """`tokens` by (role, where); `ids` of what the team has."""

    app: object
    call: Caller
    tokens: dict
    bad_tokens: dict
    ids: dict


@contextlib.contextmanager
def serving_team(folder):
    """Gives a `Team`, in an archive made in `folder`."""
    from wherefrom.archive import Archive
    from wherefrom.archive.granting import end, grant, issue_token, make_first_admin, read_access
    from wherefrom.server.app import close_app, make_app
    from wherefrom.server.settings import Settings

    archive = Archive.init(folder, namespace=OWN, origin="example.com/log")
    make_first_admin(archive)
    tokens, token_ids = {}, {}
    for role in ROLES:
        for where in (OWN, OTHER):
            who = f"service:{role}-{'inside' if where == OWN else 'outside'}"
            grant(archive, who, role, where, by="tests")
            tokens[role, where], token_ids[role, where], _ = issue_token(archive, who, by="tests")
    expired = issue_token(archive, "service:viewer-inside", by="tests", expires=datetime.now(UTC) - timedelta(days=1))
    revoked = issue_token(archive, "service:viewer-inside", by="tests")
    access = read_access(archive)
    end(archive, access.book.find_token(revoked[1], as_of=archive.size()), by="tests")
    good = tokens["admin", OWN]
    bad = {
        "nothing": None,
        "expired": f"Bearer {expired[0]}",
        "revoked": f"Bearer {revoked[0]}",
        "forged": f"Bearer {good[:-1]}{'A' if good[-1] != 'A' else 'B'}",
        "another scheme": f"Basic {good}",
        "empty": "Bearer ",
        "a JWT without a signature": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
    }
    app = make_app(archive, Settings(live_poll_s=0.01))
    call = Caller(app)
    ids = _fill(call, tokens["producer", OWN], tokens["admin", OWN], tokens["producer", OTHER])
    ids["token_id"], ids["grant"] = token_ids["viewer", OWN], _find_grant(archive)
    try:
        yield Team(app, call, tokens, bad, ids)
    finally:
        close_app(app)
        call.close()
        archive.close()


def _fill(call, producer, admin, outsider):
    bearer = {"Authorization": f"Bearer {producer}"}
    event = run_event(0, namespace=OWN, job="zebra_job", inputs=["zebra_in"], outputs=["zebra_out"])
    taken = json.loads(call("POST", "/api/v1/lineage", body=json.dumps(event).encode(), headers=bearer).body)
    for number in range(1, 4):
        more = run_event(number, namespace=OWN, job="zebra_job", inputs=["zebra_in"], outputs=["zebra_out"])
        call("POST", "/api/v1/lineage", body=json.dumps(more).encode(), headers=bearer)
    # The neighbours know a table of the team, as a reference: lineage crosses the border there.
    crossing = run_event(9, namespace=OTHER, job="their_job", inputs=["their_in", "their_in2"], outputs=["their_out"])
    reply = call(
        "POST",
        "/api/v1/lineage",
        body=json.dumps(crossing).encode(),
        headers={"Authorization": f"Bearer {outsider}"},
    )
    assert reply.status == 201, reply.text
    crossing = run_event(10, namespace=OWN, job="zebra_job", inputs=[(OTHER, "their_out")], outputs=["zebra_out"])
    call("POST", "/api/v1/lineage", body=json.dumps(crossing).encode(), headers=bearer)
    return {"statement": taken["statementId"], "index": str(taken["index"]), "run": event["run"]["runId"]}


def _find_grant(archive):
    from wherefrom.archive.granting import read_access

    access = read_access(archive)
    return access.book.grants_of("service:viewer-inside", as_of=archive.size())[0].statement_id
