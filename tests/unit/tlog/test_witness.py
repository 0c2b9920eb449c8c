"""The witness cosigns what grew, once it is stored, and nothing else; each answer has the status that C2SP asks for."""

import json
import os
import sqlite3
import threading
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from grown_log import GrownLog

from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.merkle import EMPTY_ROOT
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    Note,
    SigningKey,
    VerifierKey,
    format_note,
    make_signatures,
    open_note,
    parse_note,
    parse_verifier_key,
    sign_note,
)
from wherefrom.notes.strict import format_base64
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_state import WitnessState

LITEWITNESS = json.loads((Path(__file__).parents[2] / "vectors" / "witness" / "litewitness.json").read_text())
KEY = SigningKey("witness.example", bytes(range(32)), ED25519_COSIGNATURE)
POST_QUANTUM = SigningKey("witness.example", bytes(range(1, 33)), ML_DSA_44_COSIGNATURE)
LOG = GrownLog()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def state(tmp_path):
    opened = WitnessState.create(tmp_path / "state")
    yield opened
    opened.close()


@pytest.fixture
def witness(state):
    return Witness([KEY], LOG.verifier_keys, state, clock=lambda: NOW)


def signed(answer, size, log=LOG, keys=(KEY,)):
    """The times that an answer 200 gives, its signatures verified for the log's checkpoint of this size."""
    assert answer.status == 200, answer
    opened = open_note(log.note(size) + answer.body, [key.verifier_key for key in keys])
    assert len(opened.cosignatures) == len(keys)
    return [c.time for c in opened.cosignatures]


def test_a_log_that_grows_is_cosigned_step_by_step(witness, state):
    for old, new in ((0, 1), (1, 1), (1, 5), (5, 8), (8, 100)):
        assert signed(witness.add_checkpoint(LOG.request(old, new)), new) == [NOW]
        assert state.read_head(LOG.origin).size == new


def test_the_empty_tree_is_cosigned_and_can_only_grow(witness, state):
    assert signed(witness.add_checkpoint(LOG.request(0, 0)), 0) == [NOW]
    assert state.read_head(LOG.origin).root == EMPTY_ROOT
    assert witness.add_checkpoint(LOG.request(0, 3)).status == 200


def test_two_keys_give_two_lines_and_both_verify(state):
    witness = Witness([KEY, POST_QUANTUM], LOG.verifier_keys, state, clock=lambda: NOW)
    assert signed(witness.add_checkpoint(LOG.request(0, 7)), 7, keys=(KEY, POST_QUANTUM)) == [NOW, NOW]


def test_the_transcript_of_another_witness_comes_out_the_same(state):
    witness = Witness([KEY], [parse_verifier_key(LITEWITNESS["vkey"])], state)
    for case in LITEWITNESS["cases"]:
        answer, want = witness.add_checkpoint(case["body"].encode()), case["want"]
        assert answer.status == want["status"]
        if "body" in want:
            assert answer.body.decode() == want["body"]
        if answer.status == 200:
            assert open_note(case["body"].encode().partition(b"\n\n")[2] + answer.body, [KEY.verifier_key])


# --- refusals: each leaves what is stored as it was -----------------------------------------------------------------

FORKED = GrownLog(fork=4)
STRANGER = GrownLog(keys=[SigningKey("example.com/log", bytes(32))])
OTHER = GrownLog("example.com/other")


def spoiled(note):
    """The last byte of the last signature changed."""
    parsed = parse_note(note)
    *lines, last = parsed.signatures
    changed = type(last)(last.name, last.key_id, last.signature[:-1] + bytes([last.signature[-1] ^ 1]))
    return format_note(Note(parsed.text, (*lines, changed)))


def empty_with_root(root):
    return sign_note(f"{LOG.origin}\n0\n{format_base64(root)}\n", *LOG.keys)


