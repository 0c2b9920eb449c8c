"""`redact` and the `ledger` verbs about keeping and erasing, as a user types them."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "unit"))

from events import content, pipeline

from wherefrom.archive import Archive


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose statements are ten years and a day old."""
    Archive.init(tmp_path, namespace="test", origin="example.com/test").close()
    monkeypatch.chdir(tmp_path)
    archive = Archive.open(tmp_path / ".wherefrom")
    archive.record(*pipeline())
    archive.close()
    return tmp_path


@pytest.fixture
def later(monkeypatch):
    """Eleven years go by for retiring; what is recorded keeps its time."""

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=11 * 366)

    monkeypatch.setattr("wherefrom.archive.erasing.datetime", Later)
    monkeypatch.setattr("wherefrom.archive.archive.datetime", Later)


BY = ("--reason", "request 31", "--by", "office")


def test_redact_erases_names_who_and_why_and_warns_of_the_rest(wherefrom, project):
    code, out, err = wherefrom("redact", 2, *BY, "--basis", "GDPR Art. 17")
    assert (code, out.splitlines()) == (0, ["recorded as statement 4", "erased what statement 2 said"])
    assert "these statements speak of the same things, and were not touched: 1, 3" in err
    code, out, _ = wherefrom("log")
    assert "2  " in out
    assert "redacted by office because request 31" in out
    code, out, _ = wherefrom("show", 2, "--json")
    assert json.loads(out)["redaction"]["basis"] == "GDPR Art. 17"
    code, out, _ = wherefrom("trace", "models/m.joblib")
    assert "! statement 2 was redacted by office because request 31 (statement 4)" in out
    code, _, err = wherefrom("trace", f"sha256:{content('raw')}")
    assert code == 2
    assert wherefrom("doctor")[0] == 0
    code, out, _ = wherefrom("ledger", "erase", "--json")
    assert json.loads(out) == {"recorded": [], "redacted": [], "retired": [], "refused": [], "scrubbed": True}
    code, _, err = wherefrom("redact", 0, *BY)
    assert (code, "is never redacted" in err) == (3, True)
    assert wherefrom("redact", 77, *BY)[0] == 2


def test_what_is_not_found_by_its_digest_because_it_was_redacted_is_told(wherefrom, project):
    wherefrom("redact", 3, *BY)
    code, _, err = wherefrom("trace", f"sha256:{content('model')}")
    assert code == 2
    assert "statement 3 was redacted by office because request 31" in err


def test_evidence_is_verified_with_the_redaction_as_a_note(wherefrom, project):
    wherefrom("redact", 2, *BY)
    assert wherefrom("bundle", "models/m.joblib", "-o", "e.wherefrom")[0] == 0
    code, out, _ = wherefrom("verify", "e.wherefrom", "--trust", ".wherefrom/trust")
    assert code == 0
    assert "statement 2 (RunEvent) was redacted by office because request 31" in out


def test_a_policy_is_set_and_shown(wherefrom, project):
    assert "no policy is stated" in wherefrom("ledger", "retention", "show")[1]
    assert wherefrom("ledger", "retention", "show", "--json")[1] == "null\n"
    code, out, _ = wherefrom("ledger", "retention", "set", "--by", "office")
    assert (code, "P10Y" in out, "Art. 18" in out) == (0, True, True)
    keep = ("--keep", "source,evidence=forever", "--keep", "*=P12Y", "--basis", "house rule", "--logs", "P1Y")
    code, out, _ = wherefrom("ledger", "retention", "set", "--by", "office", *keep, "--json")
    assert [rule["keep_for"] for rule in json.loads(out)["rules"]] == ["forever", "P12Y", "P1Y"]
    code, out, _ = wherefrom("ledger", "retention", "show", "--json")
    assert json.loads(out)["rules"][1] == {"basis": "house rule", "keepFor": "P12Y", "kinds": ["*"]}
    for wrong in (("--keep", "x=P1Y"), ("--keep", "*"), ("--keep", "*=1 year"), ("--logs", "P5M"), ("--keep", "*=P0D")):
        assert wherefrom("ledger", "retention", "set", "--by", "office", *wrong)[0] == 2


def test_holds_are_added_listed_and_released(wherefrom, project):
    assert "no hold is in force" in wherefrom("ledger", "hold", "list")[1]
    assert wherefrom("ledger", "hold", "add", *BY, "--entries", "1-2", "--digest", f"sha256:{content('raw')}")[0] == 0
    _, out, _ = wherefrom("ledger", "hold", "list")
    assert "office: request 31  (entries 1 to 2, 1 digests)" in out
    assert wherefrom("redact", 2, *BY)[0] == 3
    assert json.loads(wherefrom("ledger", "hold", "list", "--json")[1])[0]["entries"] == {"from": 1, "to": 3}
    assert json.loads(wherefrom("ledger", "shards", "--json")[1])[0]["state"] == "held"
    assert wherefrom("ledger", "hold", "release", 4, *BY)[0] == 0
    assert wherefrom("ledger", "hold", "release", 4, *BY)[0] == 2
    assert wherefrom("ledger", "hold", "add", *BY, "--entries", "7-", "--run", "x")[0] == 0
    for wrong in ((), ("--entries", "7"), ("--digest", "md5:00")):
        assert wherefrom("ledger", "hold", "add", *BY, *wrong)[0] == 2


def test_a_shard_is_retired_to_a_file_that_proves_what_is_gone(wherefrom, project, later):
    year = f"{datetime.now(UTC):%Y}"
    assert "states no retention policy" in wherefrom("ledger", "retire", year, *BY)[2]
    wherefrom("ledger", "retention", "set", "--by", "office", "--keep", "*=P10Y")
    code, out, err = wherefrom("ledger", "shards")
    assert (code, f"{year}  0-3" in out) == (0, True), out
    assert "may be retired from" in out
    assert wherefrom("ledger", "retire", *BY)[0] == 2
    code, out, err = wherefrom("ledger", "retire", year, *BY, "--archive-to", "old.shard")
    assert (code, out.splitlines()[0]) == (0, "wrote old.shard: entries 0 to 3, verified"), err
    assert "erased 3 entries of 0 to 3" in out
    code, out, _ = wherefrom("ledger", "verify-shard", "old.shard", "--trust", ".wherefrom/trust", "--prove", 2)
    assert code == 0
    assert len(out.splitlines()[-1]) == 64
    assert "retired, what is left is kept" in wherefrom("ledger", "shards")[1]
    code, _, err = wherefrom("show", 2)
    assert (code, "entry 2 was retired with entries 0 to 3" in err) == (2, True)
    assert wherefrom("doctor")[0] == 0
    Path("old.shard").write_bytes(Path("old.shard").read_bytes().replace(b"RunEvent", b"JobEvent", 1))
    assert wherefrom("ledger", "verify-shard", "old.shard", "--trust", ".wherefrom/trust")[0] == 1
    assert wherefrom("ledger", "verify-shard", "none.shard", "--trust", ".wherefrom/trust")[0] in {2, 3}
    assert wherefrom("ledger", "shards", "--by", "week")[0] == 2
