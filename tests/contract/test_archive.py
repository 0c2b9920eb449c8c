"""What an archive promises, on SQLite and on PostgreSQL."""

import itertools
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from events import FACET, dataset, event, pipeline

from conftest import make_location
from wherefrom.archive import Archive
from wherefrom.archive.taking import take_events
from wherefrom.errors import ConflictError, FormatError, NotFoundError
from wherefrom.ledger.log import prove_entry, tile_reader
from wherefrom.merkle import prove_consistency_from_tiles, verify_consistency, verify_inclusion
from wherefrom.notes import open_checkpoint
from wherefrom.statements import (
    make_correction_statement,
    make_deletion_statement,
    make_gap_statement,
    make_source_statement,
)
from wherefrom.store import VIEWS
from wherefrom.store.schema import checkpoints, edges, entries, keys, payloads, tiles

RECORD = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from events import event
from wherefrom.archive import Archive
archive = Archive.find(Path(sys.argv[1]))
for number in range(int(sys.argv[4])):
    archive.record(event(f"{sys.argv[3]}-{number}"), event(f"shared-{number}"))
archive.close()
"""


def wrong(archive):
    return [problem for _, problems in archive.check() for problem in problems]


def dump(archive):
    """Every row of every view but the keys', which are new in each archive."""
    with archive.reading() as (_, views):
        return {table.name: list(views.iter_rows(table)) for table in VIEWS if table is not keys}


def record_everything(archive):
    """Statements of each kind that draws something, in several transactions. Texts that systems like to change."""
    archive.record(*pipeline())
    archive.record(make_gap_statement("run-ß", "network", "not seen\n", at="2026-11-21T08:00:00Z", path="a/b"))
    source = make_source_statement(
        "test", "raw.csv", {"sha256": "ab" * 32}, origin="https://example.com/Ünï", licence="MIT"
    )
    archive.record(source)
    names = ["Z", "a", "é", "e\u0301", "\U0001f600", "'; DROP TABLE entries", "a\tb\nc\\", "%_", "n" * 5000]
    outputs = [dataset(name, f"content of {name}") for name in names]
    [wide] = archive.record(event("wide", [dataset(name) for name in names], outputs))
    archive.record(event("after", [dataset("raw.csv"), dataset(names[0])], [dataset("result", how="declared")]))
    archive.record(make_correction_statement(wide.statement_id, reason="it was another one"))
    archive.record(event("wide", [dataset("Z", "content of Z")], [dataset("result", "big")], at="2026-11-21T09:00:00Z"))
    record_what_others_send(archive)


def record_what_others_send(archive):
    """Events with other names, versions, columns, marks, and what makes an end of them; twice, in two transactions."""
    source = {"namespace": "s3a://b", "name": "t/é=1", "field": "x"}
    facets = {
        "columnLineage": {**FACET, "fields": {"y": {"inputFields": [source]}}},
        "symlinks": {**FACET, "identifiers": [{"namespace": "hive://h:1", "name": "d.t", "type": "TABLE"}]},
        "version": {**FACET, "datasetVersion": "7"},
    }
    for run in ("one", "two"):
        body = {
            "eventTime": "2026-11-21T08:00:00",
            "run": {"runId": run},
            "job": {"namespace": "n\u0000", "name": "j"},
            "inputs": [{"namespace": "s3://b", "name": "t"}, 7],
            "outputs": [{"namespace": "s3://b", "name": "u", "facets": facets}],
        }
        take_events(
            archive,
            [json.dumps({**body, "job": job}).encode() for job in (body["job"], {"namespace": "n", "name": "j"})],
        )
    for kind in ("dataset", "job"):
        archive.record(make_deletion_statement(kind, "s3a://b", "u/", at="2026-11-21T08:00:00Z", reason="gone"))


def test_an_archive_is_found_again_with_all_that_was_recorded(archive):
    receipts = archive.record(*pipeline())
    again = Archive.find(archive.root)
    assert (again.namespace, again.origin, again.size()) == ("test", "example.com/test", 4)
    assert [again.read_recorded(str(r.index)).statement_id for r in receipts] == [r.statement_id for r in receipts]
    assert dump(again) == dump(archive)
    again.close()


def test_a_statement_recorded_twice_is_there_once(archive):
    first = archive.record(*pipeline())
    again = archive.record(*pipeline(), event("other"))
    assert [r.index for r in again] == [*(r.index for r in first), 4]
    assert [r.is_new for r in again] == [False, False, False, True]
    assert archive.size() == 5


def test_every_checkpoint_holds_the_one_before_and_proves_each_entry(archive):
    for number in range(5):
        archive.record(event(f"run {number}"), event(f"other {number}"))
    with archive.reading() as (tables, _):
        notes = [open_checkpoint(note, [archive.log_key]) for _, note in tables.iter_checkpoints()]
        assert [note.size for note in notes] == [0, 1, 3, 5, 7, 9, 11]
        for old, new in itertools.pairwise(notes[1:]):
            proof = prove_consistency_from_tiles(old.size, new.size, tile_reader(tables))
            verify_consistency(old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=proof)
        for row in tables.iter_entries():
            proof = prove_entry(tables, index=row.index, size=11)
            verify_inclusion(row.leaf_hash, index=row.index, size=11, proof=proof, root=notes[-1].root)


