"""What is special to PostgreSQL: a server, which others use too, and which may go away at any moment."""

import contextlib
import re
import secrets
import stat
import subprocess
import sys
import threading

import psycopg
import pytest
import sqlalchemy as sa
from events import event
from postgresql_server import DEADLINE_S, PostgresqlServer

from wherefrom.archive import Archive
from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.store import Database
from wherefrom.store import postgresql as backend
from wherefrom.store.bulk import bulk_insert
from wherefrom.store.schema import archive, checkpoints


@pytest.fixture(scope="module")
def server():
    """A server that these tests may kill."""
    with contextlib.closing(PostgresqlServer()) as running:
        yield running


@pytest.fixture
def database(postgresql_url):
    opened = Database.create(postgresql_url)
    yield opened
    opened.close()


def add(connection, key, value=""):
    connection.execute(archive.insert(), {"key": key, "value": value})


def keys_of(database):
    with database.reading() as connection:
        return set(connection.scalars(sa.select(archive.c.key)))


def pid_of(connection):
    return connection.scalar(sa.text("SELECT pg_backend_pid()"))


def terminate(url, pid):
    """Cut a session, as an administrator or a broken network does; returns when it is gone."""
    with psycopg.connect(url.rpartition("schema=")[0].rstrip("?&"), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, %s)", (pid, DEADLINE_S * 1000))


# --- opening ---------------------------------------------------------------------------------------------------------


def test_the_url_is_kept_for_its_owner_only(tmp_path, postgresql_url):
    made = Archive.init(tmp_path, database_url=postgresql_url)
    made.close()
    path = made.folder / "database"
    assert path.read_text() == f"{postgresql_url}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (made.folder / "archive.db").exists()


def test_the_command_makes_one_and_the_others_find_it(tmp_path, postgresql_url):
    def wherefrom(*arguments):
        command = [sys.executable, "-c", "from wherefrom.cli import main; main()", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    done = wherefrom("init", "--database", postgresql_url)
    assert done.returncode == 0, done.stderr
    assert "made " in done.stdout
    done = wherefrom("doctor")
    assert done.returncode == 0, done.stderr
    done = wherefrom("init", str(tmp_path / "elsewhere"), "--database", postgresql_url)
    assert done.returncode == 3
    assert "there is an archive, or something else, already" in done.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://root:hush@localhost/db", "unknown scheme 'mysql'"),
        ("postgresql://root:hush@localhost:port/db", "is not a URL"),
        ("postgresql://root:hush@localhost/db?schema=Upper", "schema 'Upper': expected lower-case letters"),
        ("postgresql://root:hush@localhost/db?schema=a;b", "schema 'a;b': expected lower-case letters"),
        ("postgresql://root:hush@localhost/db?schema=a&schema=b", "expected lower-case letters"),
    ],
)
def test_a_url_of_another_form_is_refused_without_showing_its_password(url, message):
    with pytest.raises(FormatError, match=message) as caught:
        Database.open(url)
    assert "hush" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(UnavailableError, match="can't be reached") as caught:
        Database.open(f"postgresql://ada:hush@/lineage?host={tmp_path}")
    assert "hush" not in str(caught.value)


def test_a_wrong_password_is_said_to_be_one_and_never_shown(server):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE ada LOGIN PASSWORD 'right'")
    rules = server.folder / "data" / "pg_hba.conf"
    rules.write_text(f"local all ada scram-sha-256\n{rules.read_text()}")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    url = server.url.replace("postgres@", "ada:{}@", 1)
    # The server reads its rules again soon, not at once.
    for _ in range(600):
        with pytest.raises((UnavailableError, NotFoundError)) as caught:
            Database.open(url.format("hush"))
        if isinstance(caught.value, UnavailableError):
            break
    assert "refused the user or the password" in str(caught.value)
    shown = [str(caught.value), caught.value.hint]
    assert not any("hush" in text for text in shown)
    with pytest.raises(NotFoundError, match="no archive there"):
        Database.open(url.format("right"))


