import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from events import event, pipeline

from wherefrom.archive import Archive
from wherefrom.errors import (
    ConflictError,
    FormatError,
    NotFoundError,
    SignatureError,
    UnavailableError,
    VerificationError,
)
from wherefrom.ledger.log import prove_entry, tile_reader
from wherefrom.merkle import hash_leaf, prove_consistency_from_tiles, verify_consistency, verify_inclusion
from wherefrom.notes import SigningKey
from wherefrom.statements import format_statement, make_correction_statement, parse_time, sign_envelope
from wherefrom.store import LedgerTables


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed(archive, clock):
    return Archive.open(archive.folder, clock=clock)


def sql(archive, *statements):
    with sqlite3.connect(archive.folder / "archive.db") as database:
        for statement in statements:
            database.execute(statement)


def test_a_statement_gets_an_index_an_id_and_a_signed_tree_around_it(archive):
    before = archive.checkpoint()[0]
    receipts = archive.record(*pipeline())
    after, _ = archive.checkpoint()
    assert [r.index for r in receipts] == [1, 2, 3]
    assert all(r.is_new for r in receipts)
    assert (before.size, after.size) == (1, 4)
    with archive._ledger_tables() as tables:
        for receipt, row in zip(receipts, tables.read_entries([1, 2, 3]), strict=True):
            leaf = hash_leaf(row.entry)
            assert leaf.hex() == receipt.statement_id
            proof = prove_entry(tables, index=receipt.index, size=4)
            verify_inclusion(leaf, index=receipt.index, size=4, proof=proof, root=after.root)
        proof = prove_consistency_from_tiles(1, 4, tile_reader(tables))
    verify_consistency(old_size=1, old_root=before.root, new_size=4, new_root=after.root, proof=proof)


def test_the_same_statement_twice_has_the_same_receipt_also_within_one_batch(archive):
    first = archive.record(*pipeline())
    again = archive.record(*pipeline())
    assert [r.index for r in again] == [r.index for r in first]
    assert not any(r.is_new for r in again)
    one, two = archive.record(event("a"), event("a"))
    assert one == two
    assert archive.size() == 5


def test_statements_by_nobody_known_are_refused_and_nothing_is_recorded(archive):
    stranger = SigningKey.generate("example.com/stranger")
    payload = format_statement(event("a"))
    with pytest.raises(SignatureError, match="no signature by a known key"):
        archive.record_envelopes([sign_envelope(payload, {stranger.verifier_key.label: stranger})])
    producer = archive._files.read_key("producer").verifier_key.label
    with pytest.raises(SignatureError, match="does not fit the payload"):
        archive.record_envelopes([sign_envelope(payload, {producer: stranger})])
    assert archive.size() == 1


def test_one_wrong_statement_of_a_batch_keeps_all_of_it_out(archive):
    with pytest.raises(NotFoundError, match="no statement abab"):
        archive.record(*pipeline(), make_correction_statement("ab" * 32, reason="x"))
    assert archive.size() == 1
    assert archive.count_rows()["runs"] == 0


def test_a_clock_set_back_an_hour_records_nothing_and_says_so(timed, clock):
    timed.record(event("a"))
    clock.now -= timedelta(hours=1)
    with pytest.raises(
        UnavailableError, match=r"the clock says 2029-12-31T23:00:00.*received at 2030-01-01.*3600 s later"
    ):
        timed.record(event("b"))
    assert timed.size() == 2
    clock.now += timedelta(hours=1)
    assert timed.record(event("b"))[0].index == 2


def test_a_clock_that_steps_back_a_little_never_makes_the_ledger_go_back(timed, clock):
    timed.record(event("a"))
    clock.now -= timedelta(seconds=1)
    timed.record(event("b"))
    received = [r.entry.received for r in timed.iter_recorded(1)]
    assert received[0] == received[1] == parse_time("2030-01-01T00:00:00Z", what="t")


def test_a_tree_that_is_not_the_one_signed_last_is_never_extended(archive):
    archive.record(*pipeline())
    sql(archive, "UPDATE tiles SET data = zeroblob(length(data)) WHERE level = 0")
    with pytest.raises((ConflictError, VerificationError)):
        archive.record(event("b"))
    assert archive.size() == 4


def test_an_archive_put_back_to_an_older_copy_signs_nothing(archive, tmp_path):
    archive.record(event("a"))
    with sqlite3.connect(archive.folder / "archive.db") as database, sqlite3.connect(tmp_path / "old.db") as old:
        database.backup(old)
    archive.record(event("b"))
    archive.close()
    for suffix in ("", "-wal", "-shm"):
        (archive.folder / f"archive.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "old.db").rename(archive.folder / "archive.db")
    opened = Archive.open(archive.folder)
    with pytest.raises(VerificationError, match=r"the ledger has 2 entries, a checkpoint it signed before has 3"):
        opened.record(event("c"))
    assert opened.size() == 2
    assert any("signed before has 3" in p for _, problems in opened.check() for p in problems)


def test_without_the_secret_key_one_may_read_and_not_record(archive):
    archive.record(event("a"))
    (archive.folder / "keys" / "producer").unlink()
    with pytest.raises(UnavailableError, match=r"secret key .*producer: No such file"):
        archive.record(event("b"))
    assert archive.size() == 2


def test_a_tile_only_ever_grows(archive):
    archive.record(*pipeline())
    with archive._database.writing() as connection:
        tables = LedgerTables(connection)
        tile = tables.read_tile(0, 0)
        tables.write_tiles({(0, 0): tile + bytes(32)})
        with pytest.raises(FormatError, match="tile 0/0 would change"):
            tables.write_tiles({(0, 0): bytes(32) + tile})
        connection.rollback()
