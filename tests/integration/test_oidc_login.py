"""People log in at a real OpenID Connect provider, and nothing that is not by it lets anybody in."""

import contextlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

from joserfc.jwk import ECKey, OKPKey, RSAKey
from oidc_provider import Browser, oidc_provider, skip_without_provider
from starlette.testclient import TestClient

from wherefrom.archive.granting import end, grant, read_access
from wherefrom.server.access.sessions import COOKIE
from wherefrom.server.app import close_app, make_app
from wherefrom.server.settings import Settings

OURS = "http://127.0.0.1:7373"
CALLBACK = f"{OURS}/login/callback"


def key(kind, key_id, **options):
    made = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}[kind]
    size = {"RS256": 2048, "ES256": "P-256", "EdDSA": "Ed25519"}[kind]
    return made.generate_key(size, {"kid": key_id, "use": "sig", "alg": kind, **options}).as_dict(private=True)


@pytest.fixture(scope="module")
def keys():
    return {kind: key(kind, f"of {kind}") for kind in ("RS256", "ES256", "EdDSA")}


@pytest.fixture(scope="module")
def issuer(keys):
    skip_without_provider()
    with oidc_provider({"keys": [keys["RS256"]]}) as url:
        yield url


@contextlib.contextmanager
def application(archive, issuer, tmp_path, **settings):
    secret = tmp_path / "client-secret"
    secret.write_text("known to both\n")
    told = {"oidc_issuer": issuer, "oidc_client_id": "wherefrom", "oidc_secret_file": secret} | settings
    app = make_app(archive, Settings(**told))
    try:
        with TestClient(app, base_url=OURS, follow_redirects=False) as client:
            yield client
    finally:
        close_app(app)


@pytest.fixture
def ours(archive, issuer, tmp_path):
    with application(archive, issuer, tmp_path) as client:
        yield client


@pytest.fixture
def browser(ours):
    opened = Browser(ours, OURS)
    yield opened
    opened.close()


def test_a_person_logs_in_with_a_browser_and_has_what_was_granted_to_their_groups(archive, ours, browser):
    grant(archive, "group:data platform", "viewer", "lake/*", by="tests")
    answer = browser.log_in("ada", f"{OURS}/login?next=/v1/me")
    assert (answer.status_code, str(answer.url)) == (200, f"{OURS}/v1/me")
    me = answer.json()
    assert me["principal"] == "user:ada@example.com"
    assert me["groups"] == ["group:data platform", "group:staff"]
    assert [(g["role"], g["namespaces"], g["through"]) for g in me["grants"]] == [
        ("viewer", "lake/*", "group:data platform")
    ]
    [session] = read_access(archive).book.sessions(as_of=archive.size())
    assert (session.principal, session.groups) == ("user:ada@example.com", ("data platform", "staff"))
    assert session.session_id == me["session"]["sessionId"]
    assert not [url for url in browser.seen if urlsplit(url).port not in {7373, urlsplit(session.issuer).port}]


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(ours, browser):
    callback = browser.log_in("ada", f"{OURS}/login", stop_at=CALLBACK)
    said = ours.get(callback).headers.get_list("set-cookie")
    session = next(text for text in said if text.startswith(COOKIE)).lower()
    assert "httponly" in session
    assert "samesite=lax" in session
    assert "secure" not in session  # http, on this machine


def test_behind_https_the_cookies_are_sent_over_https_only(archive, issuer, tmp_path):
    with application(archive, issuer, tmp_path, public_url="https://lineage.example.com") as client:
        answer = client.get("/login")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"] == [
        "https://lineage.example.com/login/callback"
    ]
    assert "secure" in answer.headers["set-cookie"].lower()


def test_after_logging_out_the_cookie_is_worth_nothing_wherever_it_is(ours, browser):
    browser.log_in("ada", f"{OURS}/login")
    copied = ours.cookies[COOKIE]
    assert ours.get("/v1/me").json()["principal"] == "user:ada@example.com"
    assert ours.post("/logout").status_code == 401  # another site's page could have sent that
    assert ours.post("/logout", headers={"Origin": "http://127.0.0.1:7374"}).status_code == 401
    assert ours.get("/v1/me").json()["principal"] == "user:ada@example.com"
    assert ours.post("/logout", headers={"X-Wherefrom": "1"}).status_code == 204
    assert COOKIE not in ours.cookies
    assert ours.get("/v1/me").json()["principal"] == "anonymous"
    ours.cookies[COOKIE] = copied
    assert ours.get("/v1/me").status_code == 401


def test_a_page_of_our_own_origin_may_log_out(ours, browser):
    browser.log_in("ada", f"{OURS}/login")
    assert ours.post("/logout", headers={"Origin": OURS}).status_code == 204


def test_a_session_that_an_admin_ends_is_over(archive, ours, browser):
    browser.log_in("ada", f"{OURS}/login")
    known = read_access(archive)
    end(archive, known.book.sessions(as_of=known.size)[0], by="tests", reason="left")
    ours.app.state.guard.access.refresh()
    assert ours.get("/v1/me").status_code == 401


