"""What a login provider may answer, and what we make of it: by a provider that says whatever a test wants."""

import time

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

from http_servers import serving
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from wherefrom.archive.granting import end, grant, read_access
from wherefrom.errors import FormatError, Unauthenticated, UnavailableError
from wherefrom.server.access import oidc
from wherefrom.server.access.guard import Action, Guard
from wherefrom.server.access.oidc import LoginSettings, Provider, read_provider
from wherefrom.server.settings import Settings

KEY = RSAKey.generate_key(2048, {"kid": "one"})
SECRET = "a b:c"  # noqa: S105 - of nothing
FINISH = {"redirect_uri": "https://ours.example.com/login/callback", "nonce": "n", "verifier": "v" * 43}


class FakeProvider:
    """Its answers, which a test changes, and what it was asked."""

    def __init__(self):
        self.keys = [KEY]
        self.discovery = {}
        self.reply = (200, {})
        self.asked = []
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discover),
                Route("/jwks", self.give_keys),
                Route("/token", self.exchange, methods=["POST"]),
            ]
        )

    async def discover(self, request):
        url = self.url
        named = {
            "authorization_endpoint": f"{url}/auth?x=1",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/jwks",
        }
        return JSONResponse({"issuer": url, **named} | self.discovery)

    async def give_keys(self, request):
        self.asked.append("keys")
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def exchange(self, request):
        body = (await request.body()).decode()
        self.asked.append((body, request.headers.get("authorization")))
        status, content = self.reply
        return JSONResponse(content, status)

    def sign(self, key=KEY, **changed):
        now = int(time.time())
        claims = {"iss": self.url, "aud": "wherefrom", "sub": "1", "exp": now + 600, "iat": now, "nonce": "n"}
        claims |= {"email": "ada@example.com", "email_verified": True} | changed
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


@pytest.fixture
def fake():
    made = FakeProvider()
    with serving(made.app) as made.url:
        yield made


def provider(fake, **settings):
    return Provider(LoginSettings(fake.url, "wherefrom", **settings))


def test_who_logged_in_is_whom_the_token_names(fake):
    fake.reply = (200, {"id_token": fake.sign(groups=["b", "a", "a", 7, "", "x\ny"])})
    login = provider(fake).finish_login("code", **FINISH)
    assert (login.principal, login.groups) == ("user:ada@example.com", ("a", "b"))
    fake.reply = (200, {"id_token": fake.sign(groups="alone", upn="ada")})
    login = provider(fake, user_claim="upn").finish_login("code", **FINISH)
    assert (login.principal, login.groups) == ("user:ada", ("alone",))


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "of another login"},
        {"nonce": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": "ada lovelace@example.com"},
        {"email": ""},
        {"email": ["ada@example.com"]},
        {"aud": "another"},
        {"iss": "https://evil.example.com"},
        {"exp": 1},
    ],
    ids=str,
)
def test_a_token_that_says_something_else_lets_nobody_in(fake, changed):
    fake.reply = (200, {"id_token": fake.sign(**changed)})
    with pytest.raises(Unauthenticated):
        provider(fake).finish_login("code", **FINISH)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_code_that_the_provider_refuses_lets_nobody_in(fake, status):
    fake.reply = (status, {"error": "invalid_grant"})
    with pytest.raises(Unauthenticated):
        provider(fake).finish_login("code", **FINISH)


@pytest.mark.parametrize("reply", [(500, {}), (200, {}), (200, []), (200, {"id_token": 7}), (302, {})])
def test_a_provider_that_answers_nonsense_is_unavailable(fake, reply):
    fake.reply = reply
    with pytest.raises(UnavailableError):
        provider(fake).finish_login("code", **FINISH)


