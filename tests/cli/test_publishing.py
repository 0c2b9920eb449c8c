"""`wherefrom ledger publish`, `fsck`, `mirror` and `monitor`, as users type them."""

import json

import pytest
from events import pipeline
from served import served_folder
from tiled_logs import KEY, flip, make_log

from wherefrom.notes import TrustedLog, TrustPolicy, format_policy, format_verifier_key

VKEY = format_verifier_key(KEY.verifier_key)


@pytest.fixture
def log(tmp_path):
    """A folder with a log of 300 entries that is not Wherefrom's, and a trust file for it."""
    write(tmp_path / "log", make_log(300))
    (tmp_path / "trust").write_bytes(format_policy(TrustPolicy((TrustedLog(KEY.verifier_key),))))
    return tmp_path / "log"


def write(folder, files):
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def test_publish_fsck_mirror_and_monitor_of_an_archive(wherefrom, archive, monkeypatch, tmp_path):
    monkeypatch.chdir(archive.root)
    archive.record(*pipeline())
    status, out, _ = wherefrom("ledger", "publish", tmp_path / "www", "--statements")
    assert (status, out) == (0, f"{tmp_path / 'www'} has 4 entries of example.com/test, 4 of them new\n")
    with served_folder(tmp_path / "www") as url:
        status, out, _ = wherefrom("ledger", "fsck", url, "--trust", archive.trust_file)
        assert (status, out.splitlines()[-1]) == (0, f"true: {url} is whole")
        status, out, _ = wherefrom("ledger", "mirror", url, tmp_path / "copy", "--trust", archive.trust_file)
        assert (status, out) == (0, f"{tmp_path / 'copy'} has 4 entries, 4 of them new\n")
        options = ("--trust", archive.trust_file, "--state", tmp_path / "seen", "--max-age", "1d", "--json")
        status, out, _ = wherefrom("ledger", "monitor", url, *options)
        assert (status, json.loads(out)["outcome"]) == (0, "true")
    assert wherefrom("ledger", "fsck", tmp_path / "copy", "--trust", archive.trust_file)[0] == 0
    status, out, _ = wherefrom("ledger", "publish", tmp_path / "www", "--json")
    assert json.loads(out) == {"target": str(tmp_path / "www"), "before": 4, "size": 4, "files": 0}


def test_fsck_tells_true_false_and_could_not_check_by_its_status(wherefrom, log):
    assert wherefrom("ledger", "fsck", log, "--vkey", VKEY)[0] == 0
    status, out, _ = wherefrom("ledger", "fsck", log)
    assert status == 3
    assert "not checked: say whom you trust" in out
    other = format_verifier_key(type(KEY)("example.com/other", bytes(32)).verifier_key)
    assert wherefrom("ledger", "fsck", log, "--vkey", other)[0] == 1
    assert wherefrom("ledger", "fsck", log, "--vkey", VKEY, "--origin", "example.com/other")[0] == 1
    assert wherefrom("ledger", "fsck", log, "--vkey", VKEY, "--origin", "example.com/tiled")[0] == 0
    assert wherefrom("ledger", "fsck", log, "--origin", "example.com/other")[0] == 2
    assert wherefrom("ledger", "fsck", log / "none", "--vkey", VKEY)[0] == 2
    assert wherefrom("ledger", "fsck", log / "tile", "--vkey", VKEY)[0] == 3
    path = log / "tile" / "entries" / "000"
    path.write_bytes(flip(path.read_bytes(), 700))
    status, out, _ = wherefrom("ledger", "fsck", log, "--vkey", VKEY)
    assert status == 1
    assert "tile/entries/000\n" in out
    assert "is not the one that the tree has there" in out
    status, out, _ = wherefrom("ledger", "fsck", log, "--vkey", VKEY, "--json")
    assert (status, json.loads(out)["outcome"]) == (1, "false")


def test_mirror_and_monitor_refuse_a_log_with_two_histories_and_keep_the_evidence(wherefrom, log, tmp_path):
    trust = tmp_path / "trust"
    for state in ("copy", "seen"):
        verb = ("mirror", log, tmp_path / state) if state == "copy" else ("monitor", log, "--state", tmp_path / state)
        extra = () if state == "copy" else ("--any-entries",)
        write(log, make_log(300))
        assert wherefrom("ledger", *verb, "--trust", trust, *extra)[0] == 0
        write(log, make_log(400, fork_at=7))
        status, out, err = wherefrom("ledger", *verb, "--trust", trust, *extra)
        assert status == 1
        assert "it signed two histories" in out + err
        assert "evidence: " in out + err
        assert len(list((tmp_path / state).glob("split-view*.json"))) == 1


def test_a_log_that_went_back_is_false(wherefrom, log, tmp_path):
    assert wherefrom("ledger", "mirror", log, tmp_path / "copy", "--vkey", VKEY)[0] == 0
    write(log, make_log(200))
    status, _, err = wherefrom("ledger", "mirror", log, tmp_path / "copy", "--vkey", VKEY)
    assert status == 1
    assert "it went back" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("mirror", "log", "copy"),
        ("mirror", "log", "copy", "--vkey", VKEY, "--every", "soon"),
        ("monitor", "log", "--trust", "trust", "--state", "seen", "--once", "--every", "5m"),
        ("fsck", "log", "--vkey", VKEY, "--trust", "trust"),
        ("publish", "log", "--statements", "--cosigned"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(wherefrom, log, monkeypatch, arguments):
    monkeypatch.chdir(log.parent)
    assert wherefrom("ledger", *arguments)[0] == 2


def test_publishing_over_another_log_is_refused(wherefrom, archive, monkeypatch, log):
    monkeypatch.chdir(archive.root)
    before = (log / "checkpoint").read_bytes()
    status, _, err = wherefrom("ledger", "publish", log)
    assert status == 3
    assert "not of log example.com/test" in err
    assert (log / "checkpoint").read_bytes() == before
