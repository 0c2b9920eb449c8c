"""Archives that are not there, not ours, damaged, or that may not be written."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from events import pipeline

from wherefrom.archive import Archive
from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.store import SCHEMA_VERSION

NOBODY = 65534


def test_no_archive_is_said_with_the_folder_looked_in_and_what_makes_one(tmp_path):
    with pytest.raises(NotFoundError, match=f"no archive in {tmp_path} or above it") as caught:
        Archive.find(tmp_path)
    assert caught.value.hint == "`wherefrom init` makes one"


def test_an_archive_is_found_from_any_folder_below(archive):
    deep = archive.root / "a" / "b"
    deep.mkdir(parents=True)
    assert Archive.find(deep).folder == archive.folder


def test_a_second_archive_in_one_folder_is_refused(archive):
    with pytest.raises(ConflictError, match="is an archive already"):
        Archive.init(archive.root)
    with pytest.raises(FormatError, match="namespace 'a b' is empty or has spaces"):
        Archive.init(archive.root / "x", namespace="a b")


def test_an_archive_of_a_newer_version_is_left_alone(archive):
    with sqlite3.connect(archive.folder / "archive.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(
        UnavailableError, match=f"has schema 9999, this wherefrom knows up to {SCHEMA_VERSION}"
    ) as caught:
        Archive.open(archive.folder)
    assert caught.value.hint == "install a newer wherefrom"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"this is no database at all, but it is long enough to be read as one" * 100,
            "is corrupt: file is not a database",
        ),
        (b"", "is not a wherefrom archive: it has no schema version"),
    ],
)
def test_a_file_that_is_no_archive_is_said_to_be_none(archive, content, message):
    archive.close()
    for path in archive.folder.glob("archive.db*"):
        path.unlink()
    (archive.folder / "archive.db").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        Archive.open(archive.folder)


def test_a_damaged_database_is_found_damaged_and_takes_nothing_more(archive):
    archive.record(*pipeline())
    archive.close()
    with sqlite3.connect(archive.folder / "archive.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode=DELETE")
    path = archive.folder / "archive.db"
    data = bytearray(path.read_bytes())
    for page in range(8, len(data) // 4096):
        data[page * 4096 : page * 4096 + 100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises((FormatError, UnavailableError, NotFoundError, ConflictError)) as caught:
        Archive.open(archive.folder).record(*pipeline())
    assert str(caught.value)
    assert path.read_bytes() == bytes(data)


@pytest.fixture
def open_folder():
    """A folder that every user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_in_a_folder_that_may_not_be_written_one_reads_and_does_not_record(open_folder):
    """As another user than the owner, since the owner may be root, whom no permission stops."""
    archive = Archive.init(open_folder, namespace="test")
    archive.record(*pipeline())
    archive.close()
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "unit")!r})
from pathlib import Path
from events import event
from wherefrom.archive import Archive
from wherefrom.errors import UnavailableError
from wherefrom.statements import format_statement
folder = Path({str(archive.folder)!r})
# What is imported late is imported before we become nobody, who may not read this Python's folder.
Archive.open(folder).trace("models/m.joblib"), format_statement(event("x"))
if os.getuid() == 0:
    os.setgid({NOBODY})
    os.setuid({NOBODY})
archive = Archive.open(folder)
print(len(archive.trace("models/m.joblib").runs), archive.size())
try:
    archive.record(event("x"))
except UnavailableError as error:
    print(error, "|", error.hint)
"""
    for path in (archive.folder, *archive.folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for path in (archive.folder / "keys").iterdir():  # secrets that others may read are refused before anything
        path.chmod(0o400)
        if os.getuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    try:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    finally:
        for path in (archive.folder, *archive.folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.stdout.splitlines()[0] == "2 4", done.stderr
    assert "is read-only | check the folder's permissions" in done.stdout
    assert Archive.open(archive.folder).size() == 4
