"""Each command as a user types it: what it prints where, and the exit status."""

import json
import re
import shutil
import sqlite3

import pandas as pd
import pytest
import typer
from events import dataset, event, pipeline, run_id

from wherefrom.cli import app
from wherefrom.notes import ED25519_COSIGNATURE, SigningKey, format_verifier_key
from wherefrom.statements import make_gap_statement, make_source_statement


@pytest.fixture
def project(archive, monkeypatch):
    """An archive with a small pipeline in it, and its folder as working folder."""
    archive.record(
        *pipeline(),
        make_gap_statement(run_id("train"), "subprocess", "started `make`", at="2026-11-21T08:00:00Z"),
        make_source_statement("test", "raw.csv", {"sha256": "0" * 64}, licence="CC0-1.0"),
    )
    monkeypatch.chdir(archive.root)
    return archive


def test_init_makes_an_archive_and_says_what_to_give_away_and_what_to_keep(wherefrom, tmp_path):
    status, out, err = wherefrom("init", tmp_path, "--namespace", "churn")
    assert (status, err) == (0, "")
    assert re.search(
        r"made .*/\.wherefrom, ledger churn/[0-9a-f]{8}\ngive verifiers .*trust; keep .*keys to yourself", out
    )
    assert (tmp_path / ".wherefrom" / "keys" / "log").stat().st_mode & 0o777 == 0o600
    status, out, err = wherefrom("init", tmp_path)
    assert (status, out) == (3, "")
    assert err == f"wherefrom: error: {tmp_path}/.wherefrom is an archive already\n"


def test_without_an_archive_every_command_says_so_and_what_to_do(wherefrom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["status"],
        ["log"],
        ["trace", "x"],
        ["show", "x"],
        ["doctor"],
        ["rebuild"],
        ["bundle", "x", "-o", "y"],
    ):
        status, out, err = wherefrom(*words)
        assert (status, out) == (2, "")
        assert err == (
            f"wherefrom: error: no archive in {tmp_path} or above it\nwherefrom: hint: `wherefrom init` makes one\n"
        )


def test_trace_draws_the_tree_and_gives_json(wherefrom, project):
    status, out, err = wherefrom("trace", "models/m.joblib")
    assert (status, err) == (0, "")
    for expected in (
        "models/m.joblib",
        "train.py",
        "table.parquet",
        "clean.py",
        "raw.csv",
        "more.csv",
        "started `make`",
    ):
        assert expected in out
    status, out, _ = wherefrom("trace", "models/m.joblib", "--json")
    answer = json.loads(out)["answer"]
    assert len(answer["runs"]) == 2
    assert len(answer["edges"]) == 5


def test_trace_goes_down_to_a_depth_and_back_in_time(wherefrom, project):
    assert "train.py" in wherefrom("trace", "raw.csv", "--down")[1]
    assert "train.py" not in wherefrom("trace", "raw.csv", "--down", "--depth", "1")[1]
    status, _, err = wherefrom("trace", "models/m.joblib", "--as-of", "1")
    assert status == 2
    assert "nothing named 'models/m.joblib' is recorded" in err
    status, _, err = wherefrom("trace", "raw.csv", "--as-of", "yesterday")
    assert status == 3
    assert "as of 'yesterday': expected an entry's index, a day, or a time with a zone (RFC 3339)" in err


def test_an_unknown_name_is_answered_with_near_matches(wherefrom, project):
    status, out, err = wherefrom("trace", "models/n.joblib")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "wherefrom: error: nothing named 'models/n.joblib' is recorded",
        "wherefrom: hint: did you mean models/m.joblib?",
    ]


def test_log_lists_the_newest_first_and_filters_by_kind(wherefrom, project):
    status, out, _ = wherefrom("log", "-n", "2")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["5", "4"]
    assert "started `make`" in wherefrom("log", "--kind", "gap")[1]
    listed = json.loads(wherefrom("log", "--kind", "runevent", "--json")[1])
    assert [item["predicate"]["eventType"] for item in listed] == ["COMPLETE", "COMPLETE", "START"]


def test_show_takes_an_index_an_id_a_run_or_a_name(wherefrom, project):
    by_index = json.loads(wherefrom("show", "2", "--json")[1])
    assert json.loads(wherefrom("show", by_index["id"], "--json")[1]) == by_index
    assert json.loads(wherefrom("show", run_id("train")[:10], "--json")[1])["job_name"] == "train.py"
    assert [v["name"] for v in json.loads(wherefrom("show", "table.parquet", "--json")[1])] == ["table.parquet"]
    assert "job_name: train.py" in wherefrom("show", run_id("train"))[1]
    status, _, err = wherefrom("show", "999")
    assert (status, err) == (2, "wherefrom: error: no entry 999 in this archive, which has 6\n")


