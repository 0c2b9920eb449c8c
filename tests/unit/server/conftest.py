"""The server in this process: an application over an archive of its own, and clients with tokens."""

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")


@pytest.fixture
def admin_token(archive):
    """The text of a token that may do everything."""
    from wherefrom.archive.granting import make_first_admin

    return make_first_admin(archive)


@pytest.fixture
def make_token(archive):
    """`make_token("viewer", "test")` gives the text of a token of somebody who has this role there, and no other."""
    from wherefrom.archive.granting import grant, issue_token

    def make(role, namespaces, principal=None):
        who = principal or f"service:{role}-{namespaces}".replace("*", "all").replace(" ", "-")
        grant(archive, who, role, namespaces, by="tests")
        return issue_token(archive, who, by="tests")[0]

    return make


@pytest.fixture
def settings():
    """What the application is told; a test may override this."""
    from wherefrom.server.settings import Settings

    return Settings()


@pytest.fixture
def app(archive, settings):
    """The application of `archive`; give tokens and grants before asking for it, or wait half a second."""
    from wherefrom.server.app import close_app, make_app

    made = make_app(archive, settings)
    yield made
    close_app(made)


@pytest.fixture
def client(app, admin_token):
    """A starlette TestClient whose requests carry the admin's token."""
    from starlette.testclient import TestClient

    app.state.guard.access.refresh()
    with TestClient(app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {admin_token}"}) as opened:
        yield opened


@pytest.fixture
def as_bearer(app):
    """`as_bearer(token)` gives the headers of a request with that token, which is known to the application by then."""

    def headers(token):
        app.state.guard.access.refresh()
        return {"Authorization": f"Bearer {token}"}

    return headers
