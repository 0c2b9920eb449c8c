"""An archive's ledger published, with its statements, and looked at by a monitor that has nothing else."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from events import FACET, dataset, event, pipeline
from tiled_logs import flip

from wherefrom.archive import Archive
from wherefrom.archive.erasing import redact, retire, set_retention
from wherefrom.archive.monitoring import LedgerInspector
from wherefrom.archive.publishing import publish_ledger
from wherefrom.errors import ConflictError, NotFoundError, UnavailableError
from wherefrom.ledger.cosigned import read_cosigned_checkpoint
from wherefrom.notes import SigningKey, TrustedLog, TrustPolicy, open_checkpoint, parse_note
from wherefrom.statements import Rule
from wherefrom.store import VIEWS, AttestationTables
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.monitor import Monitor
from wherefrom.tlog.source import FolderSource, MemorySource
from wherefrom.tlog.statements import format_lineage, parse_lineage, parse_statements
from wherefrom.verify import Outcome

NOW = datetime.now(UTC)
DIGESTS = {"wf-files-1": "11" * 32, "sha256": "22" * 32, "wf-records-1": "33" * 32, "gitCommit": "44" * 20}
FACETS = {**FACET, "known": "observed", "totalBytes": 1}


def run(number):
    return event(f"run {number}", [dataset("in", f"{number}")], [dataset("out", f"made {number}")])


def policy_of(archive):
    return TrustPolicy((TrustedLog(archive.log_key),))


def files_of(folder):
    return {path: (folder / path).read_bytes() for path in FolderSource(folder).iter_paths()}


def look(archive, files, state):
    source = FolderSource(files) if not isinstance(files, dict) else MemorySource(files)
    return Monitor(source, state, policy_of(archive), LedgerInspector(policy_of(archive))).observe(NOW)


def problems(seen):
    return [(f.outcome, f.message) for f in seen.found.findings if f.outcome is not Outcome.TRUE]


def test_a_published_ledger_is_whole_and_grows(archive, tmp_path):
    for statements in (pipeline(), [run(i) for i in range(300)], [run(300)]):
        archive.record(*statements)
        done = publish_ledger(archive, str(tmp_path / "log"))
        assert done.size == archive.size()
        checkpoint = open_checkpoint((tmp_path / "log" / "checkpoint").read_bytes(), [archive.log_key])
        assert check_log(FolderSource(tmp_path / "log"), checkpoint).outcome is Outcome.TRUE
    assert not (tmp_path / "log" / "statements").exists()
    entries = (tmp_path / "log" / "tile" / "entries" / "000").read_bytes()
    assert b"raw.csv" not in entries  # entries name things by digest; what they are called stays at home


def test_a_monitor_follows_a_ledger_with_its_statements_and_lineage(archive, tmp_path):
    for statements in (pipeline(), [run(i) for i in range(300)], [run(300)]):
        archive.record(*statements)
        publish_ledger(archive, str(tmp_path / "log"), statements=True)
        seen = look(archive, tmp_path / "log", tmp_path / "seen")
        assert problems(seen) == []
        assert len(seen.found.findings) == 4
    lineage = parse_lineage((tmp_path / "log" / "lineage.json").read_bytes())
    assert lineage.size == archive.size()
    assert set(lineage.views) == {table.name for table in VIEWS}
    assert {name: view.rows for name, view in lineage.views.items()} == archive.count_rows()


def test_a_ledger_on_postgresql_is_published_alike(postgresql_url, tmp_path):
    """The monitor makes the lineage again on SQLite: the digests are those of the text, not of the database."""
    (tmp_path / "project").mkdir()
    archive = Archive.init(tmp_path / "project", origin="example.com/test", database_url=postgresql_url)
    both = {**dataset("in", "x"), "facets": {"wherefrom_fingerprint": {**FACETS, "digests": DIGESTS}}}
    archive.record(*pipeline(), *(run(i) for i in range(260)), event("many digests", [both], []))
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    assert problems(look(archive, tmp_path / "log", tmp_path / "seen")) == []
    checkpoint = open_checkpoint((tmp_path / "log" / "checkpoint").read_bytes(), [archive.log_key])
    assert check_log(FolderSource(tmp_path / "log"), checkpoint).outcome is Outcome.TRUE
    archive.close()


def test_without_statements_a_monitor_says_that_it_saw_none(archive, tmp_path):
    publish_ledger(archive, str(tmp_path / "log"))
    seen = look(archive, tmp_path / "log", tmp_path / "seen")
    assert seen.holds()
    assert "publishes no statements" in seen.found.remarks[0]


def test_statements_and_digests_that_are_not_right_are_found(archive, tmp_path):
    archive.record(*pipeline())
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    files = files_of(tmp_path / "log")
    lines = files["statements/000"].splitlines(keepends=True)
    swapped = [json.loads(line) for line in lines]
    swapped[1]["salt"], swapped[2]["salt"] = swapped[2]["salt"], swapped[1]["salt"]
    canonical = b"".join(json.dumps(s, sort_keys=True, separators=(",", ":")).encode() + b"\n" for s in swapped)
    lineage = parse_lineage(files["lineage.json"])
    views = dict(lineage.views)
    views["edges"], views["runs"] = views["runs"], views["edges"]
    wrong = {
        "no redaction says why": {"statements/000": b"".join(lines[:1] + lines[2:])},
        "not the one that the entry commits to": {"statements/000": canonical},
        "is said to have": {"lineage.json": format_lineage(type(lineage)(lineage.size, views))},
        "not as canonical JSON": {"lineage.json": files["lineage.json"].replace(b":", b": ", 1)},
    }
    for number, (what, changed) in enumerate(wrong.items()):
        [(outcome, message)] = problems(look(archive, files | changed, tmp_path / f"seen {number}"))
        assert outcome is Outcome.FALSE, message
        assert what in message
    for position in range(0, len(files["statements/000"]), 499):
        changed = {"statements/000": flip(files["statements/000"], position)}
        assert not look(archive, files | changed, tmp_path / f"flipped {position}").holds()


def test_what_is_not_there_yet_could_not_be_checked(archive, tmp_path):
    archive.record(*pipeline())
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    older = files_of(tmp_path / "log")
    archive.record(run(1))
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    files = files_of(tmp_path / "log")
    for changed in (files | {"lineage.json": older["lineage.json"]}, _without(files, "statements/000")):
        [(outcome, _)] = problems(look(archive, changed, tmp_path / "seen"))
        assert outcome is Outcome.UNCHECKED
    assert look(archive, files, tmp_path / "seen").holds()


def _without(files, path):
    return {name: data for name, data in files.items() if name != path}


def test_an_erased_statement_goes_out_of_what_is_published(archive, tmp_path):
    receipts = archive.record(*pipeline(), *(run(i) for i in range(300)))
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    assert look(archive, tmp_path / "log", tmp_path / "seen").holds()
    gone = receipts[4].index
    redact(archive, [str(gone)], reason="a name was in it", by="privacy office")
    done = publish_ledger(archive, str(tmp_path / "log"), statements=True)
    there = parse_statements((tmp_path / "log" / "statements" / "000").read_bytes(), 0)
    assert gone not in [statement.index for statement in there]
    assert done.size == archive.size()
    for state in ("seen", "seen by another"):
        seen = look(archive, tmp_path / "log", tmp_path / state)
        assert problems(seen) == []
        assert "1 redacted" in seen.found.findings[3].message
    checkpoint = open_checkpoint((tmp_path / "log" / "checkpoint").read_bytes(), [archive.log_key])
    assert check_log(FolderSource(tmp_path / "log"), checkpoint).outcome is Outcome.TRUE


def test_retired_entries_go_out_of_what_is_published_and_the_tree_stays(archive, tmp_path):
    archive.record(*(run(i) for i in range(600)))
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    assert look(archive, tmp_path / "log", tmp_path / "seen log").holds()
    later = Archive.open(archive.folder, clock=lambda: NOW + timedelta(days=9))
    set_retention(later, [Rule(("*",), "P1D", "policy 7")], by="records office")
    retire(later, (1, 512), reason="old", by="records office", at=NOW + timedelta(days=9))
    later.close()
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    publish_ledger(archive, str(tmp_path / "anew"), statements=True)
    for folder in ("log", "anew"):
        files = files_of(tmp_path / folder)
        assert {"tile/entries/000", "tile/entries/001"}.isdisjoint(files)
        assert {"tile/0/000", "tile/0/001"} <= set(files)
        assert len(parse_statements(files["statements/001"], 1)) == 0
        checkpoint = open_checkpoint(files["checkpoint"], [archive.log_key])
        [finding] = check_log(FolderSource(tmp_path / folder), checkpoint).findings
        assert (finding.claim, finding.outcome) == ("entries 0 to 511", Outcome.UNCHECKED)

    assert problems(look(archive, tmp_path / "log", tmp_path / "seen log")) == []
    [(outcome, message)] = problems(look(archive, tmp_path / "log", tmp_path / "seen by one who came later"))
    assert (outcome, "when this monitor began" in message) == (Outcome.UNCHECKED, True)


def test_nothing_that_waits_to_be_erased_goes_out(archive, tmp_path, monkeypatch):
    archive.record(*pipeline())
    publish_ledger(archive, str(tmp_path / "log"), statements=True)
    from wherefrom.archive import publishing

    redact(archive, ["2"], reason="a name was in it", by="privacy office")
    monkeypatch.setattr(publishing, "list_pending", lambda _: [archive.size() - 1])
    with pytest.raises(UnavailableError, match="are to be erased, and still there"):
        publish_ledger(archive, str(tmp_path / "log"), statements=True)
    assert look(archive, tmp_path / "log", tmp_path / "seen").holds()


def test_a_checkpoint_is_published_with_its_cosignatures(archive, tmp_path):
    archive.record(*pipeline())
    witness = SigningKey("example.com/witness", bytes(32)).verifier_key
    cosigned = archive.size()
    with pytest.raises(NotFoundError, match="no checkpoint has been cosigned"):
        publish_ledger(archive, str(tmp_path / "log"), only_cosigned=True)
    with archive.writing() as connection:
        AttestationTables(connection).write_cosignature(cosigned, witness.label, b"t" * 72)
    publish_ledger(archive, str(tmp_path / "log"))
    note = parse_note((tmp_path / "log" / "checkpoint").read_bytes())
    assert [(s.label, s.signature) for s in note.signatures][1:] == [(witness.label, b"t" * 72)]
    assert note.signatures[0].label == archive.log_key.label
    archive.record(run(1))
    assert publish_ledger(archive, str(tmp_path / "log"), only_cosigned=True).size == cosigned
    with archive.reading() as (tables, _):
        attestations = AttestationTables(tables.connection)
        assert len(parse_note(read_cosigned_checkpoint(tables, attestations)).signatures) == 1
        assert len(parse_note(read_cosigned_checkpoint(tables, attestations, cosigned)).signatures) == 2


def test_an_archive_put_back_to_an_older_copy_publishes_nothing(archive, tmp_path):
    publish_ledger(archive, str(tmp_path / "log"))
    other = tmp_path / "other"
    other.mkdir()
    second = Archive.init(other, origin="example.com/test")
    with pytest.raises(ConflictError):
        publish_ledger(second, str(tmp_path / "log"))
    second.close()
