"""What a stranger checks over HTTP, checked here by the offline verifier's own functions."""

import pytest
from lineage_events import run_event

from wherefrom.errors import InclusionError
from wherefrom.merkle import hash_leaf, verify_consistency, verify_inclusion
from wherefrom.notes import open_checkpoint


@pytest.fixture
def filled(client):
    client.post("/api/v1/lineage/batch", json=[run_event(i) for i in range(300)])
    return client


def checked(said):
    path = [bytes.fromhex(one) for one in said["proof"]]
    leaf, root = bytes.fromhex(said["statementId"]), bytes.fromhex(said["root"])
    assert hash_leaf(said["entry"].encode()) == leaf
    verify_inclusion(leaf, index=said["index"], size=said["size"], proof=path, root=root)
    return leaf, path, root


@pytest.mark.parametrize("index", [0, 5, 255, 256, 299])
def test_each_statement_s_proof_leads_to_the_signed_root(filled, archive, index):
    said = filled.get("/v1/proof", params={"index": index}).json()
    signed = open_checkpoint(said["checkpoint"].encode(), [archive.log_key])
    leaf, path, root = checked(said)
    assert (signed.size, signed.root) == (said["size"], root)
    assert filled.get("/v1/proof", params={"statement": said["statementId"]}).json() == said
    with pytest.raises(InclusionError):
        verify_inclusion(leaf, index=index ^ 1, size=said["size"], proof=path, root=root)


def test_a_proof_in_an_earlier_tree_leads_to_its_root(filled):
    said = filled.get("/v1/proof", params={"index": 3, "size": 17}).json()
    checked(said)
    assert (said["size"], said["checkpoint"]) == (17, None)


def test_consistency_of_any_two_sizes(filled, archive):
    size = archive.size()
    for old, new in ((0, 5), (1, size), (7, 7), (100, 256), (256, size)):
        said = filled.get("/v1/consistency", params={"from": old, "to": new}).json()
        roots = [bytes.fromhex(said[side]["root"]) for side in ("from", "to")]
        proof = [bytes.fromhex(one) for one in said["proof"]]
        verify_consistency(old_size=old, old_root=roots[0], new_size=new, new_root=roots[1], proof=proof)
    assert bytes.fromhex(said["to"]["root"]) == archive.checkpoint()[0].root


def test_the_checkpoint_comes_as_note_and_as_json(filled, archive):
    note = filled.get("/v1/checkpoint")
    assert (note.content, note.headers["content-type"]) == (archive.checkpoint()[1], "text/plain; charset=utf-8")
    said = filled.get("/v1/checkpoint", headers={"Accept": "application/json"}).json()
    assert said["note"].encode() == note.content
    assert (said["size"], said["root"]) == (archive.size(), archive.checkpoint()[0].root.hex())


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/v1/proof", 400),
        ("/v1/proof?index=1&statement=00", 400),
        ("/v1/proof?index=99999", 404),
        ("/v1/proof?index=3&size=3", 400),
        ("/v1/proof?index=3&size=99999", 404),
        ("/v1/proof?index=-1", 422),
        ("/v1/proof?index=x", 422),
        ("/v1/consistency", 422),
        ("/v1/consistency?from=5&to=4", 400),
        ("/v1/consistency?from=99999", 404),
        ("/v1/consistency?from=18446744073709551616", 422),
    ],
)
def test_what_can_t_be_proved_is_said(filled, query, status):
    reply = filled.get(query)
    assert (reply.status_code, set(reply.json())) == (status, {"error"})
