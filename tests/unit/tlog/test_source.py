"""Reading a log: what is there, what is not, and what can't be told."""

import http.server
import threading

import pytest
from served import served_folder
from tiled_logs import KEY, make_log

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.notes import open_checkpoint
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.source import (
    FolderSource,
    HttpSource,
    MemorySource,
    open_source,
    read_ahead,
    read_checkpoint,
    read_entries,
    read_tile,
)
from wherefrom.verify import Outcome

LOG = make_log(600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    for path, data in LOG.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_a_log_reads_the_same_from_memory_folder_and_web(folder):
    with served_folder(folder) as url:
        for source in (MemorySource(LOG), open_source(str(folder)), open_source(url), open_source(f"{url}/")):
            assert read_checkpoint(source) == LOG["checkpoint"]
            assert read_tile(source, 0, 2, 88) == LOG["tile/0/002.p/88"]
            assert len(read_entries(source, 1, 256)) == 256
            with pytest.raises(NotFoundError):
                read_tile(source, 0, 3, 1)
            with pytest.raises(NotFoundError):
                read_entries(source, 3, 256)
        checkpoint = open_checkpoint(LOG["checkpoint"], [KEY.verifier_key])
        assert check_log(HttpSource(url), checkpoint).outcome is Outcome.TRUE


def test_a_full_tile_is_read_where_the_partial_one_is_gone():
    source = MemorySource({"tile/0/001": LOG["tile/0/001"], "tile/entries/001": LOG["tile/entries/001"]})
    assert read_tile(source, 0, 1, 5) == LOG["tile/0/001"][:160]
    assert read_entries(source, 1, 5) == read_entries(source, 1, 256)[:5]


@pytest.mark.parametrize("length", [0, 31, 159, 161, 192, 8192, 8193])
def test_a_tile_of_another_length_is_malformed(length):
    with pytest.raises(FormatError, match=r"tile/0/001\.p/5 has"):
        read_tile(MemorySource({"tile/0/001.p/5": bytes(length)}), 0, 1, 5)


def test_a_bundle_of_another_number_is_malformed():
    with pytest.raises(FormatError, match="has 88 entries, expected 87"):
        read_entries(MemorySource({"tile/entries/002.p/87": LOG["tile/entries/002.p/88"]}), 2, 87)


def test_a_file_that_is_longer_than_any_may_be_is_not_read_whole(folder):
    with pytest.raises(FormatError, match="over 100 bytes"):
        FolderSource(folder).read("tile/0/001", max_bytes=100)
    with served_folder(folder) as url, pytest.raises(UnavailableError, match="over 100 bytes"):
        HttpSource(url).read("tile/0/001", max_bytes=100)


def test_where_no_log_can_be_is_said():
    with pytest.raises(NotFoundError, match="no folder"):
        open_source("/no/such/folder")
    with pytest.raises(FormatError, match="neither a folder nor"):
        open_source("ftp://example.com/log")


class _Answer(http.server.BaseHTTPRequestHandler):
    statuses: list

    def do_GET(self):
        status = self.statuses.pop(0) if self.statuses else 200
        body = b"a file" if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], b"a file"),
        ([500, 503], b"a file"),
        ([404], NotFoundError),
        ([410], NotFoundError),
        ([403], NotFoundError),
        ([500, 500, 500], UnavailableError),
        ([503, 404], NotFoundError),
    ],
)
def test_what_fails_is_asked_for_again_and_what_is_not_there_is_not(statuses, expected):
    handler = type("Handler", (_Answer,), {"statuses": list(statuses)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        source = HttpSource(f"http://127.0.0.1:{server.server_address[1]}")
        if isinstance(expected, bytes):
            assert source.read("checkpoint", max_bytes=100) == expected
        else:
            with pytest.raises(expected):
                source.read("checkpoint", max_bytes=100)
        assert not handler.statuses
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("parallel", [1, 3])
def test_reading_ahead_keeps_the_order_and_raises_at_the_item_s_turn(parallel):
    def read(number):
        if number == 7:
            raise NotFoundError("seven")
        return number * number

    done = []
    for number, got in read_ahead(read, range(20), parallel=parallel):
        if number == 7:
            with pytest.raises(NotFoundError, match="seven"):
                got()
        else:
            done.append(got())
    assert done == [n * n for n in range(20) if n != 7]


def test_reading_ahead_may_stop_early():
    seen = []

    def read(number):
        seen.append(number)
        return number

    for number, got in read_ahead(read, range(10**9), parallel=4):
        assert got() == number
        if number == 10:
            break
    assert len(seen) < 100
