import hashlib
from collections import Counter

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from wherefrom.store import Database, hash_index
from wherefrom.store.schema import hash_index as table


@pytest.fixture(autouse=True)
def small_levels(monkeypatch):
    monkeypatch.setattr(hash_index, "FIRST_LEVEL", 16)
    monkeypatch.setattr(hash_index, "GROWTH", 4)
    monkeypatch.setattr(hash_index, "MOVE", 4)


def digest(number):
    return hashlib.sha256(b"%d" % number).digest()


def fill(connection, batches):
    total = 0
    for size in batches:
        hash_index.add(connection, [(digest(n), n) for n in range(total, total + size)], before=total)
        total += size
    return total


def levels(connection):
    return Counter(connection.scalars(sa.select(table.c.level)))


def opened():
    database = Database.in_memory()
    return database, database.writing()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_every_hash_is_found_whatever_the_batches_and_no_other(batches):
    database, writing = opened()
    with writing as connection:
        total = fill(connection, batches)
        assert sorted(hash_index.find(connection, [digest(n) for n in range(total)], total=total)) == list(range(total))
        assert hash_index.find(connection, [digest(total + 1)], total=total) == []
        rows = list(connection.execute(table.select()))
        assert sorted(row.idx for row in rows) == list(range(total)), "each is there once"
    database.close()


def test_levels_fill_up_and_pass_on_what_they_cannot_hold():
    database, writing = opened()
    with writing as connection:
        fill(connection, [7] * 60)
        held = levels(connection)
        assert sum(held.values()) == 420
        # A level may hold as many more as wait to be moved together.
        assert [16 <= held[0] < 16 + 4, 64 <= held[1] < 64 + 4, 256 <= held[2] < 256 + 4] == [True] * 3
        assert held[3] == 420 - held[0] - held[1] - held[2]
    database.close()


def test_a_batch_larger_than_a_level_goes_through_it():
    database, writing = opened()
    with writing as connection:
        total = fill(connection, [1, 300, 1])
        assert len(hash_index.find(connection, [digest(n) for n in range(total)], total=total)) == total
    database.close()


def test_a_prefix_finds_those_that_begin_so_in_any_level():
    database, writing = opened()
    with writing as connection:
        total = fill(connection, [50] * 8)
        for size in (1, 2, 8):
            start = digest(123)[:size]
            expected = [n for n in range(total) if digest(n).startswith(start)]
            assert sorted(hash_index.find_prefix(connection, start, total=total)) == expected
    database.close()


def test_hashes_that_share_their_first_bytes_are_all_found():
    database, writing = opened()
    with writing as connection:
        same = [(b"\xff" * 8 + bytes([n]), n) for n in range(40)]
        hash_index.add(connection, same, before=0)
        assert sorted(hash_index.find(connection, [same[7][0]], total=40)) == list(range(40))
    database.close()


def test_a_forgotten_hash_is_not_found_and_leaves_nothing_behind():
    database, writing = opened()
    with writing as connection:
        total = fill(connection, [50] * 4)
        hash_index.forget(connection, [(digest(3), 3), (digest(199), 199)])
        assert hash_index.find(connection, [digest(3), digest(199)], total=total) == []
        assert sum(levels(connection).values()) == total - 2
        assert hash_index.find(connection, [digest(4)], total=total) == [4]
        # Levels hold fewer now than they are thought to hold: nothing is lost of what comes.
        hash_index.add(connection, [(digest(n), n) for n in range(total, total + 90)], before=total)
        assert len(hash_index.find(connection, [digest(n) for n in range(200, 290)], total=total + 90)) == 90
    database.close()


def test_keys_sort_as_hashes_do():
    ordered = sorted(digest(n) for n in range(200))
    assert [hash_index.key_of(one) for one in ordered] == sorted(hash_index.key_of(one) for one in ordered)
    assert hash_index.key_of(b"\0" * 8) == -(2**63)
    assert hash_index.key_of(b"\xff" * 32) == 2**63 - 1
