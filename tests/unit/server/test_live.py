"""What is recorded, as it is recorded: server-sent events over a real connection."""

import contextlib
import http.client
import json
import queue
import threading
import time
from urllib.parse import urlsplit

import pytest
from events import event
from lineage_events import body_of, run_event
from served import served_app

from wherefrom.archive import Archive
from wherefrom.archive.granting import end, read_access
from wherefrom.server.settings import Settings

DEADLINE_S = 60


class Listener:
    """One client of /v1/live: `next()` gives (event, id, data) in turn; `ended` when the server ended it."""

    def __init__(self, url, headers, path="/v1/live"):
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
        self._connection.request("GET", path, headers=headers)
        self.reply = self._connection.getresponse()
        self._events = queue.Queue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        fields = {}
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            for line in self.reply:
                text = line.decode().rstrip("\n")
                if text:
                    name, _, value = text.partition(": ")
                    fields[name] = value
                elif fields:
                    data = json.loads(fields["data"]) if "data" in fields else None
                    self._events.put((fields.get("event"), fields.get("id"), data))
                    fields = {}
        self._events.put(None)

    def next(self, kind="entry"):
        """The next event of a kind; others before it are passed over, the end is not."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            found = self._events.get(timeout=max(0.1, deadline - time.monotonic()))
            assert found is not None, "the stream has ended"
            if found[0] == kind:
                return found

    def is_ended(self):
        while self._events.get(timeout=DEADLINE_S) is not None:
            pass
        return True

    def close(self):
        if self._connection.sock:
            self._connection.sock.shutdown(2)
        self._thread.join(DEADLINE_S)
        self.reply.close()
        self._connection.close()


@pytest.fixture
def settings():
    return Settings(live_poll_s=0.02, live_heartbeat_s=0.2, live_backlog=50)


@pytest.fixture
def url(app):
    with served_app(app) as address:
        yield address
        app.state.live.close()  # from outside the loop: the server is told to stop right after


@pytest.fixture
def listen(url):
    opened = []

    def listen(headers, path="/v1/live"):
        opened.append(Listener(url, headers, path))
        return opened[-1]

    yield listen
    for one in opened:
        one.close()


def test_an_entry_is_told_as_soon_as_it_is_recorded_by_whomever(archive, listen, as_bearer, admin_token):
    heard = listen(as_bearer(admin_token))
    assert heard.reply.headers["content-type"].startswith("text/event-stream")
    heard.next("hello")
    other = Archive.open(archive.folder)  # as another process would
    [receipt] = other.record(event("run"))
    other.close()
    name, index, said = heard.next()
    assert (name, index) == ("entry", str(receipt.index))
    assert (said["statementId"], said["kind"], said["job"]["name"]) == (receipt.statement_id, "RunEvent", "run.py")


def test_who_comes_again_goes_on_exactly_where_he_was(archive, listen, as_bearer, admin_token):
    headers = as_bearer(admin_token)
    archive.record(*(event(f"run {i}") for i in range(450)))
    first = archive.size() - 450
    heard = listen(headers | {"Last-Event-ID": str(first + 9)})
    assert [heard.next()[1] for _ in range(440)] == [str(i) for i in range(first + 10, first + 450)]
    archive.record(event("one more"))
    assert heard.next()[1] == str(first + 450)
    again = listen(headers, f"/v1/live?from={first + 449}")
    assert [again.next()[1] for _ in range(2)] == [str(first + 449), str(first + 450)]


def test_an_entry_that_names_a_hidden_namespace_is_not_told(archive, listen, app, as_bearer, make_token, url):
    from wherefrom.archive.taking import take_events

    viewer = as_bearer(make_token("viewer", "mine"))
    heard = listen(viewer)
    heard.next("hello")
    events = [run_event(0), run_event(1, namespace="mine", outputs=[("secret", "x")]), run_event(2, namespace="mine")]
    taken = take_events(archive, [body_of(one) for one in events])
    assert heard.next()[1] == str(taken[2].receipt.index)


def test_silence_is_broken_by_the_place_and_nothing_else(archive, listen, as_bearer, make_token):
    heard = listen(as_bearer(make_token("viewer", "mine")))
    hello = heard.next("hello")
    archive.record(event("hidden"))
    while True:
        name, index, data = heard._events.get(timeout=DEADLINE_S)
        assert (name, data) == (None, None)
        if int(index) > int(hello[1]):
            break


def test_a_token_that_is_revoked_ends_it_with_the_reason(archive, listen, as_bearer, make_token):
    token = make_token("viewer", "test", "service:short")
    heard = listen(as_bearer(token))
    heard.next("hello")
    access = read_access(archive)
    from wherefrom.statements import parse_token

    end(archive, access.book.find_token(parse_token(token), as_of=archive.size()), by="tests")
    assert "revoked" in heard.next("denied")[2]["reason"]
    assert heard.is_ended()


def test_who_falls_far_behind_is_sent_away_and_told_where_to_go_on(archive, listen, app, as_bearer, admin_token):
    from wherefrom.server import live

    state = app.state.live
    real = state.next_changes

    async def slow(start, *, timeout_s):
        while state.size < start + 300:  # as if the client took nothing for so long
            import asyncio

            await asyncio.sleep(0.01)
        return (await real(start, timeout_s=timeout_s))[:1]

    state.next_changes = slow
    heard = listen(as_bearer(admin_token))
    heard.next("hello")
    archive.record(*(event(f"run {i}") for i in range(live.CHUNK + 250)))
    _, index, said = heard.next("goodbye")
    assert said["lastEventId"] == int(index)
    state.next_changes = real
    again = listen(as_bearer(admin_token) | {"Last-Event-ID": index})
    assert again.next()[1] == str(int(index) + 1)


def test_when_the_server_stops_listeners_are_told(app, listen, as_bearer, admin_token, url):
    heard = listen(as_bearer(admin_token))
    heard.next("hello")
    app.state.live.close()
    assert "stopping" in heard.next("goodbye")[2]["reason"]
    assert heard.is_ended()


@pytest.mark.parametrize("last", ["x", "-1", "1" * 17, "1.5"])
def test_an_id_that_is_no_index_is_refused(url, as_bearer, admin_token, last):
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=DEADLINE_S)) as connection:
        connection.request("GET", "/v1/live", headers=as_bearer(admin_token) | {"Last-Event-ID": last})
        reply = connection.getresponse()
        assert (reply.status, bool(reply.read())) == (400, True)


def test_who_has_seen_more_than_there_is_is_told_so(listen, as_bearer, admin_token, archive):
    seen = str(archive.size())
    assert listen(as_bearer(admin_token) | {"Last-Event-ID": seen}).reply.status == 409
    assert listen(as_bearer(admin_token), f"/v1/live?from={seen}").reply.status == 200


class TestFewPlaces:
    @pytest.fixture
    def settings(self):
        return Settings(max_listeners=1, live_poll_s=0.02)

    def test_more_listeners_than_allowed_are_told_to_come_again(self, listen, as_bearer, admin_token):
        listen(as_bearer(admin_token)).next("hello")
        other = listen(as_bearer(admin_token))
        assert (other.reply.status, other.reply.headers["retry-after"]) == (503, "2")


def test_nobody_listens_without_a_token(listen):
    assert listen({}).reply.status == 401
