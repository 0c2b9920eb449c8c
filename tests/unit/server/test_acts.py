"""Keys, corrections and evidence over HTTP."""

import pytest
from events import pipeline
from lineage_events import run_event

from wherefrom.archive.keeping_keys import find_key, retire_key
from wherefrom.notes import ML_DSA_44_COSIGNATURE, SigningKey, format_verifier_key, parse_policy
from wherefrom.verify import Outcome, verify_bundle

KEY = SigningKey("laptop.example", bytes(range(32)))


def register(client, key, headers=None, **more):
    text = format_verifier_key(key.verifier_key)
    return client.post("/v1/keys", json={"verifierKey": text, **more}, headers=headers)


def test_a_producer_s_key_counts_from_then_on(client, make_token, as_bearer):
    producer = as_bearer(make_token("producer", "mine"))
    first, again = register(client, KEY, producer), register(client, KEY, producer)
    assert (first.status_code, again.status_code, again.json()["isNew"]) == (201, 200, False)
    keys = client.get("/v1/keys", params={"status": "active"}).json()["keys"]
    assert first.json()["label"] in [key["label"] for key in keys]
    assert register(client, SigningKey("x.example", bytes(32)), as_bearer(make_token("viewer", "*"))).status_code == 403


def test_a_key_with_the_ledger_s_name_is_nobody_s_to_register(client, archive):
    assert register(client, SigningKey(archive.origin, bytes(32))).status_code == 400


def test_a_retired_key_does_not_come_back(client, archive):
    register(client, KEY)
    retire_key(archive, find_key(archive, KEY.verifier_key.label), reason="over")
    assert register(client, KEY).status_code == 409


def test_a_second_key_is_for_good(client):
    second = SigningKey.generate(KEY.verifier_key.name, ML_DSA_44_COSIGNATURE)
    text = format_verifier_key(second.verifier_key)
    assert register(client, KEY, alsoKey=text).status_code == 201
    assert register(client, KEY).status_code == 409
    assert register(client, KEY, alsoKey=text).status_code == 200


@pytest.mark.parametrize("text", ["", "x", "a+b+c", "laptop.example+00000000+AAAA"])
def test_what_is_no_key_is_malformed(client, text):
    assert client.post("/v1/keys", json={"verifierKey": text}).status_code in {400, 422}


def test_a_steward_takes_back_what_was_said_in_his_namespace(client, make_token, as_bearer):
    target = client.post("/api/v1/lineage", json=run_event(0)).json()["statementId"]
    body = {"corrects": target, "reason": "wrong table"}
    steward, other = as_bearer(make_token("steward", "test")), as_bearer(make_token("steward", "mine"))
    producer = as_bearer(make_token("producer", "test"))
    missing = client.post("/v1/corrections", json=body | {"corrects": "ab" * 32}, headers=other)
    hidden = client.post("/v1/corrections", json=body, headers=other)
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert client.post("/v1/corrections", json=body, headers=producer).status_code == 403
    assert client.post("/v1/corrections", json=body, headers=steward).status_code == 201
    assert client.post("/v1/corrections", json=body, headers=steward).json()["isNew"] is False
    assert client.post("/v1/corrections", json={"corrects": "zz", "reason": "x"}).status_code == 422
    assert client.post("/v1/corrections", json=body | {"corrects": "ab" * 32}).status_code == 404


def test_evidence_is_issued_to_auditors_recorded_and_verifies(client, archive, make_token, as_bearer):
    archive.record(*pipeline())
    auditor, other = as_bearer(make_token("auditor", "test")), as_bearer(make_token("auditor", "mine"))
    reply = client.post("/v1/evidence", json={"of": "models/m.joblib"}, headers=auditor)
    assert reply.status_code == 200
    verdict = verify_bundle(reply.content, parse_policy(archive.trust_file.read_bytes()))
    assert verdict.outcome is Outcome.TRUE
    newest = client.get(f"/v1/statements/{archive.size() - 1}").json()
    assert newest["kind"] == "evidence"
    for body in ({"of": "models/m.joblib"}, {"of": "nothing"}, {"of": "table.parquet", "asOf": "99999"}):
        assert client.post("/v1/evidence", json=body, headers=other).status_code == 404
    for role in ("viewer", "producer"):
        token = as_bearer(make_token(role, "test"))
        assert client.post("/v1/evidence", json={"of": "models/m.joblib"}, headers=token).status_code == 403
    assert client.post("/v1/evidence", json={"of": "nothing"}).status_code == 404


def test_a_steward_says_that_a_table_is_no_more(client, make_token, as_bearer):
    client.post("/api/v1/lineage", json=run_event(0))
    body = {"type": "dataset", "namespace": "test", "name": "out", "reason": "dropped", "at": "2026-11-21T09:00:00Z"}
    steward, other = as_bearer(make_token("steward", "test")), as_bearer(make_token("steward", "mine"))
    made = client.post("/v1/deletions", json=body, headers=steward)
    assert (made.status_code, client.post("/v1/deletions", json=body, headers=steward).status_code) == (201, 200)
    said = client.get(f"/v1/statements/{made.json()['index']}").json()
    assert (said["kind"], said["predicate"]["by"]) == ("deletion", "service:steward-test")
    assert client.get(f"/v1/statements/{made.json()['index']}", headers=other).status_code == 404
    assert client.post("/v1/deletions", json=body, headers=other).status_code == 403
    for wrong in ({"type": "column"}, {"name": ""}, {"at": "yesterday"}, {"more": 1}):
        assert client.post("/v1/deletions", json=body | wrong).status_code in {400, 422}
