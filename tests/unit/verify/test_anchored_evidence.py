"""Proofs of time in an evidence file: what holds is a finding, what can't be checked takes nothing from the rest."""

import base64
import json

import pytest
from events import pipeline

from wherefrom.archive import Archive
from wherefrom.archive.issuing import issue_evidence
from wherefrom.ledger.log import tile_reader
from wherefrom.merkle import prove_consistency_from_tiles
from wherefrom.notes import open_checkpoint, parse_policy
from wherefrom.store import AttestationTables, StoredAnchor
from wherefrom.verify import Outcome, verify_bundle

AT = "http://tsa.example/"


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """Evidence, and what an anchor of the checkpoint of four entries needs: its note and its way to the evidence's."""
    archive = Archive.init(tmp_path_factory.mktemp("issued"), namespace="test", origin="example.com/test")
    archive.record(*pipeline())
    _, note = archive.checkpoint()
    data, _ = issue_evidence(archive, "models/m.joblib")
    with archive.reading() as (tables, _):
        size = open_checkpoint(json.loads(data)["checkpoint"].encode(), [archive.log_key]).size
        consistency = prove_consistency_from_tiles(4, size, tile_reader(tables))
    policy = parse_policy(archive.trust_file.read_bytes())
    archive.close()
    return data, policy, {"checkpoint": note.decode(), "consistency": [node.hex() for node in consistency]}


def with_anchor(data, anchor, *, kind="rfc3161", proof=b"no token"):
    value = json.loads(data)
    proofs = [{"authority": AT, "kind": kind, "proof": base64.b64encode(proof).decode()}]
    value["anchors"] = [{**anchor, "proofs": proofs}]
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("kind", ["rfc3161", "opentimestamps"])
def test_a_time_that_can_not_be_checked_is_remarked_and_the_rest_stays_true(issued, kind):
    data, policy, anchor = issued
    verdict = verify_bundle(with_anchor(data, anchor, kind=kind), policy)
    assert verdict.outcome is Outcome.TRUE, verdict.findings
    assert any(finding.claim.startswith("an older checkpoint") for finding in verdict.findings)
    assert verdict.remarks[0].startswith("not checked that the first 4 entries were there when")
    assert AT in verdict.remarks[0]
    assert verdict.times == []


def test_an_anchor_of_another_tree_is_false(issued):
    data, policy, anchor = issued
    wrong = {**anchor, "consistency": ["00" * 32, *anchor["consistency"][1:]]}
    verdict = verify_bundle(with_anchor(data, wrong), policy)
    assert verdict.outcome is Outcome.FALSE


def test_anchors_that_the_archive_has_are_put_into_the_evidence(archive):
    archive.record(*pipeline())
    with archive.writing() as connection:
        AttestationTables(connection).write_anchor(StoredAnchor(4, "rfc3161", AT, b"no token"))
    data, _ = issue_evidence(archive, "models/m.joblib")
    [anchor] = json.loads(data)["anchors"]
    assert anchor["proofs"][0]["authority"] == AT
    verdict = verify_bundle(data, parse_policy(archive.trust_file.read_bytes()))
    assert verdict.outcome is Outcome.TRUE, verdict.findings
