"""Grants and tokens over HTTP: who administers gives, within what they administer; auditors see who could see what."""

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

from wherefrom.archive.granting import begin_session, grant, read_access, revoke
from wherefrom.server.access.sessions import COOKIE, Sessions
from wherefrom.statements import parse_time


@pytest.fixture
def tokens(make_token, as_bearer):
    """`tokens("viewer", "lake/*")`: headers of somebody with that role there."""
    return lambda *given: as_bearer(make_token(*given))


def add(client, principal, role, namespaces, headers=None):
    body = {"principal": principal, "role": role, "namespaces": namespaces}
    return client.post("/v1/grants", json=body, headers=headers or {})


def test_what_an_admin_grants_counts_at_once_until_it_is_revoked(client, as_bearer):
    made = client.post("/v1/tokens", json={"principal": "service:etl"}).json()
    etl = as_bearer(made["token"])
    assert client.get("/v1/me", headers=etl).json()["grants"] == []
    given = add(client, "service:etl", "viewer", "lake/*")
    assert given.status_code == 201
    assert client.get("/v1/me", headers=etl).json()["grants"] == [
        {"role": "viewer", "namespaces": "lake/*", "through": "service:etl"}
    ]
    assert add(client, "service:etl", "viewer", "lake/*").json() == given.json() | {"isNew": False}
    [listed] = client.get("/v1/grants", params={"principal": "service:etl"}).json()["grants"]
    assert listed["by"].startswith("user:admin with token ")
    assert client.delete(f"/v1/grants/{listed['statementId']}", params={"reason": "done"}).status_code == 200
    assert client.delete(f"/v1/grants/{listed['statementId']}").status_code == 404
    assert client.get("/v1/me", headers=etl).json()["grants"] == []


def test_an_admin_of_some_namespaces_gives_what_lies_within_them_and_sees_nothing_else(client, tokens):
    lake = tokens("admin", "lake/*")
    assert add(client, "user:ada", "viewer", "lake/a*", lake).status_code == 201
    for wider in ("*", "lake*", "hr", "*/a"):
        assert add(client, "user:ada", "viewer", wider, lake).status_code == 403
    add(client, "user:bob", "viewer", "hr")
    seen = client.get("/v1/grants", headers=lake).json()["grants"]
    assert {one["namespaces"] for one in seen} == {"lake/*", "lake/a*"}
    [hr] = client.get("/v1/grants", params={"principal": "user:bob"}).json()["grants"]
    assert client.delete(f"/v1/grants/{hr['statementId']}", headers=lake).status_code == 404
    assert client.delete(f"/v1/grants/{'0' * 64}", headers=lake).status_code == 404
    assert client.delete("/v1/grants/x", headers=lake).status_code == 404


def test_who_is_no_admin_gives_nothing(client, tokens):
    for role in ("viewer", "producer", "steward", "auditor"):
        somebody = tokens(role, "*")
        refused = [
            add(client, "user:eve", "admin", "*", somebody),
            client.get("/v1/grants", headers=somebody),
            client.get("/v1/tokens", headers=somebody),
            client.post("/v1/tokens", json={"principal": "user:admin"}, headers=somebody),
            client.delete("/v1/tokens/0123456789abcdef", headers=somebody),
            client.delete(f"/v1/grants/{'0' * 64}", headers=somebody),
            client.post("/v1/me/tokens", json={}, headers=somebody),
        ]
        assert {answer.status_code for answer in refused} == {403}, role


NONSENSE = [
    {"principal": "ada", "role": "viewer", "namespaces": "*"},
    {"principal": "user:ada", "role": "owner", "namespaces": "*"},
    {"principal": "user:ada", "role": "viewer", "namespaces": ""},
    {"principal": "user:ada", "role": "viewer"},
    {"principal": "user:ada", "role": "viewer", "namespaces": "*", "more": 1},
    {"principal": "anonymous", "role": "admin", "namespaces": "*"},
    {"principal": "user:ada\u0000", "role": "viewer", "namespaces": "*"},
    {"principal": "user:ada", "role": "viewer", "namespaces": "a\u0000"},
    [],
]


