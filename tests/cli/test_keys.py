"""`wherefrom keys`, as a user types it, and what verifiers then say."""

import json
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from events import dataset, event

from wherefrom.archive import Archive, keeping_keys
from wherefrom.archive.issuing import issue_evidence
from wherefrom.errors import FormatError, SignatureError, VerificationError
from wherefrom.notes import SigningKey, format_verifier_key, parse_policy
from wherefrom.signers import files, open_signer
from wherefrom.statements import (
    format_statement,
    format_time,
    make_gap_statement,
    make_key_statement,
    sign_envelope,
)
from wherefrom.verify import Outcome, verify_bundle

RUN = "0196f3c2-1c37-7a93-a9bb-6d2c24a2e9d6"
SIGSTORE = json.loads((Path(__file__).parents[1] / "vectors/signers/sigstore-conformance.json").read_text())


@pytest.fixture
def project(archive, monkeypatch):
    monkeypatch.chdir(archive.root)
    return archive


def record_run(archive: Archive, number: int = 1):
    """A run that reads one version and writes another; gives the receipt."""
    model = dataset(f"model-{number}", f"model {number}")
    return archive.record(event(f"run {number}", [dataset("raw.csv", "raw")], [model]))[0]


def verify(archive: Archive, number: int = 1, trust: bytes | None = None):
    archive = Archive.open(archive.folder)
    try:
        data, _ = issue_evidence(archive, f"model-{number}")
        return verify_bundle(data, parse_policy(trust or archive.trust_file.read_bytes()))
    finally:
        archive.close()


def test_a_new_archive_has_two_keys(wherefrom, project):
    status, out, _ = wherefrom("keys", "list")
    assert status == 0
    log, producer = (open_signer(project.folder / "keys" / name).verifier_key for name in ("log", "producer"))
    lines = [line for line in out.splitlines() if line.startswith("active")]
    assert lines == [f"active      log       {log.label}", f"active      producer  {producer.label}"]
    assert f"stated by {log.label}" in out
    assert wherefrom("keys", "show", "producer")[1] == format_verifier_key(producer) + "\n"
    listed = json.loads(wherefrom("keys", "list", "--json")[1])
    assert [(key["role"], key["status"]) for key in listed] == [("log", "active"), ("producer", "active")]


def test_rotating_the_producer_s_key_keeps_what_it_signed_and_ends_it(wherefrom, project):
    record_run(project, 1)
    old = open_signer(project.folder / "keys" / "producer")
    status, out, _ = wherefrom("keys", "rotate", "producer")
    new = open_signer(project.folder / "keys" / "producer")
    assert (status, out) == (0, f"{new.verifier_key.label} takes the place of {old.verifier_key.label}\n")
    assert project.read_recorded(str(record_run(project, 2).index)).entry.key_ids == (new.verifier_key.label,)
    statement = make_gap_statement(RUN, "x", "x", at="2026-11-21T08:00:00Z")
    with pytest.raises(SignatureError, match="has retired"):
        project.record_envelopes([sign_envelope(format_statement(statement), {old.verifier_key.label: old})])
    assert verify(project, 1).outcome is verify(project, 2).outcome is Outcome.TRUE
    assert all(not problems for _, problems in project.check())
    assert sorted(path.name for path in (project.folder / "keys").iterdir()) == ["log", "producer"]


def test_a_rotation_that_was_interrupted_is_finished_by_doing_it_again(wherefrom, project, monkeypatch):
    before = open_signer(project.folder / "keys" / "producer").verifier_key

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    for name in ("allow_key", "_retire_former"):
        with monkeypatch.context() as patched:
            patched.setattr(keeping_keys, name, fail)
            with pytest.raises(KeyboardInterrupt):
                keeping_keys.rotate_producer(project)
        record_run(project, 1)
    assert wherefrom("keys", "rotate", "producer")[0] == 0
    records = {r.key.label: r.status for r in keeping_keys.read_book(project).records if r.role == "producer"}
    assert list(records.values()) == ["retired", "active"]
    assert next(iter(records)) == before.label
    record_run(project, 2)
    assert verify(project, 2).outcome is Outcome.TRUE


