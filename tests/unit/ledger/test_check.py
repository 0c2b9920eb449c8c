import shutil
import sqlite3
from dataclasses import replace

import pytest
from events import event, pipeline

from wherefrom.archive import Archive


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """An archive with more entries than fit in a tile."""
    root = tmp_path_factory.mktemp("template")
    archive = Archive.init(root, namespace="test")
    archive.record(*pipeline())
    for start in range(0, 300, 100):
        archive.record(*(event(f"run {start + more}") for more in range(100)))
    archive.close()
    return root


@pytest.fixture
def filled(template, tmp_path):
    shutil.copytree(template, tmp_path / "copy")
    return Archive.find(tmp_path / "copy")


def problems(archive):
    return [problem for _, found in archive.check() for problem in found]


def change(archive, *statements):
    with sqlite3.connect(archive.folder / "archive.db") as database:
        for statement in statements:
            assert database.execute(statement).rowcount, statement


def test_a_whole_archive_has_no_problems_and_counts_its_progress(filled):
    seen = []
    checks = dict(filled.check(lambda done, total: seen.append((done, total))))
    assert not any(checks.values())
    assert len(checks) == 4
    assert seen[-1] == (304, 304)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'RunE', 'JobE') AS BLOB) WHERE idx = 7",
            "entry 7: its bytes hash to",
        ),
        ("UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 7", "entry 7: its bytes hash to"),
        ("UPDATE entries SET kind = 'x' WHERE idx = 7", "entry 7: column kind is 'x'"),
        ("UPDATE entries SET received = '2001' WHERE idx = 7", "entry 7: column received is 2001"),
        ("UPDATE entries SET dedup = zeroblob(32) WHERE idx = 7", "entry 7: column dedup"),
        ("DELETE FROM hash_index WHERE idx = 7", "the index of hashes is not that of the entries"),
        ("UPDATE hash_index SET idx = 8 WHERE idx = 7", "the index of hashes is not that of the entries"),
        ("UPDATE payloads SET salt = zeroblob(32) WHERE idx = 7", "entry 7: the statement beside the entry is not"),
        (
            "UPDATE payloads SET envelope = CAST(envelope || ' ' AS BLOB) WHERE idx = 7",
            "entry 7: the statement beside the entry is not",
        ),
        ("DELETE FROM payloads WHERE idx = 7", "entry 7: the statement beside it is gone"),
        ("UPDATE tiles SET data = zeroblob(length(data)) WHERE level = 1", "tile 1/0 does not hold"),
        ("DELETE FROM tiles WHERE level = 0 AND idx = 1", "tile 0/1 does not hold"),
        ("UPDATE tiles SET data = CAST(data || zeroblob(32) AS BLOB) WHERE level = 0 AND idx = 1", "tile 0/1"),
        (
            "UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), '104', '105') AS BLOB) WHERE size = 104",
            "checkpoint of size 104: ",
        ),
        ("DELETE FROM checkpoints WHERE size = 304", "the newest checkpoint signs 204 entries, there are 304"),
        ("DELETE FROM checkpoints WHERE size = 0", "there is no checkpoint of size 0"),
        ("UPDATE edges SET how = 'declared' WHERE id = 2", "view edges: row 1 is"),
        ("DELETE FROM runs WHERE id = 9", "view runs: row 8 is"),
        ("INSERT INTO gaps VALUES (5, 'x')", "view gaps: row 0 is (5, 'x'), the ledger gives None"),
    ],
)
def test_each_thing_changed_is_found_and_named(filled, sql, message):
    change(filled, sql)
    assert any(message in problem for problem in problems(filled)), problems(filled)[:5]


def test_a_statement_removed_from_the_middle_is_found(filled):
    change(filled, "DELETE FROM payloads WHERE idx = 7", "DELETE FROM entries WHERE idx = 7")
    assert any("entry 7 is missing: no retirement by the ledger has it" in problem for problem in problems(filled))


def test_the_newest_statements_removed_with_their_checkpoint_are_found(filled):
    change(
        filled,
        "DELETE FROM payloads WHERE idx >= 204",
        "DELETE FROM entries WHERE idx >= 204",
        "DELETE FROM checkpoints WHERE size = 304",
    )
    assert any("a checkpoint it signed before has 304" in problem for problem in problems(filled))


def test_views_are_made_again_from_the_ledger_and_were_equal_or_not(filled):
    assert filled.rebuild() == []
    change(filled, "UPDATE versions SET digest = 'sha256:0' WHERE id = 1", "DELETE FROM events WHERE entry = 5")
    assert len(filled.rebuild()) == 2
    assert filled.rebuild() == []
    assert problems(filled) == []


def test_rebuilding_makes_the_index_of_hashes_again(filled):
    [again] = filled.record(event("again"))
    change(filled, "DELETE FROM hash_index WHERE idx % 3 = 1", "UPDATE hash_index SET key = key + 1 WHERE idx = 6")
    assert filled.rebuild() == ["the index of hashes: not that of the entries"]
    assert filled.rebuild() == []
    assert not any(dict(filled.check()).values())
    assert filled.record(event("again")) == [replace(again, is_new=False)]
