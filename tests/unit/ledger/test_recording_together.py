"""Several threads of one process record into one archive."""

import json
import threading

import pytest
from events import dataset, event

from wherefrom.archive import Archive, keeping_keys
from wherefrom.archive.recorder import KnownKeys
from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.ledger import sign_statement
from wherefrom.notes import SigningKey
from wherefrom.statements import make_correction_statement, parse_event_statement

DEADLINE_S = 60


def together(archive, calls):
    """Record each call in a thread of its own, all in one group; receipts or errors, in the order of the calls."""
    recorder, got = archive._recorder, [None] * len(calls)
    groups = []

    def commit(items, inner=recorder._commit):
        groups.append(len(items))
        return inner(items)

    recorder._group._commit = commit

    def record(number):
        try:
            got[number] = archive.record(*calls[number])
        except Exception as error:  # noqa: BLE001 - the test looks at whatever it is
            got[number] = error

    threads = [threading.Thread(target=record, args=(number,)) for number in range(len(calls))]
    pause = threading.Event()
    recorder._group._leader = nobody = object()  # nobody is served until all wait, in order
    for waiting, thread in enumerate(threads, start=1):
        thread.start()
        for _ in range(DEADLINE_S * 200):
            if len(recorder._group._waiting) == waiting:
                break
            pause.wait(0.005)
    recorder._group._leave(nobody)
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    return got, groups


def problems(archive):
    return [problem for _, found in archive.check() for problem in found]


def test_calls_that_wait_together_share_one_checkpoint_and_get_their_own_receipts(archive):
    got, groups = together(archive, [[event(f"{n}-a"), event(f"{n}-b")] for n in range(5)])
    assert groups == [5]
    assert [[r.index for r in receipts] for receipts in got] == [[1 + 2 * n, 2 + 2 * n] for n in range(5)]
    with archive.reading() as (tables, _):
        assert [size for size, _ in tables.iter_checkpoints()] == [0, 1, 11]
    assert problems(archive) == []


def test_the_same_statement_in_several_calls_is_recorded_once_and_new_to_the_first(archive):
    got, groups = together(archive, [[event("a")], [event("b"), event("a")], [event("a"), event("a")]])
    assert groups == [3]
    assert [[(r.index, r.is_new) for r in receipts] for receipts in got] == [
        [(1, True)],
        [(2, True), (1, False)],
        [(1, False), (1, False)],
    ]
    assert archive.size() == 3
    assert problems(archive) == []


def test_a_call_that_fails_leaves_the_others_whole(archive):
    wrong = make_correction_statement("ab" * 32, reason="names nothing")
    got, groups = together(archive, [[event("a")], [event("b"), wrong], [event("c")]])
    assert groups == [3, 1, 1, 1]
    assert isinstance(got[1], NotFoundError)
    assert [got[0][0].index, got[2][0].index] == [1, 2]
    assert archive.size() == 3
    assert archive.count_rows()["runs"] == 2
    assert problems(archive) == []


def test_a_correction_may_name_what_another_call_of_its_group_recorded_before(archive):
    [first] = archive.record(event("a", [], [dataset("t", "1")]))
    fixed = make_correction_statement(first.statement_id, reason="wrong")
    got, groups = together(archive, [[event("b", [dataset("t")])], [fixed], [event("c", [dataset("t")])]])
    assert groups == [3]
    assert [receipts[0].index for receipts in got] == [2, 3, 4]
    assert problems(archive) == []
    assert archive.rebuild() == []


def test_a_key_that_is_taken_away_is_missed_at_once_though_it_was_read_before(archive):
    archive.record(event("a"))
    path = archive.folder / "keys" / "producer"
    path.rename(path.with_name("away"))
    with pytest.raises((NotFoundError, UnavailableError), match="producer"):
        archive.record(event("b"))
    path.with_name("away").rename(path)
    assert archive.record(event("b"))[0].is_new


def test_what_was_signed_before_and_after_a_change_of_keys_goes_together(archive):
    """As a server has it, whose processes sign while others wait to be recorded."""
    other = SigningKey.generate("example.com/other")
    keeping_keys.allow_key(archive, other.verifier_key)
    before = [*archive.keys.sign([event("a")]), sign_statement(event("b"), [other])]
    assert [receipt.is_new for receipt in archive.record_signed(before)] == [True, True]
    labels = [next(archive.iter_recorded(r.index)).entry.key_ids for r in archive.record_signed(before)]
    assert labels == [(archive.keys.read_key("producer").verifier_key.label,), (other.verifier_key.label,)]
    waiting = archive.keys.sign([event("c")])
    keeping_keys.rotate_producer(archive)
    receipts = archive.record_signed([*waiting, *archive.keys.sign([event("d")])])
    new = archive.keys.read_key("producer").verifier_key.label
    assert [next(archive.iter_recorded(r.index)).entry.key_ids for r in receipts] == [(new,), (new,)]
    assert problems(archive) == []


def test_our_own_signatures_are_verified_once_while_no_key_changes(archive, monkeypatch):
    archive.record(event("first"))
    verified, verify = [], KnownKeys.verify
    monkeypatch.setattr(KnownKeys, "verify", lambda known, envelope: verified.append(1) or verify(known, envelope))
    for number in range(5):
        archive.record(event(f"{number}"), event(f"{number}, too"))
    assert verified == []


def test_an_event_keeps_its_bytes_and_is_found_by_them(archive):
    body = json.dumps(dict(event("a").predicate), indent=2).encode() + b"\n"
    [receipt] = archive.record(parse_event_statement(body))
    assert next(archive.iter_recorded(receipt.index)).statement.predicate_bytes == body
    assert archive.record(parse_event_statement(body))[0].index == receipt.index
    assert archive.read_recorded(receipt.statement_id[:9]).index == receipt.index
    assert problems(archive) == []


def test_statements_are_found_again_after_opening_anew(archive):
    receipts = archive.record(*(event(str(number)) for number in range(40)))
    archive.close()
    opened = Archive.open(archive.folder)
    assert [r.index for r in opened.record(*(event(str(number)) for number in range(40)))] == [
        r.index for r in receipts
    ]
    opened.close()
