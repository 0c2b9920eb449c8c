"""`wherefrom access`, as a user types it."""

import json
import re

import pytest

from wherefrom.archive.granting import read_access
from wherefrom.statements import GRANT


@pytest.fixture
def project(archive, monkeypatch):
    monkeypatch.chdir(archive.root)
    return archive


def test_who_has_the_folder_grants_and_revokes_and_it_is_on_the_record(wherefrom, project):
    status, out, err = wherefrom("access", "grant", "user:ada@example.com", "viewer", "lake/*", "--reason", "joined")
    assert (status, out, err) == (0, "user:ada@example.com has the role viewer in lake/*, by statement 1\n", "")
    assert "has had" in wherefrom("access", "grant", "user:ada@example.com", "viewer", "lake/*")[1]
    status, out, _ = wherefrom("access", "list")
    assert status == 0
    assert re.fullmatch(r"viewer    lake/\*  user:ada@example\.com  since 20.* by local:\w+ \(statement 1\)\n", out)
    status, out, _ = wherefrom("access", "revoke", "user:ada@example.com", "viewer", "lake/*")
    assert (status, out) == (0, "user:ada@example.com no longer has the role viewer through lake/*, by statement 2\n")
    assert wherefrom("access", "list")[1] == "nothing is granted to anybody\n"
    assert wherefrom("access", "revoke", "user:ada@example.com", "viewer", "lake/*")[0] == 2
    assert [r.entry.kind for r in project.iter_recorded()].count(GRANT) == 2


def test_a_token_is_printed_once_and_can_be_ended(wherefrom, project):
    status, out, err = wherefrom("access", "token", "service:etl", "--role", "producer", "--namespaces", "lake")
    assert status == 0
    token_id = re.fullmatch(r"wft_([0-9a-f]{16})_[0-9A-Za-z]{49}\n", out)[1]
    assert f"token {token_id} of service:etl" in err
    listed = wherefrom("access", "list")[1]
    assert f"{token_id}  service:etl (producer, lake)" in listed
    assert out.strip() not in listed
    status, out, _ = wherefrom("access", "revoke-token", token_id, "--json")
    assert json.loads(out)["recorded"]["is_new"] is True
    assert wherefrom("access", "revoke-token", token_id)[0] == 2
    assert token_id not in wherefrom("access", "list")[1]


def test_as_json_it_lists_what_the_server_lists(wherefrom, project):
    pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")
    from fastapi.testclient import TestClient

    from wherefrom.archive.granting import make_first_admin
    from wherefrom.server.app import make_app

    token = make_first_admin(project)
    wherefrom("access", "grant", "service:etl", "producer", "lake/*", "--reason", "nightly")
    wherefrom("access", "token", "service:etl", "--role", "producer", "--namespaces", "lake/*")
    listed = json.loads(wherefrom("access", "list", "service:etl", "--json")[1])
    with TestClient(make_app(project), headers={"Authorization": f"Bearer {token}"}) as client:
        for what in ("grants", "tokens"):
            assert client.get(f"/v1/{what}", params={"principal": "service:etl"}).json()[what] == listed[what]
    assert listed["grants"][0]["reason"] == "nightly"


def test_who_could_see_a_namespace_is_told_for_any_time(wherefrom, project):
    pytest.importorskip("cedarpy", reason="cedarpy is not installed: the extra `server` has it")
    wherefrom("access", "grant", "user:ada", "viewer", "lake/*")
    wherefrom("access", "grant", "service:etl", "producer", "*")
    token_id = json.loads(wherefrom("access", "token", "user:ada", "--days", "2", "--json")[1])["tokenId"]
    wherefrom("access", "revoke", "user:ada", "viewer", "lake/*")
    assert wherefrom("access", "who", "lake/a")[1] == "nobody could read there\n"
    status, out, _ = wherefrom("access", "who", "lake/a", "--at", "3")
    assert status == 0
    assert out.startswith("user:ada  as viewer through lake/*  since ")
    assert f"token {token_id}" in out
    assert wherefrom("access", "who", "hr", "--at", "3")[1] == "nobody could read there\n"
    found = json.loads(wherefrom("access", "who", "hr", "--action", "write", "--json")[1])
    assert [one["principal"] for one in found["who"]] == ["service:etl"]
    assert (
        json.loads(wherefrom("access", "list", "user:ada", "--at", "3", "--json")[1])["grants"][0]["role"] == "viewer"
    )
    assert wherefrom("access", "list", "user:bob")[0] == 2


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("grant", "ada", "viewer", "*"), 3),
        (("grant", "user:ada", "owner", "*"), 2),
        (("grant", "anonymous", "admin", "*"), 3),
        (("token", "group:staff"), 3),
        (("token", "user:ada", "--role", "owner"), 2),
        (("who", "lake", "--action", "delete"), 2),
        (("list", "--at", "yesterday"), 3),
    ],
)
def test_nonsense_is_refused_and_not_recorded(wherefrom, project, words, status):
    size = project.size()
    assert wherefrom("access", *words)[0] == status
    assert project.size() == size
    known = read_access(project)
    assert list(known.book.grants(as_of=known.size)) == []