def test_nonsense_is_refused_and_not_recorded(archive, client):
    size = archive.size()
    for body in NONSENSE:
        assert client.post("/v1/grants", json=body).status_code in {400, 422}, body
    assert archive.size() == size


def test_a_token_is_shown_once_and_reaches_no_further_than_who_made_it_administers(client, tokens, as_bearer):
    lake = tokens("admin", "lake/*")
    wanted = {"principal": "service:etl", "namespaces": ["lake/a"], "roles": ["viewer"], "days": 3}
    made = client.post("/v1/tokens", json=wanted, headers=lake)
    assert made.status_code == 201
    for wider in ({"namespaces": None}, {"namespaces": ["lake/a", "hr"]}, {"namespaces": ["*"]}):
        assert client.post("/v1/tokens", json=wanted | wider, headers=lake).status_code == 403
    [listed] = client.get("/v1/tokens", headers=lake).json()["tokens"]
    assert (listed["tokenId"], listed["namespaces"], listed["roles"]) == (
        made.json()["tokenId"],
        ["lake/a"],
        ["viewer"],
    )
    assert made.json()["token"] not in client.get("/v1/tokens").text
    assert "sha256" not in client.get("/v1/access/history").text
    add(client, "service:etl", "viewer", "*")
    etl = as_bearer(made.json()["token"])
    guard = client.app.state.guard
    me = guard.principal_of_token(made.json()["token"])
    assert [guard.sees(me)(name) for name in ("lake/a", "lake/b", "hr")] == [True, False, False]
    assert client.delete(f"/v1/tokens/{listed['tokenId']}", headers=lake).status_code == 200
    assert client.get("/v1/me", headers=etl).status_code == 401
    assert client.delete(f"/v1/tokens/{listed['tokenId']}", headers=lake).status_code == 404


def test_a_token_of_another_s_reach_is_not_there_for_who_administers_less(client, tokens):
    lake = tokens("admin", "lake/*")
    made = client.post("/v1/tokens", json={"principal": "service:etl"}).json()
    assert client.delete(f"/v1/tokens/{made['tokenId']}", headers=lake).status_code == 404
    assert client.delete(f"/v1/me/tokens/{made['tokenId']}", headers=lake).status_code == 404


def test_a_token_that_can_t_be_is_refused(client):
    lasting = ({"days": 0}, {"days": 1000})
    for changed in (
        *lasting,
        {"roles": []},
        {"roles": ["owner"]},
        {"principal": "group:x"},
        {"principal": "anonymous"},
    ):
        body = {"principal": "service:etl"} | changed
        assert client.post("/v1/tokens", json=body).status_code in {400, 422}, changed


def test_who_could_see_a_namespace_is_told_as_of_any_time(archive, client, tokens, as_bearer):
    before = archive.size() - 1
    grant(archive, "user:ada", "viewer", "lake/*", by="user:admin")
    grant(archive, "user:bob", "producer", "*", by="user:admin")
    grant(archive, "group:staff", "viewer", "*", by="user:admin")
    until = parse_time("2100-01-01T00:00:00Z", what="test")
    begin_session(archive, "user:cyd", groups=["staff"], issuer="https://x", expires=until, session_id="s")
    granted = archive.size() - 1
    revoke(archive, "user:ada", "viewer", "lake/*", by="user:admin")
    client.app.state.guard.access.refresh()

    def who(**options):
        answer = client.get("/v1/access", params={"namespace": "lake/a", **options})
        assert answer.status_code == 200, answer.text
        return {one["principal"]: one for one in answer.json()["who"]}

    assert set(who()) == {"user:admin", "group:staff"}
    assert who()["group:staff"]["members"] == ["user:cyd"]
    then = who(at=str(granted))
    assert set(then) == {"user:admin", "user:ada", "group:staff"}
    assert then["user:ada"]["role"] == "viewer"
    assert then["user:ada"]["by"] == "user:admin"
    assert archive.read_recorded(then["user:ada"]["statementId"]).statement.predicate["principal"] == "user:ada"
    assert set(who(at=str(before))) == {"user:admin"}
    assert who(at="2020-01-01") == {}
    assert set(who(action="write")) == {"user:admin", "user:bob"}
    assert client.get("/v1/access", params={"namespace": "lake/a", "at": "whenever"}).status_code == 400
    assert client.get("/v1/access", params={"namespace": "lake/a", "at": "99999"}).status_code == 404