def test_a_hybrid_producer_signs_with_both_keys_and_with_one_alone_it_does_not_count(wherefrom, project):
    status, out, _ = wherefrom("keys", "rotate", "producer", "--hybrid")
    assert status == 0
    assert "together with example.com/test/producer+" in out
    first = open_signer(project.folder / "keys" / "producer")
    recorded = project.read_recorded(str(record_run(project).index))
    assert len(recorded.entry.key_ids) == 2
    assert [len(signature.signature) for signature in recorded.envelope.signatures] == [64, 2420]
    statement = make_gap_statement(RUN, "x", "x", at="2026-11-21T08:00:00Z")
    with pytest.raises(SignatureError, match="sign together"):
        project.record_envelopes([sign_envelope(format_statement(statement), {first.verifier_key.label: first})])
    assert verify(project).outcome is Outcome.TRUE
    assert all(not problems for _, problems in project.check())
    assert len(wherefrom("keys", "show", "producer")[1].splitlines()) == 2
    assert wherefrom("keys", "rotate", "producer")[0] == 0  # back to one key
    assert len(project.read_recorded(str(record_run(project, 2).index)).entry.key_ids) == 1
    assert verify(project, 1).outcome is verify(project, 2).outcome is Outcome.TRUE


def test_another_producer_is_made_allowed_and_retired(wherefrom, project, tmp_path):
    status, vkey, err = wherefrom("keys", "new", tmp_path / "ci.key", "--name", "example.com/ci")
    assert status == 0
    assert "wherefrom keys allow" in err
    ci = open_signer(tmp_path / "ci.key")
    label = ci.verifier_key.label

    def record(word: str):
        statement = make_gap_statement(RUN, word, "x", at="2026-11-21T08:00:00Z")
        return project.record_envelopes([sign_envelope(format_statement(statement), {label: ci})])

    with pytest.raises(SignatureError, match="no signature by a known key"):
        record("early")
    status, out, _ = wherefrom("keys", "allow", vkey.strip())
    assert (status, out) == (0, f"{label} counts, by entry 1\n")
    assert "(recorded before)" in wherefrom("keys", "allow", vkey.strip())[1]
    record("allowed")
    status, out, _ = wherefrom("keys", "retire", label, "--reason", "not needed any more")
    assert (status, out) == (0, f"{label} is retired, by entry 3\n")
    with pytest.raises(SignatureError, match="which entry 3 has retired"):
        record("late")
    status, _, err = wherefrom("keys", "retire", label)
    assert (status, err) == (3, f"wherefrom: error: {label} was retired by entry 3 already\n")
    assert wherefrom("keys", "new", tmp_path / "ci.key", "--name", "example.com/ci")[0] == 3
    assert wherefrom("keys", "show", "nobody")[0] == 2


def test_a_revoked_key_counts_for_what_the_ledger_took_before_it_was_compromised(wherefrom, project):
    early = record_run(project, 1)
    record_run(project, 2)
    received = project.read_recorded("2").entry.received
    producer = open_signer(project.folder / "keys" / "producer").verifier_key.label
    assert project.read_recorded(str(early.index)).entry.received < received
    digits = producer.rpartition("+")[2]
    status, out, _ = wherefrom(
        "keys", "revoke", digits, "--compromised-at", format_time(received), "--reason", "laptop stolen"
    )
    assert (status, out) == (0, f"{producer} is revoked since {format_time(received)}, by entry 3\n")
    listed = wherefrom("keys", "list")[1]
    assert "compromised producer" in listed
    assert f"compromised at {format_time(received)}, says entry 3" in listed
    with pytest.raises(SignatureError, match="has revoked as compromised"):
        record_run(project, 3)
    assert wherefrom("keys", "rotate", "producer")[0] == 0
    assert verify(project, 1).outcome is Outcome.TRUE
    late = verify(project, 2)
    assert late.outcome is Outcome.FALSE
    assert any("was compromised at" in finding.message for finding in late.findings)
    assert all(not problems for _, problems in project.check()), "what was recorded was right to be recorded then"
    assert wherefrom("keys", "revoke", "log", "--compromised-at", "2026-11-21", "--reason", "x")[0] == 3