def test_who_has_logged_in_makes_tokens_and_with_those_no_others(archive, ours, browser):
    grant(archive, "user:ada@example.com", "viewer", "lake", by="tests")
    browser.log_in("ada", f"{OURS}/login")
    body = {"namespaces": ["lake"], "days": 7}
    assert ours.post("/v1/me/tokens", json=body).status_code == 401  # no X-Wherefrom
    made = ours.post("/v1/me/tokens", json=body, headers={"X-Wherefrom": "1"})
    assert made.status_code == 201
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    assert ours.get("/v1/me", headers=bearer).json()["token"]["principal"] == "user:ada@example.com"
    assert ours.post("/v1/me/tokens", json=body, headers=bearer).status_code == 403
    [listed] = ours.get("/v1/me/tokens").json()["tokens"]
    assert "token" not in listed
    assert ours.delete(f"/v1/me/tokens/{listed['tokenId']}", headers={"X-Wherefrom": "1"}).status_code == 200
    assert ours.get("/v1/me", headers=bearer).status_code == 401


def test_an_address_that_the_provider_has_not_verified_names_nobody(ours, browser):
    answer = browser.log_in("eve", f"{OURS}/login")
    assert answer.status_code == 401
    assert "not verified" in answer.json()["error"]["message"]
    assert ours.get("/v1/me").json()["principal"] == "anonymous"


def change(url, **parameters):
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | parameters
    return parts._replace(query=urlencode({name: value for name, value in query.items() if value is not None})).geturl()


def test_a_callback_that_was_changed_lets_nobody_in(ours, browser):
    issuer = "https://evil.example.com"
    for changed in ({"state": "another"}, {"state": None}, {"code": "another"}, {"code": None}, {"iss": issuer}):
        callback = browser.log_in("ada", f"{OURS}/login", stop_at=CALLBACK)
        assert ours.get(change(callback, **changed)).status_code == 401, changed
        assert COOKIE not in ours.cookies


def test_a_code_counts_once(ours, browser):
    callback = browser.log_in("ada", f"{OURS}/login", stop_at=CALLBACK)
    waiting = ours.cookies["wherefrom_login"]
    assert ours.get(callback).status_code == 303
    ours.cookies.clear()
    ours.cookies["wherefrom_login"] = waiting
    assert ours.get(callback).status_code == 401
    assert COOKIE not in ours.cookies


def test_a_login_ends_only_in_the_browser_in_which_it_began(ours, browser):
    callback = browser.log_in("ada", f"{OURS}/login", stop_at=CALLBACK)
    ours.cookies.clear()
    assert ours.get(callback).status_code == 401
    ours.get("/login")  # another browser, with a login of its own under way
    assert ours.get(callback).status_code == 401


def test_a_code_for_another_login_does_not_go_with_this_one(ours, browser):
    """Its verifier (PKCE) is another's, so the provider refuses it."""
    first = browser.log_in("ada", f"{OURS}/login", stop_at=CALLBACK)
    second = browser.log_in("ada", f"{OURS}/login", stop_at=CALLBACK)
    code = parse_qs(urlsplit(first).query)["code"][0]
    assert ours.get(change(second, code=code)).status_code == 401


def test_a_login_leads_back_to_no_other_site(ours, browser):
    for path in ("//evil.example.com", "https://evil.example.com/", "/\\evil.example.com", "\t//x"):
        callback = browser.log_in("ada", f"{OURS}/login?{urlencode({'next': path})}", stop_at=CALLBACK)
        assert ours.get(callback).headers["location"] == "/v1/me", path


@pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
def test_a_provider_that_signs_otherwise_is_understood(archive, keys, tmp_path, kind):
    skip_without_provider()
    with (
        oidc_provider({"keys": [keys[kind]]}, id_token_signed_response_alg=kind) as issuer,
        application(archive, issuer, tmp_path) as ours,
        contextlib.closing(Browser(ours, OURS)) as browser,
    ):
        assert browser.log_in("ada", f"{OURS}/login").json()["principal"] == "user:ada@example.com"


def test_a_key_that_the_provider_changes_is_asked_for_again(archive, tmp_path, monkeypatch):
    skip_without_provider()
    monkeypatch.setattr("wherefrom.server.access.oidc.ASK_AGAIN_S", 0.0)
    with oidc_provider({"keys": [key("RS256", "old")]}) as issuer:
        port = urlsplit(issuer).port
        with application(archive, issuer, tmp_path) as ours, contextlib.closing(Browser(ours, OURS)) as browser:
            assert browser.log_in("ada", f"{OURS}/login").json()["principal"] == "user:ada@example.com"
            provider = ours.app.state.guard.provider
            assert [jwk["kid"] for jwk in provider.find_keys("old")] == ["old"]
    with oidc_provider({"keys": [key("RS256", "new")]}, port=port) as again:
        assert again == issuer
        assert [jwk["kid"] for jwk in provider.find_keys("new")] == ["new"]
        assert provider.find_keys("old") == []


def test_without_the_provider_the_server_runs_and_says_that_nobody_can_log_in_now(archive, tmp_path):
    with application(archive, "http://127.0.0.1:9", tmp_path) as ours:
        assert ours.get("/v1/me").json()["principal"] == "anonymous"
        answer = ours.get("/login")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


def test_the_provider_refuses_us_with_a_wrong_secret_and_so_do_we(archive, issuer, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("known to nobody")
    with (
        application(archive, issuer, tmp_path, oidc_secret_file=wrong) as ours,
        contextlib.closing(Browser(ours, OURS)) as browser,
    ):
        assert browser.log_in("ada", f"{OURS}/login").status_code == 401
