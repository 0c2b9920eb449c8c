"""What is special to SQLite: the file."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa
from events import event

from wherefrom.archive import Archive
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.store import Database
from wherefrom.store.schema import archive

DIE = """
import os, signal, sys
from pathlib import Path
from wherefrom.store import Database
Database.create(Path(sys.argv[1]), lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""


def keys_of(database):
    with database.reading() as connection:
        return set(connection.scalars(sa.select(archive.c.key)))


def add(database, key):
    with database.writing() as connection:
        connection.execute(archive.insert(), {"key": key, "value": ""})


def test_who_dies_while_making_a_database_leaves_none(tmp_path):
    path = tmp_path / "archive.db"
    done = subprocess.run([sys.executable, "-c", DIE, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(NotFoundError):
        Database.open(path)
    Database.create(path).close()


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "archive.db"
    database = Database.create(path)
    add(database, "before")
    with database.writing() as connection:
        connection.execute(archive.insert(), {"key": "copied", "value": ""})
    database.close()  # so that all of it is in the file
    shutil.copy(path, tmp_path / "copy")
    add(database, "lost")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    (tmp_path / "copy").replace(path)
    assert keys_of(database) == {"before", "copied"}
    add(database, "after")
    database.close()
    again = Database.open(path)
    assert keys_of(again) == {"before", "copied", "after"}
    assert again.check() == []
    again.close()


def test_text_where_bytes_belong_is_found_by_the_check(tmp_path):
    """SQLite's columns take values of any type, and some tools write text."""
    made = Archive.init(tmp_path, namespace="test", origin="example.com/test")
    [receipt] = made.record(event("run"))
    with made.writing() as connection:
        connection.exec_driver_sql("UPDATE payloads SET envelope = 'text' WHERE idx = 1")
    with pytest.raises(FormatError, match="has str 'text' where bytes belong"):
        made.read_recorded(str(receipt.index))
    problems = [problem for _, found in made.check() for problem in found]
    assert any("has str 'text' where bytes belong" in problem for problem in problems)
    made.close()


def test_commits_are_synced(tmp_path):
    database = Database.create(tmp_path / "archive.db")
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


def test_an_idle_connection_is_kept_and_closed_before_a_fork(tmp_path):
    database = Database.create(tmp_path / "archive.db")
    add(database, "one")
    pool = database._engine.pool
    assert pool.checkedin() == 1
    child = os.fork()
    if child == 0:
        os._exit(0 if database._engine.pool.checkedin() == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.checkedin() == 0
    assert keys_of(database) == {"one"}
    database.close()
