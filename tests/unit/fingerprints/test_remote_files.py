import contextlib
import gzip
import io
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, orc

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import open_table, remote_files

TABLE = pa.table({"id": [3, 1, 2, 1], "name": ["c", "a", None, "a"]})
WANT = fingerprint_records(TABLE).id
CSV = b"id,name\n3,c\n1,a\n2,\n1,a\n"


def encoded(write):
    target = io.BytesIO()
    write(target)
    return target.getvalue()


def zipped(data):
    def write(target):
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("table.csv", data)

    return encoded(write)


FILES = {
    "table.csv": CSV,
    "table.csv.gz": gzip.compress(CSV),
    "table.csv.zip": zipped(CSV),
    "table.tsv.zst": pa.compress(CSV.replace(b",", b"\t"), codec="zstd", asbytes=True),
    "table.jsonl": b'{"id": 3, "name": "c"}\n{"id": 1, "name": "a"}\n{"id": 2}\n{"id": 1, "name": "a"}\n',
    "table.parquet": encoded(lambda target: pq.write_table(TABLE, target)),
    "table.orc": encoded(lambda target: orc.write_table(TABLE, target)),
    "table.feather": encoded(lambda target: feather.write_feather(TABLE, target)),
}


class Server(ThreadingHTTPServer):
    """Serves `files` on the loopback interface; a handler may be told to misbehave."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.tags = {}
        self.allows_ranges = True
        self.statuses = {}
        self.cut_at = None
        self.ranges = 0
        self.after_get = lambda: None

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(has_body=False)

    def do_GET(self):
        self.answer(has_body=True)
        self.server.after_get()

    def answer(self, *, has_body):
        name = self.path.partition("?")[0].lstrip("/")
        status = self.server.statuses.get(name, 200 if name in self.server.files else 404)
        if status != 200:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.server.files[name]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.server.allows_ranges:
            self.server.ranges += 1
            self.send_response(206)
            data = data[int(wanted[1]) : int(wanted[2]) + 1]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        if name in self.server.tags:
            self.send_header("ETag", self.server.tags[name])
        self.end_headers()
        if has_body:
            with contextlib.suppress(ConnectionError):  # a client may have read enough
                self.wfile.write(data[: self.server.cut_at])
            self.close_connection = self.server.cut_at is not None


@pytest.fixture
def server():
    server = Server()
    server.files = dict(FILES)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("allows_ranges", [True, False])
def test_every_format_is_read_over_http(server, name, allows_ranges):
    server.allows_ranges = allows_ranges
    assert fingerprint_records(server.url(name)).id == WANT
    server.files[name] = FILES["table.csv"][:-3] if name == "table.csv" else b"x" * 200
    with contextlib.suppress(FormatError):
        assert fingerprint_records(server.url(name)).id != WANT


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read_from_a_store(memory, name):
    memory.pipe(f"/data/{name}", FILES[name])
    assert fingerprint_records(f"memory://data/{name}").id == WANT


def test_parquet_over_http_takes_what_it_needs(server):
    table = pa.table({"a": range(2_000_000), "b": range(2_000_000)})
    server.files["big.parquet"] = encoded(lambda target: pq.write_table(table, target, compression="none"))
    opened = open_table(server.url("big.parquet"))
    assert opened.rows == 2_000_000
    assert 1 <= server.ranges <= 4


def test_the_version_that_was_read_stands_beside_the_fingerprint(server, memory):
    server.tags["table.csv"] = '"v1"'
    options = fingerprint_records(server.url("table.csv")).read_options
    assert options["format"] == "csv"
    assert (options["url"], options["etag"], options["size"]) == (server.url("table.csv"), '"v1"', len(CSV))
    memory.pipe("/data/a.parquet", FILES["table.parquet"])
    options = fingerprint_records("memory://data/a.parquet").read_options
    assert options.keys() == {"format", "url", "modified", "size"}


def test_a_file_that_changes_while_it_is_read_is_noticed_where_the_store_tells(server, memory):
    server.tags["table.csv"] = '"v1"'
    server.after_get = lambda: server.tags.update({"table.csv": '"v2"'})
    with pytest.raises(UnavailableError, match=r"/table\.csv' changed while it was read"):
        fingerprint_records(server.url("table.csv"))
    server.after_get = lambda: None
    assert fingerprint_records(server.url("table.csv")).id == WANT
    memory.pipe("/data/a.csv", CSV)
    opened = open_table("memory://data/a.csv")
    memory.pipe("/data/a.csv", CSV.replace(b"c", b"d"))
    with pytest.raises(UnavailableError, match=r"memory://data/a\.csv' changed while it was read"):
        list(opened.iter_batches())


def test_secrets_in_a_url_are_in_no_message_and_no_option(server):
    url = server.url("table.csv").replace("http://", "http://ann:secret@") + "?signature=secret"
    whole = fingerprint_records(url)
    assert whole.id == WANT
    assert "secret" not in str(whole.read_options)
    for name, status in (("none.csv", 404), ("table.csv", 403), ("table.parquet", 500)):
        server.statuses[name] = status
        with pytest.raises((NotFoundError, UnavailableError)) as caught:
            fingerprint_records(url.replace("table.csv", name))
        assert name in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (404, NotFoundError, r"no file at 'http://127\.0\.0\.1:\d+/table\.csv'"),
        (410, NotFoundError, "no file at"),
        (403, UnavailableError, r"can't read 'http://.*/table\.csv': status 403 Forbidden"),
        (500, UnavailableError, "status 500"),
    ],
)
def test_what_the_server_answers_is_told(server, status, error, message):
    server.statuses["table.csv"] = status
    with pytest.raises(error, match=message):
        fingerprint_records(server.url("table.csv"))


def test_a_server_that_is_not_there_says_nothing_of_the_file(server):
    gone = server.url("table.csv")
    server.shutdown()
    server.server_close()
    with pytest.raises(UnavailableError, match=r"can't read 'http://.*/table\.csv': Client\w+Error"):
        fingerprint_records(gone)


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_transfer_that_is_cut_short_is_no_shorter_table(server, name):
    server.cut_at = 12
    with pytest.raises(UnavailableError, match=rf"can't read 'http://.*/{name}': ClientPayloadError"):
        fingerprint_records(server.url(name))


def test_a_folder_of_a_store_is_one_table(memory):
    for year, part in ((2013, TABLE.slice(0, 1)), (2014, TABLE.slice(1))):
        data = encoded(lambda target, part=part: pq.write_table(part, target))
        memory.pipe(f"/data/trips/year={year}/a.parquet", data)
    memory.pipe("/data/trips/_SUCCESS", b"")
    memory.pipe("/data/trips/_old/a.parquet", b"x")
    whole = fingerprint_records("memory://data/trips")
    assert whole.id == fingerprint_records(TABLE.append_column("year", pa.array([2013, 2014, 2014, 2014]))).id
    assert (whole.read_options["files"], whole.read_options["url"]) == (2, "memory://data/trips")
    memory.pipe("/data/trips/year=2014/a.parquet", FILES["table.parquet"])
    again = fingerprint_records("memory://data/trips")
    assert again.read_options["versions"] != whole.read_options["versions"]
    memory.pipe("/data/trips/year=2014/a.parquet", FILES["table.parquet"][:-10])
    with pytest.raises(FormatError, match=r"memory://data/trips/year=2014/a\.parquet' can't be read as Parquet"):
        fingerprint_records("memory://data/trips")


def test_a_folder_that_can_not_be_listed_is_no_smaller_table(memory, monkeypatch):
    memory.pipe("/data/a/a.parquet", FILES["table.parquet"])
    memory.pipe("/data/b/b.parquet", FILES["table.parquet"])
    assert fingerprint_records("memory://data").rows == 8
    real = type(memory).ls

    def refuse(self, path, **kwargs):
        if path.rstrip("/").endswith("/b"):
            raise PermissionError(path)
        return real(self, path, **kwargs)

    monkeypatch.setattr(type(memory), "ls", refuse)
    with pytest.raises(UnavailableError, match="can't read 'memory://data': PermissionError"):
        fingerprint_records("memory://data")


def test_a_part_that_changes_meanwhile_is_named(memory):
    memory.pipe("/data/a.parquet", FILES["table.parquet"])
    opened = open_table("memory://data")
    memory.pipe("/data/a.parquet", FILES["table.parquet"])
    with pytest.raises(UnavailableError, match=r"memory://data/a\.parquet' changed while it was read"):
        list(opened.iter_batches())


def test_what_is_not_there_or_not_a_table_is_told(memory, server):
    with pytest.raises(NotFoundError, match=r"no file at 'memory://data/none\.csv'"):
        fingerprint_records("memory://data/none.csv")
    memory.pipe("/data/readme", b"x")
    with pytest.raises(FormatError, match="'memory://data/readme': its name doesn't tell a table format"):
        fingerprint_records("memory://data/readme")
    with pytest.raises(FormatError, match="no Parquet files in the folder 'memory://data'"):
        fingerprint_records("memory://data")
    with pytest.raises(FormatError, match=r"'nothing://a/b.csv': Protocol not known"):
        fingerprint_records("nothing://a/b.csv")


def test_a_damaged_row_is_named_by_url_and_line(server):
    server.files["table.csv"] = b"a,b\n1,2\n3\n"
    with pytest.raises(FormatError, match=r"http://.*/table\.csv' line 3: 1 field, expected 2"):
        fingerprint_records(server.url("table.csv"))


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("s3://bucket/a.csv", "s3://bucket/a.csv"),
        ("https://ann:pw@host:8080/a.csv?X-Amz-Signature=1#x", "https://host:8080/a.csv"),
        ("memory://a/b.csv", "memory://a/b.csv"),
    ],
)
def test_the_public_part_of_a_url(url, public):
    assert remote_files.public_url(url) == public


def test_local_paths_are_not_urls(tmp_path):
    (tmp_path / "a b.csv").write_bytes(CSV)
    assert not remote_files.is_url("C:/a.csv")
    assert not remote_files.is_url("iceberg:a")
    assert fingerprint_records(f"file://{tmp_path}/a%20b.csv").id == WANT
