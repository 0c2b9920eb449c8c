import contextlib

import pytest
from postgresql_server import PostgresqlServer
from workers import Worker


@pytest.fixture(scope="session")
def worker():
    """A process to do what faults are tried on."""
    with Worker() as started:
        yield started


@pytest.fixture(scope="session")
def other_worker():
    with Worker() as started:
        yield started


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server of our own, to be killed."""
    with contextlib.closing(PostgresqlServer()) as started:
        yield started
