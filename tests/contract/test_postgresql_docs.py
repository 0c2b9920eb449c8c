"""The SQL and the promises of docs/postgresql.md, tried."""

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from events import event, pipeline
from postgresql_server import PostgresqlServer

from wherefrom.archive import Archive
from wherefrom.errors import UnavailableError, VerificationError, WherefromError

PAGE = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text()
ROLES, PARTITIONS, DROP = re.findall(r"^```sql\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def server():
    with contextlib.closing(PostgresqlServer()) as running:
        yield running


def run_sql(server, text):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(text)


def wrong(archive):
    return [problem for _, problems in archive.check() for problem in problems]


def test_the_recorder_records_and_the_reader_reads(server, tmp_path):
    run_sql(server, ROLES)
    url = server.url.replace("postgres@", "{}@", 1) + "&schema=churn"
    recorder = Archive.init(tmp_path / "recorder", database_url=url.format("wherefrom_recorder"))
    recorder.record(*pipeline())
    folder = tmp_path / "reader" / ".wherefrom"
    folder.mkdir(parents=True)
    (folder / "trust").write_bytes(recorder.trust_file.read_bytes())
    (folder / "database").write_text(url.format("wherefrom_reader"))
    reader = Archive.find(folder)
    assert reader.trace("models/m.joblib") == recorder.trace("models/m.joblib")
    assert wrong(reader) == []
    with pytest.raises(UnavailableError):
        reader.record(event("mine"))
    with pytest.raises(UnavailableError, match="does not let this user do that"), reader.writing() as connection:
        connection.exec_driver_sql("DELETE FROM entries")
    reader.close()
    recorder.close()
    run_sql(server, "DROP SCHEMA churn CASCADE")


def test_another_machine_records_with_a_copy_of_the_folder(server, tmp_path):
    first = Archive.init(tmp_path / "one", namespace="n", database_url=f"{server.url}&schema=copied")
    folder = tmp_path / "two" / ".wherefrom"
    (folder / "keys").mkdir(parents=True)
    for name in ("database", "trust", "keys/log", "keys/producer"):
        shutil.copy(first.folder / name, folder / name)  # with its permissions
    second = Archive.open(folder)
    for number in range(3):
        for place, archive in enumerate((first, second)):
            [receipt] = archive.record(event(f"run {number} there and {place}"))
            assert receipt.index == 2 * number + place + 1
    assert wrong(first) == wrong(second) == []
    first.close()
    second.close()


def test_a_database_restored_from_an_older_backup_is_not_recorded_into(server, tmp_path):
    archive = Archive.init(tmp_path, namespace="n", database_url=f"{server.url}&schema=restored")
    archive.record(*pipeline())
    tools = {name: str(server.folder_of_binaries / name) for name in ("pg_dump", "psql")}
    where = ["--dbname", server.url]
    dump = subprocess.run([tools["pg_dump"], *where, "--schema", "restored"], capture_output=True, check=True).stdout
    archive.record(event("after the backup"))
    run_sql(server, "DROP SCHEMA restored CASCADE")
    with pytest.raises(WherefromError):
        archive.record(event("while it is gone"))
    subprocess.run([tools["psql"], "-q", *where], input=dump, capture_output=True, check=True)
    assert archive.size() == 4
    with pytest.raises(VerificationError, match="4 entries, a checkpoint it signed before has 5"):
        archive.record(event("after the restore"))
    assert archive.size() == 4
    assert [problem for problem in wrong(archive) if "signed before" in problem]
    archive.close()


def test_entries_can_be_partitioned_and_a_partition_dropped(server, tmp_path):
    archive = Archive.init(tmp_path, namespace="n", database_url=f"{server.url}&schema=churn")
    archive.record(*pipeline())
    run_sql(server, PARTITIONS.replace("100000000", "10").replace("200000000", "20"))
    for start in range(0, 16, 4):
        archive.record(*(event(f"run {number}") for number in range(start, start + 4)))
    assert archive.size() == 20
    assert wrong(archive) == []
    with pytest.raises(WherefromError, match="no partition"):
        archive.record(event("one too many"))
    assert archive.size() == 20
    assert wrong(archive) == []
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM churn.payloads_1").fetchall() == [(10,)]
    run_sql(server, DROP)
    assert archive.read_recorded("12").index == 12
    archive.close()
