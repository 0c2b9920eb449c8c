"""What each answer carries, who may ask from where, and how the server is."""

import pytest
from lineage_events import run_event

from wherefrom.errors import UnavailableError
from wherefrom.server.settings import Settings

HEADERS = ("x-content-type-options", "x-frame-options", "content-security-policy", "referrer-policy", "x-request-id")


@pytest.mark.parametrize("path", ["/healthz", "/v1/checkpoint", "/nothing", "/v1/proof?index=x", "/openapi.json"])
def test_every_answer_has_the_security_headers(client, path):
    headers = client.get(path).headers
    assert all(headers[name] for name in HEADERS)
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    assert "strict-transport-security" not in headers
    assert "server" not in headers


def test_behind_tls_browsers_are_told_to_stay_there(client):
    assert "max-age" in client.get("https://testserver/healthz").headers["strict-transport-security"]


def test_another_site_s_page_may_not_ask_unless_it_is_named(client):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in client.options("/v1/checkpoint", headers=asked).headers


class TestNamedOrigin:
    @pytest.fixture
    def settings(self):
        return Settings(cors_origins=("https://page.example",))

    def test_the_one_that_is_named_may(self, client):
        asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
        assert client.options("/v1/checkpoint", headers=asked).headers["access-control-allow-origin"] == asked["Origin"]
        other = client.get("/v1/checkpoint", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-credentials" not in client.options("/v1/checkpoint", headers=asked).headers


def test_a_target_or_head_that_is_too_large_is_refused(client):
    assert client.get("/v1/statements/" + "a" * 20_000).status_code == 414
    assert client.get("/healthz", headers={"X-Much": "a" * 70_000}).status_code == 431


def test_the_metrics_count_and_name_nobody(client):
    for event in (run_event(0), run_event(0), {**run_event(1), "producer": 5}):
        client.post("/api/v1/lineage", json=event)
    client.post("/api/v1/lineage", json=[])
    client.get("/secret-path")
    client.request("BREW", "/healthz")
    text = client.get("/metrics").text
    for outcome in ("taken", "marked", "duplicate"):
        assert f'wherefrom_events_total{{outcome="{outcome}"}} 1.0' in text
    assert 'route="/api/v1/lineage",status="201"} 2.0' in text
    assert 'method="other"' in text
    assert "secret" not in text
    assert "test" not in text.replace("latest", "")
    assert f"wherefrom_ledger_entries {float(client.app.state.archive.size())}" in text


def test_ready_says_which_part_is_not(client, archive, monkeypatch):
    assert client.get("/readyz").json() == {"ready": True, "database": "ok", "key": "ok", "clock": "ok"}
    monkeypatch.setattr("wherefrom.server.health.READY_FOR_S", -1.0)

    def away():
        raise UnavailableError("database /secret/place: is away")

    monkeypatch.setattr(archive, "writing", away)
    (archive.folder / "keys" / "log").rename(archive.folder / "keys" / "gone")
    reply = client.get("/readyz")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
    said = reply.json()
    assert (said["ready"], said["clock"]) == (False, "ok")
    assert "ok" not in {said["database"], said["key"]}
    assert "secret" not in reply.text


def test_what_fails_unforeseen_is_said_without_saying_what(client, archive, monkeypatch):
    def broken():
        raise RuntimeError("secret reasons")

    monkeypatch.setattr(archive, "checkpoint", broken)
    reply = client.get("/v1/checkpoint", headers={"X-Request-Id": "find-me"})
    assert (reply.status_code, reply.json()["error"]["requestId"]) == (500, "find-me")
    assert "secret" not in reply.text
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_database_that_is_away_is_said_with_when_to_come_again(client, archive, monkeypatch):
    def away():
        raise UnavailableError("database /secret/place: can't be reached", hint="see /secret")

    monkeypatch.setattr(archive, "checkpoint", away)
    reply = client.get("/v1/checkpoint")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
    assert "secret" not in reply.text