def test_status_counts_and_names_the_ledger(wherefrom, project):
    status, out, _ = wherefrom("status")
    assert status == 0
    assert "example.com/test: 6 statements" in out
    assert "runs: 2, data sets: 4, versions of them: 5, gaps: 1" in out
    assert json.loads(wherefrom("status", "--json")[1])["checkpoint"]["size"] == 6


def test_evidence_is_made_and_verified_elsewhere_and_after_a_change_it_is_false(
    wherefrom, project, tmp_path, monkeypatch
):
    status, out, _ = wherefrom(
        "bundle", "models/m.joblib", "-o", tmp_path / "m.wherefrom", "--report", tmp_path / "m.html"
    )
    assert status == 0
    assert "verify it anywhere with: wherefrom verify" in out
    assert "<html" in (tmp_path / "m.html").read_text()
    shutil.copy(project.trust_file, tmp_path / "trust")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    status, out, err = wherefrom("verify", "../m.wherefrom", "--trust", "../trust", "--report", "out.html")
    assert status == 0, out
    assert out.splitlines()[-1] == "true: ../m.wherefrom tells what models/m.joblib was made from, as recorded"
    assert "not that the recorder told the truth" in err
    assert (elsewhere / "out.html").read_bytes() == (tmp_path / "m.html").read_bytes()
    verdict = json.loads(wherefrom("verify", "../m.wherefrom", "--trust", "../trust", "--json")[1])
    assert verdict["outcome"] == "true"

    data = (tmp_path / "m.wherefrom").read_bytes()
    (tmp_path / "m.wherefrom").write_bytes(data.replace(b"m.joblib", b"n.joblib"))
    status, out, _ = wherefrom("verify", "../m.wherefrom", "--trust", "../trust")
    assert status == 1
    assert out.splitlines()[-1] == "false: ../m.wherefrom does not hold"
    (tmp_path / "m.wherefrom").write_bytes(data[:-100])
    status, out, _ = wherefrom("verify", "../m.wherefrom", "--trust", "../trust")
    assert status == 3
    assert out.splitlines()[-1] == "could not check: ../m.wherefrom"


def test_verify_without_its_files_is_wrong_usage(wherefrom, project, tmp_path):
    status, _, err = wherefrom("verify", "none.wherefrom", "--trust", project.trust_file)
    assert (status, err) == (2, "wherefrom: error: no file none.wherefrom\n")
    (tmp_path / "some.wherefrom").write_text("{}")
    status, _, err = wherefrom("verify", tmp_path / "some.wherefrom", "--trust", "nobody")
    assert (status, err) == (2, "wherefrom: error: no file nobody\n")
    status, _, err = wherefrom("verify", tmp_path / "some.wherefrom")
    assert (status, "say which ledgers you trust with --trust FILE" in err) == (2, True)
    (tmp_path / "bad").write_text("log x\n")
    status, _, err = wherefrom("verify", tmp_path / "some.wherefrom", "--trust", tmp_path / "bad")
    assert status == 3
    assert "policy line 1" in err


def test_data_is_held_against_evidence_by_bytes_or_rows(wherefrom, archive, monkeypatch, tmp_path):
    from wherefrom.fingerprints import fingerprint_files, fingerprint_records

    table = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]})
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "t.parquet"
    table.to_parquet(path)
    made = dataset("data/t.parquet", "t")
    made["facets"]["wherefrom_fingerprint"]["digests"] = {
        "sha256": fingerprint_files(path).sha256,
        "wf-records-1": fingerprint_records(path).digest[1],
    }
    archive.record(event("make", [], [made]))
    monkeypatch.chdir(archive.root)
    wherefrom("bundle", "data/t.parquet", "-o", tmp_path / "t.wherefrom")
    check = ("verify", tmp_path / "t.wherefrom", "--trust", archive.trust_file, "--data")
    assert wherefrom(*check, path)[0] == 0
    assert wherefrom(*check, tmp_path / "data")[0] == 0
    table.iloc[::-1].to_parquet(path, compression="gzip")
    status, out, _ = wherefrom(*check, path)
    assert status == 0
    assert "other bytes, the same 3 rows" in out
    table.assign(a=[1, 2, 4]).to_parquet(path)
    status, out, _ = wherefrom(*check, f"data/t.parquet={path}")
    assert status == 1
    assert re.search(r"data/t.parquet has changed: sha256 is .*recorded .*; wf-records-1 is .*, recorded", out)
    for missing in ("nothing.parquet", f"other.csv={path}"):
        status, out, _ = wherefrom(*check, missing)
        assert status == 3, out


