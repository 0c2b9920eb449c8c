"""Many rows at once: written and found alike on SQLite and PostgreSQL, in whatever way they go there."""

import pytest

from wherefrom.errors import ConflictError, FormatError
from wherefrom.store import LedgerTables, bulk
from wherefrom.store.bulk import bulk_insert, bulk_insert_all
from wherefrom.store.matching import find_rows, find_rows_of_many, greatest_ids
from wherefrom.store.schema import entities, gaps, payloads, sources, tiles, versions

MOST = 2**63 - 1
TEXTS = ["", "a", "é", "\U0001f600", "{NULL}", '"', "\\", "NULL", "a,b", "\t\n", "long" * 3000]


def rows_of_versions():
    return [
        (number, -MOST - 1 + number, text, None if number % 2 else MOST, number, MOST)
        for number, text in enumerate(TEXTS, start=1)
    ]


@pytest.mark.parametrize("copied", [1, 10_000])
def test_every_value_comes_back_as_it_was_given(database, monkeypatch, copied):
    monkeypatch.setattr(bulk, "COPIED_ROWS", copied)
    blobs = [(number, bytes(range(number)), bytes(number) * 1000) for number in range(5)]
    with database.writing() as connection:
        bulk_insert_all(connection, {versions: rows_of_versions(), payloads: blobs, gaps: [], sources: [(1, 2, None)]})
    with database.reading() as connection:
        keys = [(row[0],) for row in rows_of_versions()]
        assert sorted(find_rows(connection, versions, ("id",), keys)) == rows_of_versions()
        assert sorted(find_rows(connection, payloads, ("idx",), {(number,) for number in range(9)})) == blobs
        assert list(find_rows(connection, sources, ("entry",), [(1,)])) == [(1, 2, None)]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 200])
def test_as_many_are_found_as_are_asked_for_and_there(database, count):
    rows = [(number, f"namespace {number % 3}", f"name {number}", number) for number in range(count)]
    with database.writing() as connection:
        bulk_insert(connection, entities, rows)
    asked = [(row[1], row[2]) for row in rows]
    with database.reading() as connection:
        found = find_rows_of_many(
            connection,
            [
                (entities, ("namespace", "name"), asked),
                (entities, ("namespace", "name"), [("namespace 0", "name 1")]),  # each is there, but not together
                (versions, ("id",), []),
                (entities, ("id",), [(row[0],) for row in rows[::2]] + [(MOST,)]),
            ],
        )
    assert [sorted(one) for one in found] == [rows, [], [], rows[::2]]


def test_the_greatest_ids_are_told_together(database):
    with database.writing() as connection:
        assert greatest_ids(connection, [entities, versions]) == {entities: 0, versions: 0}
        bulk_insert(connection, entities, [(number, "n", str(number), 0) for number in (3, 700, 41)])
        assert greatest_ids(connection, [versions, entities]) == {entities: 700, versions: 0}


def test_when_one_of_several_tables_refuses_a_row_none_has_any(database):
    with pytest.raises(ConflictError), database.writing() as connection:
        bulk_insert_all(connection, {entities: [(1, "n", "m", 0)], gaps: [(1, "a"), (1, "b")], sources: [(1, 1, None)]})
    with database.reading() as connection:
        assert (
            find_rows_of_many(connection, [(t, (t.c[0].name,), [(1,)]) for t in (entities, gaps, sources)]) == [[]] * 3
        )


def test_values_that_grow_are_counted_and_others_are_left(database):
    with database.writing() as connection:
        assert bulk_insert_all(connection, {}, grow=(tiles, [(0, 0, b"ab"), (0, 1, b"x")])) == 2
        assert bulk_insert_all(connection, {gaps: [(1, "r")]}, grow=(tiles, [(0, 0, b"abc"), (0, 1, b"x")])) == 2
        assert bulk_insert_all(connection, {}, grow=(tiles, [(0, 0, b"abd"), (0, 1, b"xy"), (1, 0, b"\0")])) == 2
        assert LedgerTables(connection).read_tiles([(0, 0), (0, 1), (1, 0)]) == {
            (0, 0): b"abc",
            (0, 1): b"xy",
            (1, 0): b"\0",
        }
        with pytest.raises(FormatError, match="tile 0/0 would change"):
            LedgerTables(connection).write_tiles({(0, 1): b"xyz", (0, 0): b"ab"})