def test_the_log_s_key_changes_and_verifiers_follow(wherefrom, project):
    record_run(project, 1)
    old_trust, old = project.trust_file.read_bytes(), open_signer(project.folder / "keys" / "log").verifier_key
    status, out, err = wherefrom("keys", "rotate", "log")
    new = open_signer(project.folder / "keys" / "log").verifier_key
    assert (status, out) == (0, f"{new.label} takes the place of {old.label}\n")
    assert "give verifiers the new" in err
    record_run(project, 2)
    new_trust = project.trust_file.read_bytes()
    assert [key.label for key in parse_policy(new_trust).log_keys] == [new.label, old.label]
    only_new = b"\n".join(line for line in new_trust.split(b"\n") if old.label.encode() not in line)
    for trust in (old_trust, new_trust, only_new):  # checkpoints are signed by both
        for number in (1, 2):
            assert verify(project, number, trust).outcome is Outcome.TRUE, (number, trust)
    assert wherefrom("keys", "rotate", "log")[0] == 3
    assert wherefrom("keys", "rotate", "log", "--end") == (0, f"{old.label} signs no more checkpoints\n", "")
    for trust, outcome in ((old_trust, Outcome.UNCHECKED), (new_trust, Outcome.TRUE), (only_new, Outcome.TRUE)):
        assert verify(project, 1, trust).outcome is outcome, trust
    reopened = Archive.open(project.folder)
    assert all(not problems for _, problems in reopened.check())
    assert [r.status for r in keeping_keys.read_book(reopened).records if r.role == "log"] == ["active", "retired"]
    reopened.close()
    assert wherefrom("keys", "rotate", "log", "--end")[0] == 2


def test_a_compromised_log_key_signs_nothing_more_and_is_trusted_no_more(wherefrom, project):
    record_run(project, 1)
    old_trust, old = project.trust_file.read_bytes(), open_signer(project.folder / "keys" / "log")
    assert wherefrom("ledger", "publish", "published")[0] == 0
    thief = SigningKey.generate("example.com/thief")
    at = format_time(datetime.now(UTC))
    statement = make_key_statement(format_verifier_key(thief.verifier_key), thief.verifier_key.public)
    project.record_envelopes([sign_envelope(format_statement(statement), {old.verifier_key.label: old})])
    stolen = event("stolen", [dataset("raw.csv", "raw")], [dataset("model-9", "model 9")])
    project.record_envelopes([sign_envelope(format_statement(stolen), {thief.verifier_key.label: thief})])
    assert verify(project, 9).outcome is Outcome.TRUE
    status, _, _ = wherefrom("keys", "rotate", "log", "--compromised-at", at, "--reason", "found in a backup")
    assert status == 0
    assert verify(project, 1).outcome is Outcome.TRUE
    assert verify(project, 9).outcome is Outcome.FALSE, "who was vouched for by the thief"
    with pytest.raises(SignatureError, match="was compromised"):
        project.record_envelopes([sign_envelope(format_statement(event("x")), {thief.verifier_key.label: thief})])
    record_run(project, 2)
    assert wherefrom("ledger", "publish", "published")[0] == 0
    assert verify(project, 2).outcome is Outcome.TRUE
    assert verify(project, 2, old_trust).outcome is Outcome.UNCHECKED
    assert old.verifier_key.label.encode() not in project.trust_file.read_bytes()
    other = SigningKey.generate("example.com/thief")
    statement = make_key_statement(format_verifier_key(other.verifier_key), other.verifier_key.public)
    with pytest.raises(SignatureError, match="has revoked as compromised"):
        project.record_envelopes([sign_envelope(format_statement(statement), {old.verifier_key.label: old})])


