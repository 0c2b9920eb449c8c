"""Names that would be commands somewhere else: kept as they are, given back as they are, obeyed nowhere."""

import json
from urllib.parse import quote

import pytest
from lineage_events import run_event
from team_server import OWN

NAMES = [
    "'; DROP TABLE entries; --",
    "x' OR '1'='1",
    '"; DELETE FROM entities; --',
    "%' UNION SELECT value FROM archive --",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}${7*7}<%= 7*7 %>",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "a\r\nSet-Cookie: x=1",
    'a\n{"level":"info","event":"forged"}',
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "\u0000"[:0] + "null\tbyte",
    "𝄞 ü 表 \U0010ffff",
    "%00%0a%2e%2e%2f",
    "*",
    "_%",
    "a" * 65536,
]


@pytest.fixture
def as_admin(team):
    def ask(method, path, value=None):
        headers = {"Authorization": f"Bearer {team.tokens['admin', OWN]}"}
        return team.call(method, path, body=b"" if value is None else json.dumps(value).encode(), headers=headers)

    return ask


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_hostile_name_is_a_name(as_admin, name):
    event = run_event(NAMES.index(name), namespace=OWN, job=name, inputs=[name + "in"], outputs=["safe"])
    if len(name) == 65536:
        event = run_event(99, namespace=OWN, job=name, inputs=["in"], outputs=["safe"])
    reply = as_admin("POST", "/api/v1/lineage", event)
    assert reply.status == 201, reply.text
    index = json.loads(reply.body)["index"]
    assert json.loads(as_admin("GET", f"/v1/statements/{index}/event").body)["job"]["name"] == name
    for path in (
        f"/api/v1/namespaces/{OWN}/jobs/{quote(name, safe='')[:9000]}",
        f"/v1/statements/{quote(name, safe='')[:60]}",
        f"/v1/statements?kind={quote(name, safe='')[:150]}",
        f"/api/v1/search?q={quote(name, safe='')[:900]}",
        f"/api/v1/lineage?nodeId={quote(f'dataset:{OWN}:{name}', safe='')[:9000]}",
        f"/api/v1/column-lineage?nodeId={quote(f'dataset:{OWN}:{name}', safe='')[:9000]}",
    ):
        answer = as_admin("GET", path)
        assert answer.status in {200, 400, 404, 422}, (path, answer.text[:500])
        assert answer.headers["content-type"].startswith("application/json")  # so that no browser takes it for a page
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers
        json.loads(answer.body)


def test_nothing_of_it_was_obeyed(team, as_admin):
    archive = team.app.state.archive
    assert all(not problems for _, problems in archive.check())
    assert archive.size() > 5


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/v1/statements/..%2f..%2f.wherefrom%2fkeys%2flog",
        "/v1/statements/%2e%2e/%2e%2e/checkpoint",
        "//etc/passwd",
        "/.wherefrom/keys/log",
        "/static/../../keys",
    ],
)
def test_no_path_leads_to_a_file(as_admin, path):
    answer = as_admin("GET", path)
    assert answer.status == 404
    assert b"root:" not in answer.body
    assert b"PRIVATE" not in answer.body


DEEP = b"[" * 50_000
BODIES = [
    DEEP,
    b'{"a":' * 50_000,
    b'{"of":"\\ud800","corrects":"\\udfff","name":"\\ud800","principal":"\\ud800"}',
    b'{"type":"dataset","namespace":"team-zebra","name":"\\u0000","reason":"x","of":"\\u0000"}',
    b'{"type":"dataset","namespace":"team-zebra","name":"x","reason":"\\ud800"}',
    b'{"of":"' + b"x" * 100_000 + b'"}',
    b'{"of":1e400}',
    b"\xff\xfe",
    b"NaN",
    b"",
    b"null",
    b'{"statements":' + DEEP,
    b'{"statements":[{"payload":"' + b"A" * 100_000 + b'"}]}',
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_hostile_body_is_malformed_and_nothing_worse(team, body):
    headers = {"Authorization": f"Bearer {team.tokens['admin', OWN]}"}
    posts = [
        path for path, methods in team.app.openapi()["paths"].items() if "post" in methods and "logout" not in path
    ]
    assert len(posts) > 8
    for path in posts:
        answer = team.call("POST", path, body=body, headers=headers)
        assert 400 <= answer.status < 500 or answer.status == 200, (path, answer.text[:300])
    for path in ("/api/v1/search?q=%00", "/v1/search?q=%00%ff", "/v1/statements?kind=%00", "/v1/statements/%00"):
        assert team.call("GET", path, headers=headers).status < 500
