"""Roles across processes: what one records another heeds, and what one counted is recorded when it stops."""

import contextlib
import time

import httpx
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

from joserfc.jwk import RSAKey
from live_server import DEADLINE_S, running_server
from oidc_provider import Browser, oidc_provider, skip_without_provider

from wherefrom.archive import Archive
from wherefrom.archive.granting import grant, issue_token, revoke
from wherefrom.server.access.sessions import COOKIE
from wherefrom.statements import DENIAL


@pytest.fixture
def project(archive):
    """The archive's folder, with nobody else in it."""
    archive.close()
    return archive.root


@contextlib.contextmanager
def opened(project):
    archive = Archive.open(project / ".wherefrom")
    try:
        yield archive
    finally:
        archive.close()


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_servers_heed_what_a_third_process_grants_and_revokes_and_record_each_denial(project):
    with opened(project) as archive:
        text, _, _ = issue_token(archive, "user:ada", by="tests")
        grant(archive, "user:ada", "auditor", "lake", by="tests")
    headers = {"Authorization": f"Bearer {text}"}
    with running_server(project) as one, running_server(project) as two, opened(project) as archive:

        def ask(server):
            return httpx.get(f"{server.url}/v1/access?namespace=hr", headers=headers, timeout=DEADLINE_S).status_code

        assert [ask(one), ask(two)] == [403, 403]
        grant(archive, "user:ada", "auditor", "hr", by="tests")
        wait_for(lambda: [ask(one), ask(two)] == [200, 200])
        revoke(archive, "user:ada", "auditor", "hr", by="tests")
        wait_for(lambda: [ask(one), ask(two)] == [403, 403])
        asked = [ask(server) for server in (one, two) for _ in range(20)]
        assert set(asked) == {403}
        one.stop()
        two.stop()
    with opened(project) as archive:
        said = [r.statement.predicate for r in archive.iter_recorded() if r.entry.kind == DENIAL]
        assert {(p["principal"], p["action"], p["namespace"], p["route"]) for p in said} == {
            ("user:ada", "audit", "hr", "GET /v1/access")
        }
        assert sum(p["count"] for p in said) >= len(asked) + 4
        assert len(said) <= 8  # and not one for each of them
        assert [problem for _, found in archive.check() for problem in found] == []


def test_who_logged_in_at_one_server_is_logged_in_at_another_of_the_same_archive(project, tmp_path):
    skip_without_provider()
    secret = tmp_path / "client-secret"
    secret.write_text("known to both")
    keys = {"keys": [RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}).as_dict(private=True)]}
    with oidc_provider(keys) as issuer:
        told = {"ISSUER": issuer, "CLIENT_ID": "wherefrom", "SECRET_FILE": str(secret)}
        env = {f"WHEREFROM_SERVER_OIDC_{name}": value for name, value in told.items()}
        with running_server(project, env=env) as one, running_server(project, env=env) as two:
            with (
                httpx.Client(timeout=DEADLINE_S) as ours,
                contextlib.closing(Browser(ours, one.url)) as browser,
            ):
                answer = browser.log_in("ada", f"{one.url}/login")
                assert answer.json()["principal"] == "user:ada@example.com"
                cookies = {COOKIE: ours.cookies[COOKIE]}

            def ask():
                return httpx.get(f"{two.url}/v1/me", cookies=cookies, timeout=DEADLINE_S)

            wait_for(lambda: ask().status_code == 200)
            assert ask().json()["principal"] == "user:ada@example.com"
            gone = httpx.post(f"{two.url}/logout", cookies=cookies, headers={"X-Wherefrom": "1"}, timeout=DEADLINE_S)
            assert gone.status_code == 204
            wait_for(lambda: httpx.get(f"{one.url}/v1/me", cookies=cookies, timeout=DEADLINE_S).status_code == 401)