@pytest.mark.parametrize("step", ["_record", "_edit_trust", "link", "replace"])
def test_a_change_of_the_log_s_key_that_was_interrupted_is_finished(step, wherefrom, project, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        places = {"link": keeping_keys.os, "replace": Path}
        if step == "replace":  # the last of them, when everything else is done
            patched.setattr(keeping_keys, "_edit_trust", lambda *args: None)
        patched.setattr(places.get(step, keeping_keys), step, fail)
        with pytest.raises(KeyboardInterrupt):
            keeping_keys.rotate_log(project)
    record_run(project, 1)
    assert verify(project).outcome is Outcome.TRUE
    assert wherefrom("keys", "rotate", "log")[0] == 0
    assert wherefrom("keys", "rotate", "log", "--end")[0] == 0
    record_run(project, 2)
    assert verify(project, 2).outcome is Outcome.TRUE
    logs = [r.status for r in keeping_keys.read_book(project).records if r.role == "log"]
    assert sorted(logs) == ["active", "retired"]


def test_others_go_on_recording_while_keys_change(wherefrom, project):
    stop, recorded, problems = threading.Event(), [], []

    def record() -> None:
        other = Archive.open(project.folder)
        try:
            while not stop.is_set():
                recorded.append(record_run(other, len(recorded)))
        except Exception as error:  # noqa: BLE001 - the test's own thread must hear of it
            problems.append(error)
        finally:
            other.close()

    thread = threading.Thread(target=record)
    thread.start()
    try:
        for command in (["producer", "--hybrid"], ["log"], ["producer"], ["log", "--end"], ["log"]):
            begun, deadline = len(recorded), time.monotonic() + 60
            while len(recorded) < begun + 2 and not problems and time.monotonic() < deadline:
                time.sleep(0.01)
            assert wherefrom("keys", "rotate", *command)[0] == 0
    finally:
        stop.set()
        thread.join(60)
    assert not problems
    assert len(recorded) >= 10
    reopened = Archive.open(project.folder)
    assert all(not found for _, found in reopened.check())
    reopened.close()


def test_hybrid_checkpoints_are_asked_for_by_the_trust_file(wherefrom, project):
    record_run(project)
    old_trust = project.trust_file.read_bytes()
    status, out, _ = wherefrom("keys", "hybrid")
    assert status == 0
    assert out.startswith("checkpoints are signed by example.com/test+")
    trust = project.trust_file.read_bytes()
    assert verify(project).outcome is verify(project, trust=old_trust).outcome is Outcome.TRUE
    (project.folder / "keys" / "log.ml-dsa").rename(project.folder / "log.ml-dsa")  # it stops signing
    record_run(project, 2)
    assert verify(project, 2, trust).outcome is Outcome.FALSE
    assert verify(project, 2, old_trust).outcome is Outcome.TRUE
    (project.folder / "log.ml-dsa").rename(project.folder / "keys" / "log.ml-dsa")
    status, _, err = wherefrom("keys", "hybrid")
    assert status == 3
    assert "already" in err


def test_sealed_keys_record_with_the_passphrase_and_not_without(wherefrom, project, tmp_path, monkeypatch):
    monkeypatch.setattr(files.sealed.seal_key, "__kwdefaults__", {"log_n": 10})
    (tmp_path / "pass").write_text("correct horse\n")
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FILE", str(tmp_path / "pass"))
    status, out, _ = wherefrom("keys", "encrypt")
    assert status == 0
    assert [Path(line).name for line in out.splitlines()] == ["log", "producer"]
    assert "PRIVATE" not in (project.folder / "keys" / "log").read_text()
    record_run(project, 1)
    assert wherefrom("keys", "rotate", "producer")[0] == 0
    assert "PRIVATE" not in (project.folder / "keys" / "producer").read_text(), "a new key is kept like the old one"
    monkeypatch.delenv("WHEREFROM_PASSPHRASE_FILE")
    monkeypatch.setattr(files, "_OPENED", {})
    status, _, err = wherefrom("keys", "rotate", "producer")
    assert status == 3
    assert "needs a passphrase, and nobody is here to ask" in err
    assert "WHEREFROM_PASSPHRASE_FILE" in err
    assert wherefrom("keys", "list")[0] == 0, "looking needs no secret"


def test_who_holds_a_key_is_checked_before_it_is_recorded(wherefrom, project, tmp_path, monkeypatch):
    pytest.importorskip("sigstore", reason="needs sigstore")

    def refuse(*args):
        raise AssertionError("it must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "root.json").write_text(SIGSTORE["trusted_root"])
    (tmp_path / "bundle").write_text(SIGSTORE["bundles"][0]["bundle"])
    who = ["--identity", SIGSTORE["identity"], "--issuer", SIGSTORE["issuer"], "--trusted-root", tmp_path / "root.json"]
    status, _, err = wherefrom("keys", "identify", "producer", "--bundle", tmp_path / "bundle", *who)
    assert status == 1, "a bundle over something else"
    assert "does not show" in err
    assert wherefrom("keys", "identity", "producer", *who)[0] == 2
    # Nobody here can have the public sigstore sign our key, so for once the message is what its bundle is over.
    monkeypatch.setattr(keeping_keys, "identity_message", lambda *keys: SIGSTORE["artifact"].encode())
    status, out, _ = wherefrom("keys", "identify", "producer", "--bundle", tmp_path / "bundle", *who)
    assert status == 0
    assert "is held by https://github.com/sigstore-conformance" in out
    assert wherefrom("keys", "identity", "producer", *who)[0] == 0
    wrong = ["--identity", "mallory@example.com", *who[2:]]
    assert wherefrom("keys", "identity", "producer", *wrong)[0] == 1
    assert "entry 1 states who holds it" in wherefrom("keys", "list")[1]
    record_run(project)
    assert verify(project).outcome is Outcome.TRUE


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        ({"status": "retired"}, FormatError, "was never stated"),
        ({"role": "log"}, FormatError, "keys of the log, and no others, are called example.com/test"),
    ],
)
def test_a_key_statement_that_makes_no_sense_is_not_recorded(made, error, says, project):
    log, key = open_signer(project.folder / "keys" / "log"), SigningKey.generate("example.com/x").verifier_key
    statement = make_key_statement(format_verifier_key(key), key.public, **made)
    with pytest.raises(error, match=says):
        project.record_envelopes([sign_envelope(format_statement(statement), {log.verifier_key.label: log})])
    assert project.size() == 1


