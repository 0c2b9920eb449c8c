"""Fixtures that all tests share."""

import contextlib
import os
import secrets
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from wherefrom.archive import Archive

# Helper modules of the tests are imported by their plain names.
for folder in ("unit", "reference", "fault", "integration", "contract", "fuzz"):
    sys.path.insert(0, str(Path(__file__).parent / folder))

# A red run must be about the change at hand, so each run tries the same cases. `make hunt` tries new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("WHEREFROM_TESTS_PROFILE", "repeatable"))


def pytest_sessionfinish(session, exitstatus):
    """Where everything that tests need is installed, a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and exitstatus == 0 and os.environ.get("WHEREFROM_TESTS_NO_SKIP"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{len(skipped)} tests were skipped where none may be")


@pytest.fixture
def archive(tmp_path):
    """A new archive in a folder of its own."""
    root = tmp_path / "project"
    root.mkdir()
    opened = Archive.init(root, namespace="test", origin="example.com/test")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgresql_server_url():
    """The URL of a PostgreSQL database for tests: WHEREFROM_TEST_POSTGRESQL, or a cluster that lives as long as this
    worker. Whoever wants to kill a server makes a `PostgresqlServer` of its own."""
    if given := os.environ.get("WHEREFROM_TEST_POSTGRESQL"):
        yield given
        return
    from postgresql_server import PostgresqlServer

    with contextlib.closing(PostgresqlServer()) as server:
        yield server.url


@pytest.fixture
def postgresql_url(postgresql_server_url):
    """A URL naming a schema that is not there yet, and that is dropped afterwards."""
    import psycopg

    schema = f"t_{secrets.token_hex(8)}"
    yield f"{postgresql_server_url}{'&' if '?' in postgresql_server_url else '?'}schema={schema}"
    with psycopg.connect(postgresql_server_url, autocommit=True) as connection:
        # A transaction that a test left open would be waited for: that is a failure with a name, not a hang.
        connection.execute("SET lock_timeout = '60s'")
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