NO_CHECKPOINT = sign_note(f"{LOG.origin}\nseven\n", *LOG.keys)
REFUSED = [
    ("no request at all", b"", 400, None),
    ("no checkpoint", b"old 5\n\n", 400, None),
    ("an unsigned checkpoint", b"old 5\n\n" + LOG.note(7).partition(b"\n\n")[0] + b"\n", 400, None),
    ("a size with a leading zero", b"old 05" + LOG.request(5, 7)[5:], 400, None),
    ("an old size above the new one", LOG.request(8, 7, proof=[]), 400, None),
    ("sixty-four hashes", LOG.request(5, 7, proof=[bytes(32)] * 64), 400, None),
    ("a signed text that is no checkpoint", LOG.request(5, 7, note=NO_CHECKPOINT), 400, None),
    ("a log nobody named", OTHER.request(0, 7), 404, None),
    ("another log's text signed by this log", LOG.request(5, 7, note=sign_note("x\n1\nAA==\n", *LOG.keys)), 404, None),
    ("a key nobody knows", STRANGER.request(5, 7), 403, None),
    ("a wrong signature by the log's key", LOG.request(5, 7, note=spoiled(LOG.note(7))), 403, None),
    ("an old size below what was cosigned", LOG.request(3, 7), 409, b"5\n"),
    ("an old size of nothing", LOG.request(0, 7), 409, b"5\n"),
    ("an old size above what was cosigned", LOG.request(6, 7), 409, b"5\n"),
    ("a smaller tree", LOG.request(4, 4), 409, b"5\n"),
    ("a smaller tree from nothing", LOG.request(0, 3), 409, b"5\n"),
    ("another tree of the same size", FORKED.request(5, 5), 422, None),
    ("a forked tree with its own proof", FORKED.request(5, 9), 422, None),
    ("no proof", LOG.request(5, 9, proof=[]), 422, None),
    ("a hash too few", LOG.request(5, 9, proof=LOG.prove(5, 9)[:-1]), 422, None),
    ("a hash too many", LOG.request(5, 9, proof=[*LOG.prove(5, 9), bytes(32)]), 422, None),
    ("a proof for the same size", LOG.request(5, 5, proof=[bytes(32)]), 422, None),
    ("a wrong hash", LOG.request(5, 9, proof=[bytes(32), *LOG.prove(5, 9)[1:]]), 422, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_it_refuses_and_forgets_nothing(witness, state, body, status, says):
    assert witness.add_checkpoint(LOG.request(0, 5)).status == 200
    before = state.read_head(LOG.origin)
    answer = witness.add_checkpoint(body)
    assert answer.status == status, answer.body
    if says:
        assert (answer.body, answer.content_type) == (says, "text/x.tlog.size")
    assert "—".encode() not in answer.body
    assert state.read_head(LOG.origin) == before
    assert witness.add_checkpoint(LOG.request(5, 6)).status == 200


def test_before_the_first_checkpoint_the_old_size_is_zero(witness):
    answer = witness.add_checkpoint(LOG.request(3, 7))
    assert (answer.status, answer.body) == (409, b"0\n")
    assert witness.add_checkpoint(LOG.request(0, 7, proof=[bytes(32)])).status == 422
    assert witness.add_checkpoint(LOG.request(0, 7)).status == 200


@pytest.mark.parametrize(("root", "status"), [(bytes(32), 422), (EMPTY_ROOT[:31], 400), (EMPTY_ROOT, 200)])
def test_a_checkpoint_of_nothing_has_the_root_of_nothing(witness, root, status):
    assert witness.add_checkpoint(LOG.request(0, 0, note=empty_with_root(root))).status == status


def test_a_wrong_root_of_nothing_unsigned_is_forbidden_first(witness):
    note = sign_note(f"{LOG.origin}\n0\n{format_base64(bytes(32))}\n", *STRANGER.keys)
    assert witness.add_checkpoint(LOG.request(0, 0, note=note)).status == 403


# --- signatures -----------------------------------------------------------------------------------------------------


def test_any_one_of_a_log_s_keys_is_enough_and_none_may_be_wrong(state):
    second = SigningKey(LOG.origin, bytes(range(2, 34)), ML_DSA_44_COSIGNATURE)
    both = [*LOG.keys, second]
    witness = Witness([KEY], [key.verifier_key for key in both], state)
    text = parse_note(LOG.note(7)).text
    assert witness.add_checkpoint(LOG.request(0, 7, note=sign_note(text, second))).status == 200
    assert witness.add_checkpoint(LOG.request(7, 7, note=sign_note(text, *both))).status == 200
    wrong = spoiled(sign_note(text, *both))
    assert witness.add_checkpoint(LOG.request(7, 7, note=wrong)).status == 403


def test_signatures_by_unknown_keys_are_ignored_and_not_passed_on(witness):
    text = parse_note(LOG.note(7)).text
    note = spoiled(format_note(Note(text, (*make_signatures(text, LOG.keys), *make_signatures(text, OTHER.keys)))))
    assert witness.add_checkpoint(LOG.request(0, 7, note=note)).status == 200
    kept = parse_note(witness.read_checkpoint(sha256(LOG.origin.encode()).hexdigest()))
    assert [line.label for line in kept.signatures] == [LOG.verifier_keys[0].label, KEY.verifier_key.label]


def test_a_note_full_of_one_signature_is_cosigned(witness):
    [line] = parse_note(LOG.note(7)).signatures
    note = format_note(Note(parse_note(LOG.note(7)).text, (line,) * 100))
    assert witness.add_checkpoint(LOG.request(0, 7, note=note)).status == 200


def test_logs_are_kept_apart(state):
    witness = Witness([KEY], [*LOG.verifier_keys, *OTHER.verifier_keys], state)
    assert witness.add_checkpoint(LOG.request(0, 7)).status == 200
    assert witness.add_checkpoint(OTHER.request(7, 9)).body == b"0\n"
    assert witness.add_checkpoint(OTHER.request(0, 2)).status == 200
    assert witness.add_checkpoint(LOG.request(7, 9)).status == 200


def test_monitors_read_what_was_returned_and_which_log_key_had_signed(witness):
    of_log = sha256(LOG.origin.encode()).hexdigest()
    with pytest.raises(NotFoundError, match="no checkpoint of this log was cosigned here yet"):
        witness.read_checkpoint(of_log)
    answer = witness.add_checkpoint(LOG.request(0, 7))
    assert witness.read_checkpoint(of_log) == LOG.note(7) + answer.body


def test_keys_that_do_not_fit_their_part_are_refused(state):
    with pytest.raises(FormatError, match=r"key example\.com/log\+\w{8} is a log's, not a witness's"):
        Witness(LOG.keys, LOG.verifier_keys, state)
    with pytest.raises(FormatError, match="is a witness's, not a log's"):
        Witness([KEY], [KEY.verifier_key], state)
    with pytest.raises(FormatError, match="one name and at least one key"):
        Witness([], LOG.verifier_keys, state)
    with pytest.raises(FormatError, match="one name and at least one key"):
        Witness([KEY, SigningKey("other", bytes(32), ED25519_COSIGNATURE)], LOG.verifier_keys, state)
    for signer, log_key in (
        (KEY, VerifierKey("x" * 256, 1, bytes(32))),
        (SigningKey("x" * 256, bytes(32), ML_DSA_44_COSIGNATURE), LOG.verifier_keys[0]),
    ):
        with pytest.raises(FormatError, match="is longer than the 255 bytes one can cosign"):
            Witness([signer], [log_key], state)


def test_a_log_named_twice_is_one_log(state):
    witness = Witness([KEY], [*LOG.verifier_keys, *LOG.verifier_keys], state)
    assert witness.add_checkpoint(LOG.request(0, 7)).status == 200


# --- time -----------------------------------------------------------------------------------------------------------


def test_time_goes_on_and_never_back(state):
    clock = [NOW]
    witness = Witness([KEY], LOG.verifier_keys, state, clock=lambda: clock[0])
    assert signed(witness.add_checkpoint(LOG.request(0, 7)), 7) == [NOW]
    clock[0] = NOW - timedelta(seconds=1)
    answer = witness.add_checkpoint(LOG.request(7, 9))
    assert answer.status == 503
    assert b"this witness's clock says" in answer.body
    assert state.read_head(LOG.origin).size == 7
    clock[0] = NOW + timedelta(seconds=1)
    assert signed(witness.add_checkpoint(LOG.request(7, 7)), 7) == [clock[0]]
    assert state.read_head(LOG.origin).time_s == int(clock[0].timestamp())


def test_a_clock_at_the_beginning_of_time_signs_nothing(state):
    witness = Witness([KEY], LOG.verifier_keys, state, clock=lambda: datetime.fromtimestamp(0, UTC))
    assert witness.add_checkpoint(LOG.request(0, 7)).status == 503


# --- storing --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_stored_is_not_cosigned(witness, state):
    assert witness.add_checkpoint(LOG.request(0, 5)).status == 200
    state._connection.execute("PRAGMA query_only = 1")
    answer = witness.add_checkpoint(LOG.request(5, 9))
    assert answer.status == 503
    assert "—".encode() not in answer.body
    state._connection.execute("PRAGMA query_only = 0")
    assert witness.add_checkpoint(LOG.request(5, 9)).status == 200


class Unreachable:
    verifier_key = KEY.verifier_key

    def sign(self, message, /):
        raise UnavailableError("the key is locked away")


def test_a_key_that_cannot_be_reached_leaves_the_state_as_it_was(state):
    answer = Witness([Unreachable()], LOG.verifier_keys, state).add_checkpoint(LOG.request(0, 5))
    assert (answer.status, answer.body) == (503, b"the key is locked away\n")
    assert state.read_head(LOG.origin) is None


def test_an_answer_that_got_lost_is_asked_for_again(witness):
    witness.add_checkpoint(LOG.request(0, 5))  # stored, but say that the answer never came
    again = witness.add_checkpoint(LOG.request(0, 5))
    assert (again.status, again.body) == (409, b"5\n")
    assert signed(witness.add_checkpoint(LOG.request(5, 5)), 5) == [NOW]


def test_two_requests_at_once_never_roll_back(tmp_path):
    """The race that the document spells out, with two processes' worth of connections: B comes while A is checked."""
    path = tmp_path / "state"
    states = [WitnessState.create(path), WitnessState.open(path)]
    answers, started = {}, threading.Event()

    def run_b():
        started.set()
        answers["b"] = Witness([KEY], LOG.verifier_keys, states[1], clock=lambda: NOW).add_checkpoint(LOG.request(5, 9))

    b = threading.Thread(target=run_b)

    def clock_of_a():  # asked between A's check and A's write
        b.start()
        assert started.wait(60)
        return NOW

    first = Witness([KEY], LOG.verifier_keys, states[0], clock=lambda: NOW)
    assert first.add_checkpoint(LOG.request(0, 5)).status == 200
    answers["a"] = Witness([KEY], LOG.verifier_keys, states[0], clock=clock_of_a).add_checkpoint(LOG.request(5, 7))
    b.join(60)
    assert (answers["a"].status, answers["b"].status) == (200, 409)
    assert answers["b"].body == b"7\n"
    assert states[1].read_head(LOG.origin).size == 7
    for state in states:
        state.close()


def test_of_many_at_once_from_one_size_exactly_one_wins(tmp_path):
    path = tmp_path / "state"
    WitnessState.create(path).close()
    size, workers = 0, 6
    states = [WitnessState.open(path) for _ in range(3)]
    for _ in range(8):
        barrier, answers = threading.Barrier(workers), {}

        def run(number, size=size, barrier=barrier, answers=answers):
            witness = Witness([KEY], LOG.verifier_keys, states[number % 3])
            barrier.wait(60)
            answers[size + number] = witness.add_checkpoint(LOG.request(size, size + number))

        threads = [threading.Thread(target=run, args=(number,)) for number in range(1, workers + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        [won] = [new for new, answer in answers.items() if answer.status == 200]
        assert {answer.status for answer in answers.values()} == {200, 409}
        assert states[0].read_head(LOG.origin).size == won
        size = won
    for state in states:
        state.close()


# --- the state's file -----------------------------------------------------------------------------------------------


def test_a_state_is_made_once_and_only_on_purpose(tmp_path):
    path = tmp_path / "state"
    with pytest.raises(NotFoundError, match="would not know what it has cosigned"):
        WitnessState.open(path)
    WitnessState.create(path).close()
    with pytest.raises(ConflictError, match="there is a witness's state"):
        WitnessState.create(path)
    WitnessState.open(path).close()


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0" + bytes(100), os.urandom(5000)])
def test_a_file_that_is_no_state_is_not_opened(tmp_path, content):
    path = tmp_path / "state"
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match=r"is damaged|cannot be used"):
        WitnessState.open(path)
    assert path.read_bytes() == content


def test_another_database_is_not_opened(tmp_path):
    path = tmp_path / "state"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE heads (x)")
    connection.close()
    with pytest.raises(UnavailableError, match="its application_id is 0"):
        WitnessState.open(path)


def test_a_changed_byte_of_the_state_is_noticed_or_changes_nothing(tmp_path):
    path = tmp_path / "state"
    state = WitnessState.create(path)
    assert Witness([KEY], LOG.verifier_keys, state).add_checkpoint(LOG.request(0, 7)).status == 200
    head = state.read_head(LOG.origin)
    state.close()
    whole, noticed = path.read_bytes(), 0
    used = [i for i, byte in enumerate(whole) if byte]
    for position in used:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        try:
            opened = WitnessState.open(path)
        except UnavailableError:
            noticed += 1
            continue
        try:
            Witness([KEY], LOG.verifier_keys, opened)
            found = opened.read_head(LOG.origin)
            assert (found.size, found.root) == (head.size, head.root)
        except UnavailableError:
            noticed += 1
        finally:
            opened.close()
    assert noticed > len(used) // 2


def test_a_time_set_back_in_the_state_is_noticed(tmp_path):
    path = tmp_path / "state"
    state = WitnessState.create(path)
    Witness([KEY], LOG.verifier_keys, state).add_checkpoint(LOG.request(0, 7))
    state._connection.execute("UPDATE heads SET time_s = time_s - 1")
    with pytest.raises(UnavailableError, match="a time is not the one signed"):
        Witness([KEY], LOG.verifier_keys, state)
    renewed = SigningKey("witness.example", bytes(range(9, 41)), ED25519_COSIGNATURE)
    assert Witness([renewed], LOG.verifier_keys, state).add_checkpoint(LOG.request(7, 8)).status == 200
    state.close()


def test_the_state_survives_being_closed(tmp_path):
    path = tmp_path / "state"
    state = WitnessState.create(path)
    Witness([KEY], LOG.verifier_keys, state).add_checkpoint(LOG.request(0, 7))
    state.close()
    state = WitnessState.open(path)
    witness = Witness([KEY], LOG.verifier_keys, state)
    assert witness.add_checkpoint(LOG.request(0, 5)).body == b"7\n"
    assert witness.add_checkpoint(FORKED.request(7, 7)).status == 422
    assert b64decode(parse_note(witness.read_checkpoint(sha256(LOG.origin.encode()).hexdigest())).text.split("\n")[2])
    state.close()