def test_a_producer_states_no_keys(project):
    key = SigningKey.generate("example.com/x").verifier_key
    with pytest.raises(VerificationError, match="expected a key of the log"):
        project.record(make_key_statement(format_verifier_key(key), key.public))
    assert project.size() == 1


AT_A_TERMINAL = """
import os, pty, sys
answer, command = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.executable, [sys.executable, "-c", "from wherefrom.cli import main; main()", *command])
seen = b""
answered = 0
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side is closed
        break
    if not data:
        break
    seen += data
    if seen.count(b": ") > answered and seen.endswith(b": "):
        answered = seen.count(b": ")
        os.write(terminal, answer.encode() + b"\\n")
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def at_a_terminal(folder: Path, answer: str, *command: str) -> tuple[int, str]:
    """Run a command as a person does, giving the same answer to each question."""
    words = [sys.executable, "-c", AT_A_TERMINAL, answer, *command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert not done.stderr
    return done.returncode, done.stdout


def test_a_person_at_a_terminal_is_asked_for_the_passphrase(project):
    status, said = at_a_terminal(project.root, "correct horse", "keys", "encrypt")
    assert status == 0, said
    assert "new passphrase:" in said
    assert "correct horse" not in said
    status, said = at_a_terminal(project.root, "correct horse", "keys", "rotate", "producer")
    assert status == 0, said
    assert f"passphrase of key {project.log_key.label}: " in said
    assert "takes the place of" in said
    status, said = at_a_terminal(project.root, "wrong horse", "keys", "rotate", "producer")
    assert status == 3, said
    assert "the passphrase does not open the sealed key" in said


def test_a_run_that_finds_sealed_keys_waits_for_nobody_and_its_statements_wait(
    wherefrom, project, tmp_path, monkeypatch
):
    monkeypatch.setattr(files.sealed.seal_key, "__kwdefaults__", {"log_n": 10})
    (tmp_path / "pass").write_text("correct horse\n")
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FILE", str(tmp_path / "pass"))
    assert wherefrom("keys", "encrypt")[0] == 0
    monkeypatch.delenv("WHEREFROM_PASSPHRASE_FILE")
    (project.root / "train.py").write_text("import json\njson.dump({}, open('model.json', 'w'))\n")
    words = [sys.executable, "-c", "from wherefrom.cli import main; main()", "run", "--", sys.executable, "train.py"]
    before = project.size()
    done = subprocess.run(words, cwd=project.root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert project.size() == before
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FILE", str(tmp_path / "pass"))
    assert wherefrom("status")[0] == 0
    assert project.size() > before
