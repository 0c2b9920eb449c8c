"""Statements over HTTP: read by those who may, taken from those who may."""

import base64
import json

import pytest
from events import dataset, event
from lineage_events import body_of, run_event

from wherefrom.notes import SigningKey, format_verifier_key
from wherefrom.statements import (
    Statement,
    dsse,
    format_statement,
    make_correction_statement,
    make_gap_statement,
    make_key_statement,
    make_source_statement,
    parse_event_statement,
    sign_envelope,
)

KEY = SigningKey("laptop.example", bytes(range(32)))


def envelope_of(statement, key=KEY):
    return dsse.to_json(sign_envelope(format_statement(statement), {key.verifier_key.label: key}))


def said(number, namespace="test"):
    return parse_event_statement(body_of(run_event(number, namespace=namespace)))


@pytest.fixture
def known(client):
    """The server knows KEY."""
    reply = client.post("/v1/keys", json={"verifierKey": format_verifier_key(KEY.verifier_key)})
    assert (reply.status_code, reply.json()["isNew"]) == (201, True)
    return reply.json()["label"]


def send(client, *statements, headers=None, key=KEY):
    return client.post(
        "/v1/statements", json={"statements": [envelope_of(s, key) for s in statements]}, headers=headers
    )


def test_signed_statements_are_taken_once_and_kept_as_they_came(client, known):
    first = send(client, said(0), make_source_statement("test", "a", {"sha256": "00" * 32}, origin="x"))
    again = send(client, said(0), said(1)).json()["receipts"]
    receipts = first.json()["receipts"]
    assert (first.status_code, first.json()["status"]) == (200, "success")
    assert [r["isNew"] for r in receipts + again] == [True, True, False, True]
    assert again[0]["statementId"] == receipts[0]["statementId"]
    kept = client.get(f"/v1/statements/{receipts[0]['statementId']}/envelope")
    assert kept.json() == envelope_of(said(0))
    assert client.get(f"/v1/statements/{receipts[0]['index']}/event").content == body_of(run_event(0))
    assert client.get(f"/v1/statements/{receipts[0]['index']}").json()["keys"] == [known]


