"""What the store promises, on SQLite and on PostgreSQL."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import counting
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.store import SCHEMA_VERSION, AttestationTables, Database, LedgerTables, LineageTables, StoredAnchor
from wherefrom.store.bulk import bulk_insert
from wherefrom.store.schema import (
    archive,
    checkpoints,
    entities,
    entries,
    jobs,
    keys,
    metadata,
    runs,
    versions,
)

HERE = Path(__file__).parent


def settings_of(database):
    with database.reading() as connection:
        return dict(connection.execute(archive.select().order_by(archive.c.key)).all())


def add(connection, key, value=""):
    connection.execute(archive.insert(), {"key": key, "value": value})


def test_what_is_created_is_there_when_opened_again(location):
    made = Database.create(location, lambda connection: add(connection, "namespace", "test"))
    made.close()
    again = Database.open(location)
    assert settings_of(again) == {"namespace": "test"}
    assert again.version() == SCHEMA_VERSION
    assert again.check() == []
    again.close()


def test_what_is_not_there_is_said_not_to_be(location):
    with pytest.raises(NotFoundError):
        Database.open(location)


def test_a_second_database_in_the_same_place_is_refused(database, location):
    with pytest.raises(ConflictError, match="already"):
        Database.create(location)
    assert settings_of(database) == {}


def test_of_two_who_create_at_once_one_gets_it(location):
    barrier = threading.Barrier(2)

    def create(number):
        barrier.wait()
        try:
            Database.create(location, lambda connection: add(connection, "maker", str(number))).close()
        except ConflictError:
            return None
        return number

    with ThreadPoolExecutor(2) as pool:
        makers = [maker for maker in pool.map(create, range(2)) if maker is not None]
    opened = Database.open(location)
    assert [settings_of(opened)["maker"]] == [str(maker) for maker in makers]
    opened.close()


def test_a_database_that_could_not_be_filled_is_not_there_at_all(location, tmp_path):
    with pytest.raises(ZeroDivisionError):
        Database.create(location, lambda _: 1 / 0)
    with pytest.raises(NotFoundError):
        Database.open(location)
    assert list(tmp_path.glob("archive.db*")) == []
    Database.create(location).close()


def test_a_newer_schema_is_left_alone(database, location):
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnavailableError, match="schema 9999, this wherefrom knows up to"):
        Database.open(location)


def test_the_migrations_give_the_tables_that_the_code_knows(database):
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_reader_sees_one_snapshot(database):
    with database.reading() as before:
        assert before.scalar(sa.select(sa.func.count()).select_from(archive)) == 0
        with database.writing() as connection:
            add(connection, "late")
        assert before.scalar(sa.select(sa.func.count()).select_from(archive)) == 0
    assert settings_of(database) == {"late": ""}


def test_an_exception_leaves_nothing_behind(database):
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        add(connection, "lost")
        bulk_insert(connection, checkpoints, [(1, b"note")])
        _ = 1 / 0
    assert settings_of(database) == {}
    with database.writing() as connection:
        add(connection, "kept")
    assert settings_of(database) == {"kept": ""}


def test_a_row_that_is_there_already_is_a_conflict_and_undoes_the_transaction(database):
    for insert in (
        lambda connection: connection.execute(checkpoints.insert(), {"size": 1, "note": b"other"}),
        lambda connection: bulk_insert(connection, checkpoints, [(1, b"other")]),
    ):
        with database.writing() as connection:
            connection.execute(checkpoints.delete())
            connection.execute(checkpoints.insert(), {"size": 1, "note": b"note"})
        with pytest.raises(ConflictError), database.writing() as connection:
            add(connection, "lost")
            insert(connection)
        with database.reading() as connection:
            assert LedgerTables(connection).read_checkpoint() == b"note"
        assert settings_of(database) == {}


def test_a_transaction_that_the_database_gave_up_is_not_taken_for_committed(database, backend):
    with pytest.raises(UnavailableError, match="given up after an error"), database.writing() as connection:
        add(connection, "lost")
        if backend == "sqlite":
            connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself when the disk is full
        else:
            with pytest.raises(sa.exc.DBAPIError):
                connection.exec_driver_sql("SELECT 1/0")
    assert settings_of(database) == {}


def test_writers_in_threads_and_processes_take_turns(database, location):
    with database.writing() as connection:
        add(connection, "count", "0")
    command = [sys.executable, str(HERE / "counting.py"), str(location), "2", "10"]
    others = [subprocess.Popen(command) for _ in range(2)]
    counting.count_in_threads(database, 2, 10)
    assert [other.wait(120) for other in others] == [0, 0]
    assert settings_of(database) == {"count": "60"}


def test_a_forked_process_has_connections_of_its_own(database):
    with database.writing() as connection:
        add(connection, "count", "0")
    children = []
    for _ in range(3):
        counting.count_up(database)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                counting.count_up(database)
                counting.count_up(database)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    counting.count_up(database)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    assert settings_of(database) == {"count": "10"}
    assert database.check() == []


def test_bytes_come_back_as_they_were(database):
    every_byte = bytes(range(256)) * 40
    rows = [(0, every_byte, b"", None, "kind", "2026"), (2**62, b"\0", every_byte[:32], b"\xff" * 32, "", "2027")]
    with database.writing() as connection:
        bulk_insert(connection, entries, rows)
        AttestationTables(connection).write_anchor(StoredAnchor(2**62, "rfc3161", "https://a", every_byte))
    with database.reading() as connection:
        assert [tuple(row) for row in connection.execute(entries.select().order_by(entries.c.idx))] == rows
        assert LedgerTables(connection).read_entries([0])[0].entry == every_byte
        assert AttestationTables(connection).list_anchors()[0].proof == every_byte


# Unicode, and what SQL, COPY and LIKE might read as something else.
TEXTS = [
    "é",
    "e\u0301",
    "Z",
    "a",
    "_",
    "ä",
    "\U0001f600",
    "\uffff",
    "\\N",
    "\\.",
    "\t\n\r",
    "'\"%_\\",
    "a" * 5000,
    " ",
    "",
]


def test_text_comes_back_as_it_was_and_in_the_order_of_code_points(database):
    with database.writing() as connection:
        bulk_insert(connection, archive, [(text, text) for text in TEXTS if len(text) < 1000])
        bulk_insert(connection, entities, [(number, text, text, 0) for number, text in enumerate(TEXTS, start=1)])
    with database.reading() as connection:
        views = LineageTables(connection)
        assert [row[1:3] for row in views.iter_rows(entities)] == [(text, text) for text in TEXTS]
        for number, text in enumerate(TEXTS, start=1):
            assert [row.id for row in views.find_entities(text, as_of=1)] == [number]
        keys = list(connection.scalars(sa.select(archive.c.key).order_by(archive.c.key)))
        assert keys == sorted((text for text in TEXTS if len(text) < 1000), key=str.encode)


def test_numbers_have_64_bits(database):
    most = 2**63 - 1
    with database.writing() as connection:
        bulk_insert(connection, entities, [(most, "", "name", most)])
        bulk_insert(connection, versions, [(most, most, "", most, None, most)])
    with database.reading() as connection:
        (row,) = LineageTables(connection).iter_rows(versions)
        assert row == (most, most, "", most, None, most)


def test_a_prefix_finds_what_begins_with_it_in_either_case(database):
    ids = ["00ff", "00fg", "a0", "a0ff", "a0f%", "a1"]
    rows = [(number, text, 1, None, 0) for number, text in enumerate(ids)]
    with database.writing() as connection:
        bulk_insert(connection, jobs, [(1, "namespace", "job", 0)])
        bulk_insert(connection, runs, rows)
    with database.reading() as connection:
        views = LineageTables(connection)
        for prefix, want in (("a0", ["a0", "a0ff", "a0f%"]), ("A0F", ["a0ff", "a0f%"]), ("a0f_", []), ("00f", ids[:2])):
            assert [row.run_id for row in views.find_runs(prefix, as_of=1)] == want
        assert len(views.find_runs("", as_of=1)) == len(ids)


def test_a_tile_only_ever_grows(database):
    with database.writing() as connection:
        LedgerTables(connection).write_tiles({(0, 0): b"a" * 32})
    with database.writing() as connection:
        LedgerTables(connection).write_tiles({(0, 0): b"a" * 32 + b"b" * 32})
    with pytest.raises(FormatError, match="only ever grows"), database.writing() as connection:
        LedgerTables(connection).write_tiles({(0, 0): b"b" * 64})
    with database.reading() as connection:
        assert LedgerTables(connection).read_tile(0, 0) == b"a" * 32 + b"b" * 32


def test_attestations_are_replaced_and_listed(database):
    with database.writing() as connection:
        attestations = AttestationTables(connection)
        assert attestations.newest_cosigned() is None
        for signature in (b"old", b"new"):
            attestations.write_cosignature(5, "witness-b+1", signature)
        attestations.write_cosignature(5, "Witness-a+2", b"other")
        for proof in (b"pending", b"upgraded"):
            attestations.write_anchor(StoredAnchor(5, "opentimestamps", "https://calendar", proof))
    with database.reading() as connection:
        attestations = AttestationTables(connection)
        assert attestations.newest_cosigned() == 5
        read = attestations.read_cosignatures(5)
        assert read == {"Witness-a+2": b"other", "witness-b+1": b"new"}
        assert list(read) == ["Witness-a+2", "witness-b+1"]
        assert attestations.list_anchors() == [StoredAnchor(5, "opentimestamps", "https://calendar", b"upgraded")]


def test_rows_are_read_a_few_at_a_time_and_all_of_them(database):
    rows = [(number, f"key{number:05}") for number in range(2500)]
    with database.writing() as connection:
        bulk_insert(connection, keys, rows)
        bulk_insert(connection, keys, [])
    with database.reading() as connection:
        assert list(LineageTables(connection).iter_rows(keys)) == rows


def test_a_database_that_was_closed_can_be_used_again(database):
    database.close()
    assert settings_of(database) == {}
