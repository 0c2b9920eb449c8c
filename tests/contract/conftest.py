"""What the contract suites run on: each test once with SQLite, once with PostgreSQL."""

import pytest

from wherefrom.archive import Archive
from wherefrom.store import Database

BACKENDS = ("sqlite", "postgresql")


def make_location(backend, request, tmp_path):
    """Where a new database can be made."""
    return tmp_path / "archive.db" if backend == "sqlite" else request.getfixturevalue("postgresql_url")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def location(backend, request, tmp_path):
    return make_location(backend, request, tmp_path)


@pytest.fixture
def database(location):
    opened = Database.create(location)
    yield opened
    opened.close()


@pytest.fixture
def archive(location, tmp_path):
    """A new archive in a folder of its own, whose database is at `location`."""
    root = tmp_path / "project"
    root.mkdir()
    url = location if isinstance(location, str) else None
    opened = Archive.init(root, namespace="test", origin="example.com/test", database_url=url)
    yield opened
    opened.close()