def test_a_statement_is_found_by_the_beginning_of_its_id(archive):
    receipts = archive.record(*(event(f"run {number}") for number in range(20)))
    for receipt in receipts:
        assert archive.read_recorded(receipt.statement_id[:12]).index == receipt.index
        assert archive.read_recorded(receipt.statement_id).index == receipt.index
    with pytest.raises(NotFoundError):
        archive.read_recorded("0123456789abcdef")


def test_producers_in_threads_and_processes_extend_one_tree(archive):
    unit = str(Path(__file__).parents[1] / "unit")
    others = [
        subprocess.Popen([sys.executable, "-c", RECORD, str(archive.root), unit, name, "5"]) for name in ("a", "b")
    ]
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(archive.record, event(f"c-{n}"), event(f"shared-{n % 5}")) for n in range(10)]
        receipts = [receipt for one in done for receipt in one.result()]
    assert [other.wait(120) for other in others] == [0, 0]
    assert archive.size() == 1 + 10 + 10 + 5
    assert wrong(archive) == []
    for receipt in receipts:
        assert archive.read_recorded(str(receipt.index)).statement_id == receipt.statement_id


def test_the_views_are_what_the_ledger_gives(archive):
    record_everything(archive)
    before = dump(archive)
    assert wrong(archive) == []
    assert archive.rebuild() == []
    with archive.writing() as connection:
        connection.execute(edges.update().where(edges.c.id == 1).values(how="declared"))
    assert wrong(archive) != []
    assert archive.rebuild() != []
    assert dump(archive) == before


def test_both_systems_draw_the_same_views(request, tmp_path):
    dumps = []
    for backend in ("sqlite", "postgresql"):
        location = make_location(backend, request, tmp_path)
        (tmp_path / backend).mkdir()
        url = location if isinstance(location, str) else None
        archive = Archive.init(tmp_path / backend, namespace="test", origin="example.com/test", database_url=url)
        record_everything(archive)
        dumps.append(dump(archive))
        archive.close()
    assert dumps[0] == dumps[1]
    assert all(rows for name, rows in dumps[0].items() if name not in {"erasures", "access"})


def test_a_name_that_postgresql_cannot_keep_is_refused_on_both(archive):
    for make in (
        lambda: event("run", [dataset("a\0b", "text")]),
        lambda: event("run", [dataset("a", "text", namespace="a\0b")]),
        lambda: event("run", [], [dataset("a\0b")]),
        lambda: event("run\0"),  # is in the job's name
        lambda: make_gap_statement("run\0", "network", "not seen", at="2026-11-21T08:00:00Z"),
        lambda: make_source_statement("test", "a\0b", {"sha256": "ab" * 32}, origin="https://example.com/"),
    ):
        with pytest.raises(FormatError, match=r"U\+0000"):
            archive.record(make())
    assert archive.size() == 1


def test_a_second_archive_in_the_same_place_is_refused_and_harms_nothing(archive, location, tmp_path):
    archive.record(*pipeline())
    before = (archive.folder / "trust").read_bytes()
    with pytest.raises(ConflictError, match="is an archive already"):
        Archive.init(archive.root)
    if isinstance(location, str):
        (tmp_path / "second").mkdir()
        with pytest.raises(ConflictError, match="there is an archive, or something else, already"):
            Archive.init(tmp_path / "second", database_url=location)
        Archive.init(tmp_path / "second").close()
    assert (archive.folder / "trust").read_bytes() == before
    assert wrong(archive) == []


# What one may not do to a ledger, each with a word of what the check says then.
TAMPERINGS = {
    "an entry's bytes": lambda c: c.execute(entries.update().where(entries.c.idx == 2).values(entry=b" ")),
    "an entry taken out": lambda c: (
        c.execute(payloads.delete().where(payloads.c.idx == 2)),
        c.execute(entries.delete().where(entries.c.idx == 2)),
    ),
    "the last entry taken off": lambda c: (
        c.execute(payloads.delete().where(payloads.c.idx == 3)),
        c.execute(entries.delete().where(entries.c.idx == 3)),
    ),
    "a statement's text": lambda c: c.execute(payloads.update().where(payloads.c.idx == 2).values(envelope=b" ")),
    "a tile": lambda c: c.execute(tiles.update().values(data=bytes(32) + bytes(32) * 3)),
    "the newest checkpoint": lambda c: c.execute(checkpoints.delete().where(checkpoints.c.size == 4)),
    "a checkpoint's note": lambda c: c.execute(checkpoints.update().where(checkpoints.c.size == 4).values(note=b"x")),
    "a row of a view": lambda c: c.execute(edges.delete().where(edges.c.id == 1)),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_was_tampered_with_is_found(archive, what):
    archive.record(*pipeline())
    assert wrong(archive) == []
    with archive.writing() as connection:
        TAMPERINGS[what](connection)
    assert wrong(archive) != []


def test_what_others_record_meanwhile_is_not_seen_by_a_reader(archive):
    with archive.reading() as (tables, views):
        assert tables.size() == 1
        archive.record(*pipeline())
        assert tables.size() == 1
        assert views.count(edges) == 0
        assert tables.connection.scalar(sa.select(sa.func.max(checkpoints.c.size))) == 1
    assert archive.size() == 4