def test_the_secret_goes_as_the_provider_wants_it(fake):
    fake.reply = (200, {"id_token": fake.sign()})
    provider(fake, client_secret=SECRET).finish_login("code", **FINISH)
    body, authorization = fake.asked[0]
    assert authorization.startswith("Basic ")
    assert "client_secret" not in body
    assert "code_verifier=" + "v" * 43 in body
    fake.asked.clear()
    fake.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    provider(fake, client_secret=SECRET).finish_login("code", **FINISH)
    body, authorization = fake.asked[0]
    assert authorization is None
    assert "client_secret=a+b%3Ac" in body


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example.com"},
        {"token_endpoint": "http://evil.example.com/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_provider_that_says_it_is_another_or_sends_us_elsewhere_is_not_asked(fake, discovery):
    fake.discovery = discovery
    with pytest.raises((UnavailableError, FormatError)):
        provider(fake).login_url(redirect_uri="https://x", state="s", nonce="n", verifier="v" * 43)
    assert fake.asked == []


def test_a_browser_is_sent_with_a_challenge_and_never_the_verifier(fake):
    url = provider(fake).login_url(redirect_uri="https://x/y", state="s", nonce="n", verifier="v" * 43)
    assert url.startswith(f"{fake.url}/auth?x=1&response_type=code&client_id=wherefrom")
    assert "code_challenge_method=S256" in url
    assert "v" * 43 not in url


def test_new_keys_are_asked_for_when_a_token_names_one_but_not_for_each_such_token(fake, monkeypatch):
    asking = provider(fake)
    assert [key["kid"] for key in asking.find_keys("one")] == ["one"]
    assert [key["kid"] for key in asking.find_keys("one")] == ["one"]
    assert fake.asked == ["keys"]
    fake.keys = [RSAKey.generate_key(2048, {"kid": "two"})]
    assert asking.find_keys("two") == []  # asked just now: whoever sends nonsense can't make us ask again
    assert fake.asked == ["keys"]
    monkeypatch.setattr(oidc, "ASK_AGAIN_S", 0.0)
    assert [key["kid"] for key in asking.find_keys("two")] == ["two"]
    assert asking.find_keys("one") == []


@pytest.mark.parametrize("issuer", ["http://login.example.com", "login.example.com", "ftp://x", "https://", ""])
def test_a_provider_is_spoken_to_in_secret(issuer):
    with pytest.raises(FormatError):
        Provider(LoginSettings(issuer, "wherefrom"))


def test_settings_name_a_provider_whole_or_not_at_all(tmp_path):
    assert read_provider(Settings()) is None
    with pytest.raises(FormatError):
        read_provider(Settings(oidc_issuer="https://login.example.com"))
    with pytest.raises(FormatError):
        read_provider(Settings(oidc_client_id="wherefrom"))
    both = {"oidc_issuer": "https://login.example.com", "oidc_client_id": "wherefrom"}
    with pytest.raises(UnavailableError):
        read_provider(Settings(**both, oidc_secret_file=tmp_path / "missing"))
    (tmp_path / "secret").write_text("s3cret\n")
    made = read_provider(Settings(**both, oidc_secret_file=tmp_path / "secret", oidc_groups_claim="roles"))
    assert (made.settings.client_secret, made.settings.groups_claim) == ("s3cret", "roles")


def test_tokens_of_the_provider_are_taken_from_programs_where_that_is_set_up(archive, fake):
    grant(archive, "group:ci", "producer", "lake", by="tests")
    text = fake.sign(aud="lineage-api", groups=["ci"], nonce=None)
    without = Guard(archive, provider=provider(fake))
    with pytest.raises(Unauthenticated):
        without.principal_of_token(text)
    without.close()
    guard = Guard(archive, provider=provider(fake, audience="lineage-api"))
    me = guard.principal_of_token(text)
    assert (me.id, me.groups) == ("user:ada@example.com", ("group:ci",))
    assert guard.may(me, Action.WRITE, "lake")
    assert not guard.may(me, Action.READ, "lake")
    assert me.token_id and not me.session_id  # with it, no other tokens can be made
    guard.principal_of_token(text)
    [session] = read_access(archive).book.sessions(as_of=archive.size())  # recorded once
    for wrong in (fake.sign(nonce=None), fake.sign(aud="another"), text[:-4] + "AAAA"):
        with pytest.raises(Unauthenticated):
            guard.principal_of_token(wrong)
    end(archive, session, by="tests")
    guard.access.refresh()
    with pytest.raises(Unauthenticated, match="ended"):
        guard.principal_of_token(text)
    guard.close()