def test_each_statement_stands_for_itself(client, known):
    forged = envelope_of(said(2))
    forged["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    other = envelope_of(said(3), SigningKey("nobody.example", bytes(32)))
    unknown_kind = envelope_of(Statement.of("https://example.com/kind", {}, *said(0).subjects))
    missing = envelope_of(make_correction_statement("ab" * 32, reason="never there"))
    items = [envelope_of(said(0)), forged, other, {"payload": 1}, unknown_kind, missing, envelope_of(said(1))]
    answer = client.post("/v1/statements", json={"statements": items}).json()
    types = [receipt.get("error", {}).get("type") for receipt in answer["receipts"]]
    assert types[:5] == [None, "SignatureError", "SignatureError", "FormatError", "FormatError"]
    assert types[5:] == ["NotFoundError", None]
    assert (answer["status"], answer["summary"]["failed"]) == ("partial_success", 5)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"statements":{}}', b'{"statements":[1', b'{"statements":[],"x":1}', b"{"]
)
def test_what_is_no_list_of_statements_is_malformed(client, body):
    assert client.post("/v1/statements", content=body).status_code == 400


def test_nothing_is_nothing(client):
    for body in (b'{"statements":[]}', b' { "statements" : [ ] } '):
        assert client.post("/v1/statements", content=body).json()["receipts"] == []


def test_what_one_may_not_say_is_denied_one_by_one(client, known, make_token, as_bearer, archive):
    mine = as_bearer(make_token("producer", "mine"))
    target = client.post("/api/v1/lineage", json=run_event(5)).json()["statementId"]
    own = make_key_statement(format_verifier_key(KEY.verifier_key), KEY.verifier_key.public)
    answer = send(
        client,
        said(0, "mine"),
        said(0),
        make_source_statement("test", "a", {"sha256": "00" * 32}, origin="x"),
        make_correction_statement(target, reason="not mine"),
        make_gap_statement(run_event(5)["run"]["runId"], "x", "y", at="2026-11-21T08:00:00Z"),
        own,
        headers=mine,
    ).json()
    types = [receipt.get("error", {}).get("type") for receipt in answer["receipts"]]
    assert types == [None, *["Denied"] * 5]
    admin = send(client, make_correction_statement(target, reason="by a steward")).json()["receipts"]
    assert admin[0]["isNew"]


def test_nobody_makes_himself_an_admin_with_a_key_of_his_own(client, known, make_token, as_bearer):
    from wherefrom.statements import GRANT

    predicate = {"action": "grant", "principal": "user:eve", "role": "admin", "namespaces": "*", "by": "eve"}
    predicate["at"] = "2026-11-21T08:00:00Z"
    grant = Statement.of(GRANT, predicate, *said(0).subjects)
    mine = as_bearer(make_token("producer", "*"))
    assert send(client, grant, headers=mine).json()["receipts"][0]["error"]["type"] == "Denied"


def test_pages_go_through_everything_once(client):
    for i in range(7):
        client.post("/api/v1/lineage", json=run_event(i))
    found, start = [], 0
    while start is not None:
        page = client.get("/v1/statements", params={"from": start, "limit": 3, "kind": "RunEvent"}).json()
        found += page["statements"]
        start = page["next"]
    assert [one["kind"] for one in found] == ["RunEvent"] * 7
    assert len({one["index"] for one in found}) == 7
    everything = client.get("/v1/statements", params={"limit": 500}).json()
    assert (len(everything["statements"]), everything["next"]) == (everything["size"], None)


def test_a_viewer_learns_nothing_of_other_namespaces(client, archive, make_token, as_bearer):
    shown = client.post("/api/v1/lineage", json=run_event(0, namespace="mine")).json()
    hidden = [
        client.post("/api/v1/lineage", json=one).json()
        for one in (run_event(0), run_event(1, namespace="mine", inputs=[("test", "secret")]))
    ]
    viewer = as_bearer(make_token("viewer", "mine"))
    page = client.get("/v1/statements", headers=viewer).json()
    assert [one["index"] for one in page["statements"]] == [shown["index"]]
    for one in hidden:
        for which in (one["index"], one["statementId"], one["statementId"][:12]):
            for path in ("", "/event", "/envelope"):
                reply = client.get(f"/v1/statements/{which}{path}", headers=viewer)
                assert reply.status_code == 404
                assert client.get(f"/v1/statements/999999{path}", headers=viewer).status_code == 404
            assert client.get("/v1/proof", params={"statement": which}, headers=viewer).status_code == 404
    assert client.get(f"/v1/statements/{shown['index']}", headers=viewer).status_code == 200
    assert client.get("/v1/statements/0", headers=viewer).status_code == 404  # a key of the archive


def test_corrections_of_hidden_statements_are_hidden(client, make_token, as_bearer):
    target = client.post("/api/v1/lineage", json=run_event(0)).json()["statementId"]
    made = client.post("/v1/corrections", json={"corrects": target, "reason": "wrong table"})
    assert made.status_code == 201
    viewer, other = as_bearer(make_token("viewer", "test")), as_bearer(make_token("viewer", "mine"))
    assert client.get(f"/v1/statements/{made.json()['index']}", headers=viewer).status_code == 200
    assert client.get(f"/v1/statements/{made.json()['index']}", headers=other).status_code == 404


def test_an_index_or_id_that_is_none_is_not_found(client):
    for which in ("99999", "zz", "abc", "00" * 32, "-1", "1e3", "%00"):
        assert client.get(f"/v1/statements/{which}").status_code == 404, which
    key = json.loads(client.get("/v1/statements/0").content)
    assert key["kind"] == "key"
    assert client.get("/v1/statements/0/event").status_code == 404


def test_an_erased_statement_is_shown_as_erased(client, archive):
    from wherefrom.archive import erasing

    index = archive.record(event("run", [], [dataset("a", "b")]))[0].index
    erasing.redact(archive, [str(index)], reason="Art. 17", by="privacy office")
    shown = client.get(f"/v1/statements/{index}").json()
    assert shown["erased"]["reason"] == "Art. 17"
    assert "predicate" not in shown
    assert client.get(f"/v1/statements/{index}/envelope").status_code == 410