def test_a_schema_with_something_else_in_it_is_refused(postgresql_server_url, postgresql_url):
    schema = postgresql_url.rpartition("=")[2]
    with psycopg.connect(postgresql_server_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.other (id int)")
    with pytest.raises(ConflictError, match="something else"):
        Database.create(postgresql_url)
    with psycopg.connect(postgresql_server_url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {schema}.other")
    Database.create(postgresql_url).close()


def test_a_database_that_cannot_keep_all_text_is_refused(server):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")
    with pytest.raises(UnavailableError, match="keeps text as LATIN1, expected UTF8"):
        Database.create(server.url.replace("/postgres?", "/latin?"))


def test_text_is_utf_8_whatever_the_environment_says(database, postgresql_url, monkeypatch):
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    other = Database.open(postgresql_url)
    with other.writing() as connection:
        add(connection, "日本")
    assert keys_of(other) == {"日本"}
    other.close()


def test_importing_wherefrom_needs_no_postgresql_and_using_it_says_what_is_missing():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "psycopg":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from wherefrom.store import Database
import wherefrom.archive
try:
    Database.open("postgresql://localhost/lineage")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search(r"^UnavailableError .*needs an extra: pip install 'wherefrom\[postgresql\]'$", done.stdout)


# --- transactions ----------------------------------------------------------------------------------------------------


def test_writers_of_two_archives_do_not_wait_for_each_other(database, postgresql_url):
    other = Database.create(f"{postgresql_url}_too")
    try:
        with database.writing() as one, other.writing() as two:
            add(one, "one")
            add(two, "two")
        assert (keys_of(database), keys_of(other)) == ({"one"}, {"two"})
        with other.writing() as connection:
            connection.execute(sa.text(f"DROP SCHEMA {postgresql_url.rpartition('=')[2]}_too CASCADE"))
    finally:
        other.close()


def test_who_waits_too_long_for_another_writer_is_told_so(database, monkeypatch):
    monkeypatch.setattr(backend, "WRITER_WAIT_S", 1)
    with database.writing() as connection:
        waited = "another process has been writing for over 1 s"
        with pytest.raises(UnavailableError, match=waited) as caught, database.writing():
            pass
        add(connection, "first")
    assert caught.value.hint == "try again"
    assert keys_of(database) == {"first"}


def test_a_writer_who_does_nothing_for_too_long_is_cut_off(database, monkeypatch):
    monkeypatch.setattr(backend, "IDLE_WRITER_TIMEOUT_S", 1)
    with pytest.raises(UnavailableError, match="did nothing for too long"), database.writing() as connection:
        add(connection, "lost")
        monkeypatch.undo()
        counted(database)  # waits until the other is cut off
        add(connection, "more")
    assert keys_of(database) == {"count"}


@pytest.mark.parametrize(("configured", "used"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_a_commit_is_durable_whatever_is_configured(database, postgresql_url, configured, used):
    url = f"{postgresql_url}&options=-csynchronous_commit%3D{configured}"
    other = Database.open(url)
    with other.reading() as connection:
        assert connection.scalar(sa.text("SHOW synchronous_commit")) == configured
    with other.writing() as connection:
        assert connection.scalar(sa.text("SHOW synchronous_commit")) == used
    other.close()


def test_without_the_lock_a_second_tree_of_one_size_is_refused_all_the_same(database, monkeypatch):
    """Some systems that speak PostgreSQL's protocol take advisory locks for comments."""
    begin = backend.PostgresqlBackend._begin

    def begin_without_lock(self, connection):
        begin(self, connection, "READ COMMITTED")

    monkeypatch.setattr(backend.PostgresqlBackend, "begin_writing", begin_without_lock)
    refused = []

    def second():
        try:
            with database.writing() as connection:
                bulk_insert(connection, checkpoints, [(1, b"second")])
        except ConflictError as error:
            refused.append(error)

    with database.writing() as connection:
        bulk_insert(connection, checkpoints, [(1, b"first")])
        other = threading.Thread(target=second)
        other.start()
    other.join(DEADLINE_S)
    assert len(refused) == 1
    with database.reading() as connection:
        assert list(connection.scalars(sa.select(checkpoints.c.note))) == [b"first"]


def test_a_user_who_may_only_read_reads_and_is_told_that_he_may_not_write(database, postgresql_server_url):
    role = f"reader_{secrets.token_hex(4)}"
    schema = database._backend._schema
    with psycopg.connect(postgresql_server_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
        )
    reader = Database.open(f"{postgresql_server_url}&schema={schema}&options=-crole%3D{role}")
    try:
        assert keys_of(reader) == set()
        with pytest.raises(UnavailableError, match="does not let this user do that"), reader.writing() as connection:
            add(connection, "mine")
    finally:
        reader.close()
        with psycopg.connect(postgresql_server_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_session_that_was_cut_while_idle_is_replaced(database, postgresql_url):
    for action in (lambda: keys_of(database), lambda: counted(database)):
        with database.reading() as connection:
            pid = pid_of(connection)
        terminate(postgresql_url, pid)
        action()
    assert keys_of(database) == {"count"}


def counted(database):
    with database.writing() as connection:
        add(connection, "count")


def test_a_session_that_is_cut_in_a_transaction_leaves_nothing(database, postgresql_url):
    with pytest.raises(UnavailableError, match=r"shutting down|can't be reached"), database.writing() as connection:
        add(connection, "lost")
        terminate(postgresql_url, pid_of(connection))
        add(connection, "more")
    with pytest.raises(UnavailableError), database.writing() as connection:
        add(connection, "lost")
        terminate(postgresql_url, pid_of(connection))
        bulk_insert(connection, archive, [(str(number), "") for number in range(1000)])
    assert keys_of(database) == set()
    counted(database)
    assert keys_of(database) == {"count"}


def test_a_session_that_is_cut_in_its_commit_is_not_said_to_have_done_nothing(database):
    with database.writing() as connection:
        connection.execute(
            sa.text(
                "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END'"
            )
        )
        connection.execute(
            sa.text(
                "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON archive DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION die()"
            )
        )
    with (
        pytest.raises(UnavailableError, match="may or may not be recorded") as caught,
        database.writing() as connection,
    ):
        add(connection, "perhaps")
    assert "safe" in caught.value.hint


def test_what_was_acknowledged_survives_a_server_that_is_killed_again_and_again(server, tmp_path):
    opened = Archive.init(tmp_path, namespace="test", origin="example.com/test", database_url=f"{server.url}&schema=k")
    acknowledged, tries, deadline = {}, threading.Semaphore(0), threading.Event()

    def record(number):
        while not deadline.is_set():
            with contextlib.suppress(UnavailableError):
                tries.release()
                [receipt] = opened.record(event(f"run {number}"))
                acknowledged[number] = (receipt.index, receipt.statement_id)
                return

    def record_all(start):
        for number in range(start, 40, 2):
            record(number)

    writers = [threading.Thread(target=record_all, args=(start,)) for start in range(2)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            for _ in range(8):
                assert tries.acquire(timeout=DEADLINE_S)
            server.kill()
            server.start()
        for writer in writers:
            writer.join(2 * DEADLINE_S)
    finally:
        deadline.set()
    assert len(acknowledged) == 40
    assert opened.size() == 41
    assert [problem for _, problems in opened.check() for problem in problems] == []
    for index, statement_id in acknowledged.values():
        assert opened.read_recorded(str(index)).statement_id == statement_id
    opened.close()


def test_a_standby_is_read_and_says_that_it_is_read_only(server):
    url = f"{server.url}&schema=standby"
    made = Database.create(url)
    counted(made)
    server.stop()
    signal = server.folder / "data" / "standby.signal"
    signal.touch()
    try:
        server.start()
        assert keys_of(made) == {"count"}
        with pytest.raises(UnavailableError, match="read-only") as caught, made.writing():
            pass
        assert "primary" in caught.value.hint
    finally:
        made.close()
        server.stop()
        signal.unlink()
        server.start()


def test_a_server_that_does_not_sync_is_found_by_the_check():
    with contextlib.closing(PostgresqlServer(fsync="off", full_page_writes="off")) as careless:
        made = Database.create(careless.url)
        found = made.check()
        made.close()
    assert [problem.split(":")[0] for problem in found] == [
        "the server has fsync = off",
        "the server has full_page_writes = off",
    ]
