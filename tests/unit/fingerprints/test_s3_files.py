"""S3 against a server on loopback."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import open_table

TABLE = pa.table({"id": [3, 1, 2], "name": ["c", "a", None]})
CSV = b"id,name\n3,c\n1,a\n2,\n"

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: requirements/services.txt has it")
moto_server = pytest.importorskip("moto.server", reason="moto is not installed: requirements/services.txt has it")


@pytest.fixture(scope="module")
def store():
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        files = s3fs.S3FileSystem()
        files.mkdir("bucket")
        yield files
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_files_and_folders_of_s3_are_tables_with_their_version(store):
    store.pipe("bucket/a.csv", CSV)
    whole = fingerprint_records("s3://bucket/a.csv")
    assert whole.id == fingerprint_records(TABLE).id
    assert whole.read_options["etag"] == store.info("bucket/a.csv")["ETag"]
    for year in (1, 2):
        with store.open(f"bucket/trips/year={year}/a.parquet", "wb") as file:
            pq.write_table(TABLE, file)
    assert fingerprint_records("s3://bucket/trips").rows == 6


def test_a_change_meanwhile_is_noticed_by_its_etag(store):
    store.pipe("bucket/a.csv", CSV)
    table = open_table("s3://bucket/a.csv")
    store.pipe("bucket/a.csv", CSV.replace(b"c", b"d"))
    with pytest.raises(UnavailableError, match=r"s3://bucket/a\.csv' changed while it was read"):
        list(table.iter_batches())


def test_what_is_not_there_is_not_found(store):
    with pytest.raises(NotFoundError, match=r"no file at 's3://bucket/none\.csv'"):
        fingerprint_records("s3://bucket/none.csv")