def test_rows_recorded_privately_are_compared_with_their_secret_only(wherefrom, archive, monkeypatch, tmp_path):
    from wherefrom.fingerprints import Secret, fingerprint_files, fingerprint_records

    table = pd.DataFrame({"a": [1, 2, 3]})
    path = tmp_path / "t.parquet"
    table.to_parquet(path)
    for name in ("secret", "other"):
        Secret.generate().write(tmp_path / name)
    records = fingerprint_records(path, secret=Secret.read(tmp_path / "secret"))
    made = dataset("t.parquet", "t")
    made["facets"]["wherefrom_fingerprint"] |= {
        "digests": {"sha256": fingerprint_files(path).sha256, "wf-records-1": records.id},
        "records": records.to_json(),
    }
    archive.record(event("make", [], [made]))
    monkeypatch.chdir(archive.root)
    wherefrom("bundle", "t.parquet", "-o", tmp_path / "t.wherefrom")
    table.iloc[::-1].to_parquet(path)
    check = ("verify", tmp_path / "t.wherefrom", "--trust", archive.trust_file, "--data", path)
    for words, status, message in (
        ((), 3, "their secret was not given"),
        (("--secret", tmp_path / "other"), 3, "their secret is not the one given"),
        (("--secret", tmp_path / "secret"), 0, "other bytes, the same 3 rows"),
    ):
        found = wherefrom(*check, *words)
        assert (found[0], message in found[1]) == (status, True), found


def test_doctor_and_rebuild_find_a_view_that_was_changed_and_mend_it(wherefrom, project):
    status, out, _ = wherefrom("doctor")
    assert (status, "FALSE" in out) == (0, False)
    assert wherefrom("rebuild")[1] == "rebuilt from 6 statements: every view was equal\n"
    with sqlite3.connect(project.folder / "archive.db") as database:
        database.execute("UPDATE edges SET how = 'declared' WHERE id = 1")
    status, out, _ = wherefrom("doctor")
    assert status == 1
    assert "view edges: row 0 is" in out
    checks = json.loads(wherefrom("doctor", "--json")[1])
    assert [check["check"] for check in checks if check["problems"]] == ["views: equal to what the ledger gives"]
    assert wherefrom("rebuild")[0] == 1
    assert wherefrom("rebuild")[0] == 0
    assert wherefrom("doctor")[0] == 0


def test_evidence_that_the_own_trust_file_would_refuse_is_made_with_a_warning(wherefrom, project, tmp_path):
    witness = SigningKey.generate("example.com/witness", ED25519_COSIGNATURE).verifier_key
    line = f"witness W {format_verifier_key(witness)}\nquorum W"  # nobody to ask, so its cosignature is missing
    project.trust_file.write_text(project.trust_file.read_text().replace("quorum none", line))
    status, _, err = wherefrom("bundle", "models/m.joblib", "-o", tmp_path / "m.wherefrom")
    assert status == 0
    assert re.search(r"warning: by the archive's own trust file .* lacks the quorum 'W'", err)
    assert wherefrom("verify", tmp_path / "m.wherefrom", "--trust", project.trust_file)[0] == 1


def _list_commands(group, before=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _list_commands(command, (*before, name))
        else:
            yield (*before, name)


@pytest.mark.parametrize("command", list(_list_commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_has_help_with_an_example(wherefrom, command):
    status, text, _ = wherefrom(*command, "--help")
    assert status == 0
    assert f"wherefrom {' '.join(command)}" in re.sub(r"\s+", " ", text)
    assert "Example" in text


def test_wrong_usage_exits_with_2_and_the_version_is_told(wherefrom):
    assert wherefrom("trace")[0] == 2
    assert wherefrom("nonsense")[0] == 2
    status, out, _ = wherefrom("--version")
    assert status == 0
    assert re.fullmatch(r"wherefrom \d+\.\d+\.\d+\n", out)


def test_completion_for_the_shell_is_offered(wherefrom):
    assert "--install-completion" in wherefrom("--help")[1]
