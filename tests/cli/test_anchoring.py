"""`wherefrom ledger anchor` and `anchors`, as a user types them."""

import json
import sys
from pathlib import Path

import pytest
from fake_bitcoin import Calendar, Chain
from time_authority import serving

from wherefrom.cli import anchoring


@pytest.fixture
def calendar():
    made = Calendar(Chain())
    with serving(made.handle) as made.url:
        yield made


@pytest.fixture
def project(archive, monkeypatch):
    monkeypatch.chdir(archive.root)
    return archive


def test_a_checkpoint_is_anchored_upgraded_and_listed(wherefrom, project, calendar, tmp_path):
    status, out, err = wherefrom("ledger", "anchors")
    assert (status, out) == (0, "")
    assert "no timestamps yet" in err
    status, out, _ = wherefrom("ledger", "anchor", "--calendar", calendar.url)
    assert (status, out.split()) == (0, ["1", "kept", "opentimestamps", calendar.url])
    assert wherefrom("ledger", "anchor", "--upgrade")[0] == 0
    calendar.mine()
    status, out, _ = wherefrom("ledger", "anchor", "--upgrade", "--json")
    assert (status, json.loads(out)[0]["state"]) == (0, "upgraded")
    status, _, err = wherefrom("ledger", "anchor", "--upgrade")
    assert (status, err) == (0, "wherefrom: no proof is pending\n")

    with serving(calendar.chain.esplora) as esplora:
        status, out, _ = wherefrom("ledger", "anchors", "--bitcoin-headers", esplora)
    assert status == 0  # what the test's chain took to make is too little for Bitcoin's
    assert "unchecked" in out
    assert "expected at least" in out


def test_a_false_timestamp_is_exit_1(wherefrom, project, calendar):
    wherefrom("ledger", "anchor", "--calendar", calendar.url)
    from wherefrom.store import AttestationTables, StoredAnchor

    with project.writing() as connection:
        tables = AttestationTables(connection)
        [stored] = tables.list_anchors()
        other = stored.proof[:33] + bytes(32) + stored.proof[65:]
        tables.write_anchor(StoredAnchor(stored.size, stored.kind, stored.authority, other))
    status, out, _ = wherefrom("ledger", "anchors")
    assert status == 1
    assert "false" in out
    assert "proof is of digest 0000" in out


def test_when_everybody_fails_it_is_exit_3_and_when_one_does_not_0(wherefrom, project, calendar):
    none = f"{calendar.url}/none"
    status, out, _ = wherefrom("ledger", "anchor", "--calendar", none)
    assert status == 3
    assert "failed" in out
    assert wherefrom("ledger", "anchor", "--calendar", none, "--calendar", calendar.url)[0] == 0


def test_on_a_schedule_it_goes_on_after_failures_and_upgrades_too(wherefrom, project, calendar, monkeypatch):
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        calendar.mine()
        if len(waits) == 3:
            sys.exit(0)

    monkeypatch.setattr(anchoring.time, "sleep", sleep)
    status, out, _ = wherefrom(
        "ledger", "anchor", "--calendar", calendar.url, "--calendar", f"{calendar.url}/none", "--every", "60"
    )
    assert (status, waits) == (0, [60.0] * 3)
    assert [out.count(word) for word in ("kept", "failed", "there", "upgraded")] == [1, 3, 2, 1]


def test_wrong_use_is_told(wherefrom, project):
    status, _, err = wherefrom("ledger", "anchor")
    assert status == 2
    assert "--tsa URL or --calendar URL" in err
    assert wherefrom("ledger", "anchor", "--upgrade", "--tsa", "http://x")[0] == 2
    status, _, err = wherefrom("ledger", "anchors", "--tsa-roots", "none.pem")
    assert (status, err) == (2, "wherefrom: error: no file none.pem\n")
    Path("roots.pem").write_text("no certificate")
    assert wherefrom("ledger", "anchors", "--bitcoin-headers", "roots.pem")[0] == 3
