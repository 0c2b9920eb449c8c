"""The ledger over HTTP: what C2SP tlog-tiles asks of a server."""

import http.client
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from events import dataset, event
from served import DEADLINE_S, served_app

from wherefrom import fetch
from wherefrom.archive import Archive
from wherefrom.merkle import format_entries_path, format_tile_path, hash_leaf, root_from_tiles
from wherefrom.notes import open_checkpoint
from wherefrom.statements import parse_entry
from wherefrom.tlog.entries import parse_entries
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.source import HttpSource
from wherefrom.verify import Outcome

pytest.importorskip("starlette", reason="starlette is not installed: the extra `server` has it")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: the extra `server` has it")


def make_run(number):
    return event(f"run {number}", [dataset("in", f"{number}")], [dataset("out", f"made {number}")])


IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An archive of 301 entries, which no test changes, and its URL."""
    from wherefrom.server.tiles import make_app

    archive = Archive.init(tmp_path_factory.mktemp("served"), namespace="test", origin="example.com/test")
    archive.record(*(make_run(i) for i in range(300)))
    with served_app(make_app(archive)) as url:
        yield archive, url
    archive.close()


def ask(url, method="GET", **headers):
    """Over a connection that does not tidy the path."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)) as connection:
        connection.request(method, parts.path, headers=headers)
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()


def test_the_checkpoint_is_the_newest_and_is_not_cached(served):
    archive, url = served
    status, headers, body = ask(f"{url}/checkpoint")
    assert (status, body) == (200, archive.checkpoint()[1])
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["cache-control"] == "no-cache"


def test_what_is_recorded_is_served_at_once(archive):
    from wherefrom.server.tiles import make_app

    with served_app(make_app(archive)) as url:
        tag = ask(f"{url}/checkpoint")[1]["etag"]
        assert ask(f"{url}/tile/0/000.p/2")[0] == 404
        archive.record(make_run(1))
        status, _, body = ask(f"{url}/checkpoint", **{"If-None-Match": tag})
        assert (status, open_checkpoint(body, [archive.log_key]).size) == (200, 2)
        assert ask(f"{url}/tile/0/000.p/2")[0] == 200


def test_tiles_and_entries_make_the_tree_and_are_cached_for_ever(served):
    archive, url = served
    size = archive.size()
    for path in ("tile/0/000", "tile/1/000.p/1", f"tile/0/001.p/{size - 256}", "tile/entries/000"):
        status, headers, _ = ask(f"{url}/{path}")
        assert (status, headers["content-type"]) == (200, "application/octet-stream")
        assert headers["cache-control"] == IMMUTABLE

    def read(level, index, width):
        return fetch.get(f"{url}/{format_tile_path(level, index, width)}").body

    assert root_from_tiles(size, read) == archive.checkpoint()[0].root
    entries = parse_entries(ask(f"{url}/{format_entries_path(1, size - 256)}")[2])
    assert [hash_leaf(e) for e in entries] == [read(0, 1, size - 256)[i * 32 :][:32] for i in range(size - 256)]
    assert all(parse_entry(e) for e in entries)


def test_partial_tiles_of_every_smaller_size_are_there(served):
    _, url = served
    whole = ask(f"{url}/tile/0/000")[2]
    for width in (1, 17, 255):
        assert ask(f"{url}/tile/0/000.p/{width}")[2] == whole[: 32 * width]
        assert len(parse_entries(ask(f"{url}/tile/entries/000.p/{width}")[2])) == width


NOT_FOUND = [
    "tile/0/001",
    "tile/0/001.p/46",
    "tile/0/002.p/1",
    "tile/1/000",
    "tile/1/000.p/2",
    "tile/2/000.p/1",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/00/000",
    "tile/0/0000",
    "tile/0/x000/000",
    "tile/0/%30%30%30",
    "tile/-1/000",
    "tile/64/000",
    "tile/entries/001",
    "tile/entries/001.p/46",
    "tile/entries/x000/000",
    "tile/0/x999/x999/x999/x999/x999/x999/999",
    "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    "tile//0/000",
    "/checkpoint",
    "checkpoint/",
    "tile/../checkpoint",
    "tile",
    "",
    "statements/000",
    "lineage.json",
    "archive.db",
    "../trust",
]


def test_anything_beyond_the_size_or_spelled_otherwise_is_not_found(served):
    for path in NOT_FOUND:
        status, headers, _ = ask(f"{served[1]}/{path}")
        assert (status, headers["cache-control"]) == (404, "no-cache"), path


def test_head_says_what_get_says_without_the_body(served):
    for path in ("checkpoint", "tile/0/000"):
        got, head = ask(f"{served[1]}/{path}"), ask(f"{served[1]}/{path}", "HEAD")
        assert (head[0], head[2]) == (200, b"")
        assert {k: v for k, v in head[1].items() if k != "date"} == {k: v for k, v in got[1].items() if k != "date"}
    assert ask(f"{served[1]}/checkpoint", "POST")[0] == 405


def test_what_a_client_has_is_not_sent_again(served):
    _, headers, _ = ask(f"{served[1]}/checkpoint")
    again = ask(f"{served[1]}/checkpoint", **{"If-None-Match": f'"else", {headers["etag"]}'})
    assert (again[0], again[2], again[1]["etag"]) == (304, b"", headers["etag"])


def test_any_page_in_a_browser_may_read_it(served):
    for path in ("checkpoint", "tile/0/000", "nothing"):
        assert ask(f"{served[1]}/{path}", Origin="https://example.com")[1]["access-control-allow-origin"] == "*"


def test_fsck_over_http_finds_it_whole(served):
    archive, url = served
    found = check_log(HttpSource(url), archive.checkpoint()[0])
    assert found.outcome is Outcome.TRUE, found


def test_an_archive_that_can_t_be_read_is_said_without_saying_why(archive, monkeypatch):
    from wherefrom.errors import UnavailableError
    from wherefrom.server.tiles import make_app

    def broken():
        raise UnavailableError("secret reasons")

    with served_app(make_app(archive)) as url:
        monkeypatch.setattr(archive, "reading", broken)
        status, headers, body = ask(f"{url}/checkpoint")
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"secret" not in body


def test_statements_are_served_if_the_owner_wants_it(archive):
    from wherefrom.server.tiles import make_app

    archive.record(make_run(1))
    with served_app(make_app(archive, statements=True)) as url:
        status, headers, body = ask(f"{url}/statements/000")
        assert (status, headers["cache-control"], body.count(b"\n")) == (200, "no-cache", archive.size())
        assert ask(f"{url}/lineage.json")[1]["content-type"] == "application/json"
        assert ask(f"{url}/statements/001")[0] == 404


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_server_stops_in_an_orderly_way_when_told(archive, tmp_path, how):
    command = [sys.executable, "-c", "from wherefrom.cli import main; main()", "ledger", "serve", "--port", "0"]
    with (tmp_path / "talk").open("wb") as talk, subprocess.Popen(command, cwd=archive.root, stderr=talk) as server:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while b"http://" not in (said := (tmp_path / "talk").read_bytes()):
                assert time.monotonic() < deadline, said
                assert server.poll() is None, said
                time.sleep(0.05)
            url = said.decode().split(" at ")[1].strip().rstrip("/")
            assert fetch.get(f"{url}/checkpoint").body == archive.checkpoint()[1]
            os.kill(server.pid, how)
            assert server.wait(DEADLINE_S) == 0
        finally:
            server.kill()
