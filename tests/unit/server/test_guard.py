"""The guard: who asks is who the token says, and what they may is what holds now, within what the token reaches."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

from starlette.requests import Request

from wherefrom.archive import Archive
from wherefrom.archive.granting import begin_session, end, grant, issue_token, read_access, revoke
from wherefrom.errors import Denied, Unauthenticated
from wherefrom.server.access import deciding
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.access.sessions import COOKIE, Sessions
from wherefrom.statements import DENIAL, Reach

R, W = Action.READ, Action.WRITE


@pytest.fixture
def guard(archive):
    made = Guard(archive)
    yield made
    made.close()


@pytest.fixture
def as_token(archive, guard):
    """`as_token("user:ada", …)` gives whom the guard takes the bearer of a new token for."""

    def issue(principal, **options):
        text, _, _ = issue_token(archive, principal, by="x", **options)
        guard.access.refresh()
        return guard.principal_of_token(text)

    return issue


def give(guard, principal, role, namespaces):
    grant(guard.archive, principal, role, namespaces, by="x")
    guard.access.refresh()


def request(method="GET", **headers):
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/x", "query_string": b"", "headers": raw}
    return Request(scope)


def test_what_is_granted_may_be_done_there_and_nowhere_else(guard):
    ada = Principal("user:ada")
    assert not guard.may(ada, R, "lake/a")
    give(guard, "user:ada", "viewer", "lake/*")
    assert guard.may(ada, R, "lake/a")
    assert not guard.may(ada, W, "lake/a")
    assert not guard.may(ada, R, "hr")
    assert not guard.may(Principal("user:eve"), R, "lake/a")
    sees = guard.sees(ada)
    assert [name for name in ("lake/a", "hr", "lake/b") if sees(name)] == ["lake/a", "lake/b"]
    revoke(guard.archive, "user:ada", "viewer", "lake/*", by="x")
    guard.access.refresh()
    assert not sees("lake/a")  # also one who has been listening since before


def test_one_has_what_one_s_groups_have_and_what_anybody_has(guard):
    give(guard, "group:staff", "producer", "lake")
    give(guard, "anonymous", "viewer", "open")
    ada = Principal("user:ada", groups=("group:staff",))
    assert guard.may(ada, W, "lake")
    assert guard.may(ada, R, "open")
    assert guard.may(Principal("anonymous"), R, "open")
    assert not guard.may(Principal("anonymous"), W, "lake")
    assert not guard.may(Principal("user:eve"), W, "lake")


def test_a_token_reaches_no_further_than_its_principal_nor_than_itself(guard, as_token):
    give(guard, "user:ada", "admin", "lake/*")
    narrow = as_token("user:ada", reach=Reach(frozenset({"viewer", "admin"}), ("lake/a", "hr")))
    assert guard.may(narrow, W, "lake/a")
    assert not guard.may(narrow, W, "lake/b")
    assert not guard.may(narrow, W, "hr")
    reading = as_token("user:ada", reach=Reach(frozenset({"viewer"})))
    assert not guard.may(reading, R, "lake/a")  # ada is no viewer, but an admin
    give(guard, "user:ada", "viewer", "lake/*")
    assert guard.may(reading, R, "lake/a")
    assert not guard.may(reading, W, "lake/a")


def test_a_token_loses_what_its_principal_loses(guard, as_token):
    give(guard, "user:ada", "viewer", "lake")
    bearer = as_token("user:ada")
    assert guard.may(bearer, R, "lake")
    revoke(guard.archive, "user:ada", "viewer", "lake", by="x")
    guard.access.refresh()
    assert not guard.may(bearer, R, "lake")


def test_to_administer_a_pattern_one_administers_all_of_it(guard):
    give(guard, "user:ada", "admin", "lake/*")
    ada = Principal("user:ada")
    assert guard.may(ada, Action.ADMINISTER, "lake/a*")
    assert not guard.may(ada, Action.ADMINISTER, "*")
    assert not guard.may(ada, Action.ADMINISTER, "lake*")


def test_to_hold_an_action_somewhere_is_to_hold_it_within_the_token_s_reach(guard, as_token):
    give(guard, "user:ada", "auditor", "lake/*")
    assert guard.may_any(Principal("user:ada"), Action.AUDIT)
    assert not guard.may_any(Principal("user:ada"), W)
    assert not guard.may_any(Principal("user:eve"), R)
    for reach, has in (
        (Reach(None, ("lake/a",)), True),
        (Reach(None, ("*",)), True),
        (Reach(None, ("hr",)), False),
        (Reach(frozenset({"viewer"})), False),
    ):
        assert guard.may_any(as_token("user:ada", reach=reach), Action.AUDIT) is has


def test_a_decision_is_made_once_and_again_when_something_changed(guard, monkeypatch):
    asked = []
    monkeypatch.setattr(deciding.Policies, "permits", lambda self, *a, **k: asked.append(k) or True)
    ada = Principal("user:ada")
    for _ in range(3):
        guard.may(ada, R, "lake")
        guard.may(Principal("user:ada", route="GET /another"), R, "lake")
    assert len(asked) == 1
    give(guard, "user:bob", "viewer", "lake")
    guard.may(ada, R, "lake")
    assert len(asked) == 2


def test_a_token_is_taken_while_it_holds_and_no_other_is(archive, guard, tmp_path):
    text, token_id, _ = issue_token(archive, "user:ada", by="x")
    late, _, _ = issue_token(archive, "user:ada", by="x", expires=datetime.now(UTC) - timedelta(seconds=1))
    guard.access.refresh()
    assert guard.principal_of_token(text).id == "user:ada"
    other = Archive.init(tmp_path / "other", namespace="other")
    foreign, _, _ = issue_token(other, "user:ada", by="x")
    other.close()
    head, _, secret = text.rpartition("_")
    forged = foreign.rpartition("_")[2]
    damaged = (text[:-1], text + "0", text.upper(), text.replace("_", "-"), "", "x")
    for wrong in (late, foreign, f"{head}_{forged}", *damaged):
        with pytest.raises(Unauthenticated) as refused:
            guard.principal_of_token(wrong)
        assert secret not in str(refused.value)
    known = read_access(archive)
    end(archive, known.book.find_token(token_id, as_of=known.size), by="x")
    guard.access.refresh()
    with pytest.raises(Unauthenticated, match="revoked"):
        guard.principal_of_token(text)


def test_the_secret_is_compared_too_not_the_id_alone(archive, guard):
    """Same id, right checksum, another secret: what somebody makes who has seen an id in a list."""
    from wherefrom.statements import format_token

    _, token_id, _ = issue_token(archive, "user:ada", by="x")
    guard.access.refresh()
    with pytest.raises(Unauthenticated):
        guard.principal_of_token(format_token(bytes.fromhex(token_id), bytes(32)))


def test_a_request_is_by_whom_its_header_says(archive, guard):
    text, _, _ = issue_token(archive, "user:ada", by="x")
    guard.access.refresh()
    assert guard.principal_of(request(authorization=f"Bearer {text}")).id == "user:ada"
    assert guard.principal_of(request(authorization=f"bearer  {text} ")).id == "user:ada"
    for wrong in ("", text, f"Basic {text}", f"Bearer {text} {text}", "Bearer", f"Bearer é{text}"):
        with pytest.raises(Unauthenticated) as refused:
            guard.principal_of(request(authorization=wrong))
        assert "invalid_token" in refused.value.headers["WWW-Authenticate"]


def test_a_request_of_nobody_is_anybody_s_where_something_is_granted_to_anybody(guard):
    with pytest.raises(Unauthenticated) as refused:
        guard.principal_of(request())
    assert refused.value.headers["WWW-Authenticate"] == 'Bearer realm="wherefrom"'
    assert guard.identify(request()).is_anonymous
    give(guard, "anonymous", "viewer", "open")
    assert guard.principal_of(request()).is_anonymous
    with pytest.raises(Unauthenticated):  # to log in may help, so it is no 403
        guard.require(guard.principal_of(request()), R, "lake")


def test_a_cookie_is_good_for_reading_and_for_pages_of_our_own(archive, guard):
    until = datetime.now(UTC) + timedelta(hours=1)
    begin_session(archive, "user:ada", groups=["staff"], issuer="https://x", expires=until, session_id="s")
    past = datetime.now(UTC) - timedelta(hours=1)
    begin_session(archive, "user:ada", groups=[], issuer="https://x", expires=past, session_id="past")
    guard.access.refresh()

    def cookie(session, what="session"):
        return f"{COOKIE}={Sessions(archive).seal(what, {'session': session})}"  # another process's, same folder

    me = guard.principal_of(request(cookie=cookie("s")))
    assert (me.id, me.groups, me.session_id) == ("user:ada", ("group:staff",), "s")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(Unauthenticated, match="X-Wherefrom"):
            guard.principal_of(request(method, cookie=cookie("s")))
        for origin in ("https://evil.example.com", "null", "http://ours.example.com.evil.com", ""):
            with pytest.raises(Unauthenticated, match="X-Wherefrom"):
                guard.principal_of(request(method, cookie=cookie("s"), host="ours.example.com", origin=origin))
        assert guard.principal_of(request(method, cookie=cookie("s"), x_wherefrom="1")).id == "user:ada"
        own = request(method, cookie=cookie("s"), host="ours.example.com", origin="https://ours.example.com")
        assert guard.principal_of(own).id == "user:ada"
    text = cookie("s")
    damaged = (text[:-1], text.replace(".", ",", 1), f"{COOKIE}=x")
    for wrong in (cookie("past"), cookie("none"), cookie("s", "login"), *damaged):
        with pytest.raises(Unauthenticated):
            guard.principal_of(request(cookie=wrong))


def test_the_session_key_is_its_owner_s_alone_and_stays(archive):
    sealed = Sessions(archive).seal("session", {"session": "s"})
    path = archive.folder / "keys" / "session"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Sessions(archive).open(sealed) == "s"
    assert not [name for name in (archive.folder / "keys").iterdir() if name.name.startswith(".session")]


def test_who_may_not_is_told_so_and_it_is_recorded(archive, guard):
    give(guard, "user:ada", "viewer", "lake")
    ada = Principal("user:ada", route="POST /x")
    guard.require(ada, R, "lake")
    guard.require_any(ada, R)
    with pytest.raises(Denied, match="user:ada may not write in namespace 'lake'"):
        guard.require(ada, W, "lake")
    with pytest.raises(Denied):
        guard.require_any(ada, W)
    guard.close()
    said = [r.statement.predicate for r in archive.iter_recorded() if r.entry.kind == DENIAL]
    assert sorted((p["principal"], p["action"], p["namespace"] or "", p["route"], p["count"]) for p in said) == [
        ("user:ada", "write", "", "POST /x", 1),
        ("user:ada", "write", "lake", "POST /x", 1),
    ]


def test_the_policies_in_use_are_recorded_and_an_organisation_s_forbid_counts(archive, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "hr.cedar").write_text('forbid (principal, action, resource) when { resource.name == "hr" };')
    grant(archive, "user:ada", "admin", "*", by="x")
    size = archive.size()
    for own, expected in ((None, True), (None, True), (tmp_path / "own", False)):
        guard = Guard(archive, policies=own)
        assert guard.may(Principal("user:ada"), R, "hr") is expected
        assert guard.may(Principal("user:ada"), R, "lake")
        guard.close()
    assert archive.size() == size + 2
    known = read_access(archive)
    assert [name for name, _ in known.book.policy(as_of=known.size).files] == ["roles.cedar", "hr.cedar"]
