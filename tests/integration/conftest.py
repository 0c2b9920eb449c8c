"""Fixtures of the tests that run whole programs."""

import pytest
from captured_project import Project

from wherefrom.archive import Archive


@pytest.fixture
def project(tmp_path):
    root = (tmp_path / "project").resolve()
    root.mkdir()
    Archive.init(root, namespace="test").close()
    return Project(root)