def test_the_past_is_judged_by_the_policies_of_then(archive, tmp_path, make_token):
    from wherefrom.server.access.guard import Guard
    from wherefrom.server.access.who import who_could

    grant(archive, "user:ada", "viewer", "hr", by="x")
    (tmp_path / "own.cedar").write_text('forbid (principal, action, resource) when { resource.name == "hr" };')
    Guard(archive).close()
    before = archive.size() - 1
    Guard(archive, policies=tmp_path).close()
    assert [one.grant.principal for one in who_could(archive, "read", "hr").holders] == []
    assert [one.grant.principal for one in who_could(archive, "read", "hr", at=str(before)).holders] == ["user:ada"]


def test_auditors_see_who_could_see_their_namespaces_and_no_others(client, tokens):
    for role, status in (("auditor", 200), ("admin", 200), ("viewer", 403), ("steward", 403)):
        somebody = tokens(role, "lake/*")
        assert client.get("/v1/access", params={"namespace": "lake/a"}, headers=somebody).status_code == status
        assert client.get("/v1/access", params={"namespace": "hr"}, headers=somebody).status_code == 403
        assert client.get("/v1/access/history", headers=somebody).status_code == status


def test_the_history_of_access_has_what_one_audits_page_by_page(client, tokens):
    lake = tokens("auditor", "lake/*")
    add(client, "user:ada", "viewer", "lake/a")
    add(client, "user:bob", "viewer", "hr")
    seen = client.get("/v1/access/history", headers=lake).json()
    assert {one["predicate"].get("namespaces") for one in seen["statements"]} == {"lake/*", "lake/a"}
    everything, after = [], -1
    while True:
        page = client.get("/v1/access/history", params={"after": after, "limit": 2}).json()
        everything += page["statements"]
        if page["isComplete"]:
            break
        after = page["after"]
    kinds = [one["kind"] for one in everything]
    assert {"grant", "token", "access-policy"} <= set(kinds)
    assert [one["index"] for one in everything] == sorted({one["index"] for one in everything})
    assert {"user:bob", "user:ada"} <= {one["predicate"].get("principal") for one in everything}


def test_a_login_may_make_tokens_for_itself_alone(archive, client):
    until = parse_time("2100-01-01T00:00:00Z", what="test")
    begin_session(archive, "user:ada", groups=[], issuer="https://x", expires=until, session_id="s")
    client.app.state.guard.access.refresh()
    client.headers.pop("Authorization")
    client.cookies[COOKIE] = Sessions(archive).seal("session", {"session": "s"})
    assert client.post("/v1/me/tokens", json={}).status_code == 401
    made = client.post("/v1/me/tokens", json={"days": 2}, headers={"X-Wherefrom": "1"})
    assert (made.status_code, made.json()["principal"]) == (201, "user:ada")
    body = {"principal": "user:admin"}
    assert client.post("/v1/tokens", json=body, headers={"X-Wherefrom": "1"}).status_code == 403
    [token] = [one for one in read_access(archive).book.tokens(as_of=archive.size()) if one.principal == "user:ada"]
    assert token.by == "user:ada"


def test_without_a_login_provider_nobody_logs_in_and_nothing_breaks(client):
    assert client.get("/login", follow_redirects=False).status_code == 404
    assert client.get("/login/callback?code=x&state=y", follow_redirects=False).status_code == 404
    assert client.post("/logout").status_code == 204


def test_nobody_is_told_who_they_are_not(client):
    client.headers.pop("Authorization")
    assert client.get("/v1/me").json() == {"principal": "anonymous", "groups": [], "grants": []}
    for path in ("/v1/grants", "/v1/tokens", "/v1/me/tokens", "/v1/access?namespace=x", "/v1/access/history"):
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_route_on_access_says_what_it_needs(client):
    paths = client.app.openapi()["paths"]
    ours = {
        path: item for path, item in paths.items() if path.startswith(("/v1/me", "/v1/grants", "/v1/tokens", "/log"))
    }
    assert len(ours) >= 9
    for item in ours.values():
        for route in item.values():
            assert route["x-wherefrom-action"] in {"public", "self", "administer", "audit"}
