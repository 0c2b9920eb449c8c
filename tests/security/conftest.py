"""The server that the security tests attack."""

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    from team_server import serving_team

    with serving_team(tmp_path_factory.mktemp("team")) as serving:
        yield serving
