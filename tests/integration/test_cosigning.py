"""An archive whose checkpoints witnesses cosign: a policy of two of three, met and broken."""

import contextlib
import shutil

import pytest
from events import event, pipeline
from http_servers import serving

from wherefrom.archive import Archive
from wherefrom.archive.cosigning import cosign
from wherefrom.archive.issuing import issue_evidence
from wherefrom.cli import main
from wherefrom.errors import ConflictError, SignatureError, UnavailableError
from wherefrom.ledger.cosigned import read_cosigned_checkpoint
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    WitnessGroup,
    format_policy,
    open_trusted,
)
from wherefrom.server.witness import make_app
from wherefrom.store import AttestationTables
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_state import WitnessState
from wherefrom.verify import Outcome, verify_bundle

TYPES = (ED25519_COSIGNATURE, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE)
KEYS = [SigningKey(f"witness.example/{i}", bytes([i] * 32), key_type) for i, key_type in enumerate(TYPES)]


class Network:
    """Three witnesses of one log, which can be taken away."""

    def __init__(self, folder, log_key):
        self.stack = contextlib.ExitStack()
        self.states = [WitnessState.create(folder / f"state-{i}") for i in range(3)]
        witnesses = [Witness([key], [log_key], state) for key, state in zip(KEYS, self.states, strict=True)]
        self.stops = [contextlib.ExitStack() for _ in witnesses]
        urls = [stop.enter_context(serving(make_app(w))) for stop, w in zip(self.stops, witnesses, strict=True)]
        self.policy = TrustPolicy(
            (TrustedLog(log_key),),
            tuple(
                TrustedWitness(b"W%d" % i, key.verifier_key, url.encode())
                for i, (key, url) in enumerate(zip(KEYS, urls, strict=True))
            ),
            (WitnessGroup(b"most", 2, (b"W0", b"W1", b"W2")),),
            b"most",
        )

    def stop(self, number):
        self.stops[number].close()

    def close(self):
        for number, state in enumerate(self.states):
            self.stop(number)
            state.close()


@pytest.fixture
def network(archive, tmp_path):
    made = Network(tmp_path, archive.log_key)
    archive.trust_file.write_bytes(format_policy(made.policy))
    yield made
    made.close()


def newest(archive):
    with archive.reading() as (tables, _):
        return read_cosigned_checkpoint(tables, AttestationTables(tables.connection))


def test_two_of_three_are_enough_and_one_is_not(archive, network):
    archive.record(event("a"))
    with pytest.raises(SignatureError, match="lacks the quorum 'most'"):
        open_trusted(newest(archive), network.policy)
    done = cosign(archive)
    assert done.is_quorum
    assert done.witnessed == {b"W0", b"W1", b"W2", b"most"}
    assert {c.key for c in open_trusted(newest(archive), network.policy).cosignatures} == {k.verifier_key for k in KEYS}

    network.stop(0)
    archive.record(event("b"), event("c"))
    done = cosign(archive)
    assert done.is_quorum
    assert [type(answer.problem) for answer in done.answers] == [UnavailableError, type(None), type(None)]
    assert open_trusted(done.note, network.policy).checkpoint.size == archive.size()

    network.stop(1)
    archive.record(event("d"))
    done = cosign(archive)
    assert not done.is_quorum
    assert done.witnessed == {b"W2"}
    with pytest.raises(SignatureError, match=r"lacks the quorum 'most': cosigned by witness\.example/2"):
        open_trusted(done.note, network.policy)


def test_evidence_carries_the_quorum_that_its_verifier_asks_for_or_is_false(archive, network):
    archive.record(*pipeline())
    data, _ = issue_evidence(archive, "models/m.joblib")
    assert verify_bundle(data, network.policy).outcome is Outcome.TRUE
    network.stop(0)
    network.stop(1)
    lone, _ = issue_evidence(archive, "models/m.joblib")
    verdict = verify_bundle(lone, network.policy)
    assert verdict.outcome is Outcome.FALSE
    assert any("lacks the quorum 'most'" in finding.message for finding in verdict.findings)
    without = TrustPolicy(network.policy.logs)
    assert verify_bundle(lone, without).outcome is Outcome.TRUE


def test_what_was_said_before_of_the_same_checkpoint_still_counts(archive, network):
    archive.record(event("a"))
    assert cosign(archive).is_quorum
    for number in range(3):
        network.stop(number)
    done = cosign(archive)
    assert all(answer.problem for answer in done.answers)
    assert done.is_quorum


def test_the_first_cosignature_of_a_key_stays_and_one_that_is_damaged_is_replaced(archive, network):
    archive.record(event("a"))
    first = cosign(archive)
    assert cosign(archive).note == first.note
    label = KEYS[0].verifier_key.label
    with archive.writing() as connection:
        AttestationTables(connection).write_cosignature(archive.size(), label, bytes(72))
    with pytest.raises(SignatureError, match="does not fit"):
        open_trusted(newest(archive), network.policy)
    assert cosign(archive).is_quorum
    assert len(open_trusted(newest(archive), network.policy).cosignatures) == 3


def test_an_archive_that_was_rolled_back_gets_no_cosignature(archive, network, tmp_path):
    copy = tmp_path / "copy" / ".wherefrom"
    copy.parent.mkdir()
    archive.record(event("a"))
    with contextlib.closing(_copied(archive, copy)) as older:
        archive.record(event("b"), event("c"))
        assert cosign(archive).is_quorum
        assert [type(answer.problem) for answer in cosign(older, network.policy).answers] == [ConflictError] * 3

        older.record(event("x"))
        older.record(event("y"), event("z"))
        assert older.size() > archive.size()
        done = cosign(older, network.policy)
        assert not done.is_quorum
        assert all("422" in str(answer.problem) for answer in done.answers)


def _copied(archive, copy):
    shutil.copytree(archive.folder, copy)
    return Archive.open(copy)


def test_the_command_says_which_quorum_is_met(archive, network, monkeypatch, capsys):
    archive.record(event("a"))
    monkeypatch.chdir(archive.root)
    assert _run(monkeypatch, "ledger", "cosign") == 0
    out = capsys.readouterr().out
    assert f"size {archive.size()}, witnessed by W0, W1, W2, most: quorum met" in out
    archive.record(event("b"))
    network.stop(0)
    network.stop(2)
    assert _run(monkeypatch, "ledger", "cosign") == 3
    assert "witnessed by W1: quorum not met" in capsys.readouterr().out
    assert _run(monkeypatch, "ledger", "cosign", "--json") == 3
    assert '"quorum":' in capsys.readouterr().out


def _run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["wherefrom", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code or 0


def test_a_policy_without_addresses_cannot_be_asked(archive):
    with pytest.raises(UnavailableError, match="the policy names no witness with a URL"):
        cosign(archive)
