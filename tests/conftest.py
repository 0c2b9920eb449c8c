"""Fixtures that all tests share."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from wherefrom.archive import Archive

# Helper modules of the tests are imported by their plain names.
for folder in ("unit", "reference", "fault", "integration"):
    sys.path.insert(0, str(Path(__file__).parent / folder))

# A red run there must be about the change at hand: each run tries the same cases. Elsewhere they are new each time.
settings.register_profile("repeatable", derandomize=True)
if os.environ.get("WHEREFROM_TESTS_NO_SKIP"):
    settings.load_profile("repeatable")


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
