"""Applications over the small world of `marquez_world`: one that tests only ask, and one for each that changes it."""

import contextlib

import pytest
from marquez_world import all_events, record
from starlette.testclient import TestClient

from wherefrom.archive import Archive
from wherefrom.archive.granting import make_first_admin
from wherefrom.server.app import close_app, make_app


class World:
    """`world(path, **query)` gives the JSON of a good answer."""

    def __init__(self, client):
        self.client = client

    def __call__(self, path, **query):
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()


@contextlib.contextmanager
def serving(archive):
    """A client who may do everything with an application of this archive."""
    token = make_first_admin(archive)
    app = make_app(archive)
    try:
        yield TestClient(app, headers={"Authorization": f"Bearer {token}"})
    finally:
        close_app(app)


@pytest.fixture(scope="session")
def shared_client(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    with contextlib.closing(Archive.init(root, namespace="test", origin="example.com/test")) as archive:
        record(archive, *all_events())
        with serving(archive) as client:
            yield client


@pytest.fixture
def world(shared_client):
    """The small world, for tests that change nothing."""
    return World(shared_client)


@pytest.fixture
def changing(archive):
    """The same with an archive of its own, `archive`."""
    record(archive, *all_events())
    with serving(archive) as client:
        yield World(client)
