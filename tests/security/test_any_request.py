"""Requests made up from the OpenAPI document, sound ones and wrong ones: no route ever fails by itself (no 5xx)."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from team_server import OWN, serving_team

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

ENDLESS = "/v1/live"
# A few for each operation, the same in each run; `make hunt` is where more are tried.
SOME = settings(max_examples=4, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def team(tmp_path):
    """One for each test: schemathesis ends the life of an application after it."""
    with serving_team(tmp_path) as serving:
        yield serving


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_makes_a_route_fail(team, mode):
    schema = schemathesis.openapi.from_asgi("/openapi.json", team.app)
    headers = {"Authorization": f"Bearer {team.tokens['admin', OWN]}"}
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS:
            continue

        def check(case):
            with contextlib.suppress(UnicodeEncodeError):  # what no client can send
                reply = case.call(headers=headers)
                assert reply.status_code < 500, (case.method, case.formatted_path, case.query, case.body, reply.text)
                tried.add((case.method, case.path))

        try:
            strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))
            SOME(given(case=strategy)(check))()
        except schemathesis.errors.SchemathesisError as error:  # nothing can be wrong with a route without parameters
            assert "negative" in mode, error
        except Exception as error:
            if type(error).__name__ not in {"Unsatisfiable", "SkipTest"} or mode != "negative":
                raise
    assert len(tried) > 30
